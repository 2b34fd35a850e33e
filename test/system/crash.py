#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""Promise 10: whatever dies at whatever moment, nothing that was reported stored is lost, the same
request gives the same account and the same transaction, and no two transactions share a nonce.

cloisterd is stopped at its system calls (ptrace, no hook in the product) and killed at call N of an
account creation, of a send, and of a certificate's installation, for N = 1, 2, 3, ... until the
request completes unharmed; then it is started again and asked the same. A node that records every raw
transaction stands before anvil. Afterwards vault, front and emulator are killed at random moments while clients create and send.

This is the sample of `make check`: every STRIDE-th call. test/long/crash.py takes every one."""

import contextlib
import ctypes
import http.client
import http.server
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import CHAIN, DAEMON, PATIENCE_S, ROLE, Tap, wait_for  # noqa: E402
from servicetest import AdminPlatform  # noqa: E402

ANVIL = (pathlib.Path(__file__).resolve().parents[1] /
         "interop/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
STRIDE = 29
PTRACE_SYSCALL, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 24, 17, 0x4206, 0x4207
OPTIONS = 1 | 8  # TRACESYSGOOD, TRACECLONE
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


# -- the node ----------------------------------------------------------------------------------------

class Node:
    """anvil, and before it a server that keeps every raw transaction it is sent."""

    def __init__(self, folder):
        self.raw, self.lock = [], threading.Lock()
        log = folder / "anvil.log"
        with open(log, "wb") as out:
            self.anvil = subprocess.Popen([str(ANVIL), "--host", "127.0.0.1", "--port", "0",
                                           "--chain-id", str(CHAIN)], stdout=out, stderr=out)
        line = wait_for("anvil", lambda: [x for x in log.read_text().splitlines()
                                          if x.startswith("Listening on")])[0]
        self.behind = "http://" + line.split()[-1]
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                node.record(json.loads(body))
                answer = node.forward(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def record(self, request):
        if request["method"] == "eth_sendRawTransaction":
            with self.lock:
                self.raw.append(request["params"][0])

    def forward(self, body):
        request = urllib.request.Request(self.behind, body, {"Content-Type": "application/json"})
        return urllib.request.urlopen(request, timeout=PATIENCE_S).read()

    def fund(self, address):
        self.forward(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "anvil_setBalance",
                                 "params": [address, hex(10 ** 20)]}).encode())

    def stop(self):
        self.server.shutdown()
        self.anvil.terminate()
        self.anvil.wait(PATIENCE_S)


def rlp_items(data):
    """The items of a list, as bytes; enough RLP for transactions without nesting before the nonce."""
    def head(at):
        first = data[at]
        if first < 0x80:
            return at, 1
        if first < 0xb8:
            return at + 1, first - 0x80
        if first < 0xc0:
            n = first - 0xb7
            return at + 1 + n, int.from_bytes(data[at + 1:at + 1 + n], "big")
        if first < 0xf8:
            return at + 1, first - 0xc0
        n = first - 0xf7
        return at + 1 + n, int.from_bytes(data[at + 1:at + 1 + n], "big")
    at, length = head(0)
    end, items = at + length, []
    while at < end:
        start, n = head(at)
        items.append(data[start:start + n])
        at = start + n
    return items


def nonce_of(raw):
    data = bytes.fromhex(raw[2:])
    if data[0] != 2:
        raise ValueError("expected a fee market transaction")
    return int.from_bytes(rlp_items(data[1:])[1], "big")


# -- cloisterd ---------------------------------------------------------------------------------------

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(self.path)


class Service:
    """cloisterd over a platform, that may be killed and started again."""

    def __init__(self, platform, node):
        self.platform, self.node = platform, node
        self.socket = platform.dir / "rest.sock"
        self.conf = platform.dir / "cloisterd.conf"
        self.process = None

    def start(self):
        emu = self.platform.emu_dir
        self.conf.write_text(f"""listen = unix://{self.socket}
