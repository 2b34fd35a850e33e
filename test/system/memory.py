#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise 1: keys are nowhere but in the vault's arena.

Stops vault and front at every system call of one create, sign and restart run, with handshakes of
clients under a TLS key of the vault's before and after, and keeps every page
of writable memory outside the arena that it has not seen yet (inside the arena for a sanity check).
Afterwards it unseals the keys with the emulator's CMK and looks for them in all pages of all stops:
as they are, as little-endian limbs, as hex, as base64, and as the AES round keys that libcrypto
expands them to. The vault's own two keys it finds in the arena: the recipient key's primes by
dividing the public modulus, from which all its other private numbers follow, the import key's
scalar by its public key. The front's TLS secrets it finds in the front, by what it heard on the
wire, and looks for them in the vault."""

import base64
import contextlib
import ctypes
import hashlib
import hmac
import json
import math
import os
import re
import signal
import socket
import ssl
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import (CHAIN, CLI, PATIENCE_S, Platform, Reader, Relay, Tap, hkdf, run, tx,  # noqa: E402
                         unb64, unseal_account, unseal_keyset, wait_for)

PTRACE_SYSCALL, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 24, 17, 0x4206, 0x4207
OPTIONS = 1 | 8  # TRACESYSGOOD, TRACECLONE
WALL = 0x40000000
PAGE = 4096
OVERLAP = 48  # the longest pattern
LIKELY_BYTES = 20  # different ones among 32 that were drawn: fewer once in 10^9
TLS_RECORDS = 8  # of each stream

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Memory:
    """All distinct pages that a process's writable memory has held at its stops."""

    def __init__(self, name):
        self.name, self.stops = name, 0
        self.outside, self.arena = set(), set()

    def snapshot(self, pid):
        try:
            regions = list(self._regions(pid))
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
                for start, end, in_arena in regions:
                    self._keep(mem, start, end, self.arena if in_arena else self.outside)
        except (OSError, ProcessLookupError):
            return
        self.stops += 1

    @staticmethod
    def _regions(pid):
        """Writable mappings; the arena is the one that is locked and left out of dumps."""
        with open(f"/proc/{pid}/smaps") as smaps:
            for line in smaps:
                head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....) ", line)
                if head:
                    current = head
                elif line.startswith("VmFlags:") and current[3][:2] == "rw":
                    flags = line.split()[1:]
                    yield int(current[1], 16), int(current[2], 16), "lo" in flags and "dd" in flags

    @staticmethod
    def _keep(mem, start, end, pages):
        mem.seek(start)
        data = mem.read(end - start)
        for at in range(0, len(data), PAGE):
            page = data[at:at + PAGE + OVERLAP]
            if page.count(0) != len(page):
                pages.add(page)

    def holds(self, pattern, arena=False):
        return any(pattern in page for page in (self.arena if arena else self.outside))


class Tracer(threading.Thread):
    """Steps all threads of the given processes from system call to system call."""

    def __init__(self, processes):
        super().__init__(daemon=True)
        self.processes = processes  # pid -> Memory
        self.owner = {}
        self.stop_asked = threading.Event()
        self.attached = threading.Event()

    def run(self):
        for pid in self.processes:
            for task in os.listdir(f"/proc/{pid}/task"):
                self._attach(int(task), pid)
        self.attached.set()
        while self.owner and not self.stop_asked.is_set():
            self._step()
        self._detach()

    def _attach(self, task, pid):
        if libc.ptrace(PTRACE_SEIZE, task, None, OPTIONS) != 0:
            raise OSError(ctypes.get_errno(), "PTRACE_SEIZE")
        libc.ptrace(PTRACE_INTERRUPT, task, None, None)
        self.owner[task] = pid

    def _step(self):
        try:
            task, status = os.waitpid(-1, WALL | os.WNOHANG)
        except ChildProcessError:
            self.owner.clear()
            return
        if task == 0:
            self.stop_asked.wait(0.0005)
            return
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            self.owner.pop(task, None)
            return
        pid = self.owner.get(task)
        if pid:
            self.processes[pid].snapshot(pid)
        number = os.WSTOPSIG(status)
        plain = number in (signal.SIGTRAP, signal.SIGTRAP | 0x80, signal.SIGSTOP)
        libc.ptrace(PTRACE_SYSCALL, task, None, 0 if plain else number)

    def _detach(self):
        for task in list(self.owner):
            libc.ptrace(PTRACE_INTERRUPT, task, None, None)
            try:
                os.waitpid(task, WALL)
            except ChildProcessError:
                continue
            libc.ptrace(PTRACE_DETACH, task, None, None)

    def finish(self):
        self.stop_asked.set()
        self.join(PATIENCE_S)


