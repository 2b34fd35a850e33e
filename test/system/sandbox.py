#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise 9: vault and front run without root, capabilities and core dumps, and a system call that
their table does not name ends them; so it does process 1.

There is no hook in the product for this: the test stops the release-linked process at the entry of a
system call that it makes by itself, and puts another number (or argument) in its place. The filter
judges what is there after the stop."""

import ctypes
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import PATIENCE_S, Platform, Tap, wait_for  # noqa: E402

PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_SYSCALL, PTRACE_SEIZE, PTRACE_INTERRUPT = (
    12, 13, 24, 0x4206, 0x4207)
PTRACE_O_TRACESYSGOOD = 1
WALL = 0x40000000
SYSCALL_STOP = signal.SIGTRAP | 0x80

REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
             "fs_base gs_base ds es fs gs").split()

# name, number, first three arguments
FORBIDDEN = [
    ("open", 2, (0, 0, 0)),
    ("openat", 257, (0, 0, 0)),
    ("execve", 59, (0, 0, 0)),
    ("execveat", 322, (0, 0, 0)),
    ("fork", 57, (0, 0, 0)),
    ("clone3", 435, (0, 0, 0)),
    ("ptrace", 101, (0, 1, 0)),
    ("process_vm_readv", 310, (1, 0, 0)),
    ("socket of AF_INET", 41, (2, 1, 0)),
    ("socket of AF_UNIX", 41, (1, 1, 0)),
    ("mmap of executable memory", 9, (0, 4096, 7)),
    ("setuid", 105, (0, 0, 0)),
    ("unlink", 87, (0, 0, 0)),
    ("an x32 number", 0x40000000, (0, 0, 0)),
]
# Only the front may not do these; the vault's device is driven by ioctl.
FORBIDDEN_FRONT = [("ioctl", 16, (0, 0xC0200A00, 0))]
FORBIDDEN_VAULT = [("ioctl of another request", 16, (0, 0x5401, 0)), ("connect", 42, (0, 0, 0)),
                   ("accept4", 288, (0, 0, 0))]

# Process 1 may start programs, but only those that there are.
FORBIDDEN_INIT = [
    ("open", 2, (0, 0, 0)),
    ("creat", 85, (0, 0, 0)),
    ("openat", 257, (0, 0, 0)),
    ("openat2", 437, (0, 0, 0)),
    ("open_by_handle_at", 304, (-1, 0, 0)),
    ("memfd_create", 319, (0, 0, 0)),
    ("execveat", 322, (-1, 0, 0)),
    ("ptrace", 101, (0, 1, 0)),
    ("process_vm_readv", 310, (1, 0, 0)),
    ("process_vm_writev", 311, (1, 0, 0)),
    ("pidfd_getfd", 438, (-1, 0, 0)),
    ("mount", 165, (0, 0, 0)),
    ("fsopen", 430, (0, 0, 0)),
    ("pivot_root", 155, (0, 0, 0)),
    ("chroot", 161, (0, 0, 0)),
    ("mknod", 133, (0, 0, 0)),
    ("unlink", 87, (0, 0, 0)),
    ("socket of AF_INET", 41, (2, 1, 0)),
    ("socket of AF_UNIX", 41, (1, 1, 0)),
    ("socket of AF_NETLINK", 41, (16, 3, 0)),
    ("socketpair of AF_INET", 53, (2, 1, 0)),
    ("init_module", 175, (0, 0, 0)),
    ("finit_module", 313, (-1, 0, 0)),
    ("delete_module", 176, (0, 0, 0)),
    ("kexec_load", 246, (0, 17, 0)),
    ("kexec_file_load", 320, (-1, -1, 0)),
    ("reboot into another kernel", 169, (0, 0, 0x45584543)),
    ("bpf", 321, (-1, 0, 0)),
    ("perf_event_open", 298, (0, 0, 0)),
    ("keyctl", 250, (-1, 0, 0)),
    ("add_key", 248, (0, 0, 0)),
    ("userfaultfd", 323, (-1, 0, 0)),
    ("io_uring_setup", 425, (0, 0, 0)),
    ("unshare", 272, (0, 0, 0)),
    ("setns", 308, (-1, 0, 0)),
    ("clone into a user namespace", 56, (0x10000000 | 17, 0, 0)),
    ("clone into a mount namespace", 56, (0x00020000 | 17, 0, 0)),
    ("iopl", 172, (0, 0, 0)),
    ("swapon", 167, (0, 0, 0)),
    ("mmap of executable memory", 9, (0, 4096, 7)),
    ("mprotect to executable memory", 10, (0, 4096, 5)),
    ("prctl of another option", 157, (35, 0, 0)),
    ("seccomp of another operation", 317, (3, 0, 0)),
    ("ioctl of another request", 16, (0, 0x5401, 0)),
    ("an x32 number", 0x40000000, (0, 0, 0)),
]

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in REGISTERS]


def ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")


def status_of(pid):
    with open(f"/proc/{pid}/status") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def threads(pid):
    return sorted(int(task) for task in os.listdir(f"/proc/{pid}/task"))


def inject(pid, number, arguments, wake):
    """Replaces the next system call of any of the process's threads. Returns the signal that ended
    the process, or None when it lived."""
    for task in threads(pid):
        ptrace(PTRACE_SEIZE, task, PTRACE_O_TRACESYSGOOD)
        ptrace(PTRACE_INTERRUPT, task)
    end = time.monotonic() + PATIENCE_S
    done = False
    while time.monotonic() < end:
        task, status = os.waitpid(-1, WALL | os.WNOHANG)
        if task == 0:
            wake()
            time.sleep(0.002)
            continue
        if os.WIFSIGNALED(status):
            if task == pid:
                return os.WTERMSIG(status)
            continue
        if os.WIFEXITED(status):
            continue
        registers = Registers()
        if os.WSTOPSIG(status) == SYSCALL_STOP and not done:
            ptrace(PTRACE_GETREGS, task, ctypes.byref(registers))
            if ctypes.c_longlong(registers.rax).value == -38:  # ENOSYS: this is the entry
                registers.orig_rax = number
                registers.rdi, registers.rsi, registers.rdx = (a % 2**64 for a in arguments)
                ptrace(PTRACE_SETREGS, task, ctypes.byref(registers))
                done = True
        libc.ptrace(PTRACE_SYSCALL, task, None, None)
    return None


def attack(tap, platform, role, name, number, arguments):
    control = platform.control()
    pid = init_of(platform) if role == "init" else platform.children()[role]

    def wake():
        try:
            control.send("status")
        except OSError:
            pass
    ended_by = inject(pid, number, arguments, wake)
    tap.ok(ended_by == signal.SIGSYS, f"{role}: {name} ends it", f"ended by {ended_by}")
    control.close()
    wait_for(f"new {role}", lambda: not os.path.exists(f"/proc/{pid}"))


def init_of(platform):
    """The enclave's first process, once it watches over vault and front."""
    platform.children()
    return int((platform.emu_dir / "enclave.pid").read_text())


