#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""The anchor of kind file through the whole platform: what administrators decided outlasts restarts
and a parent that puts old state back, on the way to the anchor nothing can be forged or played
again, and when it is down it is said and trying again works."""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import sqlite3
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from admin import create_manifest, restart_enclave, said, sign, sign_status  # noqa: E402
from attacks import certificate  # noqa: E402
from cloistertest import CLI, PKI, Reader, Tap, hkdf, run, unb64, unseal_keyset, wait_for  # noqa: E402
from servicetest import AdminPlatform, Service  # noqa: E402

HOST = "anchor.cloister.test"


class Proxy:
    """What the relay leads to instead of the anchor: a TCP address whose mode is the attack."""

    def __init__(self, platform):
        self.platform, self.mode, self.count = platform, "pass", 0
        self.tape, self.certificate = b"", None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            peer, _ = self.listener.accept()
            self.count += 1
            threading.Thread(target=self._talk, args=(peer, self.mode), daemon=True).start()

    def _talk(self, peer, mode):
        with contextlib.suppress(OSError), peer:
            if mode == "cut":
                return
            if mode == "replay":
                peer.recv(65536)
                peer.sendall(self.tape)
                time.sleep(1)
                return
            if mode == "elsewhere":
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certificate)
                context.wrap_socket(peer, server_side=True)
                return
            if mode.startswith("delay"):
                time.sleep(float(mode.split()[1]))
            self._forward(peer, mode)

    def _forward(self, peer, mode):
        host, port = address_of_kms(self.platform)
        with socket.create_connection((host, port)) as server:
            back = threading.Thread(target=self._pump, args=(peer, server, False), daemon=True)
            back.start()
            self._pump(server, peer, mode == "record")

    def _pump(self, source, sink, record):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if record:
                    self.tape += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def address_of_kms(platform):
    host, port = (platform.emu_dir / "kms.addr").read_text().strip()[len("tcp://"):].split(":")
    return host, int(port)


def ask(platform, method, target, body=None, **fields):
    """One request to the anchor, as the enclave makes it: status, ETag, body."""
    context = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(
        (PKI / "tls-root.der").read_bytes()))
    raw = socket.create_connection(address_of_kms(platform), timeout=10)
    connection = http.client.HTTPConnection(HOST)
    connection.sock = context.wrap_socket(raw, server_hostname=HOST)
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    connection.request(method, target, body=body, headers=headers)
    response = connection.getresponse()
    answer = response.status, response.getheader("ETag"), response.read()
    connection.close()
    return answer


def http_form(tap, platform):
    """PROTOCOL.md section 11, request by request."""
    target = f"/items/{'ab' * 16}/{'cd' * 16}"
    cases = [
        ("nothing there", "GET", target, None, {}, 404, None),
        ("If-Match of nothing", "PUT", target, b"a", {"If_Match": '"1"'}, 412, None),
        ("created", "PUT", target, b"a", {"If_None_Match": "*"}, 204, '"1"'),
        ("created twice", "PUT", target, b"b", {"If_None_Match": "*"}, 412, None),
        ("read", "GET", target, None, {}, 200, '"1"'),
        ("an old version", "PUT", target, b"b", {"If_Match": '"2"'}, 412, None),
        ("replaced", "PUT", target, b"b", {"If_Match": '"1"'}, 204, '"2"'),
        ("replaced again by the same", "PUT", target, b"b", {"If_Match": '"1"'}, 412, None),
        ("no condition", "PUT", target, b"c", {}, 400, None),
        ("two conditions", "PUT", target, b"c", {"If_Match": '"2"', "If_None_Match": "*"}, 400,
         None),
        ("a weak tag", "PUT", target, b"c", {"If_Match": 'W/"2"'}, 400, None),
        ("any version", "PUT", target, b"c", {"If_Match": "*"}, 400, None),
        ("version 0", "PUT", target, b"c", {"If_Match": '"0"'}, 400, None),
        ("no body", "PUT", target, b"", {"If_Match": '"2"'}, 400, None),
        ("too long", "PUT", target, b"c" * 115, {"If_Match": '"2"'}, 400, None),
        ("upper case", "GET", target.upper(), None, {}, 404, None),
        ("a path", "GET", "/items/../keys", None, {}, 404, None),
        ("DELETE", "DELETE", target, None, {}, 405, None)]
    for name, method, path, body, fields, status, tag in cases:
        answer = ask(platform, method, path, body, **fields)
        tap.ok(answer[0] == status and answer[1] == tag, f"HTTP: {name}: {status}", answer)
    tap.ok(ask(platform, "GET", target)[2] == b"b", "HTTP: the item is the one written last")


class Scene:
    """The service, its administrators, and the file that the anchor keeps."""

    def __init__(self, tap):
        self.tap, self.platform = tap, AdminPlatform(anchor="file")
        self.platform.start()
        self.proxy = Proxy(self.platform)
        self.service = Service(self.platform, f"relay = {HOST} {self.proxy.address}").start()

    def apply(self, serial, *options):
        path, made = create_manifest(self.service, serial, "--from-service", *options)
        if made.returncode:
            raise RuntimeError(said(made))
        signatures, _ = sign(self.service, "manifest", path, *self.platform.admins[:2])
        return self.again(path, signatures), path, signatures

    def again(self, path, signatures):
        return self.service.cloister("manifest", "apply", path, *signatures)

    def enclave(self):
        return self.service.request("GET", "/v1/status")[1]["enclave"]

    def ready(self):
        """READY, as the enclave itself says, with what is in force in the anchor."""
        def is_open():
            enclave = self.enclave() or {}
            return enclave.get("phase") == "READY" and enclave.get("anchored") is True
        wait_for("READY and anchored", is_open, 60)
        self.service.wait_ready()

    def file(self):
        """The one item's file: a version (8 bytes) and the item."""
        names = [path for path in (self.platform.emu_dir / "anchor").iterdir()
                 if not path.name.startswith("ab" * 16)]
        if len(names) != 1:
            raise AssertionError(f"files of the anchor: {names}")
        return names[0]

    def unseal(self):
        request = self.platform.dir / "request.json"
        self.service.cloister("unseal", "request", "-o", request)
        signatures, _ = sign(self.service, "unseal", request, *self.platform.admins[:2])
        return self.service.cloister("unseal", "apply", *signatures)

    def restart_service(self, change=None):
        """Both are started again, as after a reboot of the instance; `change` in between."""
        self.service.stop()
        self.platform.stop()
        if change:
            change()
        self.platform.start()
        conf = self.service.conf
        text = re.sub("^imds = .*$", "imds = " +
                      (self.platform.emu_dir / "imds.addr").read_text().strip(), conf.read_text(),
                      flags=re.M)
        kms = (self.platform.emu_dir / "kms.addr").read_text().strip()
        conf.write_text(re.sub(r"^(relay = kms\S+) .*$", rf"\1 {kms}", text, flags=re.M))
        self.service.start()


