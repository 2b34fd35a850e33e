#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""`cloister tls create|list|csr|install|delete|import` against a service of the test's own, honest and not: no
fingerprint is shown, no request handed on, no certificate installed and no key sealed unless a document of
the platform says so. The service's enclave is played in Python, after PROTOCOL.md."""

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.server
import ipaddress
import json
import os
import pathlib
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import CLI, Tap, b64, canonical, run  # noqa: E402
from notary import Notary, PCR0, name, pcr16_of, pem, spki_sha256, tag_hash  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519  # noqa: E402
from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: E402
from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: E402

ARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DEPLOYMENT, KEYSET = "5c" * 16, "7e" * 16
DONE, REFUSED, USAGE, UNREACHABLE, UNVERIFIED = range(5)
NOTHING, NOBODY = b"\0\1\0", b"\0\1\0"  # canonical: a policy that signs nothing, no authorisers


def compressed(key):
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


class Key:
    """A TLS key in the vault: its record and what names it."""

    def __init__(self, label, key=None, **change):
        self.name, self.key, self.id = label, key or ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
        policy = change.get("policy", NOTHING)
        self.public = (b"\0\1" + bytes.fromhex(change.get("deployment", DEPLOYMENT)) + bytes.fromhex(change.get("keyset", KEYSET))
                       + self.id + bytes([change.get("type", 3), change.get("purpose", 3), 33])
                       + change.get("point", compressed(self.key)) + tag_hash("cloister-policy-1", policy)
                       + tag_hash("cloister-authorisers-1", NOBODY) + bytes([change.get("provenance", 1)])
                       + b"\0\0\0\1" + int(time.time() * 1000).to_bytes(8, "big"))
        self.record = self.public + b"\0\3" + policy + b"\0\3" + NOBODY + b"\0\x3c" + os.urandom(60)
        self.certificate, self.in_use = None, False

    @property
    def fingerprint(self):
        return spki_sha256(self.key).hex()


