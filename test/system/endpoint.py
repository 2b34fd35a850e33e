#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""`cloister attest verify https://...` against servers that are not what it hopes for: ones that pass
another's documents on, replay, redirect, drip, pour without an end, or speak something else. Nothing but a
live document that names the key of this very connection is ever called verified."""

import contextlib
import json
import os
import pathlib
import socket
import ssl
import sys
import tempfile
import threading
import time
import warnings

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import CLI, Tap, b64, canonical, run  # noqa: E402
from notary import Identity, KEYSET, Notary, PCR0, pcr16_of, tls_user_data  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: E402

ARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DONE, REFUSED, USAGE, UNREACHABLE, UNVERIFIED, DEPLOYMENT = range(6)
PATIENCE_S = 40  # the tool's own deadline is 15 s


class Server:
    """One TLS (or plain) server: `serve` gets each connection after its handshake."""

    def __init__(self, serve, identity=None, wrap=None):
        self.serve, self.connections = serve, 0
        self.context = identity.context() if identity else None
        self.wrap = wrap
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.one, args=(plain,), daemon=True).start()

    def one(self, plain):
        plain.settimeout(PATIENCE_S)
        with contextlib.suppress(OSError, ValueError), plain:
            if not self.context:
                self.serve(plain)
                return
            with self.context.wrap_socket(plain, server_side=True) as connection:
                self.serve(connection)
                with contextlib.suppress(OSError):
                    connection.unwrap()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def request_of(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(4096)
        if not part:
            raise ValueError("no request")
        data += part
    return data.decode()


def nonce_of(request):
    return bytes.fromhex(request.split("nonce=")[1].split()[0].removeprefix("0x"))


def http(body, status="200 OK", fields=""):
    body = body if isinstance(body, bytes) else body.encode()
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answer(document):
    return http(json.dumps({"document_b64": b64(document)}))


def saying(make):
    """Answers each request with make(nonce)."""
    def serve(connection):
        connection.sendall(answer(make(nonce_of(request_of(connection)))))
    return serve


def raw(*parts, pause=0.0, stay=False):
    """Sends these bytes after a request."""
    def serve(connection):
        request_of(connection)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        if stay:
            connection.recv(1)
    return serve


def pour(connection):
    request_of(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")


def drip(connection):
    request_of(connection)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b" " * 60000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def many_interim(connection):
    request_of(connection)
    while True:
        connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)


def two_faced(connection, own=[]):
    """Answers the second connection only: whoever comes twice brings the question to another key."""
    own.append(request_of(connection))
    if len(own) % 2:
        connection.close()


class Scene:
    def __init__(self, folder):
        self.configuration = canonical("5c" * 16, ARN, 31337)
        self.folder, self.config = folder, folder / "C.bin"
        self.config.write_bytes(self.configuration)
        self.other = folder / "other.bin"
        self.other.write_bytes(canonical("5d" * 16, ARN, 31337))
        self.notary = Notary(pcr16_of(self.configuration))
        self.mine, self.his = Identity(folder, "mine"), Identity(folder, "his")
        self.rsa = Identity(folder, "rsa", rsa.generate_private_key(65537, 2048))
        self.pins = ("--pcr0", PCR0.hex(), "--config", self.config)

    def genuine(self, nonce, **options):
        return self.notary.document(tls_user_data(self.mine.spki_sha256), nonce, **options)

    def verify(self, url, *options, pins=None):
        return run(CLI, "attest", "verify", url, *(self.pins if pins is None else pins), *options, check=False)


def shown(result):
    return f"exit {result.returncode}\n{result.stdout}{result.stderr}"


def refused(tap, name, result, code, why):
    verified = "verified              yes" in result.stdout or "code ok" in result.stdout
    tap.ok(result.returncode == code and why in result.stderr + result.stdout and not verified, name, shown(result))


GOLDEN = """\
endpoint              {url}
CHECK          RESULT        MEANING
certificate    not judged    its names and its chain count for nothing here: the checks below replace them
document       ok            signed by the DEVELOPMENT platform: proves nothing about AWS
time           ok            made within five minutes of now
nonce          ok            made for this request: nobody had it in store
code           ok            PCR0: it runs an image that you trust
configuration  ok            PCR16: it runs under the configuration that you trust
key            ok            the document names the key of this very connection, as one that was generated inside
keyset         not compared  without administrators, who makes a keyset of his own knows its keys: give --keyset
verified              yes
deployment            5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c
anchors               DEVELOPMENT
document              cloister-tls-1
"""


def genuine(tap, scene):
    with Server(saying(scene.genuine), scene.mine) as server:
        result = scene.verify(server.url)
        tap.ok(result.returncode == DONE and result.stdout.startswith(GOLDEN.format(url=server.url)) and not result.stderr,
               "genuine: every check in words", shown(result))
        pin = f"sha256//{b64(scene.mine.spki_sha256)}"
        tap.ok(f"\npin                   {pin}\n" in result.stdout
               and scene.mine.spki_sha256.hex() in result.stdout, "genuine: its key, also as curl takes it", shown(result))
        curl = run("curl", "-sk", "--pinnedpubkey", pin, server.url + "/attestation?nonce=" + "00" * 16, check=False)
        other = run("curl", "-sk", "--pinnedpubkey", f"sha256//{b64(bytes(32))}", server.url, check=False)
        tap.ok(curl.returncode == 0 and "document_b64" in curl.stdout and other.returncode == 90,
               "curl takes that pin, and refuses another", (curl, other))
        result = scene.verify(server.url, "--json")
        said = json.loads(result.stdout)
        tap.ok(said["verified"] == "yes" and [row["result"] for row in said["checks"]] == ["not judged"] + 6 * ["ok"]
               + ["not compared"] and said["keyset"] == KEYSET.hex()
               and said["spki_sha256"] == scene.mine.spki_sha256.hex() and said["phase"] == "READY",
               "genuine: as JSON", result.stdout)
        alone = scene.verify(server.url, pins=("--pcr0", PCR0.hex()))
        tap.ok(alone.returncode == DEPLOYMENT and "code ok, deployment unverified" in alone.stdout
               and "configuration  not compared" in alone.stdout, "genuine, PCR0 alone: exit 5", shown(alone))
        by_value = scene.verify(server.url, pins=("--pcr0", PCR0.hex(), "--pcr16", scene.notary.pcrs[16].hex()))
        tap.ok(by_value.returncode == DONE, "genuine, PCR16 as a value", shown(by_value))
        chosen = scene.verify(server.url, "--nonce", "ab" * 16)
        tap.ok(chosen.returncode == DONE and "0x" + "ab" * 16 in chosen.stdout, "genuine, a nonce of one's own", shown(chosen))
    with Server(lambda c: [c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(scene.genuine(nonce_of(request_of(c)))))],
                scene.mine) as server:
        tap.ok(scene.verify(server.url).returncode == DONE, "genuine, after an interim answer")
    by_rsa = Notary(scene.notary.pcrs[16])
    with Server(saying(lambda n: by_rsa.document(tls_user_data(scene.rsa.spki_sha256), n)), scene.rsa) as server:
        tap.ok(scene.verify(server.url).returncode == DONE, "the key is compared whatever its kind")


def false_documents(tap, scene):
    recorded = scene.genuine(bytes(32))
    stranger = ec.generate_private_key(ec.SECP384R1())
    data = tls_user_data(scene.mine.spki_sha256)
    cases = (
        ("of another connection, passed on", lambda n: scene.notary.document(tls_user_data(scene.his.spki_sha256), n),
         "another TLS key", "key            FAILED"),
        ("of a key with one bit changed", lambda n: scene.notary.document(
            tls_user_data(bytes([scene.mine.spki_sha256[0] ^ 1]) + scene.mine.spki_sha256[1:]), n), "another TLS key",
         "key            FAILED"),
        ("recorded before", lambda n: recorded, "nonce: another", "nonce          FAILED"),
        ("without a nonce", lambda n: scene.notary.document(data), "nonce: another", "nonce          FAILED"),
        ("with a part of the nonce", lambda n: scene.genuine(n[:16]), "nonce: another", "nonce          FAILED"),
        ("five minutes old", lambda n: scene.genuine(n, age_s=302), "", "time           FAILED"),
        ("of in six minutes", lambda n: scene.genuine(n, age_s=-360), "", "time           FAILED"),
        ("expired", lambda n: scene.genuine(n, age_s=7300), "certificate", "document       FAILED"),
        ("of another image", lambda n: scene.genuine(n, pcrs={0: b"\xa1" * 48}), "PCR0", "code           FAILED"),
        ("of another configuration", lambda n: scene.genuine(n, pcrs={16: b"\xa1" * 48}), "PCR16", "configuration  FAILED"),
        ("of no configuration", lambda n: scene.genuine(n, pcrs={16: bytes(48)}), "PCR16", "configuration  FAILED"),
        ("of a debug enclave", lambda n: scene.genuine(n, pcrs={0: bytes(48)}), "debug", "document       FAILED"),
        ("signed by somebody else", lambda n: scene.genuine(n, key=stranger), "signature", "key            not reached"),
        ("with a public key, as for KMS", lambda n: scene.genuine(n, public_key=b"key"), "public_key", "key            FAILED"),
        ("a status", lambda n: scene.notary.document(b"cloister-status-2\0" + data[63:], n), "user_data", "key            FAILED"),
        ("a status that was UNCONFIGURED", lambda n: scene.notary.document(tls_user_data(scene.mine.spki_sha256, phase=1), n),
         "phase", "key            FAILED"),
        ("with a keyset of 15 bytes", lambda n: scene.notary.document(tls_user_data(scene.mine.spki_sha256, KEYSET[1:]), n), "",
         "key            FAILED"),
        ("with a keyset of 17 bytes", lambda n: scene.notary.document(tls_user_data(scene.mine.spki_sha256, KEYSET + b"\xc5"), n),
         "", "key            FAILED"),
        ("with a byte more", lambda n: scene.notary.document(data + b"\0", n), "", "key            FAILED"),
        ("about nothing", lambda n: scene.notary.document(None, n), "user_data", "key            FAILED"),
        ("cut", lambda n: scene.genuine(n)[:-1], "", "document       FAILED"),
        ("garbage", lambda n: b"\x84" + bytes(400), "", "document       FAILED"),
    )
    for name, make, why, line in cases:
        with Server(saying(make), scene.mine) as server:
            result = scene.verify(server.url)
            refused(tap, f"document: {name}", result, UNVERIFIED, why)
            tap.ok(line in result.stdout and "verified              UNVERIFIED" in result.stdout,
                   f"document: {name}: the check that failed is named", shown(result))
    with Server(saying(scene.genuine), scene.mine) as server:
        refused(tap, "another configuration than the trusted one",
                scene.verify(server.url, pins=("--pcr0", PCR0.hex(), "--config", scene.other)), UNVERIFIED, "PCR16")
        said = json.loads(scene.verify(server.url, "--json", pins=("--pcr0", "ab" * 48, "--config", scene.config)).stdout)
        tap.ok(said["verified"] == "UNVERIFIED" and {"check": "code", "result": "FAILED",
               "meaning": "PCR0: it runs another image than those that you trust"} in said["checks"],
               "another image, as JSON", said)


def keysets(tap, scene):
    """A genuine enclave attests a key of a keyset that somebody has made for himself."""
    mine, other = KEYSET.hex(), "66" * 16
    trust = scene.folder / "trust"
    pins = f"pcr0 = {PCR0.hex()}\nconfiguration = {scene.config}\n"
    forged = saying(lambda n: scene.notary.document(tls_user_data(scene.mine.spki_sha256, bytes.fromhex(other)), n))
    ok, failed, open_ = "\nkeyset         ok ", "\nkeyset         FAILED ", "\nkeyset         not compared "

    def by_file(*lines):
        trust.write_text(pins + "".join(f"keyset = {line}\n" for line in lines))
        return ("--trust", trust)

    def accepted(name, result, line):
        tap.ok(result.returncode == DONE and line in result.stdout and f"\nkeyset                {mine}\n" in result.stdout, name, shown(result))

    with Server(saying(scene.genuine), scene.mine) as server:
        accepted("keyset: by option", scene.verify(server.url, "--keyset", mine), ok)
        accepted("keyset: one of two", scene.verify(server.url, "--keyset", other, "--keyset", mine), ok)
        accepted("keyset: of the trust file", scene.verify(server.url, pins=by_file(other, mine)), ok)
        accepted("keyset: the option in place of the trust file's", scene.verify(server.url, "--keyset", mine, pins=by_file(other)), ok)
        accepted("keyset: none in the trust file", scene.verify(server.url, pins=by_file()), open_)
        accepted("keyset: --pcr0, and the trust file's does not count", scene.verify(server.url, *by_file(other)), open_)
    with Server(forged, scene.mine) as server:
        for name, result in (("by option", scene.verify(server.url, "--keyset", mine)),
                             ("by the trust file", scene.verify(server.url, pins=by_file(mine))),
                             ("PCR0 alone", scene.verify(server.url, "--keyset", mine, pins=("--pcr0", PCR0.hex())))):
            refused(tap, f"another keyset, {name}", result, UNVERIFIED, "another keyset")
            tap.ok(failed in result.stdout and "\nkey            ok " in result.stdout, f"another keyset, {name}: the one check that fails",
                   shown(result))
        result = scene.verify(server.url)
        tap.ok(result.returncode == DONE and open_ in result.stdout and f"\nkeyset                {other}\n" in result.stdout,
               "nobody has said which: it is shown, and said not to be compared", shown(result))
        for name, value in (("short", mine[:-1]), ("long", mine + "c"), ("upper case", mine.upper()), ("a name", "tls"), ("empty", "")):
            refused(tap, f"--keyset: {name}", scene.verify(server.url, "--keyset", value), USAGE, "--keyset")
        refused(tap, "--keyset beside a file", scene.verify(scene.config, "--keyset", mine), USAGE, "--keyset")


def in_between(tap, scene):
    """Somebody with a key of his own takes the connection and asks the genuine server himself."""
    with Server(saying(scene.genuine), scene.mine) as server:
        def relay(connection):
            request = request_of(connection)
            context = ssl._create_unverified_context()
            plain = socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1])))
            with context.wrap_socket(plain) as inside:
                inside.sendall(request.encode())
                while part := inside.recv(65536):
                    connection.sendall(part)
        with Server(relay, scene.his) as between:
            result = scene.verify(between.url)
            refused(tap, "somebody in between, the document genuine and fresh", result, UNVERIFIED, "another TLS key")
            tap.ok("somebody stands between you and the enclave" in result.stdout, "and it is said in words", shown(result))
            tap.ok(server.connections == 1, "the genuine document did come through")


def false_answers(tap, scene):
    body = json.dumps({"document_b64": b64(scene.genuine(bytes(32)))}).encode()
    long = http(b" " * 70000)
    cases = (
        ("a redirect to another host", raw(http("", "302 Found", "Location: https://127.0.0.1:1/\r\n")), UNVERIFIED, "redirects"),
        ("a redirect to itself", raw(http("", "308 Permanent Redirect", "Location: /attestation\r\n")), UNVERIFIED, "redirects"),
        ("404", raw(http("{}", "404 Not Found")), UNVERIFIED, "HTTP 404: the server gives no document"),
        ("403", raw(http("{}", "403 Forbidden")), UNVERIFIED, "HTTP 403: the server does not answer under this name"),
        ("401", raw(http("{}", "401 Unauthorized")), UNVERIFIED, "data plane"),
        ("500", raw(http("{}", "500 Oops")), UNVERIFIED, "data plane"),
        ("204", raw(b"HTTP/1.1 204 No Content\r\n\r\n"), UNVERIFIED, "data plane"),
        ("101", raw(b"HTTP/1.1 101 Switching\r\n\r\n"), UNVERIFIED, "switches protocols"),
        ("busy", raw(http("{}", "503 Service Unavailable", "Retry-After: 1\r\n")), UNREACHABLE, "try again"),
        ("no JSON", raw(http("<html>")), UNVERIFIED, "JSON"),
        ("two JSON values", raw(http(body + body)), UNVERIFIED, "JSON"),
        ("a field twice", raw(http(body[:-1] + b"," + body[1:])), UNVERIFIED, "JSON"),
        ("an array", raw(http("[]")), UNVERIFIED, "document_b64"),
        ("no document", raw(http("{}")), UNVERIFIED, "document_b64"),
        ("an empty document", raw(http('{"document_b64":""}')), UNVERIFIED, "document_b64"),
        ("no base64", raw(http('{"document_b64":"...."}')), UNVERIFIED, "document_b64"),
        ("a document of 32 KiB", raw(http(json.dumps({"document_b64": b64(bytes(32768))}))), UNVERIFIED, "document_b64"),
        ("nothing", raw(http("")), UNVERIFIED, ""),
        ("more than 64 KiB", raw(long), UNVERIFIED, "larger than expected"),
        ("without an end", pour, UNVERIFIED, "larger than expected"),
        ("interim answers without an end", many_interim, UNVERIFIED, "interim"),
        ("an endless head", raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 40000), UNVERIFIED, "HTTP"),
        ("two lengths", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), UNVERIFIED, "HTTP"),
        ("length and chunks", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"), UNVERIFIED, "HTTP"),
        ("no HTTP", raw(b"SSH-2.0-server\r\n\r\n"), UNVERIFIED, "HTTP"),
        ("control characters in its words", raw(http("{}", "200 \x1b[2J")), UNVERIFIED, ""),
        ("half an answer", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), UNREACHABLE, "closed"),
        ("closed at once", lambda c: None, UNREACHABLE, "closed"),
        ("answers the second time only", two_faced, UNREACHABLE, "closed"),
    )
    for name, serve, code, why in cases:
        with Server(serve, scene.mine) as server:
            refused(tap, f"answer: {name}", scene.verify(server.url), code, why)
            tap.ok(server.connections == 1, f"answer: {name}: one connection and no second")


def slow(tap, scene):
    """Every wait ends at the same deadline, whatever moves meanwhile; all at once, to save time."""
    def endless_tls(connection):
        connection.sendall(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00" * 10)
        while True:
            time.sleep(0.2)
            connection.sendall(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00")
    cases = (
        ("a byte at a time", drip, scene.mine), ("silent", raw(stay=True), scene.mine),
        ("silent after half an answer", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", stay=True), scene.mine),
        ("silent before the handshake", lambda c: c.recv(65536) and c.recv(1), None),
        ("handshakes for ever", endless_tls, None),
    )
    results = {}

    def one(name, serve, identity):
        with Server(serve, identity) as server:
            began = time.monotonic()
            results[name] = (scene.verify(server.url), time.monotonic() - began)
    threads = [threading.Thread(target=one, args=case) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, (result, seconds) in results.items():
        tap.ok(seconds < PATIENCE_S and result.returncode in (UNREACHABLE, UNVERIFIED) and not result.stdout.count("yes"),
               f"slow: {name}: ends after {seconds:.0f} s", shown(result))


def other_protocols(tap, scene):
    old = scene.mine.context()
    with warnings.catch_warnings(action="ignore"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.minimum_version = ssl.TLSVersion.TLSv1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with Server(saying(scene.genuine), scene.mine) as server:
        server.context = old
        refused(tap, "TLS 1.1", scene.verify(server.url), UNVERIFIED, "TLS")
    for name, serve in (("plain HTTP", lambda c: c.recv(4096) and c.sendall(http("{}", "400 Bad Request"))),
                        ("a banner", lambda c: c.sendall(b"220 smtp\r\n"))):
        with Server(serve) as server:
            refused(tap, name, scene.verify(server.url), UNVERIFIED, "TLS")
    with Server(lambda c: None) as server:
        refused(tap, "a port that closes", scene.verify(server.url), UNREACHABLE, "closed")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    refused(tap, "nobody there", scene.verify(f"https://127.0.0.1:{port}"), UNREACHABLE, "")
    refused(tap, "no such name", scene.verify("https://nobody.invalid:9"), UNREACHABLE, "name")


def usage(tap, scene):
    for url, options, why in (
            ("https://127.0.0.1/path", (), "https://HOST"), ("https://127.0.0.1:0", (), "https://HOST"),
            ("https://127.0.0.1:x", (), "https://HOST"), ("https://", (), "https://HOST"),
            ("http://127.0.0.1:1", (), "https://HOST"), ("ftp://a", (), "https://HOST"),
            ("https://a#b", (), "https://HOST"), ("https://127.0.0.1:1", ("--nonce", "ab" * 15), "--nonce"),
            ("https://127.0.0.1:1", ("--nonce", "ab" * 65), "--nonce"),
            ("https://127.0.0.1:1", ("--pcr16", "ab" * 48), "not both")):
        refused(tap, f"usage: {url} {' '.join(options)[:20]}", scene.verify(url, *options), USAGE, why)
    result = run(CLI, "attest", "verify", "https://127.0.0.1:1", "--config", scene.config, "--trust", "/dev/null", check=False)
    tap.ok(result.returncode == USAGE and "which code" in result.stderr, "usage: nothing said of the code", shown(result))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="cloister-endpoint-") as folder:
        scene = Scene(pathlib.Path(folder))
        genuine(tap, scene)
        false_documents(tap, scene)
        keysets(tap, scene)
        in_between(tap, scene)
        false_answers(tap, scene)
        slow(tap, scene)
        other_protocols(tap, scene)
        usage(tap, scene)
    tap.done()


if __name__ == "__main__":
    main()