def first(tap, scene):
    """Created before the keyset is used, written when it opens, and every byte as documented."""
    service = scene.service
    service.wait_problem("not admitted")
    r = Reader(scene.file().read_bytes())
    tap.ok(r.uint(8) == 1 and r.take(1) == b"\1", "keyset.create has made the item, version 1")
    applied, path, _ = scene.apply(1)
    tap.ok(applied.returncode == 0 and "best_effort" in applied.stdout,
           "manifest 1 with nothing open: in force, and said not to be anchored yet", said(applied))
    scene.ready()
    tap.ok(scene.enclave()["anchored"] is True and scene.enclave()["anchor"] == "file",
           "READY: the manifest stands in the anchor", scene.enclave())
    shown = service.cloister("status")
    tap.ok(re.search(r"revocation\W+anchored", shown.stdout), "cloister status says so", said(shown))
    record = service.request("GET", "/v1/keysets")[1]["keysets"][0]["record_b64"]
    _, key = unseal_keyset(scene.platform, unb64(record))
    data = scene.file().read_bytes()
    item = data[8:]
    digest = hashlib.sha256(path.read_bytes()).digest()
    expected = (b"\1" + bytes.fromhex(scene.platform.deployment) + item[17:33]
                + (2).to_bytes(8, "big") + (1).to_bytes(8, "big") + digest + b"\0")
    message = hashlib.sha256(b"cloister-anchor-1\0" + len(expected).to_bytes(4, "big")
                             + expected).digest()
    mac = hmac.new(hkdf(key, b"cloister-anchor-key-1\0"), message, hashlib.sha256).digest()
    tap.ok(data[:8] == (2).to_bytes(8, "big") and item == expected + mac,
           "the item's bytes and MAC are those of PROTOCOL.md", item.hex())
    verified = json.loads(service.cloister("attest", "verify", "--json").stdout)
    of_file = json.loads(run(CLI, "manifest", "show", path, "--json"))
    tap.ok(verified["anchor"] == "file" and verified["anchored"] is True
           and verified["manifest_digest"] == of_file["manifest_digest"] == digest.hex(),
           "attest verify: anchor, anchored, and the digest of the manifest in force", verified)
    made = service.cloister("account", "create", "--unrestricted", "--user", "alice", "--name",
                            "main", "--json")
    account = json.loads(made.stdout)["account"]
    tap.ok(sign_status(service, account)[0] == 200, "an account signs")
    return account