def traced(platform, vault, front):
    """Attaches to the enclave that runs now."""
    pids = platform.children()
    tracer = Tracer({pids["vault"]: vault, pids["front"]: front})
    tracer.start()
    wait_for("tracer", tracer.attached.is_set)
    return tracer, pids


class Wiretap(Relay):
    """The parent's egress, which keeps what both sides of each connection said."""

    def __init__(self, *address):
        self.heard = []
        super().__init__(*address)

    def _pump(self, source, sink):
        said = bytearray()
        self.heard.append(said)
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                said += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


class TlsPlatform(Platform):
    """A keyset for accounts, and one for TLS keys."""

    def build_config(self, deployment, name, arn=None, chain=CHAIN):
        keysets = [{"name": n, "purpose": purpose, "threshold": 1, "keys": [arn or self.arn]}
                   for n, purpose in (("main", "accounts"), ("tls", "tls"))]
        source = self.dir / f"{name}.json"
        source.write_text(json.dumps({
            "version": 1, "deployment": deployment, "mode": "parent-trusted",
            "slashing": "parent-trusted", "administrators": {"threshold": 0, "keys": []},
            "keysets": keysets, "networks": [{"name": "dev", "chain_id": chain}],
            "anchor": {"kind": "none"}}))
        run(CLI, "config", "build", source, "-o", self.dir / f"{name}.bin")
        return self.dir / f"{name}.bin"