token_file = {self.platform.dir}/token
enclave = unix://{emu}/link/5000
configuration = {self.platform.config}
store = {self.platform.dir}/store.db
imds = {(emu / 'imds.addr').read_text().strip()}
role = {ROLE.split('/')[-1]}
relay_listen = unix://{emu}/link/
relay = kms.eu-west-1.amazonaws.com {(emu / 'kms.addr').read_text().strip()}
node = {self.node.url}
""")
        with open(self.platform.dir / "cloisterd.log", "ab") as log:
            self.process = subprocess.Popen([str(DAEMON), "--config", str(self.conf)], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        self.ready()
        return self

    def ready(self):
        def look():
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.call("GET", "/healthz")[0] == 200
        wait_for("READY", look)

    def call(self, method, path, body=None, key=None):
        token = (self.platform.dir / "token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        if key:
            headers["Idempotency-Key"] = key
        connection = UnixConnection(self.socket)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")

    def insist(self, *args, **kwargs):
        """Repeats a request until it is answered for good, as a client is told to."""
        last = None
        for _ in range(1200):
            with contextlib.suppress(OSError, http.client.HTTPException):
                last = self.call(*args, **kwargs)
                if last[0] < 300:
                    return last[1]
                # 500 `device`: the emulator was killed, and with it the security module.
                if last[0] not in (502, 503, 504) and last[1]["error"]["code"] != "device":
                    break
            time.sleep(0.1)
        raise AssertionError(f"{args}: {last}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)


# -- death at a system call --------------------------------------------------------------------------

class Reaper(threading.Thread):
    """Steps a process from system call to system call and kills it at the n-th stop that comes after
    `arm`; ptrace belongs to one thread, so that everything is done in it."""

    def __init__(self, pid, n):
        super().__init__(daemon=True)
        self.pid, self.left = pid, n
        self.attached, self.armed, self.finished = (threading.Event() for _ in range(3))
        self.tasks, self.killed = set(), False

    def run(self):
        for task in os.listdir(f"/proc/{self.pid}/task"):
            if libc.ptrace(PTRACE_SEIZE, int(task), None, OPTIONS) == 0:
                libc.ptrace(PTRACE_INTERRUPT, int(task), None, None)
                self.tasks.add(int(task))
        self.attached.set()
        while self.tasks and (self.killed or not self.finished.is_set()):
            self._step()
        for task in list(self.tasks):
            self._detach(task)

    def _step(self):
        for task in list(self.tasks):
            try:
                task, status = os.waitpid(task, WALL | os.WNOHANG)
            except ChildProcessError:
                self.tasks.discard(task)
                continue
            if task == 0:
                continue
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                self.tasks.discard(task)
                continue
            self._go_on(task, status)
        time.sleep(0.0001)

    def _go_on(self, task, status):
        number = os.WSTOPSIG(status)
        if number == signal.SIGTRAP | 0x80 and self.armed.is_set() and not self.killed:
            self.left -= 1
            if self.left == 0:
                self.killed = True
                os.kill(self.pid, signal.SIGKILL)
                return
        if status >> 16 == 3:  # PTRACE_EVENT_CLONE
            new = ctypes.c_ulong()
            libc.ptrace(0x4201, task, None, ctypes.byref(new))
            self.tasks.add(new.value)
        plain = number in (signal.SIGTRAP, signal.SIGTRAP | 0x80, signal.SIGSTOP)
        libc.ptrace(PTRACE_SYSCALL, task, None, 0 if plain else number)

    @staticmethod
    def _detach(task):
        libc.ptrace(PTRACE_INTERRUPT, task, None, None)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(task, WALL)
            libc.ptrace(PTRACE_DETACH, task, None, None)

    def finish(self):
        self.finished.set()
        self.join(PATIENCE_S)


def killed_at(service, n, request):
    """Runs the request against a daemon that dies at its n-th system call. Returns the answer or
    None, and whether it died."""
    reaper = Reaper(service.process.pid, n)
    reaper.start()
    reaper.attached.wait(PATIENCE_S)
    answer = None
    reaper.armed.set()
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        answer = request()
    reaper.finish()
    if reaper.killed:
        service.process.wait()
    return answer, reaper.killed


def every_call(service, stride, request):
    """Kills at stride, 2 x stride, ... until a request comes through; yields index, answer."""
    n = random.randint(1, stride)
    index = 0
    while True:
        index += 1
        answer, died = killed_at(service, n, lambda: request(index))
        if died:
            service.start()
        yield index, answer, died
        if not died:
            return
        n += stride


# -- what must hold ----------------------------------------------------------------------------------

class Books:
    """What clients were told, to be compared with what is there afterwards."""

    def __init__(self, service, node):
        self.service, self.node = service, node
        self.accounts, self.sends = {}, {}  # name -> id; (account, key) -> hash
        self.faults = []

    def create(self, name):
        return self.service.call("POST", "/v1/accounts", create_body(name))

    def told_account(self, name, answer):
        if answer and answer[0] in (200, 201):
            self._same(self.accounts, name, answer[1]["account"])

    def settle_account(self, name):
        account = self.service.insist("POST", "/v1/accounts", create_body(name))
        self._same(self.accounts, name, account["account"])
        listed = self.service.insist("GET", "/v1/accounts?user=crash&limit=100")["accounts"]
        if name.startswith("last") and sum(a["name"] == name for a in listed) != 1:
            self.faults.append(f"{name}: listed another number of times than once")
        return account

    def told_send(self, account, key, answer):
        if answer and answer[0] == 200:
            self._same(self.sends, (account, key), (answer[1]["hash"], answer[1]["nonce"]))

    def settle_send(self, account, key, value):
        sent = self.service.insist("POST", send_path(account), send_body(value), key=key)
        self._same(self.sends, (account, key), (sent["hash"], sent["nonce"]))
        return sent

    def _same(self, book, key, value):
        if book.setdefault(key, value) != value:
            self.faults.append(f"{key}: {book[key]}, later {value}")

    def check(self, account=None):
        """No two different transactions of one account with one nonce, in what clients heard and in
        what the node saw."""
        nonces = {}
        for (owner, key), (_hash, nonce) in self.sends.items():
            if nonces.setdefault((owner, nonce), key) != key:
                self.faults.append(f"nonce {nonce} of {owner}: two sends")
        if account:
            seen = {}
            for raw in self.node.raw:
                if seen.setdefault(nonce_of(raw), raw) != raw:
                    self.faults.append(f"nonce {nonce_of(raw)}: the node saw two transactions")
        return not self.faults


def create_body(name):
    return {"user": "crash", "name": name, "unrestricted": True}


def send_body(value):
    return {"tx": {"to": "0x" + "42" * 20, "value": str(value)}}


def send_path(account):
    return f"/v1/accounts/{account}/send-transaction"


def signs(service, account):
    """The record that the store has is one that the enclave opens, and its key is the address's."""
    tx = {"type": 2, "chainId": CHAIN, "nonce": 0, "gas": 21000, "to": "0x" + "42" * 20,
          "value": "1", "maxFeePerGas": "2000000000", "maxPriorityFeePerGas": "1"}
    signed = service.insist("POST", f"/v1/accounts/{account['account']}/sign-transaction",
                            {"tx": tx})
    return signed["from"].lower() == account["address"].lower()


