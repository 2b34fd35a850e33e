#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""Attacks of the parent on the whole platform, each against one promise of SECURITY.md: a relay that
leads elsewhere or plays old bytes again, host names that look right, parameters that would choose
what attestation signs, records moved between accounts, deployments and keysets by whoever owns the
store, and two enclaves or two daemons on one store."""

import contextlib
import datetime
import http.server
import json
import os
import pathlib
import re
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import (CHAIN, CLI, DAEMON, PATIENCE_S, PKI, Platform, Refused, Tap, canonical, b64,  # noqa: E402
                          run, tx, unb64, wait_for)
from crash import Service  # noqa: E402

METHODS = pathlib.Path(__file__).parents[2] / "src" / "front" / "methods.c"
HOST = "kms.eu-west-1.amazonaws.com"


def refused(call, *codes):
    """The error of a call that must be refused with one of the codes; a text when it was not."""
    try:
        return None, f"answered {call()}"
    except Refused as error:
        return (error if not codes or error.code in codes else None), str(error)


# -- a relay that leads elsewhere ----------------------------------------------------------------------

def certificate(folder, name, host, days=(-1, 1), own_root=False):
    """A server's certificate: for another name, at another time, or under another root."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    root = x509.load_der_x509_certificate((PKI / "tls-root.der").read_bytes())
    data = (PKI / "tls-root.key").read_bytes()
    load = (serialization.load_pem_private_key if data.startswith(b"-----")
            else serialization.load_der_private_key)
    signer = ec.generate_private_key(ec.SECP256R1()) if own_root else load(data, None)
    now = datetime.datetime.utcnow()
    built = (x509.CertificateBuilder().subject_name(x509.Name([]))
             .issuer_name(root.subject).public_key(key.public_key())
             .serial_number(x509.random_serial_number())
             .not_valid_before(now + datetime.timedelta(days=days[0]))
             .not_valid_after(now + datetime.timedelta(days=days[1]))
             .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=True)
             .sign(signer, hashes.SHA256()))
    path = folder / f"{name}.pem"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                       serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption())
                     + built.public_bytes(serialization.Encoding.PEM))
    return path


class Elsewhere:
    """What the relay leads to: a TLS server with a certificate of its own, which keeps all bytes that
    come in clear; without a certificate it keeps the raw bytes and answers `script`."""

    def __init__(self, platform, pem=None, script=b""):
        self.path = platform.emu_dir / "link" / "8000"
        self.path.unlink(missing_ok=True)
        self.raw, self.clear, self.script, self.served = b"", b"", script, 0
        self.context = None
        if pem:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pem)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            try:
                peer.settimeout(PATIENCE_S)
                self._talk(peer)
            except (OSError, ssl.SSLError):
                pass
            self.served += 1
            peer.close()

    def _talk(self, peer):
        if self.context:
            with self.context.wrap_socket(peer, server_side=True) as tls:
                self.clear += tls.recv(65536)
            return
        self.raw += peer.recv(65536)
        peer.sendall(self.script)
        while data := peer.recv(65536):
            self.raw += data

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def diverted(tap, platform, control):
    secret = platform.credentials()["aws_access_key_id"].encode()
    cases = [("another host of the same root", certificate(platform.dir, "name", "kms.evil.example")),
             ("another region of the same root",
              certificate(platform.dir, "region", "kms.eu-west-2.amazonaws.com")),
             ("a longer name", certificate(platform.dir, "suffix", HOST + ".evil.example")),
             ("a wildcard above", certificate(platform.dir, "wild", "*.amazonaws.com")),
             ("the right name, another root",
              certificate(platform.dir, "root", HOST, own_root=True)),
             ("the right name, expired", certificate(platform.dir, "old", HOST, days=(-9, -2))),
             ("the right name, not valid yet", certificate(platform.dir, "new", HOST, days=(2, 9)))]
    for name, pem in cases:
        other = Elsewhere(platform, pem)
        error, text = refused(lambda: control.call("keyset.create", name="main"), "untrusted",
                              "unreachable", "closed", "expired")
        wait_for("the server", lambda: other.served)
        tap.ok(error and not other.clear, f"relay to {name}: refused, and nothing was sent", text)
        other.close()
    plain = Elsewhere(platform, script=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    error, text = refused(lambda: control.call("keyset.create", name="main"), "untrusted",
                          "unreachable", "closed", "malformed")
    tap.ok(error and plain.raw[:2] == b"\x16\x03" and secret not in plain.raw
           and b"HTTP" not in plain.raw, "relay to a server without TLS: it sees a ClientHello only",
           text)
    plain.close()
    right = certificate(platform.dir, "right", HOST)
    good = Elsewhere(platform, right)
    refused(lambda: control.call("keyset.create", name="main"))
    tap.ok(b"POST / HTTP/1.1" in good.clear,
           "relay to a server of the right name and root: it is spoken to (the check can fail)")
    good.close()


class Recorder:
    """A relay that keeps what KMS sent on each connection."""

    def __init__(self, platform):
        host, port = (platform.emu_dir / "kms.addr").read_text().strip()[6:].split(":")
        self.target, self.sessions, self.peers = (host, int(port)), [], []
        self.path = platform.emu_dir / "link" / "8000"
        self.path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                inside, _ = self.listener.accept()
            except OSError:
                return
            outside = socket.create_connection(self.target)
            kept = bytearray()
            self.sessions.append(kept)
            self.peers += [inside, outside]
            threading.Thread(target=self._pump, args=(inside, outside, bytearray()),
                             daemon=True).start()
            threading.Thread(target=self._pump, args=(outside, inside, kept), daemon=True).start()

    @staticmethod
    def _pump(source, sink, kept):
        try:
            while data := source.recv(65536):
                kept += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in self.peers:  # the enclave must not go on with a connection that it has
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)


