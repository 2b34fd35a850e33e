# SPDX-License-Identifier: Apache-2.0
"""What the tests of the whole service share: cloisterd over an emulated platform, its REST interface
through a socket that records every byte, the tool `cloister`, and administrators."""

import contextlib
import email.utils
import hashlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

from cloistertest import (ACCOUNT, CHAIN, CLI, DAEMON, EMU, PATIENCE_S, Platform, REGION, ROLE, run, wait_for)

OTHER_ACCOUNT = "444455556666"


class Admin:
    """An administrator: a private key in a file, and what the configuration says of him."""

    def __init__(self, folder, name, kind):
        self.name, self.key, self.public = name, folder / f"{name}.pem", folder / f"{name}.pub"
        options = (["-algorithm", "ed25519"] if kind == "ed25519" else
                   ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        run("openssl", "genpkey", *options, "-out", self.key)
        self.key.chmod(0o600)
        run("openssl", "pkey", "-in", self.key, "-pubout", "-out", self.public)


class AdminPlatform(Platform):
    """A platform with administrators 2 of 3 and a keyset of `k` of CMKs in two AWS accounts; with
    `tls`, there is another one, "web", for TLS keys."""

    def __init__(self, k=1, cmks=1, administrators=True, anchor="none", tls=False):
        self.k, self.cmks, self.arns = k, cmks, []
        self.administrators, self.anchor, self.tls = administrators, anchor, tls
        super().__init__()

    def build_config(self, deployment, name, arn=None, chain=CHAIN):
        kinds = ("ed25519", "p256", "ed25519") if self.administrators else ()
        self.admins = [Admin(self.dir, f"admin{i}", kind) for i, kind in enumerate(kinds)]
        self.arns = [self.arn] + [
            run(EMU, "key", "create", "--dir", self.emu_dir, "--region", REGION, "--account",
                ACCOUNT if i == 1 else OTHER_ACCOUNT).strip() for i in range(1, self.cmks)]
        source = self.dir / f"{name}.json"
        source.write_text(json.dumps({
            "version": 1, "deployment": deployment, "mode": "parent-trusted",
            "slashing": "parent-trusted",
            "administrators": {"threshold": 2 if kinds else 0,
                               "keys": [{"pem": admin.public.name} for admin in self.admins]},
            "keysets": [{"name": "main", "purpose": "accounts", "threshold": self.k,
                         "keys": self.arns}] + ([
                             {"name": "web", "purpose": "tls", "threshold": 1,
                              "keys": self.arns[:1]}] if self.tls else []),
            "networks": [{"name": "dev", "chain_id": chain}], "anchor": {"kind": self.anchor}}))
        run(CLI, "config", "build", source, "-o", self.dir / f"{name}.bin")
        return self.dir / f"{name}.bin"

    def put_policy(self, **other):
        super().put_policy(**other)
        # A key of another account takes callers of this one by name only.
        named = (self.dir / "policy.json").read_text().replace('"AWS": "*"', f'"AWS": "{ROLE}"')
        (self.dir / "policy-named.json").write_text(named)
        for arn in self.arns[1:]:
            run(EMU, "key", "policy", "--dir", self.emu_dir, "--key", arn, "--file",
                self.dir / "policy-named.json")

    def switch(self, arn, on):
        run(EMU, "key", "enable" if on else "disable", "--dir", self.emu_dir, "--key", arn)


class Recorder:
    """A Unix socket before another one; keeps what passes in either direction."""

    def __init__(self, path, target):
        self.target, self.bytes, self.lock = str(target), bytearray(), threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                continue
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self.lock:
                    self.bytes += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


class UnixHttp(http.client.HTTPConnection):
    """http.client over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Service:
    """cloisterd over a platform that runs, with a recorder in front of its socket."""

    def __init__(self, platform, *settings):
        self.platform, self.process = platform, None
        self.real, self.socket = platform.dir / "real.sock", platform.dir / "rest.sock"
        self.store, self.token_file = platform.dir / "store.db", platform.dir / "token"
        self.conf, self.log = platform.dir / "cloisterd.conf", platform.dir / "cloisterd.log"
        kms = (platform.emu_dir / "kms.addr").read_text().strip()
        self.conf.write_text("\n".join([
            f"listen = unix://{self.real}", f"token_file = {self.token_file}",
            f"enclave = unix://{platform.emu_dir}/link/5000",
            f"configuration = {platform.config}", f"store = {self.store}",
            f"imds = {(platform.emu_dir / 'imds.addr').read_text().strip()}",
            f"role = {ROLE.split('/')[-1]}", f"relay_listen = unix://{platform.emu_dir}/link/",
            f"relay = kms.{REGION}.amazonaws.com {kms}", *settings, ""]))
        self.trust = platform.dir / "trust"
        self.trust.write_text(f"url = unix://{self.socket}\ntoken_file = {self.token_file}\n"
                              f"pcr0 = {platform.pcrs['pcr0']}\n"
                              f"configuration = {platform.config}\n")
        self.recorder = Recorder(self.socket, self.real)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(DAEMON), "--config", str(self.conf)], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        wait_for("cloisterd", lambda: self.process.poll() is None and self.health())
        return self

    def health(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request("GET", "/healthz", token="")
        return None

    def exchange(self, method, path, body=None, token=None, headers=None):
        """Status, header fields and the bytes of the body."""
        connection = UnixHttp(self.real)
        fields = dict(headers or {})
        if token != "":
            fields["Authorization"] = "Bearer " + (token or self.token_file.read_text().strip())
        text = None if body is None else json.dumps(body)
        with contextlib.closing(connection):
            connection.request(method, path, body=text, headers=fields)
            response = connection.getresponse()
            written = email.utils.parsedate_to_datetime(response.headers["Date"])
            if abs(written.timestamp() - time.time()) > PATIENCE_S:
                raise AssertionError(f"Date: {written}")
            return response.status, response.headers, response.read()

    def request(self, method, path, body=None, **options):
        """Status and parsed body (text when it is no JSON)."""
        status, fields, data = self.exchange(method, path, body, **options)
        is_json = fields.get("Content-Type", "").startswith("application/json")
        return status, json.loads(data) if is_json else data.decode()

    def own(self):
        return self.request("GET", "/v1/status")[1]["cloisterd"]

    def wait_ready(self, seconds=PATIENCE_S):
        try:
            wait_for("READY", lambda: self.own()["ready"], seconds)
        except TimeoutError as error:
            raise TimeoutError(f"READY: {self.own()['problem']}") from error

    def wait_problem(self, text):
        """The problem that status shows, once it has this text in it."""
        return wait_for(text, lambda: text in (self.own()["problem"] or "") and self.own()["problem"])

    def cloister(self, *args, **kwargs):
        return run(CLI, *args, "--trust", self.trust, check=False, **kwargs)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
        self.process = None


def keccak(data):
    """Keccak-256, by the tables of FIPS 202 with the padding of the submission."""
    rotations = [[0, 36, 3, 41, 18], [1, 44, 10, 45, 2], [62, 6, 43, 15, 61],
                 [28, 55, 25, 21, 56], [27, 20, 39, 8, 14]]
    mask = (1 << 64) - 1

    def rotate(value, n):
        return ((value << n) | (value >> (64 - n))) & mask if n else value
    lfsr, constants = 1, []
    for _ in range(24):
        constant = 0
        for j in range(7):
            if lfsr & 1:
                constant |= 1 << ((1 << j) - 1)
            lfsr = (lfsr << 1) ^ (0x171 if lfsr & 0x80 else 0)
        constants.append(constant)
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % 136)
    padded[-1] |= 0x80
    a = [[0] * 5 for _ in range(5)]
    for at in range(0, len(padded), 136):
        for i in range(17):
            a[i % 5][i // 5] ^= int.from_bytes(padded[at + 8 * i:at + 8 * i + 8], "little")
        for constant in constants:
            c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
            d = [c[x - 1] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
            b = [[0] * 5 for _ in range(5)]
            for x in range(5):
                for y in range(5):
                    b[y][(2 * x + 3 * y) % 5] = rotate(a[x][y] ^ d[x], rotations[x][y])
            a = [[b[x][y] ^ (~b[(x + 1) % 5][y] & b[(x + 2) % 5][y]) for y in range(5)]
                 for x in range(5)]
            a[0][0] ^= constant
    return b"".join(a[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def address_of(key):
    """The address of a private key, lower-case, by the cryptography package and keccak above."""
    from cryptography.hazmat.primitives.asymmetric import ec
    numbers = ec.derive_private_key(int.from_bytes(key, "big"),
                                    ec.SECP256K1()).public_key().public_numbers()
    point = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    return "0x" + keccak(point)[12:].hex()


def keystore(key, password):
    """A Web3 key file, version 3, as geth writes one (scrypt, a small N for the test)."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    salt, iv = os.urandom(32), os.urandom(16)
    derived = hashlib.scrypt(password.encode(), salt=salt, n=4096, r=8, p=1, dklen=32)
    encryptor = Cipher(algorithms.AES(derived[:16]), modes.CTR(iv)).encryptor()
    sealed = encryptor.update(key) + encryptor.finalize()
    return json.dumps({
        "version": 3, "id": "00000000-0000-4000-8000-000000000000",
        "address": address_of(key)[2:],
        "crypto": {"cipher": "aes-128-ctr", "cipherparams": {"iv": iv.hex()},
                   "ciphertext": sealed.hex(), "kdf": "scrypt",
                   "kdfparams": {"dklen": 32, "n": 4096, "r": 8, "p": 1, "salt": salt.hex()},
                   "mac": keccak(derived[16:] + sealed).hex()}})


def memory_of(pid):
    """All readable memory of a process."""
    found = bytearray()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            span, access = line.split()[:2]
            if access[0] != "r" or "[v" in line:
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            with contextlib.suppress(OSError, ValueError, OverflowError):
                mem.seek(start)
                found += mem.read(end - start)
    return bytes(found)


def all_files(folder):
    """The bytes of every regular file below a folder."""
    return {path: path.read_bytes() for path in pathlib.Path(folder).rglob("*")
            if path.is_file() and not path.is_symlink()}
