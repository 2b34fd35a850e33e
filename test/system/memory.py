#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise 1: keys are nowhere but in the vault's arena.

Stops vault and front at every system call of one create, sign and restart run, and keeps every page
of writable memory outside the arena that it has not seen yet (inside the arena for a sanity check).
Afterwards it unseals the keys with the emulator's CMK and looks for them, as they are, as
little-endian limbs, as hex and as base64, in all pages of all stops. The recipient key's primes it
finds in the arena by dividing the public modulus."""

import base64
import ctypes
import os
import re
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import (PATIENCE_S, Platform, Reader, Tap, hkdf, tx, unb64, unseal_account,  # noqa: E402
                         unseal_keyset, wait_for)

PTRACE_SYSCALL, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 24, 17, 0x4206, 0x4207
OPTIONS = 1 | 8  # TRACESYSGOOD, TRACECLONE
WALL = 0x40000000
PAGE = 4096
OVERLAP = 32

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


def main():
    tap = Tap()
    platform = Platform()
    vault, front = Memory("vault"), Memory("front")
    try:
        platform.start()
        platform.start_relay()
        control = platform.control()
        tracer, pids = traced(platform, vault, front)
        keyset = platform.ready(control)
        created = control.call("account.create", keyset=control.call("status")["keysets"][0]["id"],
                               unrestricted=True)
        record = created["record_b64"]
        control.call("account.open", record_b64=record)
        first = control.call("sign_transaction", account=created["account"], tx=tx())
        tracer.finish()
        primes = recipient_primes(pids["vault"])
        os.kill(pids["vault"], signal.SIGKILL)
        wait_for("restart", lambda: not os.path.exists(f"/proc/{pids['vault']}"))
        control = platform.control()
        tracer, _ = traced(platform, vault, front)
        platform.ready(control, keyset)
        again = control.call("sign_transaction", record_b64=record, tx=tx())
        tracer.finish()
        tap.ok(first["raw_tx"] == again["raw_tx"], "the account signs the same after a restart")
        examine(tap, platform, keyset, record, (vault, front))
        examine_primes(tap, primes, (vault, front))
    finally:
        platform.remove()
    tap.done()


def examine(tap, platform, keyset, record, memories):
    data_key, keyset_key = unseal_keyset(platform, unb64(keyset))
    account_key, _ = unseal_account(keyset_key, unb64(record))
    vault, front = memories
    print(f"# stops: vault {vault.stops}, front {front.stops}; distinct pages outside the arena: "
          f"vault {len(vault.outside)}, front {len(front.outside)}; inside: {len(vault.arena)}")
    tap.ok(vault.stops > 100 and front.stops > 100, "both were stopped at their system calls",
           f"{vault.stops} {front.stops}")
    secrets = (("account key", account_key, True), ("keyset key", keyset_key, True),
               ("key of the record", record_key(keyset_key, unb64(record)), False),
               ("data key", data_key, False))
    for name, secret, lasting in secrets:
        forms = forms_of(secret)
        if lasting:
            tap.ok(any(vault.holds(form, arena=True) for form in forms.values()),
                   f"{name}: is in the arena (the search finds what is there)")
        for form, pattern in forms.items():
            nowhere(tap, f"{name}, {form}", pattern, memories)


def forms_of(secret):
    """base64 at each of the three alignments, without the characters that neighbours change."""
    forms = {"raw": secret, "little-endian limbs": secret[::-1], "hex": secret.hex().encode(),
             "HEX": secret.hex().upper().encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        forms[f"base64 at {shift}"] = text[(4 * shift + 2) // 3 + 1:-4]
    return forms


def nowhere(tap, name, pattern, memories):
    vault, front = memories
    found = [where for where, hit in (
        ("the vault outside the arena", vault.holds(pattern)), ("the front", front.holds(pattern)),
        ("locked memory of the front", front.holds(pattern, arena=True))) if hit]
    tap.ok(not found, f"{name}: neither in the vault outside the arena nor in the front", found)


def record_key(keyset_key, record):
    """What seals the account key, which libcrypto's AES schedule starts with (PROTOCOL.md 6)."""
    r = Reader(record)
    version, _deployment, keyset, account = r.take(2), r.take(16), r.take(16), r.take(16)
    key_type, purpose = r.take(1), r.take(1)
    return hkdf(keyset_key, b"cloister-record-key-1\0" + version + keyset + account + purpose
                + key_type)


def recipient_primes(pid):
    """The primes of the recipient key: the one word sequence in the arena that divides the modulus
    of the SubjectPublicKeyInfo that stands in the vault's public memory."""
    head = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a0282010100")
    public, arena = [], b""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for start, end, in_arena in list(Memory._regions(pid)):
            mem.seek(start)
            data = mem.read(end - start)
            if in_arena:
                arena += data
            else:
                public.append(data)
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


def examine_primes(tap, primes, memories):
    if not tap.ok(primes, "recipient key: a prime is in the arena (the search finds what is there)"):
        return
    for name, prime in zip("pq", primes):
        for order in ("little", "big"):
            data = prime.to_bytes(128, order)
            # Any 32 of its bytes give the key away (Coppersmith needs half of a prime).
            for part in (data[:32], data[48:80], data[-32:]):
                nowhere(tap, f"recipient key: {name}, {order}-endian", part, memories)


if __name__ == "__main__":
    main()
