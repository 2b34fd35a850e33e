#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise 1: keys are nowhere but in the vault's arena.

Stops vault and front at every system call of one create, sign and restart run, and keeps every page
of writable memory outside the arena that it has not seen yet (inside the arena for a sanity check).
Afterwards it unseals the keys with the emulator's CMK and looks for them, as they are and as
little-endian limbs, in all pages of all stops."""

import ctypes
import os
import re
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import Platform, Tap, tx, unb64, unseal_account, unseal_keyset, wait_for  # noqa: E402

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
        self.join(30)


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
        os.kill(pids["vault"], signal.SIGKILL)
        wait_for("restart", lambda: not os.path.exists(f"/proc/{pids['vault']}"))
        control = platform.control()
        tracer, _ = traced(platform, vault, front)
        platform.ready(control, keyset)
        again = control.call("sign_transaction", record_b64=record, tx=tx())
        tracer.finish()
        tap.ok(first["raw_tx"] == again["raw_tx"], "the account signs the same after a restart")
        examine(tap, platform, keyset, record, (vault, front))
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
    for name, secret in (("account key", account_key), ("keyset key", keyset_key),
                         ("data key", data_key)):
        forms = (("raw", secret), ("little-endian limbs", secret[::-1]))
        if name != "data key":
            tap.ok(any(vault.holds(form, arena=True) for _, form in forms),
                   f"{name}: is in the arena (the search finds what is there)")
        for form, pattern in forms:
            tap.ok(not vault.holds(pattern), f"{name}, {form}: not in the vault outside the arena")
            tap.ok(not front.holds(pattern), f"{name}, {form}: not in the front")
            tap.ok(not any(pattern in page for page in front.arena),
                   f"{name}, {form}: not in locked memory of the front")


if __name__ == "__main__":
    main()
