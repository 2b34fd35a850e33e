# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: an emulated platform in a directory of its own, a control-plane
client that is written after PROTOCOL.md and uses no code of the product, and TAP output."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

BUILD = pathlib.Path(os.environ.get("CLOISTER_BUILD", "build")).resolve()
EMU = BUILD / "src/emu/cloister-emu"
ENCLAVE = BUILD / "src/enclave/cloister-enclave-dev"
CLI = BUILD / "src/cli/cloister-dev"
DAEMON = BUILD / "src/parent/cloisterd"
PKI = BUILD / "pki"
ROLE = "arn:aws:iam::111122223333:role/cloister"
REGION = "eu-west-1"
ACCOUNT = "111122223333"
CHAIN = 31337
PATIENCE_S = 120  # for what must happen, on a machine that is slow and busy


class Refused(Exception):
    """An error answer: code and message."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class Tap:
    """Counts and prints test points."""

    def __init__(self):
        self.count = self.failed = 0

    def ok(self, condition, name, detail=""):
        self.count += 1
        if not condition:
            self.failed += 1
        print(f"{'ok' if condition else 'not ok'} {self.count} - {name}")
        if not condition and detail:
            for line in str(detail).splitlines()[-20:]:
                print(f"# {line}")
        sys.stdout.flush()
        return condition

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}")

    def done(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


def run(*args, check=True, **kwargs):
    """Runs a program and returns its standard output; the error text is part of the exception."""
    result = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=PATIENCE_S,
                            **kwargs)
    if check and result.returncode:
        raise RuntimeError(f"{args[0]} {args[1] if len(args) > 1 else ''}: exit "
                           f"{result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout if check else result


def wait_for(what, test, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(0.05)
    raise TimeoutError(what)


class Control:
    """The control plane: frames of u32 length and JSON."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(str(path))

    def send(self, method, params=None, ident=None):
        request = {"method": method, "params": params or {}}
        if ident is not None:
            request["id"] = ident
        body = json.dumps(request).encode()
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def receive(self):
        head = self._exactly(4)
        return json.loads(self._exactly(struct.unpack(">I", head)[0]))

    def call(self, method, **params):
        self.send(method, params)
        answer = self.receive()
        if "error" in answer:
            raise Refused(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise ConnectionError("the enclave closed the connection")
            data += part
        return data

    def close(self):
        self.socket.close()


class Relay:
    """The parent's egress for one port: a Unix socket whose bytes go to a TCP address."""

    def __init__(self, path, host, port):
        self.target = (host, port)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                inside, _ = self.listener.accept()
                outside = socket.create_connection(self.target)
            except OSError:
                return
            for a, b in ((inside, outside), (outside, inside)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def canonical(deployment, arn, chain):
    """The canonical configuration of these tests, after PROTOCOL.md section 4."""
    def var8(data):
        return bytes([len(data)]) + data
    region = arn.split(":")[3]
    return (struct.pack(">H", 1) + bytes.fromhex(deployment) + bytes([1, 1, 0, 0])
            + bytes([1]) + var8(b"main") + bytes([1, 1, 1]) + struct.pack(">H", len(arn))
            + arn.encode() + struct.pack(">H", 0)
            + bytes([1]) + var8(b"dev") + struct.pack(">Q", chain)
            + bytes([0]) + struct.pack(">H", 0)
            + bytes([1]) + var8(f"kms.{region}.amazonaws.com".encode()))


class Platform:
    """An emulated platform: CMK with its policy, configuration, emulator with the enclave."""

    def __init__(self, enclave=ENCLAVE, role=ROLE, deployment=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cloister-test-"))
        self.emu_dir = self.dir / "emu"
        self.emu_dir.mkdir(mode=0o700)
        self.enclave, self.role = enclave, role
        self.emulator = self.relay = None
        self.arn = run(EMU, "key", "create", "--dir", self.emu_dir, "--region", REGION,
                       "--account", ACCOUNT).strip()
        self.deployment = deployment or os.urandom(16).hex()
        self.config = self.build_config(self.deployment, "C")
        self.pcrs = json.loads(run(EMU, "measure", "--enclave", enclave, "--role", role))
        self.pcr16 = self.measure(self.config)
        self.put_policy()

    def build_config(self, deployment, name, arn=None, chain=CHAIN):
        source = self.dir / f"{name}.json"
        source.write_text(json.dumps({
            "version": 1, "deployment": deployment, "mode": "parent-trusted",
            "slashing": "parent-trusted", "administrators": {"threshold": 0, "keys": []},
            "keysets": [{"name": "main", "purpose": "accounts", "threshold": 1,
                         "keys": [arn or self.arn]}],
            "networks": [{"name": "dev", "chain_id": chain}], "anchor": {"kind": "none"}}))
        run(CLI, "config", "build", source, "-o", self.dir / f"{name}.bin")
        if (self.dir / f"{name}.bin").read_bytes() != canonical(deployment, arn or self.arn, chain):
            raise AssertionError("config build writes another canonical form than PROTOCOL.md")
        return self.dir / f"{name}.bin"

    @staticmethod
    def measure(config):
        """PCR16, computed here from the definition and compared with the tool's."""
        digest = hashlib.sha384(b"cloister-config-1\0" + config.read_bytes()).digest()
        pcr16 = hashlib.sha384(bytes(48) + digest).hexdigest()
        if pcr16 not in run(CLI, "config", "measure", config):
            raise AssertionError("config measure prints another PCR16")
        return pcr16

    def put_policy(self, **other):
        """Puts the key policy; other=... replaces a condition (pcr0, pcr16, pcr3, deployment), or adds
        one (pcr8)."""
        attested = "kms:RecipientAttestation:PCR"
        policy = {"Version": "2012-10-17", "Statement": [{
            "Sid": "enclave", "Effect": "Allow", "Principal": {"AWS": "*"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*",
            "Condition": {
                "StringEqualsIgnoreCase": {
                    attested + "0": other.get("pcr0", self.pcrs["pcr0"]),
                    attested + "16": other.get("pcr16", self.pcr16),
                    attested + "3": other.get("pcr3", self.pcrs["pcr3"]),
                    **({attested + "8": other["pcr8"]} if "pcr8" in other else {})},
                "StringEquals": {
                    "kms:EncryptionContext:service": "cloister",
                    "kms:EncryptionContext:deployment": other.get("deployment",
                                                                  self.deployment)}}}]}
        path = self.dir / "policy.json"
        path.write_text(json.dumps(policy))
        run(EMU, "key", "policy", "--dir", self.emu_dir, "--key", self.arn, "--file", path)

    def start(self, *options):
        (self.emu_dir / "ready").unlink(missing_ok=True)
        with open(self.dir / "emu.log", "ab") as log:
            self.emulator = subprocess.Popen(
                [str(EMU), "run", "--dir", str(self.emu_dir), "--pki", str(PKI), "--enclave",
                 str(self.enclave), "--role", self.role, *options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for("emulator", lambda: self.emulator.poll() is None
                 and (self.emu_dir / "ready").exists())
        return self

    def start_relay(self, relay=Relay):
        host, port = (self.emu_dir / "kms.addr").read_text().strip()[len("tcp://"):].split(":")
        path = self.emu_dir / "link" / "8000"
        path.unlink(missing_ok=True)
        self.relay = relay(path, host, int(port))

    def control(self, seconds=30):
        def connect():
            with contextlib.suppress(OSError, ConnectionError):
                control = Control(self.emu_dir / "link" / "5000")
                control.call("hello")
                return control
            return None
        return wait_for("control plane", connect, seconds)

    def credentials(self):
        """As the parent does it: IMDSv2."""
        url = (self.emu_dir / "imds.addr").read_text().strip()
        put = urllib.request.Request(url + "/latest/api/token", method="PUT",
                                     headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        token = urllib.request.urlopen(put, timeout=PATIENCE_S).read().decode()
        base = url + "/latest/meta-data/iam/security-credentials/"
        headers = {"X-aws-ec2-metadata-token": token}

        def get(path):
            request = urllib.request.Request(base + path, headers=headers)
            return urllib.request.urlopen(request, timeout=PATIENCE_S).read().decode()
        c = json.loads(get(get("").split()[0]))
        return {"aws_access_key_id": c["AccessKeyId"], "aws_secret_access_key":
                c["SecretAccessKey"], "aws_session_token": c["Token"],
                "expiration": c["Expiration"]}

    def configure(self, control, config=None):
        control.call("configure", config_b64=b64((config or self.config).read_bytes()))
        control.call("set_credentials", **self.credentials())

    def ready(self, control, keyset=None):
        """Configures and opens the keyset (a new one when none is given); returns its record."""
        self.configure(control)
        record = keyset or control.call("keyset.create", name="main")["record_b64"]
        control.call("keyset.open", record_b64=record)
        return record

    def children(self):
        """Process ids of vault and front, found by the enclave's process id and their user ids."""
        def find():
            found, pid = {}, ""
            with contextlib.suppress(OSError):  # between two boots
                pid = (self.emu_dir / "enclave.pid").read_text().strip()
            for status in pathlib.Path("/proc").glob("[0-9]*/status"):
                with contextlib.suppress(OSError):
                    text = status.read_text()
                    uid = text.split("Uid:")[1].split()[0]
                    if f"\nPPid:\t{pid}\n" in text and uid in ("61001", "61002"):
                        found["vault" if uid == "61001" else "front"] = int(status.parent.name)
            return found if len(found) == 2 else None
        return wait_for("vault and front", find)

    def log(self):
        return "".join(path.read_text(errors="replace") for path in
                       (self.dir / "emu.log", self.emu_dir / "emu.log",
                        self.emu_dir / "enclave.log") if path.exists())

    def stop(self):
        if self.emulator and self.emulator.poll() is None:
            self.emulator.send_signal(signal.SIGTERM)
            try:
                self.emulator.wait(60)
            except subprocess.TimeoutExpired:
                self.emulator.kill()
                self.emulator.wait()
        self.emulator = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def b64(data):
    return base64.b64encode(data).decode()


def unb64(text):
    return base64.b64decode(text)


class Reader:
    """Reads binary records after PROTOCOL.md."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        part = self.data[self.at:self.at + n]
        if len(part) != n:
            raise ValueError("record is too short")
        self.at += n
        return part

    def uint(self, n):
        return int.from_bytes(self.take(n), "big")

    def var(self, n):
        return self.take(self.uint(n))


def tx(**other):
    """A fee-market transaction with eth-account's field names."""
    return {"type": 2, "chainId": CHAIN, "nonce": 0, "gas": 21000, "to": "0x" + "42" * 20,
            "value": "1000", "data": "0x", "maxFeePerGas": "2000000000",
            "maxPriorityFeePerGas": "1", **other}


def hkdf(key, info):
    """RFC 5869 with SHA-256, without salt, 32 bytes."""
    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def unseal_keyset(platform, record):
    """The keyset key, by the emulator's CMK and PROTOCOL.md section 5."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    r = Reader(record)
    version, deployment, keyset, name = r.take(2), r.take(16), r.take(16), r.var(1)
    purpose, _created, k, n = r.take(1), r.take(8), r.take(1), r.take(1)
    _kind, x, cmk, blob, sealed = r.take(1), r.take(1), r.var(2), r.var(2), r.var(1)
    context = {"service": "cloister", "deployment": deployment.hex(), "keyset": name.decode(),
               "purpose": "datakey"}
    data_key = bytes.fromhex(run(EMU, "key", "unwrap", "--dir", platform.emu_dir, "--key",
                                 cmk.decode(), "--context", json.dumps(context), "--blob",
                                 b64(blob)).strip())
    aad = (b"cloister-share-1\0" + version + deployment + keyset + bytes([len(name)]) + name
           + purpose + k + n + x + struct.pack(">H", len(cmk)) + cmk
           + struct.pack(">H", len(blob)) + blob)
    return data_key, AESGCM(data_key).decrypt(sealed[:12], sealed[12:], aad)


def unseal_account(keyset_key, record):
    """The account key, by PROTOCOL.md section 6."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    r = Reader(record)
    version, _deployment, keyset, account = r.take(2), r.take(16), r.take(16), r.take(16)
    key_type, purpose, public_key = r.take(1), r.take(1), r.var(1)
    r.take(32 + 32 + 1 + 4 + 8)
    public = record[:r.at]
    r.var(2)
    r.var(2)
    sealed = r.var(2)
    info = b"cloister-record-key-1\0" + version + keyset + account + purpose + key_type
    key = AESGCM(hkdf(keyset_key, info)).decrypt(sealed[:12], sealed[12:], public)
    return key, public_key
