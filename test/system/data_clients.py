#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""The data plane as its users meet it: keys, certificates, clients and tokens by `cloister`, through
cloisterd's tunnel, and clients that we did not write: curl, openssl, Node, Python's http.client and
requests. Attested by C and by JavaScript; permissions, certificates and the front itself change under
connections that go on."""

import contextlib
import datetime
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import CHAIN, CLI, PATIENCE_S, PKI, Tap, run, tx, wait_for  # noqa: E402
from notary import name, pem  # noqa: E402
from servicetest import AdminPlatform, Service  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: E402

try:
    import requests
except ImportError:
    requests = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = "signer.example"
IDLE_S, SHORT_IDLE_S = 90, 70  # beyond and below what the server announces (75)
DONE, REFUSED, USAGE, UNREACHABLE, UNVERIFIED, DEPLOYMENT = range(6)
NODE = """
import fs from 'node:fs';
import https from 'node:https';
import { pinnedAgent, verifyEndpoint } from '%(package)s/src/node.js';
const [url, pcr0, pcr16, root, ca] = process.argv.slice(2);
const ask = (agent) => new Promise((resolve, reject) => {
  https.get(new URL('/upcheck', url), { agent }, (answer) => {
    let text = '';
    answer.on('data', (part) => { text += part; }).on('end', () => resolve(`${answer.statusCode} ${text}`));
  }).on('error', reject);
});
const answers = [];
try {
  const found = ca ? {} : await verifyEndpoint(url, { pcr0: [pcr0], pcr16, root });
  const agent = ca ? new https.Agent({ keepAlive: true, ca: fs.readFileSync(ca) }) : pinnedAgent(found.spkiSha256);
  for (const pause of ca ? [0, %(idle)d] : [0, 0]) {
    await new Promise((resolve) => { setTimeout(resolve, pause); });
    answers.push(await ask(agent));
  }
  console.log(JSON.stringify({ spki: found.spkiSha256, keyset: found.keyset, phase: found.phase, answers }));
  agent.destroy();
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message, answers }));
}
""" % {"package": ROOT / "packages/verify-js", "idle": IDLE_S * 1000}


# -- people ------------------------------------------------------------------------------------------

class Authority:
    def __init__(self, label):
        self.key, self.name = ec.generate_private_key(ec.SECP256R1()), name(label)
        self.cert = self.issue(label, self.key.public_key(), ca=True)

    def issue(self, label, public_key, ca=False, extensions=()):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(name(label)).issuer_name(self.name).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=30))
                   .add_extension(x509.BasicConstraints(ca, None), True))
        if ca:
            builder = builder.add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
        for extension in extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        return builder.sign(self.key, hashes.SHA256())

    def person(self, folder, label):
        """A client's certificate and key in one PEM file."""
        key = ec.generate_private_key(ec.SECP256R1())
        path = folder / f"{label}.pem"
        path.write_bytes(text(self.issue(label, key.public_key())) + pem(key))
        (folder / f"{label}-cert.pem").write_bytes(text(self.issue_again(path)))
        return path

    @staticmethod
    def issue_again(path):
        return x509.load_pem_x509_certificate(path.read_bytes())