def handshake(platform, version):
    """One request over a new connection of the data plane, whose certificate is self-signed."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(PATIENCE_S)
        plain.connect(str(platform.emu_dir / "link" / "9000"))
        with context.wrap_socket(plain, server_hostname="signer.test") as connection:
            connection.sendall(b"GET /upcheck HTTP/1.1\r\nHost: signer.test\r\n"
                               b"Connection: close\r\n\r\n")
            return connection.recv(4096)


def serve_tls(platform, control, keyset, record):
    """Opens keyset and key; how many of two handshakes, of either version, were answered."""
    control.call("keyset.open", record_b64=keyset)
    control.call("tls.open", record_b64=record, names=["signer.test"])
    versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    return [b"200 OK" in handshake(platform, version) for version in versions]


def main():
    tap = Tap()
    platform = TlsPlatform()
    vault, front = Memory("vault"), Memory("front")
    try:
        platform.start()
        platform.start_relay(Wiretap)
        control = platform.control()
        tracer, pids = traced(platform, vault, front)
        keyset = platform.ready(control)
        created = control.call("account.create", keyset=control.call("status")["keysets"][0]["id"],
                               unrestricted=True)
        record = created["record_b64"]
        tls_keyset = control.call("keyset.create", name="tls")
        control.call("keyset.open", record_b64=tls_keyset["record_b64"])
        tls_record = control.call("tls.create", keyset=tls_keyset["keyset"])["record_b64"]
        served = serve_tls(platform, control, tls_keyset["record_b64"], tls_record)
        control.call("account.open", record_b64=record)
        first = control.call("sign_transaction", account=created["account"], tx=tx())
        offer = control.call("import.begin", keyset=control.call("status")["keysets"][0]["id"],
                             unrestricted=True)
        tracer.finish()
        public, arena = vault_memory(pids["vault"])
        os.kill(pids["vault"], signal.SIGKILL)
        wait_for("restart", lambda: not os.path.exists(f"/proc/{pids['vault']}"))
        control = platform.control()
        tracer, _ = traced(platform, vault, front)
        platform.ready(control, keyset)
        again = control.call("sign_transaction", record_b64=record, tx=tx())
        served += serve_tls(platform, control, tls_keyset["record_b64"], tls_record)
        tracer.finish()
        tap.ok(first["raw_tx"] == again["raw_tx"], "the account signs the same after a restart")
        tap.ok(served == 4 * [True], "four handshakes under the TLS key", served)
        tap.ok(vault.stops > 100 and front.stops > 100, "both were stopped at their system calls",
               f"{vault.stops} {front.stops}")
        examine(tap, platform, keyset, record, (vault, front))
        examine(tap, platform, tls_keyset["record_b64"], tls_record, (vault, front), "TLS ")
        examine_recipient(tap, recipient_primes(public, arena), (vault, front))
        examine_import(tap, import_scalar(offer["public_key"], arena), (vault, front))
        examine_tls(tap, platform.relay.heard, (vault, front))
    finally:
        platform.remove()
    tap.done()


def examine(tap, platform, keyset, record, memories, kind=""):
    data_key, keyset_key = unseal_keyset(platform, unb64(keyset))
    account_key, _ = unseal_account(keyset_key, unb64(record))
    vault, front = memories
    print(f"# stops: vault {vault.stops}, front {front.stops}; distinct pages outside the arena: "
          f"vault {len(vault.outside)}, front {len(front.outside)}; inside: {len(vault.arena)}")
    secrets = ((kind + ("key" if kind else "account key"), account_key, True),
               (kind + "keyset key", keyset_key, True),
               (kind + "key of the record", record_key(keyset_key, unb64(record)), False),
               (kind + "data key", data_key, False))
    for name, secret, lasting in secrets:
        forms = forms_of(secret)
        if lasting:
            tap.ok(any(vault.holds(form, arena=True) for form in forms.values()),
                   f"{name}: is in the arena (the search finds what is there)")
        for form, pattern in forms.items():
            nowhere(tap, f"{name}, {form}", [pattern], memories)
        if not lasting:  # the two that AES is keyed with
            for form, patterns in round_keys(secret).items():
                nowhere(tap, f"{name}, {form}", patterns, memories)


def forms_of(secret):
    """base64 at each of the three alignments, without the characters that neighbours change."""
    forms = {"raw": secret, "little-endian limbs": secret[::-1], "hex": secret.hex().encode(),
             "HEX": secret.hex().upper().encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        forms[f"base64 at {shift}"] = text[(4 * shift + 2) // 3 + 1:-4]
    return {form: pattern[:OVERLAP] for form, pattern in forms.items()}


def nowhere(tap, name, patterns, memories):
    vault, front = memories
    found = [where for where, hit in (
        ("the vault outside the arena", lambda p: vault.holds(p)),
        ("the front", lambda p: front.holds(p)),
        ("locked memory of the front", lambda p: front.holds(p, arena=True)))
        if any(hit(pattern) for pattern in patterns)]
    tap.ok(not found, f"{name}: neither in the vault outside the arena nor in the front", found)


def record_key(keyset_key, record):
    """What seals the account key (PROTOCOL.md 6)."""
    r = Reader(record)
    version, _deployment, keyset, account = r.take(2), r.take(16), r.take(16), r.take(16)
    key_type, purpose = r.take(1), r.take(1)
    return hkdf(keyset_key, b"cloister-record-key-1\0" + version + keyset + account + purpose
                + key_type)


def substitution_box():
    """FIPS 197 5.1.1: the inverse in GF(2^8), by powers of 3, then the affine map."""
    power = [1]
    while len(power) < 255:
        double = power[-1] << 1 ^ (0x11b if power[-1] & 0x80 else 0)
        power.append(power[-1] ^ double)
    box = [0x63] * 256
    for i, value in enumerate(power):
        inverse = power[-i % 255]
        for shift in range(5):
            box[value] ^= (inverse << shift | inverse >> 8 - shift) & 0xff
    return box


def aes256_schedule(key):
    """FIPS 197 5.2: the words of the fifteen round keys."""
    box = substitution_box()
    words = [key[i:i + 4] for i in range(0, 32, 4)]
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = bytes(box[b] for b in word[1:] + word[:1])
            word = bytes([word[0] ^ 1 << i // 8 - 1]) + word[1:]
        elif i % 8 == 4:
            word = bytes(box[b] for b in word)
        words.append(bytes(a ^ b for a, b in zip(words[i - 8], word)))
    return words


def round_keys(key):
    """Each two neighbours of the later round keys, which give the key away, as AES-NI has them and
    as words of the machine."""
    words = aes256_schedule(key)
    pairs = [words[i:i + 8] for i in range(4, 53, 4)]
    return {"round keys": [b"".join(pair) for pair in pairs],
            "round keys as words": [b"".join(word[::-1] for word in pair) for pair in pairs]}


def vault_memory(pid):
    """What the vault has now: its public regions, and its arena in one."""
    public, arena = [], b""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for start, end, in_arena in list(Memory._regions(pid)):
            mem.seek(start)
            data = mem.read(end - start)
            if in_arena:
                arena += data
            else:
                public.append(data)
    return public, arena


def recipient_primes(public, arena):
    """The primes of the recipient key: the one word sequence in the arena that divides the modulus
    of the SubjectPublicKeyInfo that stands in the vault's public memory."""
    head = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a0282010100")
    for data in public:
        at = data.find(head)
        if at >= 0:
            modulus = int.from_bytes(data[at + len(head):at + len(head) + 256], "big")
            break
    else:
        raise AssertionError("no recipient key in the vault's public memory")
    for at in range(0, len(arena) - 128, 8):
        if arena[at] & 1 and arena[at + 127] & 0x80:
            candidate = int.from_bytes(arena[at:at + 128], "little")
            if modulus % candidate == 0:
                return candidate, modulus // candidate
    return None