def replayed(tap, platform, control):
    """The genuine bytes of a session that created a keyset, once more."""
    recorder = Recorder(platform)
    record = control.call("keyset.create", name="main")["record_b64"]
    session = bytes(recorder.sessions[-1])
    recorder.close()
    again = Elsewhere(platform, script=session)
    for method, params in (("keyset.create", {"name": "main"}),
                           ("keyset.open", {"record_b64": record})):
        error, text = refused(lambda: control.call(method, **params), "untrusted", "unreachable",
                              "closed", "malformed")
        tap.ok(error and len(session) > 1000, f"{method}: KMS's recorded bytes are refused", text)
    again.close()
    return record


# -- what the parent may not choose --------------------------------------------------------------------

def hosts(tap, control, platform):
    """Configurations whose host is not the one that the ARN names, byte by byte."""
    right = canonical(platform.deployment, platform.arn, 31337)
    plain = HOST.encode()
    tricks = [("upper case", HOST.upper()), ("one letter in upper case", HOST.replace("k", "K", 1)),
              ("trailing dot", HOST + "."), ("leading dot", "." + HOST),
              ("suffix", HOST + ".evil.example"), ("prefix", "evil." + HOST),
              ("user part", "evil@" + HOST), ("port", HOST + ":443"), ("path", HOST + "/"),
              ("wildcard", "*.eu-west-1.amazonaws.com"), ("another region",
                                                          HOST.replace("west-1", "west-2")),
              ("IDN in punycode", "xn--kms-9na.eu-west-1.amazonaws.com"),
              ("IDN in UTF-8", HOST.replace("k", "\u043a", 1)), ("address", "127.0.0.1"),
              ("blank", HOST + " "), ("empty", ""), ("NUL and more", HOST + "\0.evil.example"),
              ("NUL at the end", HOST + "\0")]
    for name, text in tricks:
        trick = text.encode()
        config = right.replace(bytes([len(plain)]) + plain, bytes([len(trick)]) + trick)
        error, words = refused(lambda: control.call("configure", config_b64=b64(config)),
                               "malformed", "mismatch", "unsupported")
        tap.ok(error and config != right, f"host with {name}: refused", words)
    two = right[:-len(plain) - 2] + b"\x02" + right[-len(plain) - 1:] + b"\x0cevil.example"
    error, words = refused(lambda: control.call("configure", config_b64=b64(two)), "malformed",
                           "mismatch", "unsupported")
    tap.ok(error, "one host more than the ARNs name: refused", words)
    tap.ok(control.call("status")["phase"] == "UNCONFIGURED", "nothing of it was measured")