class Service:
    """What cloisterd says: `twist` changes an answer before it leaves."""

    def __init__(self, folder, notary):
        self.folder, self.notary, self.keys, self.twist = folder, notary, {}, lambda path, answer: answer
        self.asked, self.offers, self.nonces = [], {}, {}
        self.import_key = x25519.X25519PrivateKey.generate()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                service.asked.append((self.command, self.path, body))
                status, answer = service.answer(self.command, self.path, json.loads(body) if body else None)
                answer = service.twist(self.path, answer)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self.path = folder / "rest.sock"
        self.server = Server(str(self.path), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def receipt(self, key, nonce):
        return self.notary.document(b"cloister-receipt-1\0" + tag_hash("cloister-receipt-1", key.public), nonce)

    def show(self, key):
        return {"name": key.name, "key": key.id.hex(), "keyset": key.public[18:34].hex(), "spki_sha256": "11" * 32,
                "record_b64": b64(key.record), "receipt_b64": b64(self.receipt(key, self.nonces.get(key.name, b"old"))),
                "state": "active", "in_use": key.in_use, **(key.certificate or {})}

    def answer(self, method, path, body):
        parts = path.split("/")[2:]
        if parts[0] == "tls-keys" and method == "POST" and len(parts) == 1:
            self.nonces[body["name"]] = bytes.fromhex(body["nonce"][2:])
            self.keys[body["name"]] = Key(body["name"])
            return 201, self.show(self.keys[body["name"]])
        if parts == ["tls-keys"]:
            return 200, {"tls_keys": [self.show(key) for key in self.keys.values()]}
        if parts[0] == "tls-imports":
            return self.offer(body) if len(parts) == 1 else self.take(parts[1], body)
        key = self.keys.get(parts[1])
        if not key:
            return 404, {"error": {"code": "not_found", "message": "tls key: there is none of this name"}}
        if method == "DELETE":
            del self.keys[key.name]
            return 200, {}
        if parts[2:] == ["csr"]:
            return 200, {"csr_pem": request(key.key, body["names"])}
        if parts[2:] == ["certificate"]:
            return 200, self.install(key, body)
        return 200, self.show(key)

    def install(self, key, body):
        text = body.get("certificate_pem") or certify(key.key, "self", key.key, days=body.get("days", 397),
                                                      names=body.get("names"))
        leaf = x509.load_pem_x509_certificate(text.encode())
        key.certificate = {"certificate_pem": text, "certificate_sha256": leaf.fingerprint(hashes.SHA256()).hex(),
                           "not_after": int(time.time()) + 3600}
        key.in_use = True
        return self.show(key)

    def offer(self, body):
        """PROTOCOL.md section 10."""
        ident = os.urandom(16)
        public = self.import_key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        digest = tag_hash("cloister-import-1", public, bytes.fromhex(DEPLOYMENT), bytes.fromhex(KEYSET), ident,
                          tag_hash("cloister-policy-1", NOTHING), tag_hash("cloister-authorisers-1", NOBODY))
        self.offers[ident.hex()] = (body["name"], digest)
        document = self.notary.document(b"cloister-import-1\0" + digest, bytes.fromhex(body["nonce"][2:]))
        return 200, {"key": ident.hex(), "public_key": "0x" + public.hex(), "document_b64": b64(document), "keyset": KEYSET}

    def take(self, ident, body):
        label, digest = self.offers[ident]
        opened = hpke_open(self.import_key, bytes.fromhex(body["enc"][2:]), base64.b64decode(body["ciphertext_b64"]), digest)
        key = ec.derive_private_key(int.from_bytes(opened[:32], "big"), ec.SECP256R1())
        self.terms = opened[32:]
        made = Key(label, key, provenance=3)
        made.public = made.public.replace(made.id, bytes.fromhex(ident))
        made.record = made.record.replace(made.id, bytes.fromhex(ident))
        made.id = bytes.fromhex(ident)
        self.keys[label], self.nonces[label] = made, bytes.fromhex(body["nonce"][2:])
        return 201, self.show(made)


def hpke_open(private, enc, ciphertext, aad):
    """RFC 9180 in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
    def extract(salt, suite, label, ikm):
        return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, hashlib.sha256).digest()

    def expand(prk, suite, label, info, n):
        data, block, i = b"", b"", 1
        whole = n.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
        while len(data) < n:
            block = hmac.new(prk, block + whole + bytes([i]), hashlib.sha256).digest()
            data, i = data + block, i + 1
        return data[:n]
    kem, suite = b"KEM\0\x20", b"HPKE\0\x20\0\1\0\2"
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    shared = expand(extract(b"", kem, b"eae_prk", private.exchange(x25519.X25519PublicKey.from_public_bytes(enc))), kem,
                    b"shared_secret", enc + public, 32)
    context = (b"\0" + extract(b"", suite, b"psk_id_hash", b"") + extract(b"", suite, b"info_hash", b"cloister-import-1\0"))
    secret = extract(shared, suite, b"secret", b"")
    return AESGCM(expand(secret, suite, b"key", context, 32)).decrypt(expand(secret, suite, b"base_nonce", context, 12),
                                                                     ciphertext, aad)


def san(names):
    def general(text):
        with contextlib.suppress(ValueError):
            return x509.IPAddress(ipaddress.ip_address(text))
        return x509.DNSName(text)
    return x509.SubjectAlternativeName([general(n) for n in names])


def request(key, names):
    builder = x509.CertificateSigningRequestBuilder().subject_name(name("x")).add_extension(san(names), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def certify(key, label, by, days=30, names=None, issuer=None):
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(name(label)).issuer_name(name(issuer or label))
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=40)).not_valid_after(now + datetime.timedelta(days=days)))
    if names:
        builder = builder.add_extension(san(names), False)
    return builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


class Scene:
    def __init__(self, folder):
        self.folder = folder
        self.config = folder / "C.bin"
        self.config.write_bytes(canonical(DEPLOYMENT, ARN, 31337))
        self.notary = Notary(pcr16_of(self.config.read_bytes()))
        self.stranger = Notary(bytes([1]) * 48)
        self.service = Service(folder, self.notary)
        (folder / "token").write_text("t" * 40)
        self.trust = self.trust_file("trust", f"keyset = {KEYSET}\n")

    def trust_file(self, label, more=""):
        path = self.folder / label
        path.write_text(f"url = unix://{self.service.path}\ntoken_file = {self.folder}/token\npcr0 = {PCR0.hex()}\n"
                        f"configuration = {self.config}\n{more}")
        return path

    def tls(self, *args, trust=None, **kwargs):
        self.service.asked.clear()
        return run(CLI, "tls", *args, "--trust", trust or self.trust, check=False, **kwargs)

    @contextlib.contextmanager
    def twisted(self, change):
        self.service.twist = change
        yield
        self.service.twist = lambda path, answer: answer


def shown(result):
    return f"exit {result.returncode}\n{result.stdout}{result.stderr}"


def create(tap, scene):
    result = scene.tls("create", "--name", "2027")
    key = scene.service.keys["2027"]
    pin = base64.b64encode(bytes.fromhex(key.fingerprint)).decode()
    tap.ok(result.returncode == DONE and f"spki_sha256           {key.fingerprint}\n" in result.stdout
           and "verified              yes" in result.stdout and "provenance            generated" in result.stdout
           and f"pin                   sha256//{pin}\n" in result.stdout and key.id.hex() in result.stdout,
           "create: the key's own fingerprint, not what the service says", shown(result))
    body = json.loads(scene.service.asked[0][2])
    tap.ok(sorted(body) == ["name", "nonce"] and len(body["nonce"]) == 34, "create: what is asked", body)
    scene.tls("create", "--name", "2028", "--keyset", "tls", "--nonce", "ab" * 16)
    body = json.loads(scene.service.asked[0][2])
    tap.ok(body == {"name": "2028", "keyset": "tls", "nonce": "0x" + "ab" * 16}, "create: keyset and nonce", body)
    said = json.loads(scene.tls("create", "--name", "2029", "--json").stdout)
    tap.ok(said["verified"] is True and said["spki_sha256"] == scene.service.keys["2029"].fingerprint, "create --json", said)
    for options, why in (((), "--name"), (("--name", "x", "--nonce", "ab"), "--nonce")):
        bad = scene.tls("create", *options)
        tap.ok(bad.returncode == USAGE and why in bad.stderr and not scene.service.asked, f"create: usage {why}", shown(bad))


def hidden(tap, label, result, why):
    tap.ok(result.returncode == UNVERIFIED and "UNVERIFIED" in result.stdout + result.stderr and why in result.stderr
           and "sha256//" not in result.stdout, label, shown(result))


def false_keys(tap, scene):
    """Answers to `create` that are genuine in everything but one thing."""
    service = scene.service
    other = Key("other")

    def record(**change):
        key = Key("twisted", **change)
        return lambda nonce: {**service.show(key), "receipt_b64": b64(service.receipt(key, nonce))}

    def change(**fields):
        return lambda nonce: {**service.show(service.keys["twisted"]), **fields}
    cases = (
        ("no receipt", change(receipt_b64=""), "no receipt"), ("no record", change(record_b64=""), "no record"),
        ("the receipt of another key", change(receipt_b64=b64(service.receipt(other, b"old"))), ""),
        ("a genuine key of before", lambda n: service.show(other), "nonce"),
        ("a receipt of another configuration", lambda n: {**service.show(other), "receipt_b64": b64(
            scene.stranger.document(b"cloister-receipt-1\0" + tag_hash("cloister-receipt-1", other.public), n))}, "PCR16"),
        ("a keyset's receipt", lambda n: {**service.show(other), "receipt_b64": b64(
            scene.notary.document(b"cloister-keyset-1\0" + tag_hash("cloister-keyset-1", other.public), n))}, "another record"),
        ("a receipt with a public key", lambda n: {**service.show(other), "receipt_b64": b64(scene.notary.document(
            b"cloister-receipt-1\0" + tag_hash("cloister-receipt-1", other.public), n, public_key=b"key"))}, "public_key"),
        ("another deployment", record(deployment="5d" * 16), "another deployment"),
        ("a keyset that is not in the trust file", record(keyset="7f" * 16), "trust file"),
        ("an account's record", record(type=1, purpose=1), "not a TLS key"),
        ("a validator's record", record(purpose=2), "not a TLS key"),
        ("a key on secp256k1", record(type=1), "not a TLS key"),
        ("an unrestricted key", record(policy=b"\0\1\1"), "not a TLS key"),
        ("a point off the curve", record(point=b"\2" + bytes(31) + b"\1"), "P-256"),
        ("another id than said", lambda n: {**record()(n), "key": "ab" * 16}, "another account or key"),
        ("another keyset than said", lambda n: {**record()(n), "keyset": "ab" * 16}, "another keyset"),
    )
    for label, make, why in cases:
        def twist(path, answer, make=make):
            return make(service.nonces["twisted"]) if path == "/v1/tls-keys" else answer
        with scene.twisted(twist):
            hidden(tap, f"create: {label}", scene.tls("create", "--name", "twisted"), why)
    with scene.twisted(lambda path, answer: b"{}"):
        hidden(tap, "create: nothing", scene.tls("create", "--name", "twisted"), "")
    del service.keys["twisted"]


def listed(tap, scene):
    service = scene.service
    service.keys["bad"] = Key("bad", keyset="7f" * 16)
    service.keys["old"] = Key("old", provenance=3)
    result = scene.tls("list")
    rows = result.stdout.splitlines()
    tap.ok(result.returncode == UNVERIFIED and rows[0].split() == ["NAME", "SPKI_SHA256", "PROVENANCE", "STATE", "IN_USE"]
           and f"{'2027':20}{service.keys['2027'].fingerprint:65}generated   active    no" in rows
           and f"{'bad':20}{'UNVERIFIED':65}unknown     active    no" in rows
           and f"{'old':20}{service.keys['old'].fingerprint:65}exposed     active    no" in rows, "list", shown(result))
    del service.keys["bad"], service.keys["old"]
    said = json.loads(scene.tls("list", "--json").stdout)
    tap.ok([row["name"] for row in said["tls_keys"]] == ["2027", "2028", "2029"], "list --json", said)
    with scene.twisted(lambda path, answer: {"tls_keys": 7}):
        bad = scene.tls("list")
        tap.ok(bad.returncode == REFUSED and "no TLS keys" in bad.stderr, "list: no list", shown(bad))


def requests(tap, scene):
    service, path = scene.service, scene.folder / "signer.csr"
    names = ("signer.example", "10.0.0.1", "2001:db8::1")
    hosts = [word for n in names for word in ("--host", n)]
    result = scene.tls("csr", "2027", *hosts, "-o", path)
    csr = x509.load_pem_x509_csr(path.read_bytes())
    found = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    tap.ok(result.returncode == DONE and csr.is_signature_valid and spki_sha256(service.keys["2027"].key).hex() in result.stdout
           and [str(n.value) for n in found] == list(names), "csr -o: a request for these names", shown(result))
    tap.ok(json.loads(service.asked[1][2]) == {"names": list(names)} and service.asked[1][1] == "/v1/tls-keys/2027/csr",
           "csr: what is asked", service.asked)
    result = scene.tls("csr", "2027", "--host", "signer.example")
    tap.ok(result.returncode == DONE and result.stdout.startswith("-----BEGIN CERTIFICATE REQUEST-----\n")
           and result.stdout.endswith("-----END CERTIFICATE REQUEST-----\n"), "csr: on standard output, ready for a file", shown(result))
    said = json.loads(scene.tls("csr", "2027", "--host", "signer.example", "--json").stdout)
    tap.ok(said["csr_pem"].startswith("-----BEGIN") and said["spki_sha256"] == service.keys["2027"].fingerprint, "csr --json", said)
    his = ec.generate_private_key(ec.SECP256R1())
    good = request(service.keys["2027"].key, ["signer.example"])
    cases = (
        ("of a key of the service's", request(his, ["signer.example"]), "another key"),
        ("of another genuine key", request(service.keys["2028"].key, ["signer.example"]), "another key"),
        ("for a further name", request(service.keys["2027"].key, ["signer.example", "evil.example"]), "names"),
        ("for another name", request(service.keys["2027"].key, ["evil.example"]), "names"),
        ("damaged", good.replace(good[80:88], good[81:89]), ""), ("no request", "hello", "BEGIN"), ("none", "", "PEM"),
    )
    for label, text, why in cases:
        path.unlink(missing_ok=True)
        with scene.twisted(lambda p, answer, text=text: {"csr_pem": text} if p.endswith("/csr") else answer):
            hidden(tap, f"csr: {label}", scene.tls("csr", "2027", "--host", "signer.example", "-o", path), why)
            tap.ok(not path.exists(), f"csr: {label}: nothing is written")
    with scene.twisted(lambda p, answer: {"csr_pem": "\x1b[2Jtrust me\n" + good + "more\n"} if p.endswith("/csr") else answer):
        result = scene.tls("csr", "2027", "--host", "signer.example")
        tap.ok(result.stdout == good, "csr: words around it are left out", shown(result))
    for options, why in ((("csr", "2027"), "--host"), (("csr", "2027", "--host", "Signer.example"), "--host"),
                         (("csr", "2027", "--host", "a b"), "--host"), (("csr", "2027", *["--host", "a.example"] * 17), "16"),
                         (("csr", "--host", "a.example"), "argument"), (("csr", "", "--host", "a.example"), "NAME")):
        bad = scene.tls(*options)
        tap.ok(bad.returncode == USAGE and why in bad.stderr and not service.asked, f"csr: usage: {why}", shown(bad))
    missing = scene.tls("csr", "a/../b?c", "--host", "a.example")
    tap.ok(missing.returncode == REFUSED and service.asked[0][1] == "/v1/tls-keys/a%2F..%2Fb%3Fc", "a name is data in the path", service.asked)


def installed(tap, scene):
    service, folder = scene.service, scene.folder
    key, ca = service.keys["2027"], ec.generate_private_key(ec.SECP256R1())
    chain = certify(key.key, "signer.example", ca, issuer="ca") + "words\n" + certify(ca, "ca", ca)
    (folder / "chain.pem").write_text("subject=x\n" + chain + pem(ec.generate_private_key(ec.SECP256R1())).decode())
    result = scene.tls("install", "2027", "--certificate", folder / "chain.pem")
    sent = json.loads(service.asked[1][2])["certificate_pem"]
    tap.ok(result.returncode == DONE and "in_use                yes" in result.stdout and key.certificate["certificate_sha256"] in result.stdout
           and key.fingerprint in result.stdout, "install --certificate", shown(result))
    tap.ok(sent.count("BEGIN CERTIFICATE") == 2 and "PRIVATE" not in sent and "words" not in sent and service.asked[1][0] == "PUT",
           "install: the certificates alone are sent, not the key that stood beside them", sent)
    result = scene.tls("install", "2028", "--host", "signer.example", "--host", "10.0.0.1", "--days", "90", "-o", folder / "self.pem")
    body = json.loads(service.asked[1][2])
    made = x509.load_pem_x509_certificate((folder / "self.pem").read_bytes())
    tap.ok(result.returncode == DONE and body == {"names": ["signer.example", "10.0.0.1"], "days": 90}
           and made.fingerprint(hashes.SHA256()).hex() == service.keys["2028"].certificate["certificate_sha256"], "install --host", shown(result))
    other, expired = certify(ca, "x", ca), certify(key.key, "x", ca, days=-1)
    for label, text, why in (("of another key", other, "another key"), ("of the authority first", certify(ca, "ca", ca) + chain, "another key"),
                             ("expired", expired, "expired"), ("no certificate", "hello", "BEGIN CERTIFICATE"),
                             ("cut", chain[:300], "END CERTIFICATE")):
        (folder / "bad.pem").write_text(text)
        bad = scene.tls("install", "2027", "--certificate", folder / "bad.pem")
        tap.ok(bad.returncode == REFUSED and why in bad.stderr and len(service.asked) == 1, f"install: {label}: refused here", shown(bad))
    false_ = {**service.show(service.keys["2028"]), "certificate_pem": other}
    (folder / "self.pem").unlink()
    with scene.twisted(lambda p, answer: false_ if p.endswith("/certificate") else answer):
        hidden(tap, "install --host: the service's own certificate is not given on", scene.tls(
            "install", "2028", "--host", "a.example", "-o", folder / "self.pem"), "another key")
        tap.ok(not (folder / "self.pem").exists(), "nothing is written")
    with scene.twisted(lambda p, answer: {**answer, "receipt_b64": ""} if p == "/v1/tls-keys/2027" else answer):
        hidden(tap, "install: no receipt, nothing is sent", scene.tls("install", "2027", "--certificate", folder / "chain.pem"), "no receipt")
        tap.ok(all(method == "GET" for method, _, _ in service.asked), "nothing was sent")
    for options, why in (((), "which certificate"), (("--certificate", "a", "--host", "b"), "which certificate"),
                         (("--certificate", "a", "--days", "3"), "--host"), (("--host", "a", "--days", "0"), "--days"),
                         (("--host", "a", "--days", "3651"), "--days")):
        bad = scene.tls("install", "2027", *options)
        tap.ok(bad.returncode == USAGE and why in bad.stderr, f"install: usage: {' '.join(options)}", shown(bad))


def deleted(tap, scene):
    result = scene.tls("delete", "2029")
    tap.ok(result.returncode == DONE and "2029" in result.stdout and "2029" not in scene.service.keys, "delete", shown(result))
    missing = scene.tls("delete", "2029")
    tap.ok(missing.returncode == REFUSED and "none of this name" in missing.stderr, "delete: the service's own words", shown(missing))
    bad = scene.tls("delete")
    tap.ok(bad.returncode == USAGE and not scene.service.asked, "delete: usage", shown(bad))


def p12(scene, label, key, password=b"secret", cas=(), cert=None, mode=0o600):
    certificate = x509.load_pem_x509_certificate((cert or certify(key, "signer.example", key)).encode())
    data = pkcs12.serialize_key_and_certificates(b"x", key, certificate, [x509.load_pem_x509_certificate(c.encode()) for c in cas] or None,
                                                 serialization.BestAvailableEncryption(password))
    path = scene.folder / label
    path.write_bytes(data)
    path.chmod(mode)
    return path


def do_import(scene, path, label="old", password="secret\n", trust=None):
    read, write = os.pipe()
    os.write(write, password.encode())
    os.close(write)
    try:
        return scene.tls("import", "--name", label, "--pkcs12", path, "--password-fd", str(read), trust=trust, pass_fds=(read,))
    finally:
        os.close(read)


def imported(tap, scene):
    service = scene.service
    key, between = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    leaf, middle = certify(key, "signer.example", between, issuer="between"), certify(between, "between", between, issuer="root")
    path = p12(scene, "server.p12", key, cas=(middle,), cert=leaf)
    result = do_import(scene, path)
    made = service.keys["old"]
    tap.ok(result.returncode == DONE and spki_sha256(key).hex() in result.stdout and "provenance            exposed" in result.stdout
           and "marked `exposed`" in result.stderr and "outside of the enclave" in result.stderr, "import: says that it is exposed, and why", shown(result))
    tap.ok(made.key.private_numbers() == key.private_numbers() and service.terms == bytes.fromhex(DEPLOYMENT + KEYSET) + made.id
           + tag_hash("cloister-policy-1", NOTHING) + tag_hash("cloister-authorisers-1", NOBODY), "import: the key arrives, under its terms")
    tap.ok(made.certificate["certificate_pem"] == leaf + middle and made.in_use, "import: its chain is installed", made.certificate)
    scalar = key.private_numbers().private_value.to_bytes(32, "big")
    sent = b"".join(body for _, _, body in service.asked)
    tap.ok(scalar not in sent and scalar.hex().encode() not in sent and base64.b64encode(scalar) not in sent and b"secret" not in sent,
           "import: neither key nor password leaves in clear")
    by_openssl = scene.folder / "openssl.p12"
    (scene.folder / "both.pem").write_text(leaf + pem(key).decode())
    run("openssl", "pkcs12", "-export", "-in", scene.folder / "both.pem", "-passout", "pass:secret", "-out", by_openssl)
    by_openssl.chmod(0o600)
    tap.ok(do_import(scene, by_openssl).returncode == DONE, "import: a file that openssl wrote")
    old_des = scene.folder / "3des.p12"
    run("openssl", "pkcs12", "-export", "-in", scene.folder / "both.pem", "-passout", "pass:secret", "-out", old_des, "-keypbe",
        "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1")
    old_des.chmod(0o600)
    tap.ok(do_import(scene, old_des).returncode == DONE, "import: a file of old, with 3DES")
    old_rc2 = scene.folder / "rc2.p12"
    legacy = run("openssl", "pkcs12", "-export", "-legacy", "-in", scene.folder / "both.pem", "-passout", "pass:secret", "-out", old_rc2, check=False)
    if legacy.returncode == 0:
        old_rc2.chmod(0o600)
        result = do_import(scene, old_rc2)
        tap.ok(result.returncode == REFUSED and "-legacy" in result.stderr and not service.asked, "import: RC2 is refused, with the way out", shown(result))
    else:
        tap.skip("import: RC2", "openssl has no legacy provider")


def import_refused(tap, scene):
    service = scene.service
    key = ec.generate_private_key(ec.SECP256R1())
    path = p12(scene, "own.p12", key)
    rsa_key = rsa.generate_private_key(65537, 2048)
    cases = (
        ("an RSA key", p12(scene, "rsa.p12", rsa_key), "secret", REFUSED, "RSA key"),
        ("a key on P-384", p12(scene, "p384.p12", ec.generate_private_key(ec.SECP384R1())), "secret", REFUSED, "P-256"),
        ("another password", path, "Secret", REFUSED, "password"), ("no password", path, "", REFUSED, "password"),
        ("a file open to others", p12(scene, "open.p12", key, mode=0o644), "secret", REFUSED, "chmod 600"),
        ("no such file", scene.folder / "none.p12", "secret", REFUSED, "cannot be opened"),
        ("a PEM file", scene.folder / "both.pem", "secret", REFUSED, ""),
    )
    (scene.folder / "both.pem").chmod(0o600)
    for label, file, password, code, why in cases:
        result = do_import(scene, file, password=password)
        tap.ok(result.returncode == code and why in result.stderr and not service.asked, f"import: {label}: nothing is asked of the service", shown(result))
    result = do_import(scene, scene.folder / "rsa.p12")
    tap.ok("tls create" in result.stderr and "tls csr" in result.stderr, "import: RSA: what to do instead", result.stderr)
    unpinned = scene.trust_file("unpinned")
    result = do_import(scene, path, trust=unpinned)
    tap.ok(result.returncode == UNVERIFIED and "keyset = ID" in result.stderr and len(service.asked) == 1, "import: whose keyset is it?", shown(result))

    def offer(**change):
        return lambda p, answer: {**answer, **change(answer)} if p == "/v1/tls-imports" else answer
    his = x25519.X25519PrivateKey.generate().public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def with_terms(policy=NOTHING, keyset=KEYSET, notary=None, public=None, **options):
        def twist(p, answer):
            if p != "/v1/tls-imports":
                return answer
            mine = public or bytes.fromhex(answer["public_key"][2:])
            digest = tag_hash("cloister-import-1", mine, bytes.fromhex(DEPLOYMENT), bytes.fromhex(keyset), bytes.fromhex(answer["key"]),
                              tag_hash("cloister-policy-1", policy), tag_hash("cloister-authorisers-1", NOBODY))
            nonce = bytes.fromhex(json.loads(service.asked[-1][2])["nonce"][2:])
            document = (notary or scene.notary).document(b"cloister-import-1\0" + digest, nonce, **options)
            return {**answer, "document_b64": b64(document)}
        return twist
    for label, twist, why in (
            ("a key of the service's", lambda p, a: {**a, "public_key": "0x" + his.hex()} if p == "/v1/tls-imports" else a, "terms"),
            ("another policy", with_terms(policy=b"\0\1\1"), "terms"),
            ("another keyset", lambda p, a: {**a, "keyset": "ab" * 16} if p == "/v1/tls-imports" else a, "trust file"),
            ("another configuration", with_terms(notary=scene.stranger), "PCR16"),
            ("an old offer", with_terms(age_s=400), ""),
            ("no document", lambda p, a: {**a, "document_b64": ""} if p == "/v1/tls-imports" else a, ""),
            ("no ids", lambda p, a: {**a, "key": "x"} if p == "/v1/tls-imports" else a, "ids")):
        with scene.twisted(twist):
            result = do_import(scene, path)
            tap.ok(result.returncode == UNVERIFIED and why in result.stderr and len(service.asked) == 1,
                   f"import: {label}: nothing is sealed", shown(result))
    other = Key("other", provenance=3)
    with scene.twisted(lambda p, a: {**service.show(other), "receipt_b64": b64(service.receipt(other, service.nonces["old"]))}
                       if p.startswith("/v1/tls-imports/") else a):
        hidden(tap, "import: the receipt of another key", do_import(scene, path), "another key")
    no_tty = subprocess.run([str(CLI), "tls", "import", "--name", "x", "--pkcs12", str(path), "--trust", str(scene.trust)],
                            capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True, timeout=60, check=False)
    tap.ok(no_tty.returncode == REFUSED and "--password-fd" in no_tty.stderr, "import: no terminal, no descriptor", shown(no_tty))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="cloister-tls-keys-") as folder:
        scene = Scene(pathlib.Path(folder))
        create(tap, scene)
        false_keys(tap, scene)
        listed(tap, scene)
        requests(tap, scene)
        installed(tap, scene)
        deleted(tap, scene)
        imported(tap, scene)
        import_refused(tap, scene)
    tap.done()


if __name__ == "__main__":
    main()