# -- scenes ------------------------------------------------------------------------------------------

def creations(tap, service, node, stride):
    books, all_sign, deaths = Books(service, node), True, 0
    for index, answer, died in every_call(service, stride,
                                          lambda i: books.create(f"account-{i}")):
        books.told_account(f"account-{index}", answer)
        account = books.settle_account(f"account-{index}")
        all_sign = all_sign and signs(service, account)
        deaths += died
    for index in range(1, deaths + 2):
        books.settle_account(f"account-{index}")
    tap.ok(deaths > 2 and books.check(), f"creation: killed at {deaths} of its system calls, the "
           "same request gives the same account", books.faults)
    tap.ok(all_sign, "creation: every account that was shown signs with its address's key")


def sends(tap, service, node, stride):
    books, deaths = Books(service, node), 0
    account = service.insist("POST", "/v1/accounts", create_body("sender"))
    node.fund(account["address"])
    node.raw.clear()
    ident = account["account"]
    for index, answer, died in every_call(service, stride, lambda i: service.call(
            "POST", send_path(ident), send_body(i), f"key-{i}")):
        books.told_send(ident, f"key-{index}", answer)
        books.settle_send(ident, f"key-{index}", index)
        deaths += died
    for index in range(1, deaths + 2):
        books.settle_send(ident, f"key-{index}", index)
    tap.ok(deaths > 2 and books.check(ident), f"send: killed at {deaths} of its system calls, the "
           "key gives the first result, and every nonce one transaction", books.faults)
    nonces = sorted(nonce for _, nonce in books.sends.values())
    tap.ok(nonces == list(range(len(nonces))), "send: no nonce is lost", nonces)