def text(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


class Https(http.client.HTTPSConnection):
    """http.client, with a client certificate or a session of before."""

    def __init__(self, scene, certificate=None, session=None, context=None):
        self.context = context or ssl.create_default_context(cafile=scene.ca_file)
        if certificate:
            self.context.load_cert_chain(certificate)
        super().__init__("127.0.0.1", scene.port, timeout=PATIENCE_S, context=self.context)
        self.session = session

    def connect(self):
        raw = socket.create_connection((self.host, self.port), self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self.context.wrap_socket(raw, server_hostname=self.host, session=self.session)

    def ask(self, method, path, body=None, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.getresponse()
        return answer.status, answer.read().decode()


class Scene:
    def __init__(self):
        self.platform = AdminPlatform(tls=True)
        self.dir = self.platform.dir
        self.platform.start()
        self.service = Service(self.platform, "tunnel_listen = tcp://127.0.0.1:0",
                               f"tunnel = unix://{self.platform.emu_dir}/link/9000").start()
        self.port = int(self.service.own()["tunnel"]["address"].rsplit(":", 1)[1])
        self.url = f"https://127.0.0.1:{self.port}"
        self.serial = 0
        self.server_ca, self.staff = Authority("server CA"), Authority("staff CA")
        self.ca_file = self.write("ca.pem", text(self.server_ca.cert))
        self.write("staff.pem", text(self.staff.cert))
        self.script = self.write("client.mjs", NODE.encode())

    def write(self, label, data):
        path = self.dir / label
        path.write_bytes(data)
        return path

    def cloister(self, *args, **kwargs):
        return self.service.cloister(*args, **kwargs)

    def must(self, *args, **kwargs):
        result = self.cloister(*args, **kwargs)
        if result.returncode:
            raise RuntimeError(f"cloister {args}: {shown(result)}")
        return result.stdout

    def manifest(self, *options):
        """Made, signed by two administrators, and applied."""
        self.serial += 1
        path = self.dir / f"m{self.serial}.bin"
        self.must("manifest", "create", "--serial", str(self.serial), "--from-service", *options, "-o", path)
        signatures = []
        for admin in self.platform.admins[:2]:
            out = self.dir / f"m{self.serial}-{admin.name}.sig"
            run(CLI, "manifest", "sign", path, "--key", admin.key, "-o", out)
            signatures += ["--signature", out]
        self.must("manifest", "apply", path, *signatures)

    def clients(self, *clients):
        self.write("clients.json", json.dumps(list(clients)).encode())
        self.manifest("--clients", self.dir / "clients.json")

    def verify(self, *pins):
        return run(CLI, "attest", "verify", self.url, *(pins or ("--pcr0", self.platform.pcrs["pcr0"], "--config",
                                                              self.platform.config)), check=False)

    def node(self, pcr16=None, ca=""):
        """Verifies, and asks whom it verified; with `ca`, only asks, and again after a while."""
        root = run("openssl", "dgst", "-sha256", "-r", PKI / "nsm-root.der").split()[0]
        result = subprocess.run(["node", str(self.script), self.url, self.platform.pcrs["pcr0"], pcr16 or self.platform.pcr16,
                                 root, str(ca)], capture_output=True, text=True, timeout=IDLE_S + PATIENCE_S, check=False)
        return json.loads(result.stdout or "{}") or result.stderr

    def certify(self, key_name):
        """A certificate by the test's authority for the request of this key; the chain's file."""
        csr = self.dir / f"{key_name}.csr"
        self.must("tls", "csr", key_name, "--host", HOST, "--host", "127.0.0.1", "-o", csr)
        request = x509.load_pem_x509_csr(csr.read_bytes())
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        cert = self.server_ca.issue(HOST, request.public_key(), extensions=[names])
        return self.write(f"{key_name}-chain.pem", text(cert) + text(self.server_ca.cert)), cert

    def session(self):
        """requests, without what its environment says of certificates."""
        session = requests.Session()
        session.trust_env, session.verify = False, str(self.ca_file)
        return session

    def curl(self, path, *options):
        return run("curl", "-sS", "--max-time", "60", "--cacert", self.ca_file, *options, self.url + path, check=False)


def shown(result):
    return f"exit {result.returncode}\n{result.stdout}{result.stderr}"


# -- cases -------------------------------------------------------------------------------------------

def before(tap, scene):
    wait_for("keysets", lambda: len(scene.service.request("GET", "/v1/keysets")[1].get("keysets", [])) == 2)
    scene.manifest()
    scene.service.wait_ready()
    result = scene.verify()
    tap.ok(result.returncode == UNREACHABLE and "verified" not in result.stdout, "before a TLS key: unreachable, not verified", shown(result))
    scene.account = json.loads(scene.must("account", "create", "--user", "alice", "--name", "main", "--unrestricted", "--json"))
    shown_account = json.loads(scene.must("account", "show", "--user", "alice", "--name", "main", "--json"))
    scene.body = {"record_b64": shown_account["record_b64"], "tx": tx()}
    scene.sign = f"/v1/accounts/{scene.account['account']}/sign-transaction"


def installed(tap, scene):
    made = json.loads(scene.must("tls", "create", "--name", "first", "--json"))
    chain, scene.cert = scene.certify("first")
    used = json.loads(scene.must("tls", "install", "first", "--certificate", chain, "--json"))
    tap.ok(made["verified"] and used["in_use"] and used["spki_sha256"] == made["spki_sha256"] == used["spki_sha256"]
           and used["certificate_sha256"] == scene.cert.fingerprint(hashes.SHA256()).hex(),
           "a key is made inside, certified for its request, and installed", (made, used))
    scene.spki, scene.pin, scene.keyset = made["spki_sha256"], made["pin"], made["keyset"]
    listed = json.loads(scene.must("tls", "list", "--json"))["tls_keys"]
    tap.ok([k["spki_sha256"] for k in listed] == [scene.spki], "tls list: its receipt verifies", listed)


def attested(tap, scene, when, spki=None):
    result, js = scene.verify(), scene.node()
    tap.ok(result.returncode == DONE and f"spki_sha256           {spki or scene.spki}\n" in result.stdout
           and "phase                 READY" in result.stdout, f"attest verify, {when}", shown(result))
    tap.ok(isinstance(js, dict) and js.get("spki") == (spki or scene.spki) and js["keyset"] == scene.keyset and js["answers"] == ["200 OK", "200 OK"],
           f"verify-js, and requests to the key that it verified, {when}", js)


def attested_otherwise(tap, scene):
    pcr0 = scene.platform.pcrs["pcr0"]
    genuine = ("--pcr0", pcr0, "--config", scene.platform.config)
    other = scene.platform.dir / "other.bin"
    other.write_bytes(scene.platform.config.read_bytes().replace(bytes.fromhex(scene.platform.deployment), b"\x01" * 16))
    for label, pins, code, why in (
            ("PCR0 alone", ("--pcr0", pcr0), DEPLOYMENT, "deployment unverified"),
            ("its keyset", (*genuine, "--keyset", scene.keyset), DONE, "keyset         ok"),
            ("another keyset", (*genuine, "--keyset", "ab" * 16), UNVERIFIED, "keyset         FAILED"),
            ("another image", ("--pcr0", "ab" * 48, "--config", scene.platform.config), UNVERIFIED, "PCR0"),
            ("another configuration", ("--pcr0", pcr0, "--config", other), UNVERIFIED, "PCR16")):
        result = scene.verify(*pins)
        tap.ok(result.returncode == code and why in result.stdout + result.stderr, f"attest verify: {label}", shown(result))
    js = scene.node(pcr16="ab" * 48)
    tap.ok(js.get("code") == "untrusted", "verify-js: another configuration", js)
    by_name = run(CLI, "attest", "verify", f"https://localhost:{scene.port}", "--pcr0", pcr0, "--config", scene.platform.config, check=False)
    tap.ok(by_name.returncode == UNVERIFIED and "name" in by_name.stderr, "under a name that the certificate does not have: refused, with the reason", shown(by_name))


def other_clients(tap, scene):
    """Open routes, by whatever people use."""
    curl = scene.curl
    tap.ok(curl("/upcheck").stdout == "OK", "curl")
    tap.ok(curl("/upcheck", "-H", "Accept: application/json").stdout == '{"status":"OK"}', "curl: JSON where it is asked for")
    tap.ok(curl("/upcheck", "--pinnedpubkey", scene.pin).stdout == "OK", "curl --pinnedpubkey: the pin of `tls create`")
    tap.ok(curl("/upcheck", "--pinnedpubkey", "sha256//" + "A" * 43 + "=").returncode == 90, "curl --pinnedpubkey: another")
    twice = curl("/upcheck", "-v", scene.url + "/version", "-o", "/dev/null")
    tap.ok("Re-using existing" in twice.stderr, "curl keeps its connection", twice.stderr)
    for version in ("1.2", "1.3"):
        one = curl("/healthcheck", f"--tlsv{version}", "--tls-max", version, "-i")
        tap.ok(re.match(r"HTTP/1.1 200 .*Keep-Alive: timeout=75", one.stdout, re.S) and '"outcome":"UP"' in one.stdout, f"curl, TLS {version}", one)
    tap.ok(curl("/upcheck", "--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0").returncode == 35, "curl, TLS 1.1: no handshake")
    tap.ok(curl("/upcheck", "--http2").stdout == "OK", "curl that would like HTTP/2")
    tap.ok(curl("/upcheck", "-I").stdout.startswith("HTTP/1.1 200"), "curl -I")
    openssl(tap, scene)
    if requests:
        with scene.session() as session:
            answers = [session.get(scene.url + "/upcheck", timeout=60) for _ in range(3)]
            tap.ok([a.text for a in answers] == ["OK"] * 3, "requests")
    else:
        tap.skip("requests", "python3-requests is not installed")
    client = Https(scene)
    tap.ok([client.ask("GET", "/upcheck") for _ in range(3)] == [(200, "OK")] * 3, "http.client")


def openssl(tap, scene):
    def s_client(*options, feed=f"GET /upcheck HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"):
        return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{scene.port}", "-CAfile", str(scene.ca_file), "-servername",
                               HOST, "-verify_return_error", *options], input=feed, capture_output=True, text=True, timeout=60, check=False)
    for version in ("-tls1_2", "-tls1_3"):
        one = s_client(version, "-ign_eof")
        tap.ok("Verify return code: 0 (ok)" in one.stdout and one.stdout.rstrip().endswith("OK") or "\nOK" in one.stdout,
               f"openssl s_client {version}", one.stdout[-600:])
        session = scene.dir / f"session{version}"
        first, second = s_client(version, "-ign_eof", "-sess_out", str(session)), s_client(version, "-ign_eof", "-sess_in", str(session))
        tap.ok("Reused, " in second.stdout and "\nNew, " in first.stdout, f"openssl s_client {version}: resumed", second.stdout[-600:])
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{scene.port}", "-tls1_2"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as again:
        again.stdin.write("R\n")
        again.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            again.wait(2)
        said = again.communicate(timeout=60)[0]
    tap.ok("RENEGOTIATING" in said and "no renegotiation" in said, "openssl s_client: no renegotiation", said[-600:])
    tap.ok(s_client("-tls1_2", "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA").returncode != 0, "openssl s_client: no CBC, no key exchange without forward secrecy")


def permitted(tap, scene):
    """Who may do what, by certificate, authority and token; then a manifest without them."""
    folder, sign, body = scene.dir, scene.sign, scene.body
    alice, bob = scene.staff.person(folder, "alice"), scene.staff.person(folder, "bob")
    stranger = Authority("nobody's CA").person(folder, "mallory")
    token_file = folder / "metrics.token"
    digest = re.search(r"[0-9a-f]{64}", scene.must("token", "new", "-o", token_file)).group()
    token = token_file.read_text().strip()
    scene.write("body.json", json.dumps(body).encode())
    post = ("-H", "Content-Type: application/json", "--data", f"@{folder}/body.json", "-w", "\n%{http_code}")
    tap.ok(scene.curl(sign, *post).stdout.endswith("\n401"), "nobody in the manifest: 401")
    everyone = [
        {"label": "alice", "certificate_pem_file": "alice-cert.pem", "operations": ["sign_transaction"], "keys": [scene.account["address"]]},
        {"label": "monitoring", "token_sha256": digest, "operations": ["metrics"]},
    ]
    scene.clients(*everyone)
    signed = scene.curl(sign, *post, "--cert", alice)
    local = json.loads(run(CLI, "tx", "decode", json.loads(signed.stdout.rsplit("\n", 1)[0])["raw_tx"], "--json"))
    tap.ok(signed.stdout.endswith("\n200") and scene.account["address"] in json.dumps(local), "curl --cert: signed, by this account", shown(signed))
    for label, options, code in (
            ("chunked", ("-H", "Transfer-Encoding: chunked", "--cert", alice), "200"),
            ("Expect: 100-continue", ("-H", "Expect: 100-continue", "--cert", alice), "200"),
            ("no certificate", (), "401"), ("the token of another operation", ("-H", f"Authorization: Bearer {token}"), "403")):
        tap.ok(scene.curl(sign, *post, *options).stdout.endswith(f"\n{code}"), f"curl, {label}: {code}")
    tap.ok(scene.curl(sign, *post, "--cert", bob).returncode != 0, "a certificate that the manifest does not name: no connection")
    metrics = scene.curl("/metrics", "-H", f"Authorization: Bearer {token}")
    tap.ok("cloister_data_requests_total{" in metrics.stdout and scene.curl("/metrics", "-w", "%{http_code}").stdout.endswith("401")
           and scene.curl("/metrics", "--cert", alice, "-w", "%{http_code}").stdout.endswith("403"), "metrics with the token alone", metrics.stdout[:300])
    if requests:
        with scene.session() as session:
            answer = session.post(scene.url + sign, json=body, cert=str(alice), timeout=60)
        tap.ok(answer.status_code == 200 and answer.json()["from"] == scene.account["address"], "requests with a client certificate", answer.text)
    open_one = Https(scene, certificate=alice)
    tap.ok(open_one.ask("POST", sign, body)[0] == 200, "http.client with a client certificate")
    resumed = Https(scene, session=open_one.sock.session, context=open_one.context)
    tap.ok(resumed.ask("POST", sign, body)[0] == 200 and resumed.sock.session_reused, "the same, resumed")
    scene.clients({"label": "staff", "authority_pem_file": "staff.pem", "operations": ["sign_transaction"], "keys": ["0x00*"]}, everyone[1])
    tap.ok(open_one.ask("POST", sign, body)[0] == resumed.ask("POST", sign, body)[0] == 401,
           "a manifest without that certificate: 401, on the open connection and on the resumed one")
    tap.ok(scene.curl(sign, *post, "--cert", alice).stdout.endswith("\n403"), "by her authority, with other keys: 403")
    scene.clients({"label": "staff", "authority_pem_file": "staff.pem", "operations": ["sign_transaction"], "keys": ["*"]}, everyone[1])
    for label, certificate, code in (("alice", alice, "200"), ("bob", bob, "200")):
        tap.ok(scene.curl(sign, *post, "--cert", certificate).stdout.endswith(f"\n{code}"), f"by their authority: {label}: {code}")
    tap.ok(scene.curl(sign, *post, "--cert", stranger).returncode != 0, "by another authority: no connection")
    scene.clients()
    tap.ok([c.ask("POST", sign, body)[0] for c in (open_one, resumed)] == [401, 401]
           and scene.curl("/metrics", "-H", f"Authorization: Bearer {token}", "-w", "%{http_code}").stdout.endswith("401"),
           "a manifest without clients: 401, on open connections, too")
    scene.write("known.txt", f"# Web3Signer's\nalice {colons(alice)}\n".encode())
    scene.manifest("--known-clients", folder / "known.txt", "--host", "localhost")
    tap.ok(open_one.ask("POST", sign, body)[0] == 200, "Web3Signer's known-clients file: 200, on the same connection")
    tap.ok(run(CLI, "attest", "verify", f"https://localhost:{scene.port}", "--pcr0", scene.platform.pcrs["pcr0"], "--config",
               scene.platform.config, check=False).returncode == DONE, "--host: a further name is answered")


def colons(path):
    digits = x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256()).hex().upper()
    return ":".join(digits[i:i + 2] for i in range(0, 64, 2))


