#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""The data plane of a whole enclave, over TLS by Python's ssl and certificates by `cryptography`.

Nobody whom the manifest in force does not name reaches an operation, whatever way he tries; the
certificate, the manifest and the front itself change under clients that go on. Every answer is held
against doc/data-plane.yaml."""

import contextlib
import datetime
import hashlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import (CHAIN, CLI, PATIENCE_S, Platform, Reader, Refused, Tap, b64, run,  # noqa: E402
                          tx, unb64, wait_for)
from openapi import Document  # noqa: E402

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: E402

HOST = "signer.test"
METRICS, SIGN = 1, 2
ROWS = re.compile(r'\{ "([A-Z]+)", "(/[^"]*)", PHASE_\w+, \w+, (\w+)')
DER, SPKI = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo


def sha256(data):
    return hashlib.sha256(data).digest()


def var8(data):
    return bytes([len(data)]) + data


# -- the deployment -----------------------------------------------------------------------------------

class DataPlatform(Platform):
    """One administrator, a keyset of accounts and one of TLS keys."""

    def build_config(self, deployment, name, arn=None, chain=CHAIN):
        self.admin = ed25519.Ed25519PrivateKey.generate()
        pem = self.admin.public_key().public_bytes(serialization.Encoding.PEM, SPKI)
        (self.dir / "admin.pub").write_bytes(pem)
        source = self.dir / f"{name}.json"
        keysets = [{"name": n, "purpose": p, "threshold": 1, "keys": [self.arn]}
                   for n, p in (("main", "accounts"), ("tls", "tls"))]
        source.write_text(json.dumps({
            "version": 1, "deployment": deployment, "mode": "parent-trusted",
            "slashing": "parent-trusted",
            "administrators": {"threshold": 1, "keys": [{"pem": "admin.pub"}]},
            "keysets": keysets, "networks": [{"name": "dev", "chain_id": chain}],
            "anchor": {"kind": "none"}}))
        run(CLI, "config", "build", source, "-o", self.dir / f"{name}.bin")
        return self.dir / f"{name}.bin"


def tag_hash(tag, *fields):
    return sha256(tag + b"\0" + b"".join(struct.pack(">I", len(f)) + f for f in fields))


def admitted(record):
    """The keyset's entry of a manifest, by PROTOCOL.md sections 5 and 9."""
    r = Reader(record)
    r.take(2 + 16)
    keyset = r.take(16)
    r.var(1)
    r.take(1 + 8 + 1)
    count = r.uint(1)
    public = record[:r.at]
    for _ in range(count):
        at = r.at
        r.take(2)
        r.var(2)
        r.var(2)
        public += record[at:r.at]
        r.var(1)
    at = r.at
    r.var(2)
    return keyset + tag_hash(b"cloister-keyset-1", public + record[at:r.at])


class Deployment:
    """The enclave after its boot, and what the administrator says."""

    def __init__(self, platform):
        self.platform, self.serial, self.records = platform, 0, {}
        platform.start()
        platform.start_relay()
        self.control = platform.control()
        platform.configure(self.control)
        for name in ("main", "tls"):
            self.records[name] = unb64(self.control.call("keyset.create", name=name)["record_b64"])
        self.apply()
        self.keysets = {}
        for name, record in self.records.items():
            self.keysets[name] = self.control.call("keyset.open", record_b64=b64(record))["keyset"]

    def apply(self, *clients, web=()):
        self.serial += 1
        admit = b"".join(sorted(admitted(record) for record in self.records.values()))
        sections = [(1, admit), (4, b"".join(sorted(clients))), (5, b"".join(sorted(web)))]
        sections = [(kind, entries) for kind, entries in sections if entries]
        manifest = (struct.pack(">H", 1) + bytes.fromhex(self.platform.deployment)
                    + struct.pack(">QQB", self.serial, 1_800_000_000_000, len(sections))
                    + b"".join(struct.pack(">BI", kind, len(entries)) + entries
                               for kind, entries in sections))
        signature = self.platform.admin.sign(tag_hash(b"cloister-manifest-1", manifest))
        signed = struct.pack(">I", len(manifest)) + manifest + b"\x01\x00" + signature
        return self.control.call("manifest.apply", manifest_b64=b64(signed))


def client(kind, identity, operations, *patterns, certificate=b""):
    return (identity + struct.pack(">BH", kind, operations) + var8(b"somebody")
            + bytes([len(patterns)]) + b"".join(var8(p.encode()) for p in patterns)
            + struct.pack(">H", len(certificate)) + certificate)


