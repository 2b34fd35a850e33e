#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands that wait say so on a terminal, once a second, and leave nothing of it behind; in a pipe and
with --json they are silent. The service is one that takes its time."""

import contextlib
import json
import os
import pty
import socketserver
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import CLI, PATIENCE_S, Platform, Tap, tx  # noqa: E402

SLOW_S = 2.5


class Slow(socketserver.StreamRequestHandler):
    """Answers every request, late, that it is not ready."""

    def handle(self):
        while line := self.rfile.readline():
            length = 0
            while line.strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                line = self.rfile.readline()
            self.rfile.read(length)
            time.sleep(SLOW_S)
            body = json.dumps({"error": {"code": "phase", "message": "not yet"}}).encode()
            self.wfile.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                             b"Content-Length: %d\r\n\r\n" % len(body) + body)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Run:
    """A command that runs: on a terminal of its own, or in a pipe."""

    def __init__(self, words, terminal):
        self.terminal, end = pty.openpty() if terminal else (None, subprocess.PIPE)
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=end,
                                        stderr=end if terminal else subprocess.STDOUT,
                                        start_new_session=True)
        if terminal:
            os.close(end)

    def shown(self):
        if self.terminal is None:
            return self.process.communicate(timeout=PATIENCE_S)[0].decode()
        text = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(self.terminal, 4096):
                text += part
        os.close(self.terminal)
        self.process.wait(PATIENCE_S)
        return text.decode()


def commands(folder):
    """Commands that ask the service for something."""
    account = "00" * 16
    (folder / "tx.json").write_text(json.dumps(tx()))
    who = ["--user", "u", "--name", "n"]
    return [["status"], ["attest", "show"], ["attest", "verify"], ["seal"],
            ["account", "create", *who, "--unrestricted"], ["account", "list"],
            ["account", "show", account], ["account", "disable", account],
            ["tx", "sign", account, "--tx", str(folder / "tx.json")],
            ["tx", "send", account, "--tx", str(folder / "tx.json"), "--wait"],
            ["manifest", "create", "--serial", "1", "--from-service", "-o", str(folder / "m.bin")]]


def terminals():
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError:
        return False
    return True


def main():
    tap = Tap()
    if not terminals():
        tap.skip("progress on a terminal", "no pseudo-terminals here")
        tap.done()
    platform = Platform()
    try:
        server = Server(str(platform.dir / "slow.sock"), Slow)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (platform.dir / "token").write_text("0123456789abcdef" * 4 + "\n")
        (platform.dir / "token").chmod(0o600)
        trust = platform.dir / "trust"
        trust.write_text(f"url = unix://{platform.dir}/slow.sock\ntoken_file = {platform.dir}/token\n"
                         f"pcr0 = {platform.pcrs['pcr0']}\nconfiguration = {platform.config}\n")
        runs = []
        for command in commands(platform.dir):
            words = [str(CLI), *command, "--trust", str(trust)]
            runs.append((" ".join(command[:2]), Run(words, True), Run(words, False),
                         Run([*words, "--json"], True)))
        for name, terminal, pipe, as_json in runs:
            shown = terminal.shown()
            tap.ok("waiting for the service ... 1 s" in shown and "\r\033[K" in shown
                   and shown.rstrip().endswith("not yet"),
                   f"{name}: says on a terminal what it waits for, and clears it", repr(shown))
            for kind, quiet in (("in a pipe", pipe.shown()), ("with --json", as_json.shown())):
                tap.ok(" ... " not in quiet and "\033" not in quiet and "not yet" in quiet,
                       f"{name}: silent {kind}", repr(quiet))
        server.shutdown()
    finally:
        platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