def renewed(tap, scene):
    """Another certificate, another key, and back: without a restart, and open connections go on."""
    def shown_by_server():
        with contextlib.closing(Https(scene)) as client:
            client.connect()
            return x509.load_der_x509_certificate(client.sock.getpeercert(True))
    old = Https(scene)
    old.ask("GET", "/upcheck")
    chain, cert = scene.certify("first")
    scene.must("tls", "install", "first", "--certificate", chain)
    tap.ok(shown_by_server() == cert and old.ask("GET", "/upcheck") == (200, "OK"), "a renewed certificate: new connections have it, an old one goes on")
    second = json.loads(scene.must("tls", "create", "--name", "second", "--json"))
    chain, cert = scene.certify("second")
    scene.must("tls", "install", "second", "--certificate", chain)
    tap.ok(shown_by_server() == cert and old.ask("GET", "/upcheck") == (200, "OK"), "another key: the same")
    attested(tap, scene, "with another key", second["spki_sha256"])
    wrong = scene.cloister("tls", "install", "first", "--certificate", chain)
    tap.ok(wrong.returncode == REFUSED and "another key" in wrong.stderr and shown_by_server() == cert, "the certificate of another key: refused", shown(wrong))
    scene.must("tls", "delete", "first")
    scene.spki = second["spki_sha256"]