def token(text, operations, *patterns):
    return client(2, sha256(text.encode()), operations, *patterns)


# -- certificates -------------------------------------------------------------------------------------

class Authority:
    """A CA of the test."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.cert = self.issue(self.name, self.key.public_key(), ca=True)
        self.der = self.cert.public_bytes(DER)

    def issue(self, subject, public_key, ca=False, names=(), usage=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name)
                   .public_key(public_key).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=2))
                   .not_valid_after(now + datetime.timedelta(days=30))
                   .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def client(self, folder, name, usage=ExtendedKeyUsageOID.CLIENT_AUTH):
        """A PEM file with certificate and key, and the certificate's DER."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self.issue(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
                          key.public_key(), usage=usage)
        path = folder / f"{name}.pem"
        path.write_bytes(cert.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        return path, cert.public_bytes(DER)


class Https(http.client.HTTPConnection):
    """A client of the data plane that checks the server's certificate and name."""

    def __init__(self, path, authority, certificate=None, version=None, session=None):
        super().__init__(HOST, timeout=PATIENCE_S)
        self.context = ssl.create_default_context(cadata=authority.der)
        if version:
            self.context.minimum_version = self.context.maximum_version = version
        if certificate:
            self.context.load_cert_chain(certificate)
        self.path, self.session = str(path), session

    def connect(self):
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(self.timeout)
        plain.connect(self.path)
        self.sock = self.context.wrap_socket(plain, server_hostname=HOST, session=self.session)

    def ask(self, method, path, body=None, bearer=None, **fields):
        """Status, header fields, and the body, parsed when it is JSON."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        self.request(method, path, None if body is None else json.dumps(body), headers)
        response = self.getresponse()
        data = response.read().decode()
        is_json = response.headers.get("Content-Type") == "application/json" and data
        return response.status, response.headers, json.loads(data) if is_json else data

    def status(self, *args, **fields):
        return self.ask(*args, **fields)[0]


class Asker:
    """Opens connections, and holds each answer against the document."""

    def __init__(self, tap, platform, authority):
        self.tap, self.authority = tap, authority
        self.path = platform.emu_dir / "link" / "9000"
        self.document, self.asked = Document("doc/data-plane.yaml"), set()

    def dial(self, **options):
        return Https(self.path, self.authority, **options)

    def ends(self, **options):
        """True when the server does not let such a client ask anything."""
        try:
            self.dial(**options).ask("GET", "/upcheck")
        except (OSError, http.client.HTTPException):
            return True
        return False

    def __call__(self, name, connection, method, path, expected, ident=None, query="", **options):
        route = path.replace("{id}", ident or "0" * 31 + "1") + query
        status, _, answer = connection.ask(method, route, **options)
        self.asked.add((method, path))
        response = self.document.response(method, path, status)
        wrong = [] if status == expected else [f"status {status}, expected {expected}"]
        kind = "text/plain" if isinstance(answer, str) else "application/json"
        if not response or kind not in response["content"]:
            wrong.append(f"status {status} with {kind} is not documented")
        else:
            wrong += self.document.mistakes(answer, response["content"][kind]["schema"])
        self.tap.ok(not wrong, f"{method} {path}: {name}", f"{wrong}\n{str(answer)[:600]}")
        return answer


# -- cases --------------------------------------------------------------------------------------------

def install(tap, deployment, authority):
    """A key that was made inside, with a certificate for its request."""
    control, keyset = deployment.control, deployment.keysets["tls"]
    made = control.call("tls.create", keyset=keyset, nonce="0x" + "ab" * 16)
    point = bytes.fromhex(made["public_key"][2:])
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    spki = public.public_bytes(DER, SPKI)
    tap.ok(sha256(spki).hex() == made["spki_sha256"], "tls.create: SPKI of the public key", made)
    try:
        control.call("tls.create", keyset=deployment.keysets["main"])
        tap.ok(False, "tls.create in a keyset of accounts")
    except Refused as e:
        tap.ok(e.code in ("mismatch", "malformed", "denied"), "tls.create in a keyset of accounts: "
               "refused", e)
    pem = control.call("tls.csr", record_b64=made["record_b64"],
                       names=[HOST, "127.0.0.1"])["csr_pem"]
    request = x509.load_pem_x509_csr(pem.encode())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    tap.ok(request.is_signature_valid and request.public_key().public_bytes(DER, SPKI) == spki
           and names.get_values_for_type(x509.DNSName) == [HOST], "tls.csr: signed by the key",
           list(names))
    cert = authority.issue(request.subject, request.public_key(), names=names,
                           usage=ExtendedKeyUsageOID.SERVER_AUTH)
    opened = control.call("tls.open", record_b64=made["record_b64"],
                          certificate_pem=cert.public_bytes(serialization.Encoding.PEM).decode())
    tap.ok(opened["certificate_sha256"] == sha256(cert.public_bytes(DER)).hex()
           and opened["provenance"] == "generated" and opened["key"] == made["key"],
           "tls.open: in use", opened)
    shown = control.call("status")["tls"]
    tap.ok(shown == {k: opened[k] for k in shown}, "status says which", shown)
    return made, cert


def opening(tap, ask):
    """TLS 1.2 and 1.3, and every route that is open."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with contextlib.closing(ask.dial(version=version)) as connection:
            ask(version.name, connection, "GET", "/upcheck", 200)
    old = ssl.TLSVersion.TLSv1_1
    tap.ok(ask.ends(version=old), "TLS 1.1: refused")
    connection = ask.dial()
    ask("JSON", connection, "GET", "/upcheck", 200, Accept="application/json")
    ask("", connection, "GET", "/healthcheck", 200)
    ask("", connection, "GET", "/version", 200)
    ask("another host", connection, "GET", "/version", 403, Host="evil.test")
    ask("an origin", connection, "GET", "/version", 403, Origin="https://evil.test")
    ask("with a query", connection, "GET", "/version", 400, query="?a")
    ask("with a body", connection, "GET", "/upcheck", 413, body={})
    ask("without a nonce", connection, "GET", "/attestation", 400)
    return connection


def attested(tap, ask, connection, made):
    """The document is for the key of this very connection, and for whoever asked."""
    nonce = os.urandom(32)
    answer = ask("", connection, "GET", "/attestation", 200, query="?nonce=0x" + nonce.hex())
    document = unb64(answer["document_b64"])
    cert = x509.load_der_x509_certificate(connection.sock.getpeercert(True))
    spki = sha256(cert.public_key().public_bytes(DER, SPKI))
    keyset = unb64(made["record_b64"])[18:34]
    tap.ok(b"cloister-tls-1\0" + spki + keyset in document and nonce in document
           and spki.hex() == made["spki_sha256"],
           "the document has the tag, the SPKI of this connection, its keyset, and the nonce")


def nobody(tap, ask, account, when):
    """Every operation of the table, without an identity and with worthless ones."""
    sign = "/v1/accounts/{id}/sign-transaction"
    for name, options in (("nobody", {}), ("a wrong token", {"bearer": "x"}),
                          ("an empty token", {"Authorization": "Bearer "}),
                          ("another scheme", {"Authorization": "Basic b3BlbnNlc2FtZQ=="})):
        connection = ask.dial()
        ask(f"{name}, {when}", connection, "GET", "/metrics", 401, **options)
        ask(f"{name}, {when}", connection, "POST", sign, 401, account["account"],
            body={"record_b64": account["record_b64"], "tx": tx()}, **options)


def tokens(tap, ask, deployment, account):
    """A token's operations and keys; and that it ends with the manifest that has it."""
    sign, ident = "/v1/accounts/{id}/sign-transaction", account["account"]
    inside = {"record_b64": account["record_b64"], "tx": tx()}
    connection = ask.dial()
    deployment.apply(token("signer", SIGN, account["address"].lower()),
                     token("reader", METRICS), token("other", SIGN, "ffff*"))
    signed = ask("by its address", connection, "POST", sign, 200, ident, body=inside,
                 bearer="signer")
    again = deployment.control.call("sign_transaction", record_b64=account["record_b64"], tx=tx())
    tap.ok(signed["raw_tx"] == again["raw_tx"] and signed["from"] == account["address"],
           "the same signature as on the control plane", signed)
    ask("without the record", connection, "POST", sign, 403, ident, body={"tx": tx()},
        bearer="signer")
    ask("pattern of another key", connection, "POST", sign, 403, ident, body=inside, bearer="other")
    ask("operation of others", connection, "POST", sign, 403, ident, body=inside, bearer="reader")
    ask("operation of others", connection, "GET", "/metrics", 403, bearer="signer")
    ask("", connection, "GET", "/metrics", 200, bearer="reader")
    ask("another record", connection, "POST", sign, 409, "0" * 31 + "1", body=inside,
        bearer="signer")
    ask("no record", connection, "POST", sign, 400, ident, body={**inside, "record_b64": "AAEC"},
        bearer="signer")
    ask("a chain of nobody", connection, "POST", sign, 403, ident,
        body={**inside, "tx": tx(chainId=1)}, bearer="signer")
    deployment.apply(token("signer", SIGN, ident))
    ask("by its id", connection, "POST", sign, 200, ident, body=inside, bearer="signer")
    ask("by its id, it is open", connection, "POST", sign, 200, ident, body={"tx": tx()},
        bearer="signer")
    deployment.apply()
    ask("a later manifest, the same connection", connection, "POST", sign, 401, ident, body=inside,
        bearer="signer")


def certificates(tap, ask, deployment, account, folder):
    """Client certificates: known, of an authority, of nobody; resumed; and revoked."""
    sign, ident = "/v1/accounts/{id}/sign-transaction", account["account"]
    inside = {"record_b64": account["record_b64"], "tx": tx()}
    clients, strangers = Authority("clients"), Authority("strangers")
    path, der = clients.client(folder, "client")
    server, _ = clients.client(folder, "server", usage=ExtendedKeyUsageOID.SERVER_AUTH)
    stranger, stranger_der = strangers.client(folder, "stranger")
    tap.ok(ask.ends(certificate=path), "a certificate that no manifest names: no connection")
    deployment.apply(client(3, sha256(clients.der), SIGN, "*", certificate=clients.der))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        first = ask.dial(certificate=path, version=version)
        ask(f"of an authority, {version.name}", first, "POST", sign, 200, ident, body=inside)
        resumed = ask.dial(certificate=path, version=version, session=first.sock.session)
        resumed.context = first.context
        ask(f"resumed, {version.name}", resumed, "POST", sign, 200, ident, body=inside)
        tap.ok(resumed.sock.session_reused, f"{version.name}: the session was resumed")
    tap.ok(ask.ends(certificate=stranger), "of another authority: no connection")
    tap.ok(ask.ends(certificate=server), "for servers only: no connection")
    deployment.apply(client(1, sha256(stranger_der), METRICS))
    for name, connection in (("open", first), ("resumed", resumed)):
        ask(f"its authority is gone, {name}", connection, "POST", sign, 401, ident, body=inside)
    late = ask.dial(certificate=path, version=ssl.TLSVersion.TLSv1_3, session=first.sock.session)
    late.context = first.context
    try:
        status = late.status("POST", sign.replace("{id}", ident), inside)
    except OSError:
        status = 401  # no resumption, and no handshake either
    tap.ok(status == 401, "a session of before, resumed after the authority was gone: denied", status)
    known = ask.dial(certificate=stranger)
    ask("known by itself", known, "GET", "/metrics", 200)
    ask("known by itself", known, "POST", sign, 403, ident, body=inside)
    tap.ok(ask.ends(certificate=path), "known no more: no connection")
    der_as_token = ask.dial()
    ask("the certificate's bytes as a token", der_as_token, "GET", "/metrics", 401,
        bearer=stranger_der.hex())
    deployment.apply(client(4, bytes(32), METRICS))
    ask("anyone", ask.dial(), "GET", "/metrics", 200)
    ask("anyone", ask.dial(), "POST", sign, 401, ident, body=inside)


def audited(tap, ask, deployment):
    """A denial is one step of the audit chain, up to ten a second."""
    def sequence():
        return deployment.control.call("status")["audit"]["sequence"]
    connection = ask.dial()
    time.sleep(2.1)  # twenty may be told at once again
    before = sequence()
    for _ in range(5):
        connection.ask("POST", "/v1/accounts/" + "1" * 32 + "/sign-transaction", {})
    told = wait_for("denials", lambda: sequence() - before >= 5 and sequence() - before)
    tap.ok(told == 5, "five denials, five steps of the audit chain", told)
    for _ in range(200):
        connection.ask("POST", "/v1/accounts/" + "1" * 32 + "/sign-transaction", {})
    told = sequence() - before
    tap.ok(5 < told < 150, "of two hundred more, the first are told", told)
    deployment.apply(token("reader", METRICS))
    text = ask("", connection, "GET", "/metrics", 200, bearer="reader")
    counters = deployment.control.call("metrics")["counters"]
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    same = [name for name in counters if f"cloister_{name}" not in samples]
    tap.ok(not same and len(samples) == len(counters), "both planes tell the same counters", same)
    denied = counters['data_denials_total{reason="unauthorized"}']
    tap.ok(denied >= 205 and counters["kms_calls_total"] >= 4
           and counters["kms_attempts_total"] >= counters["kms_calls_total"]
           and counters['tls_handshakes_total{result="resumed"}'] >= 2,
           "denials, calls of KMS and handshakes are counted", counters)


def crowd(tap, ask, deployment):
    """More connections than there are places: a client that the manifest names keeps its own."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < 6000:
        tap.skip("a crowd of connections", f"{most} descriptors")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (6000, most))
    known, sockets = ask.dial(), []
    ask("before the crowd", known, "GET", "/metrics", 200, bearer="reader")
    for _ in range(5000):
        sockets.append(socket.socket(socket.AF_UNIX))
        sockets[-1].connect(str(ask.path))
    ask("after the crowd", known, "GET", "/metrics", 200, bearer="reader")
    count = deployment.control.call("status")["data_connections"]
    tap.ok(3000 < count <= 4096, "5,000 connections, at most 4,096 at once", count)
    ask("a new one gets a place", ask.dial(), "GET", "/upcheck", 200)
    for each in sockets:
        each.close()


def restarted(tap, ask, deployment, made, cert):
    """A new front: closed until tls.open, and the manifest as before."""
    old = ask.dial()
    ask("before", old, "GET", "/upcheck", 200)
    front = deployment.platform.children()["front"]
    os.kill(front, signal.SIGKILL)
    wait_for("another front", lambda: deployment.platform.children()["front"] != front)
    deployment.control = deployment.platform.control()
    tap.ok(deployment.control.call("status")["tls"] is None, "a new front has no certificate")
    tap.ok(ask.ends(), "and closes connections at once")
    deployment.control.call("tls.open", record_b64=made["record_b64"],
                            certificate_pem=cert.public_bytes(serialization.Encoding.PEM).decode())
    connection = ask.dial()
    ask("after tls.open, as the manifest says", connection, "GET", "/metrics", 200, bearer="reader")
    ask("after tls.open, as the manifest says", connection, "GET", "/metrics", 401)
    return connection


def sealed(tap, ask, deployment, connection):
    deployment.control.call("seal")
    ask("SEALED", connection, "GET", "/healthcheck", 503)
    ask("SEALED", connection, "GET", "/upcheck", 200)
    deployment_status = deployment.control.call("status")
    tap.ok(deployment_status["tls"] is None and ask.ends(), "sealed: no certificate, no connections")


def table(tap, ask):
    """The table of the source and the document name the same routes, open ones the same."""
    source = (Document.__init__.__globals__["ROOT"] / "src/front/routes.c").read_text()
    rows = {(method, path.replace("*", "{id}")): operation
            for method, path, operation in ROWS.findall(source)}
    documented = ask.document.operations()
    tap.ok(set(rows) == documented, "the table and the document have the same routes",
           set(rows) ^ documented)
    for (method, path), operation in rows.items():
        is_open = ask.document.paths[path][method.lower()].get("security") == []
        tap.ok(is_open == (operation == "OPEN"), f"{method} {path}: who may ask is documented")


def main():
    tap, platform = Tap(), DataPlatform()
    try:
        deployment, authority = Deployment(platform), Authority("authority")
        ask = Asker(tap, platform, authority)
        table(tap, ask)
        tap.ok(ask.ends(), "before tls.open a connection is closed")
        account = deployment.control.call("account.create", keyset=deployment.keysets["main"],
                                          unrestricted=True)
        made, cert = install(tap, deployment, authority)
        connection = opening(tap, ask)
        attested(tap, ask, connection, made)
        nobody(tap, ask, account, "no client in the manifest")
        tokens(tap, ask, deployment, account)
        certificates(tap, ask, deployment, account, platform.dir)
        deployment.apply(token("others", METRICS | SIGN, "*"))
        nobody(tap, ask, account, "others in the manifest")
        audited(tap, ask, deployment)
        crowd(tap, ask, deployment)
        sealed(tap, ask, deployment, restarted(tap, ask, deployment, made, cert))
        tap.ok(ask.document.operations() == ask.asked, "every documented operation was asked",
               ask.document.operations() - ask.asked)
        tap.ok(platform.emulator.poll() is None, "the enclave is alive")
    finally:
        platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