def old_state(tap, scene, account):
    """The parent puts the older manifest back and restarts the enclave."""
    service = scene.service
    old = service.request("GET", "/v1/manifest")[1]
    applied, path, signatures = scene.apply(2, "--disable", account)
    tap.ok(applied.returncode == 0 and re.search(r"revocation\W+anchored", applied.stdout),
           "manifest 2 disables the account: written before it is answered", said(applied))
    scene.ready()
    tap.ok(sign_status(service, account)[0] == 403, "the account signs nothing")

    def put_back():
        with contextlib.closing(sqlite3.connect(service.store)) as store:
            store.execute("update manifest set serial = ?, signed = ?",
                          (old["serial"], unb64(old["manifest_b64"])))
            store.commit()
    scene.restart_service(put_back)
    problem = service.wait_problem("anchor knows a newer one")
    tap.ok("apply that one first" in problem, "the old manifest put back: nothing opens", problem)
    tap.ok(sign_status(service, account)[0] == 503, "and the disabled account does not sign")
    again = scene.again(path, signatures)
    scene.ready()
    tap.ok(again.returncode == 0 and sign_status(service, account)[0] == 403,
           "manifest 2 again: open, and still disabled", said(again))
    scene.restart_service()
    scene.ready()
    tap.ok(scene.enclave()["manifest_serial"] == 2,
           "after a restart cloisterd applies the stored manifest before it opens")
    scene.apply(3)
    scene.ready()
    tap.ok(sign_status(service, account)[0] == 200, "manifest 3 enables it again")


def killed(tap, scene):
    before = scene.file().read_bytes()

    def is_gone():
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
            return probe.connect_ex(str(scene.platform.emu_dir / "link" / "5000")) != 0

    def kill():
        scene.platform.start()
        scene.platform.emulator.kill()
        scene.platform.emulator.wait()
        scene.platform.emulator = None
        wait_for("the end of the enclave", is_gone)
    scene.restart_service(kill)
    scene.ready()
    tap.ok(scene.file().read_bytes() == before, "kill -9 of the emulator: the item stays")


def broken_way(tap, scene, account):
    """What the parent can do to the connection."""
    proxy, service = scene.proxy, scene.service
    proxy.mode = "record"
    restart_enclave(scene.platform)
    scene.ready()
    tap.ok(len(proxy.tape) > 1000, "the relay keeps what the anchor has sent")
    folder = scene.platform.dir
    for mode, pem in (("cut", None), ("replay", None),
                      ("elsewhere", certificate(folder, "a1", "kms.eu-west-1.amazonaws.com")),
                      ("elsewhere", certificate(folder, "a2", HOST, own_root=True)),
                      ("delay 17", None)):
        proxy.mode, proxy.certificate, before = mode, pem, proxy.count
        restart_enclave(scene.platform)
        problem = service.wait_problem("anchor: no answer")
        tap.ok("unreachable" in problem and proxy.count > before
               and sign_status(service, account)[0] == 503,
               f"at open, {mode}{' (another certificate)' if pem else ''}: nothing opens", problem)
        proxy.mode = "pass"
        restart_enclave(scene.platform)
        scene.ready()
    tap.ok(sign_status(service, account)[0] == 200, "and then it does")
    proxy.mode = "delay 2"
    restart_enclave(scene.platform)
    scene.ready()
    tap.ok(True, "a slow anchor is only slow")
    proxy.mode = "cut"
    tap.ok(sign_status(service, account)[0] == 200, "signing does not wait for the anchor")
    applied, path, signatures = scene.apply(4)
    tap.ok(applied.returncode != 0 and "not in force" in applied.stderr
           and "apply it again" in applied.stderr, "at apply, cut: said what to do", said(applied))
    tap.ok(scene.enclave()["manifest_serial"] == 3 and service.request("GET", "/v1/manifest")[1][
        "serial"] == 3, "the old manifest is in force and stored")
    proxy.mode = "pass"
    again = scene.again(path, signatures)
    scene.ready()
    tap.ok(again.returncode == 0 and scene.enclave()["manifest_serial"] == 4,
           "the same manifest again: in force", said(again))