def imported(tap, scene):
    key = ec.generate_private_key(ec.SECP256R1())
    names = scene.cert.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    cert = scene.server_ca.issue(HOST, key.public_key(), extensions=[names])
    path = scene.write("old.p12", pkcs12.serialize_key_and_certificates(b"x", key, cert, [scene.server_ca.cert],
                                                                        serialization.BestAvailableEncryption(b"secret")))
    path.chmod(0o600)
    read, write = os.pipe()
    os.write(write, b"secret\n")
    os.close(write)
    result = scene.cloister("tls", "import", "--name", "old", "--pkcs12", path, "--password-fd", str(read), pass_fds=(read,))
    os.close(read)
    tap.ok(result.returncode == DONE and "exposed" in result.stdout and "marked `exposed`" in result.stderr
           and scene.curl("/upcheck").stdout == "OK", "an imported key serves, and is called exposed", shown(result))
    verify, js = scene.verify(), scene.node()
    tap.ok(verify.returncode in (UNVERIFIED, UNREACHABLE) and "verified              yes" not in verify.stdout and js.get("code") in ("untrusted", "unreachable"),
           "its connections are attested by nobody", (shown(verify), js))
    scene.must("tls", "install", "second", "--certificate", scene.dir / "second-chain.pem")
    attested(tap, scene, "after the imported key was replaced")