def certificates(tap, service, stride):
    """A certificate that was reported installed is; what the store has is what the enclave serves."""
    faults, deaths = [], 0
    service.insist("POST", "/v1/tls-keys", {"name": "crash"})
    service.insist("PUT", "/v1/tls-keys/crash/certificate", {"names": ["first.example"]})

    def agree():
        key = service.insist("GET", "/v1/tls-keys/crash")
        served = service.insist("GET", "/v1/status")["enclave"]["tls"] or {}
        return key if key["certificate_sha256"] == served.get("certificate_sha256") else None

    for index, answer, died in every_call(service, stride, lambda i: service.call(
            "PUT", "/v1/tls-keys/crash/certificate", {"names": [f"n{i}.example"]})):
        told = answer[1].get("certificate_sha256") if answer and answer[0] == 200 else None
        try:
            key = wait_for("one certificate", agree)
        except TimeoutError:
            faults.append(f"{index}: store and enclave do not come to the same certificate")
            continue
        if told and key["certificate_sha256"] != told:
            faults.append(f"{index}: told {told}, later {key['certificate_sha256']}")
        deaths += died
    tap.ok(deaths > 2 and not faults, f"certificate: killed at {deaths} of its system calls, what was "
           "told holds, and the enclave serves what the store has", faults)


def random_deaths(tap, platform, service, node, rounds):
    """Two clients create and send at the same time while one process after the other is killed."""
    books = Books(service, node)
    account = service.insist("POST", "/v1/accounts", create_body("busy"))
    node.fund(account["address"])
    node.raw.clear()
    ident = account["account"]
    victims = ["vault", "front", "cloisterd", "emulator"]
    counter, lock, trouble = [0], threading.Lock(), []
    stop = threading.Event()

    def client():
        while not stop.is_set():
            with lock:
                counter[0] += 1
                i = counter[0]
            try:
                books.settle_send(ident, f"random-{i}", i)
                if i % 3 == 0:
                    books.settle_account(f"random-{i}")
            except AssertionError as error:
                trouble.append(str(error))

    clients = [threading.Thread(target=client, daemon=True) for _ in range(2)]
    for thread in clients:
        thread.start()
    for i in range(rounds):
        time.sleep(random.uniform(0.05, 0.4))
        die(platform, service, victims[i % len(victims)])
        service.ready()
    stop.set()
    for thread in clients:
        thread.join(PATIENCE_S)
    for i in range(1, counter[0] + 1):
        books.settle_send(ident, f"random-{i}", i)
        if i % 3 == 0:
            books.settle_account(f"random-{i}")
    tap.ok(not trouble and books.check(ident) and counter[0] > 2,
           f"{rounds} deaths of {', '.join(victims)}: {counter[0]} sends and their accounts are what "
           "clients were told, and no nonce has two", trouble + books.faults)


def die(platform, service, victim):
    if victim == "cloisterd":
        service.kill()
        service.start()
    elif victim == "emulator":
        enclave = int((platform.emu_dir / "enclave.pid").read_text())
        children = platform.children()
        platform.emulator.kill()
        platform.emulator.wait()
        for pid in (enclave, *children.values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        service.kill()
        platform.start()
        service.start()
    else:
        pid = platform.children()[victim]
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda: not os.path.exists(f"/proc/{pid}"))


def main(stride=STRIDE, rounds=4):
    if not ANVIL.exists():
        print("1..0 # SKIP no anvil (scripts/setup)")
        return
    tap = Tap()
    platform = AdminPlatform(administrators=False, tls=True).start()
    node = service = None
    try:
        node = Node(platform.dir)
        service = Service(platform, node).start()
        creations(tap, service, node, stride)
        sends(tap, service, node, stride)
        certificates(tap, service, stride)
        random_deaths(tap, platform, service, node, rounds)
    finally:
        for part in (service, node):
            if part:
                part.stop()
        platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