def chosen_fields(tap, control, keyset, record):
    """No method takes what an attestation document carries as public key or user data."""
    methods = {"hello": {}, "status": {}, "attestation": {}, "configure": {"config_b64": ""},
               "set_credentials": {}, "keyset.create": {"name": "main"},
               "keyset.open": {"record_b64": ""}, "account.create": {"keyset": keyset,
                                                                     "unrestricted": True},
               "account.open": {"record_b64": record},
               "sign_transaction": {"record_b64": record, "tx": tx()},
               "manifest.apply": {"manifest_b64": ""}, "seal": {}, "unseal": {"approvals_b64": ""},
               "import.begin": {"keyset": keyset, "unrestricted": True},
               "import.finish": {"account": keyset, "enc": "0x" + "09" * 32, "ciphertext_b64": ""},
               "tls.create": {"keyset": keyset}, "tls.import": {"keyset": keyset},
               "tls.csr": {"record_b64": record, "names": ["a.example"]},
               "tls.open": {"record_b64": record, "names": ["a.example"]}, "metrics": {}}
    listed = set(re.findall(r'^    \{ "([a-z_.]+)", PHASE', METHODS.read_text(), re.M))
    tap.ok(listed == set(methods), "every method of the front's table is asked",
           listed ^ set(methods))
    for method, params in methods.items():
        words = ""
        for name in ("public_key", "user_data", "userData", "publicKey", "document_b64", "spki_sha256"):
            error, words = refused(lambda: control.call(method, **params, **{name: "00"}),
                                   "malformed", "phase")
            if not error or (error.code == "malformed" and name not in error.message):
                break
        else:
            error = True
        tap.ok(error, f"{method}: no field that attestation would sign", words)
    error, words = refused(lambda: control.call("attestation", nonce="0x" + "00" * 65), "malformed",
                           "too_large")
    tap.ok(error, "attestation: no nonce that is longer than the agreed one", words)


def second_configuration(tap, platform, control):
    other = platform.build_config(os.urandom(16).hex(), "second")
    before = control.call("status")["pcr16"]
    for name, config in (("another one", other), ("the same once more", platform.config)):
        error, words = refused(lambda: control.call("configure",
                                                    config_b64=b64(config.read_bytes())), "phase")
        tap.ok(error and control.call("status")["pcr16"] == before,
               f"a second configuration, {name}: refused", words)


# -- records -------------------------------------------------------------------------------------------

def records(tap, control, foreign, keyset):
    """Records of this deployment, changed field by field, and those of another one."""
    made = [control.call("account.create", keyset=keyset, unrestricted=True) for _ in range(2)]
    first, second = (unb64(m["record_b64"]) for m in made)
    ident = {"version": (0, 2), "deployment": (2, 16), "keyset": (18, 16), "account": (34, 16),
             "key type": (50, 1), "purpose": (51, 1), "public key": (53, 33)}
    for name, (at, n) in ident.items():
        taken = second[at:at + n]
        if taken == first[at:at + n]:
            taken = bytes(b ^ 1 for b in taken)
        attack(tap, control, f"{name} of another record", first[:at] + taken + first[at + n:])
    size = struct.unpack(">H", first[-62:-60])[0]
    attack(tap, control, "sealed key of another record", first[:-size] + second[-size:])
    attack(tap, control, "generation turned back and up", flip(first, len(first) - size - 30))
    for at in range(0, len(first), 7):
        if refused(lambda: control.call("account.open", record_b64=b64(flip(first, at))))[0] is None:
            tap.ok(False, f"bit {at} of a record changed: opened")
            break
    else:
        tap.ok(True, "a changed bit anywhere in a record: refused")
    attack(tap, control, "account of another deployment", foreign["account"])
    error, words = refused(lambda: control.call("keyset.open",
                                                record_b64=b64(foreign["keyset"])))
    tap.ok(error, "keyset of another deployment: refused", words)
    error, words = refused(lambda: control.call(
        "account.create", keyset=foreign["keyset_id"], unrestricted=True), "not_found", "phase",
        "mismatch")
    tap.ok(error, "account under another deployment's keyset: refused", words)


def attack(tap, control, name, record):
    for method, params in (("account.open", {}), ("sign_transaction", {"tx": tx()})):
        error, words = refused(lambda: control.call(method, record_b64=b64(record), **params))
        if not error:
            break
    tap.ok(error, f"record with {name}: neither opened nor used", words)