def killed(tap, scene):
    front = scene.platform.children()["front"]
    os.kill(front, signal.SIGKILL)
    wait_for("another front", lambda: scene.platform.children()["front"] != front)
    wait_for("the certificate", lambda: scene.curl("/upcheck").stdout == "OK")
    attested(tap, scene, "after the front was killed")


# -- idle --------------------------------------------------------------------------------------------

class Idle(threading.Thread):
    """Clients that leave their connections alone, while everything else goes on."""

    def __init__(self, scene):
        super().__init__(daemon=True)
        self.scene, self.results = scene, {}

    def run(self):
        short = Https(self.scene)
        long = Https(self.scene)
        session = self.scene.session() if requests else None
        node = threading.Thread(target=lambda: self.results.__setitem__("node", self.scene.node(ca=self.scene.ca_file)), daemon=True)
        node.start()
        began = time.monotonic()
        for client in (short, long):
            client.ask("GET", "/upcheck")
        socket_of_short = short.sock
        if session:
            session.get(self.scene.url + "/upcheck", timeout=60)
        time.sleep(SHORT_IDLE_S)
        self.results["short"] = (*short.ask("GET", "/upcheck"), short.sock is socket_of_short)
        time.sleep(max(0, IDLE_S - (time.monotonic() - began)))
        if session:
            self.results["requests"] = session.get(self.scene.url + "/upcheck", timeout=60).text
        try:
            self.results["long"] = long.ask("GET", "/upcheck")
        except http.client.RemoteDisconnected:
            self.results["long"] = "closed in order"
        node.join(PATIENCE_S)

    def judge(self, tap):
        self.join(IDLE_S + 2 * PATIENCE_S)
        tap.ok(self.results.get("short") == (200, "OK", True), f"idle for {SHORT_IDLE_S} s: the same connection goes on", self.results)
        tap.ok(self.results.get("long") in ((200, "OK"), "closed in order"), f"idle for {IDLE_S} s, http.client: answered, or closed without a fault", self.results)
        if requests:
            tap.ok(self.results.get("requests") == "OK", f"idle for {IDLE_S} s, requests", self.results)
        node = self.results.get("node")
        tap.ok(isinstance(node, dict) and node.get("answers") == ["200 OK"] * 2, f"idle for {IDLE_S} s, Node's agent", node)


def main():
    tap = Tap()
    scene = Scene()
    try:
        before(tap, scene)
        installed(tap, scene)
        idle = Idle(scene)
        idle.start()
        attested(tap, scene, "with the first key")
        attested_otherwise(tap, scene)
        other_clients(tap, scene)
        permitted(tap, scene)
        renewed(tap, scene)
        imported(tap, scene)
        idle.judge(tap)
        killed(tap, scene)
        tap.ok(scene.platform.emulator.poll() is None, "the enclave is alive")
    finally:
        scene.service.stop()
        scene.platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