def damaged_items(tap, scene, account):
    path, service = scene.file(), scene.service
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[8 + 49] ^= 1
    cases = [("a flipped bit", bytes(flipped), "MAC"),
             ("another deployment", good[:9] + bytes(16) + good[25:], "another deployment"),
             ("a foreign MAC", good[:-32] + os.urandom(32), "MAC"),
             ("another keyset", good[:25] + bytes(range(16)) + good[41:], "another deployment or k"),
             ("an older version number", (1).to_bytes(8, "big") + good[8:], "counter"),
             ("cut short", good[:-1], "shorter"), ("absent", None, "holds nothing")]
    for name, data, word in cases:
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)
        restart_enclave(scene.platform)
        problem = service.wait_problem(word)  # never that of the case before
        tap.ok("keyset.open" in problem and sign_status(service, account)[0] == 503,
               f"item: {name}: nothing opens", problem)
        path.write_bytes(good)
    restart_enclave(scene.platform)
    scene.ready()
    tap.ok(True, "the good item again: READY")
    newer = (int.from_bytes(good[:8], "big") + 1).to_bytes(8, "big") + good[8:]
    path.write_bytes(newer)  # as if another enclave had written
    applied, manifest, signatures = scene.apply(5)
    tap.ok(applied.returncode == 1 and "another enclave" in applied.stderr,
           "another enclave has written: a conflict, nothing in force", said(applied))
    path.write_bytes(good)
    scene.again(manifest, signatures)
    scene.ready()


def sealing(tap, scene, account):
    proxy, service = scene.proxy, scene.service
    proxy.mode = "cut"
    sealed = service.cloister("seal", "--json")
    tap.ok(sealed.returncode == 0 and json.loads(sealed.stdout)["phase"] == "SEALED"
           and json.loads(sealed.stdout)["anchored"] is False,
           "seal with the anchor down: sealed at once, and said that it is not anchored", said(sealed))
    proxy.mode = "pass"
    again = json.loads(service.cloister("seal", "--json").stdout)
    tap.ok(again["anchored"] is True and again["seals"] == 1, "seal again: anchored", again)
    restart_enclave(scene.platform)
    service.wait_problem("administrators unseal")
    tap.ok(scene.enclave()["phase"] == "SEALED" and sign_status(service, account)[0] == 503,
           "after a restart it is sealed still", scene.enclave())
    undone = scene.unseal()
    scene.ready()
    tap.ok(undone.returncode == 0 and sign_status(service, account)[0] == 200,
           "administrators unseal: READY", said(undone))
    restart_enclave(scene.platform)
    scene.ready()
    tap.ok(sign_status(service, account)[0] == 200, "for good")


def refused_elsewhere(tap, scene):
    """The kind file is for development."""
    release = CLI.with_name("cloister")
    measured = run(release, "config", "measure", scene.platform.config, check=False)
    tap.ok(measured.returncode == 1 and "development" in measured.stderr,
           "the release's cloister refuses the configuration", said(measured))


def main():
    tap = Tap()
    scene = Scene(tap)
    try:
        account = first(tap, scene)
        http_form(tap, scene.platform)
        old_state(tap, scene, account)
        killed(tap, scene)
        broken_way(tap, scene, account)
        damaged_items(tap, scene, account)
        sealing(tap, scene, account)
        refused_elsewhere(tap, scene)
    finally:
        scene.service.stop()
        scene.platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