def private_numbers(p, q):
    """RFC 8017 3.2, and what libcrypto's Montgomery multiplication keeps of a prime. Which prime is
    libcrypto's p is not known here: both coefficients. (name, number, bytes, is it kept)."""
    d = pow(65537, -1, math.lcm(p - 1, q - 1))
    return (("p", p, 128, True), ("q", q, 128, True), ("d", d, 256, True),
            ("d mod (p-1)(q-1)", pow(65537, -1, (p - 1) * (q - 1)), 256, False),
            ("dP", d % (p - 1), 128, True), ("dQ", d % (q - 1), 128, True),
            ("qInv", pow(q, -1, p), 128, False), ("pInv", pow(p, -1, q), 128, False),
            ("R^2 mod p", pow(2, 2048, p), 128, True), ("R^2 mod q", pow(2, 2048, q), 128, True))


def fragments(data):
    """32 bytes at every 16: whatever part of 47 bytes or more is somewhere holds one of them."""
    return [data[at:at + 32] for at in range(0, len(data) - 31, 16)]


def examine_recipient(tap, primes, memories):
    """In limbs a number whose highest bytes are zero is shorter; its fragments are the same."""
    if not tap.ok(primes, "recipient key: a prime is in the arena (the search finds what is there)"):
        return
    kept = []
    for name, number, size, lasting in private_numbers(*primes):
        limbs = fragments(number.to_bytes(size, "little"))
        there = all(memories[0].holds(part, arena=True) for part in limbs[:-1])
        kept += [name] if there else []
        if lasting:
            tap.ok(there, f"recipient key: {name} is in the arena (the search finds what is there)")
        for order in ("little", "big"):
            nowhere(tap, f"recipient key: {name}, {order}-endian",
                    fragments(number.to_bytes(size, order)), memories)
    tap.ok("qInv" in kept or "pInv" in kept, "recipient key: a coefficient is in the arena", kept)


def import_scalar(public_key, arena):
    """The import key: the 32 bytes in the arena whose X25519 public key is the offered one."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    expected = bytes.fromhex(public_key.removeprefix("0x"))
    for at in range(0, len(arena) - 32, 8):
        candidate = arena[at:at + 32]
        if len(set(candidate)) < LIKELY_BYTES:
            continue
        public = X25519PrivateKey.from_private_bytes(candidate).public_key()
        if public.public_bytes(Encoding.Raw, PublicFormat.Raw) == expected:
            return candidate
    return None


def examine_import(tap, scalar, memories):
    if not tap.ok(scalar, "import key: its scalar is in the arena (the search finds what is there)"):
        return
    clamped = bytes([scalar[0] & 248]) + scalar[1:31] + bytes([scalar[31] & 127 | 64])
    for name, secret in (("as drawn", scalar), ("clamped", clamped)):
        for form, pattern in forms_of(secret).items():
            nowhere(tap, f"import key {name}, {form}", [pattern], memories)


def encrypted_records(heard):
    """The records of a TLS 1.3 stream that look like application data: of handshake and after."""
    at, records = 0, []
    while at + 5 <= len(heard):
        size = int.from_bytes(heard[at + 3:at + 5], "big")
        if heard[at] == 23:
            records.append((bytes(heard[at:at + 5]), bytes(heard[at + 5:at + 5 + size])))
        at += 5 + size
    return records


def tls_key(secret, label, size):
    """HKDF-Expand-Label of RFC 8446 7.1 with SHA-384, of at most one block."""
    info = struct.pack(">HB", size, 6 + len(label)) + b"tls13 " + label + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha384).digest()[:size]


def opens(secret, records):
    """Is this the traffic secret (of TLS_AES_256_GCM_SHA384) under which one of them is the first?"""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    cipher, nonce = AESGCM(tls_key(secret, b"key", 32)), tls_key(secret, b"iv", 12)
    for head, body in records:
        with contextlib.suppress(InvalidTag):
            cipher.decrypt(nonce, body, head)
            return True
    return False


def examine_tls(tap, streams, memories):
    """Traffic secrets stand in the front's heap, in libssl's state of a connection; libssl aligns
    them to four bytes. Each opens the first record of a kind of one stream."""
    vault, front = memories
    records = [record for heard in streams for record in encrypted_records(heard)[:TLS_RECORDS]]
    candidates = {page[at:at + 48] for page in front.outside for at in range(0, PAGE, 4)}
    found = [secret for secret in candidates if len(secret) == 48
             and len(set(secret)) >= LIKELY_BYTES and opens(secret, records)]
    tap.ok(found, "TLS secrets: the front has some (the search finds what is there)",
           f"{len(streams)} streams, {len(records)} records, {len(candidates)} candidates")
    patterns = [pattern for secret in found
                for pattern in (secret, secret[:32], secret[16:], tls_key(secret, b"key", 32))]
    tap.ok(not any(vault.holds(p) or vault.holds(p, arena=True) for p in patterns),
           f"TLS secrets: none of {len(found)} and no key of theirs is in the vault")


if __name__ == "__main__":
    main()