def look_at_init(tap, platform):
    """Its filter is vault's and front's, too, from before they had their own."""
    for role, pid in {"init": init_of(platform), **platform.children()}.items():
        status = status_of(pid)
        tap.ok(status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", f"{role}: has a filter", status)
        if "Seccomp_filters" in status:
            filters = "1" if role == "init" else "2"
            tap.ok(status["Seccomp_filters"] == filters, f"{role}: has {filters} of them", status)
        else:
            tap.skip(f"{role}: the number of filters", "this kernel does not say it")


def look(tap, platform):
    for role, pid in platform.children().items():
        for task in threads(pid):
            status = status_of(task)
            tap.ok(status["Seccomp"] == "2" and status["NoNewPrivs"] == "1",
                   f"{role}: thread has a filter and no new privileges", status)
            tap.ok(all(int(status[f"Cap{kind}"], 16) == 0 for kind in
                       ("Inh", "Prm", "Eff", "Bnd", "Amb")), f"{role}: no capabilities", status)
            uid = "61001" if role == "vault" else "61002"
            tap.ok(status["Uid"].split() == [uid] * 4 and status["Gid"].split() == [uid] * 4
                   and status["Groups"].strip() == "", f"{role}: user {uid} and no groups", status)
        with open(f"/proc/{pid}/limits") as limits:
            core = re.search(r"Max core file size +(\d+) +(\d+)", limits.read())
        tap.ok(core and core.groups() == ("0", "0"), f"{role}: no core dumps")
        tap.ok(os.stat(f"/proc/{pid}/mem").st_uid == 0, f"{role}: not dumpable")
        with open(f"/proc/{pid}/environ", "rb") as environ:
            tap.ok(environ.read() == b"", f"{role}: empty environment")
        targets = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        tap.ok(not any(t.startswith("/proc") or t.endswith((".key", ".der")) for t in targets),
               f"{role}: no foreign descriptors", targets)


def main():
    tap = Tap()
    platform = Platform()
    try:
        platform.start()
        platform.control().close()
        look(tap, platform)
        for name, number, arguments in FORBIDDEN + FORBIDDEN_FRONT:
            attack(tap, platform, "front", name, number, arguments)
        for name, number, arguments in FORBIDDEN + FORBIDDEN_VAULT:
            attack(tap, platform, "vault", name, number, arguments)
        look_at_init(tap, platform)
        for name, number, arguments in FORBIDDEN_INIT:
            attack(tap, platform, "init", name, number, arguments)
    finally:
        platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