def flip(data, at):
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def foreign_records():
    platform = Platform().start()
    try:
        platform.start_relay()
        control = platform.control()
        keyset = platform.ready(control)
        ident = control.call("status")["keysets"][0]["id"]
        account = control.call("account.create", keyset=ident, unrestricted=True)
        return {"keyset": unb64(keyset), "keyset_id": ident, "account": unb64(account["record_b64"])}
    finally:
        platform.remove()


# -- the store -----------------------------------------------------------------------------------------

class NoNode:
    url = "http://127.0.0.1:9"


class Chain:
    """A node that takes every raw transaction and keeps it."""

    def __init__(self):
        self.raw = []
        chain = self
        answers = {"eth_chainId": hex(CHAIN), "eth_getTransactionCount": "0x0",
                   "eth_sendRawTransaction": "0x" + "11" * 32}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if request["method"] == "eth_sendRawTransaction":
                    chain.raw.append(request["params"][0])
                answer = json.dumps({"jsonrpc": "2.0", "id": request["id"],
                                     "result": answers.get(request["method"])}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


# What the owner of the store does to a row. Each must be refused for signing and for sending, and
# say why.
SWAPS = {
    "bob's record": "UPDATE accounts SET record = (SELECT record FROM accounts WHERE name = 'bob') "
                    "WHERE name = ?",
    "bob's record and address": "UPDATE accounts SET (record, address) = (SELECT record, address "
                                "FROM accounts WHERE name = 'bob') WHERE name = ?",
    "bob's record, receipt and address": "UPDATE accounts SET (record, receipt, address) = (SELECT "
                                         "record, receipt, address FROM accounts WHERE name = 'bob') "
                                         "WHERE name = ?",
    "bob's address": "UPDATE accounts SET address = (SELECT address FROM accounts WHERE name = "
                     "'bob') WHERE name = ?",
    "another keyset": "UPDATE accounts SET keyset = '%s' WHERE name = ?" % ("0" * 32),
    "a record of one byte": "UPDATE accounts SET record = x'00' WHERE name = ?",
    "no record": "UPDATE accounts SET record = x'' WHERE name = ?",
}


def swapped_in_store(tap, platform, foreign):
    """The owner of the store swaps records: nothing is signed or sent under the wrong name."""
    node = Chain()
    service = Service(platform, node).start()
    names = ["foreign", *SWAPS]
    try:
        made = {name: service.insist("POST", "/v1/accounts", {"user": "u", "name": name,
                                                              "unrestricted": True})
                for name in ["bob", *names]}
        second = subprocess.run([str(DAEMON), "--config", str(service.conf)], capture_output=True,
                                text=True, timeout=PATIENCE_S, check=False)
        tap.ok(second.returncode == 1, "a second daemon on the same store: ends with an error",
               second.stderr)
        service.stop()
        store = sqlite3.connect(platform.dir / "store.db")
        store.execute("PRAGMA foreign_keys = OFF")
        for name, statement in SWAPS.items():
            store.execute(statement, (name,))
        store.execute("UPDATE accounts SET record = ? WHERE name = 'foreign'", (foreign["account"],))
        store.commit()
        store.close()
        service.start()
        for name in names:
            refuse_swapped(tap, service, name, made[name]["account"])
        tap.ok(not node.raw, "store: nothing of it reached the node", node.raw)
        own = f"/v1/accounts/{made['bob']['account']}"
        status, answer = service.call("POST", own + "/sign-transaction", {"tx": tx()})
        tap.ok(status == 200 and answer["from"] == made["bob"]["address"],
               "store: bob's own record still signs", answer)
        status, answer = service.call("POST", own + "/send-transaction", {"tx": tx()}, key="k")
        tap.ok(status == 200 and len(node.raw) == 1, "store: bob's own record still sends", answer)
    finally:
        service.stop()
        node.close()
    return len(made)


def refuse_swapped(tap, service, name, ident):
    for action in ("sign-transaction", "send-transaction"):
        status, answer = service.call("POST", f"/v1/accounts/{ident}/{action}", {"tx": tx()},
                                      key=f"{name} {action}"[:60])
        error = answer.get("error", {})
        tap.ok(status == 500 and error["code"] == "corrupt" and "store:" in error["message"]
               and "raw_tx" not in answer, f"store: a row with {name}: {action} is refused", answer)
    status, answer = service.call("POST", "/v1/accounts", {"user": "u", "name": name,
                                                           "unrestricted": True})
    tap.ok(status in (200, 500), f"store: a row with {name}: creation makes no second account",
           answer)


# -- another signer ------------------------------------------------------------------------------------

class Liar:
    """A Unix socket before cloisterd's, which leads what is to be signed as one account to another."""

    def __init__(self, path, target, wanted, other):
        self.target, self.other = str(target), other.encode()
        self.wanted = re.compile(wanted.encode() + rb"(?=/s(ign|end)-transaction)")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        self.lies = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                inside, _ = self.listener.accept()
            except OSError:
                return
            outside = socket.socket(socket.AF_UNIX)
            outside.connect(self.target)
            threading.Thread(target=self._pump, args=(inside, outside, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(outside, inside, False), daemon=True).start()

    def _pump(self, source, sink, lies):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if lies:
                    data, n = self.wanted.subn(self.other, data)
                    self.lies += n
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def another_signer(tap, platform):
    """The service signs with another account of the same deployment, whose receipt is as good."""
    node = Chain()
    service = Service(platform, node).start()
    made = {name: service.insist("POST", "/v1/accounts", {"user": "u", "name": name,
                                                          "unrestricted": True})
            for name in ("dave", "erin")}
    path, trust, wish = platform.dir / "liar.sock", platform.dir / "trust", platform.dir / "tx.json"
    liar = Liar(path, service.socket, made["dave"]["account"], made["erin"]["account"])
    trust.write_text(f"url = unix://{path}\ntoken_file = {platform.dir}/token\n"
                     f"pcr0 = {platform.pcrs['pcr0']}\nconfiguration = {platform.config}\n")
    wish.write_text(json.dumps(tx()))
    try:
        for action in ("sign", "send"):
            for name, wrong in (("dave", True), ("erin", False)):
                result = run(CLI, "tx", action, made[name]["account"], "--tx", wish, "--trust", trust,
                             "--json", check=False)
                if wrong:
                    tap.ok(result.returncode == 4 and "signed by another account" in result.stderr
                           and "raw_tx" not in result.stdout and "from" not in result.stdout,
                           f"tx {action}: signed by another account: refused", result)
                else:
                    tap.ok(result.returncode == 0
                           and json.loads(result.stdout)["from"] == made[name]["address"],
                           f"tx {action}: the account that was asked for (the check can fail)",
                           result)
        tap.ok(liar.lies == 2, "the service lied twice", liar.lies)
    finally:
        liar.close()
        service.stop()
        node.close()
    return len(made)


def shared_store(tap, platform, accounts):
    """Another enclave with the same deployment but a key of its own is given the same store."""
    other = Platform(deployment=platform.deployment).start()
    service = None
    try:
        store = other.dir / "store.db"
        store.write_bytes((platform.dir / "store.db").read_bytes())
        service = Service(other, NoNode())
        service.ready = lambda: None
        service.start()
        token = wait_for("token", lambda: (other.dir / "token").exists() and
                         service.socket.exists())
        problem = wait_for("problem", lambda: token and service.call(
            "GET", "/v1/status")[1].get("cloisterd", {}).get("problem"))
        tap.ok(problem, f"another enclave on the store: not READY, and says why ({problem})")
        status, answer = service.call("GET", "/v1/accounts?user=u")
        tap.ok(status == 200 and len(answer["accounts"]) == accounts,
               "another enclave on the store: nothing of it is lost", answer)
    finally:
        if service:
            service.stop()
        other.remove()


def main():
    tap = Tap()
    foreign = foreign_records()
    platform = Platform().start()
    try:
        control = platform.control()
        hosts(tap, control, platform)
        platform.configure(control)
        second_configuration(tap, platform, control)
        diverted(tap, platform, control)
        replayed(tap, platform, control)
        platform.start_relay()
        control.call("keyset.open", record_b64=control.call("keyset.create",
                                                            name="main")["record_b64"])
        keyset = control.call("status")["keysets"][0]["id"]
        record = control.call("account.create", keyset=keyset, unrestricted=True)["record_b64"]
        chosen_fields(tap, control, keyset, record)
        records(tap, control, foreign, keyset)
        control.close()
        platform.stop()
        platform.start()
        (platform.emu_dir / "link" / "8000").unlink(missing_ok=True)
        accounts = swapped_in_store(tap, platform, foreign) + another_signer(tap, platform)
        shared_store(tap, platform, accounts)
        tap.ok(platform.emulator.poll() is None, "the enclave is alive")
    finally:
        platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
