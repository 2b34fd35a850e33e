#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
# alone: counts what others are served while it attacks
"""The data plane's TLS port in the hands of strangers: which versions, suites and groups it speaks, what
becomes of renegotiation, of handshakes that are cut short or changed, of slow, deaf, flooding and
garbage-sending peers, and of ten thousand connections. Others are served all the time, the memory of
the front is bounded, and nothing ends. The clients are Python's ssl module and the openssl program."""

import contextlib
import os
import pathlib
import re
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import PATIENCE_S, Tap, run  # noqa: E402
from dataplanetest import (DataPlane, call, client_context, dial_raw, dial_tls, get,  # noqa: E402
                           wait_up)
import robust  # noqa: E402

SUITES = {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256",
          "ECDHE-ECDSA-CHACHA20-POLY1305"}
GROUPS = {"X25519", "P-256", "P-384"}
ASKED_GROUPS = ("X25519", "X448", "P-256", "P-384", "P-521", "ffdhe2048", "ffdhe3072", "brainpoolP256r1")
PLACES = 4096


# -- attackers, each in a process of its own (robust.Attack) -------------------------------------------

def unjudged():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def hello():
    """A ClientHello, as Python's library writes it."""
    to_us, from_us = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = unjudged().wrap_bio(to_us, from_us, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return from_us.read()


def attack_half_hello(path):
    robust.attack_half(path, hello()[:-1])


def attack_handshakes(path):
    """Handshakes that are made and left at once: the dearest thing that a stranger can ask for."""
    context = unjudged()
    robust.go()
    while True:
        with contextlib.suppress(OSError):
            dial_tls(path, context, 5).close()


def attack_loris(path):
    """150 connections that send one byte of a request's head each 20 ms, behind their handshake."""
    context, text, held, at = unjudged(), get() + b"x" * 20000, [], 0
    while len(held) < 150:
        with contextlib.suppress(OSError):
            held.append(dial_tls(path, context, 5))
    robust.go()
    while True:
        for i, s in enumerate(held):
            try:
                s.send(text[at % len(text):][:1])
            except OSError:
                with contextlib.suppress(OSError):
                    held[i] = dial_tls(path, context, 5)
        at += 1
        time.sleep(0.02)


def attack_requests(path):
    """As many requests as one connection takes, answers read and thrown away."""
    context, s = unjudged(), None
    robust.go()
    while True:
        try:
            s = s or dial_tls(path, context, 5)
            s.sendall(get() * 64)
            s.recv(1 << 16)
        except OSError:
            s = None


def attack_deaf(path):
    """Forty connections that ask and never read."""
    context, held = unjudged(), []
    while len(held) < 40:
        with contextlib.suppress(OSError):
            held.append(dial_tls(path, context, 5))
    robust.go()
    while True:
        for i, s in enumerate(held):
            try:
                s.settimeout(0)
                s.send(get("/version") * 64)
            except (ssl.SSLWantWriteError, BlockingIOError):
                pass
            except OSError:
                with contextlib.suppress(OSError):
                    held[i] = dial_tls(path, context, 5)
        time.sleep(0.02)


def attack_attestations(path):
    """The request that costs the security module most, from everybody's position."""
    context, s = unjudged(), None
    robust.go()
    while True:
        try:
            s = s or dial_tls(path, context, 5)
            s.sendall(get("/attestation?nonce=0x" + "11" * 32) * 8)
            s.recv(1 << 16)
        except OSError:
            s = None


robust.ATTACKS.clear()
robust.ATTACKS.update({
    "tls idle": lambda path: robust.attack_idle(path, 6000),
    "tls half a hello": attack_half_hello,
    "tls trickle": lambda path: robust.attack_trickle(path, hello()),
    "tls garbage": robust.attack_garbage,
    "tls handshakes": attack_handshakes,
    "tls slow request": attack_loris,
    "tls flood": attack_requests,
    "tls deaf": attack_deaf,
    "tls flood of attestations": attack_attestations,
})


# -- what is spoken --------------------------------------------------------------------------------------

class TcpPort:
    """The data plane on a TCP port, for the openssl program, by socat."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            ["socat", "-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr", f"UNIX-CONNECT:{path}"],
            stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        self.address = "127.0.0.1:" + re.search(r"listening on .*:(\d+)", line)[1]
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


def s_client(port, *options, text="", seconds=20):
    result = subprocess.run(["openssl", "s_client", "-connect", port.address, *options], text=True,
                            input=text, capture_output=True, timeout=seconds, errors="replace")
    return result.stdout + result.stderr


def accepts(port, *options):
    out = s_client(port, *options)
    protocol = re.search(r"^\s*New, (\S+), Cipher is (\S+)", out, re.M)
    return protocol[2] if protocol and protocol[2] != "(NONE)" else None


def spoken(tap, port):
    low = ("-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    for version in ("tls1", "tls1_1"):
        tap.ok(not accepts(port, f"-{version}", *low), f"{version} is refused")
    for version in ("tls1_2", "tls1_3"):
        tap.ok(accepts(port, f"-{version}"), f"{version} is spoken")
    every = run("openssl", "ciphers", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").strip()
    every = [name for name in every.split(":") if not name.startswith("TLS_")]
    taken = {name for name in every
             if accepts(port, "-tls1_2", "-cipher", name + ":@SECLEVEL=0")}
    tap.ok(len(every) > 40 and taken and taken <= SUITES,
           f"of {len(every)} suites of TLS 1.2 only AEAD with forward secrecy: {len(taken)}", taken)
    groups = {group for group in ASKED_GROUPS if accepts(port, "-tls1_3", "-groups", group)}
    tap.ok("X25519" in groups and "P-256" in groups and groups <= GROUPS, "groups", groups)
    out = s_client(port, "-tls1_2")
    tap.ok("Compression: NONE" in out, "no compression", out)
    tap.ok("Secure Renegotiation IS supported" in out or "Extended master secret: yes" in out,
           "TLS 1.2 has the extensions that bind a session", out)
    out = s_client(port, "-tls1_3", "-early_data", os.devnull)
    tap.ok("Early data was accepted" not in out, "no early data", out)


def renegotiation(tap, port, path, context):
    out = s_client(port, "-tls1_2", "-legacy_renegotiation", text="R\n")
    tap.ok("no renegotiation" in out or "RENEGOTIATING" in out and "verify return" not in
           out.split("RENEGOTIATING")[1], "renegotiation is refused", out[-600:])
    with contextlib.closing(dial_tls(path, context)) as s:
        call(s)
        tap.ok(True, "others are served")


# -- damage ------------------------------------------------------------------------------------------

def send_raw(path, data, half_close=True):
    """Sends and reads until the server ends; how much it answered, or None when it did not end."""
    with contextlib.closing(dial_raw(path, 20)) as s:
        got = 0
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(1)
            while part := s.recv(65536):
                got += len(part)
        except TimeoutError:
            return None
        except OSError:
            pass
        return got


def cut_and_changed(tap, path, context):
    first = hello()
    open_ones = sum(send_raw(path, first[:n]) is None for n in range(0, len(first), 7))
    tap.ok(open_ones == 0, "a ClientHello that is cut short ends the connection")
    open_ones = 0
    for at in range(0, len(first), 5):
        changed = bytearray(first)
        changed[at] ^= 1 << at % 8
        open_ones += send_raw(path, bytes(changed)) is None
    tap.ok(open_ones == 0, "a ClientHello that is changed ends the connection in the end")
    answers = {send_raw(path, text, False) for text in
               (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(40000),
                b"\x80\x2e\x01\x00\x02" + bytes(60), b"\x00" * 100, b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n")}
    tap.ok(None not in answers, "what is no TLS is not waited for", answers)
    whole = record(path, context)
    for at in range(len(first), len(whole), max(1, len(whole) // 40)):
        if send_raw(path, whole[:at]) is None:
            tap.ok(False, f"a conversation that is cut after {at} bytes is left open")
            break
    else:
        tap.ok(True, f"replayed bytes of a conversation ({len(whole)}), cut anywhere, end it")
    with contextlib.closing(dial_tls(path, context)) as s:
        call(s)
    tap.ok(True, "and others are served")


def record(path, context):
    """All that a client says in a conversation that succeeds."""
    to_us, from_us = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_us, from_us, server_hostname="localhost")
    said = b""
    with contextlib.closing(dial_raw(path)) as s:
        for step in (client.do_handshake, lambda: client.write(get()), lambda: client.read(65536)):
            while True:
                try:
                    step()
                    break
                except ssl.SSLWantReadError:
                    part = from_us.read()
                    said += part
                    s.sendall(part)
                    to_us.write(s.recv(65536))
    return said


def truncated(tap, path, context):
    """An end of the TCP stream without close_notify in the middle of a body is no end of the body."""
    with contextlib.closing(dial_tls(path, context)) as s:
        s.sendall(b"POST /v1/accounts/" + b"0" * 32 + b"/sign-transaction HTTP/1.1\r\nHost: localhost\r\n"
                  b"Content-Length: 100\r\n\r\n{\"tx\"")
        raw = s.detach()
        os.close(raw)
    with contextlib.closing(dial_tls(path, context)) as s:
        call(s)
    tap.ok(True, "a truncated request is none")


# -- memory ------------------------------------------------------------------------------------------

def resident_kib(pid):
    return int(re.search(r"VmRSS:\s*(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def held_memory(tap, path, context, front):
    """1,024 connections that have made a request and stay."""
    before = resident_kib(front)
    held = [dial_tls(path, context) for _ in range(1024)]
    for s in held:
        call(s)
    now = resident_kib(front)
    tap.ok(now <= 65536, f"the front with 1,024 connections has {now} KiB ({before} before)")
    for s in held:
        call(s)
        s.close()


def dialled(context):
    """As robust.dial, with TLS; a handshake that the server gave up counts as a lost connection."""
    def dial(path, patience=5):
        return dial_tls(path, context, patience)
    return dial


def main():
    tap = Tap()
    platform = DataPlane()
    port = None
    try:
        platform.serve()
        path, context = platform.data, client_context(platform.certificate)
        wait_up(path, context)
        pids = platform.children()
        port = TcpPort(path)
        spoken(tap, port)
        renegotiation(tap, port, path, context)
        cut_and_changed(tap, path, context)
        truncated(tap, path, context)
        held_memory(tap, path, context, pids["front"])
        before = resident_kib(pids["front"])
        for name in robust.ATTACKS:
            robust.compare(tap, name, path, call, dialled(context))
        robust.crowd(tap, "tls", path, call, (pids["front"], PLACES, dialled(context)))
        after = resident_kib(pids["front"])
        tap.ok(after <= before + 131072, f"the front has {after} KiB after all of it ({before} before)")
        tap.ok(platform.children() == pids, "neither front nor vault has ended", platform.log())
    finally:
        if port:
            port.stop()
        platform.remove()
    tap.done()


if __name__ == "__main__":
    if sys.argv[1:2] == ["attack"]:
        robust.ATTACKS[sys.argv[2]](sys.argv[3])
    else:
        main()
