#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""The way of the data plane through the parent: cloisterd's tunnel and another one (socat), a TLS key
that is installed over REST and put back after every restart of enclave, front and daemon, refusals
while there is no enclave, the end of the daemon under clients, and floods."""

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import DAEMON, PATIENCE_S, Tap, wait_for  # noqa: E402
from servicetest import AdminPlatform, Service  # noqa: E402

HOST = "signer.example"
FLOOD = 200  # connections, against 64 places
TUNNEL = ("tunnel_listen = tcp://127.0.0.1:0", "tunnel_connections = 64", "tunnel_drain = 20")


class Https(http.client.HTTPSConnection):
    """A client that trusts one certificate and asks for HOST, wherever it connects."""

    def __init__(self, port, certificate):
        super().__init__(HOST, port, timeout=PATIENCE_S,
                         context=ssl.create_default_context(cadata=certificate))

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._context.wrap_socket(raw, server_hostname=HOST)

    def get(self, path="/upcheck"):
        self.request("GET", path)
        answer = self.getresponse()
        return answer.status, answer.read().decode()


def dial(port):
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def asks(port, certificate):
    """Whether a new client is served."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        with contextlib.closing(Https(port, certificate)) as client:
            return client.get() == (200, "OK")
    return False


def seconds(call):
    start = time.monotonic()
    call()
    return time.monotonic() - start


def port_of(service):
    return int(service.own()["tunnel"]["address"].rsplit(":", 1)[1])


class Scene:
    """A service with a tunnel, and a TLS key in use."""

    def __init__(self, tap):
        self.tap = tap
        self.platform = AdminPlatform(administrators=False, tls=True)
        self.platform.start()
        self.service = Service(self.platform, *TUNNEL,
                               f"tunnel = unix://{self.platform.emu_dir}/link/9000").start()
        self.service.wait_ready()
        self.port = port_of(self.service)

    def closed_before_a_key(self):
        with contextlib.closing(dial(self.port)) as client:
            client.sendall(b"\x16\x03\x01\x00\x01\x00")
            self.tap.ok(self.has_ended(client), "before there is a TLS key, a client is closed")

    @staticmethod
    def has_ended(client):
        """Waits for it: an end of the stream or a reset."""
        try:
            return client.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def install(self):
        made = self.service.request("POST", "/v1/tls-keys", {"name": "front"})
        used = self.service.request("PUT", "/v1/tls-keys/front/certificate", {"names": [HOST]})
        self.certificate = used[1].get("certificate_pem", "")
        self.tap.ok(made[0] == 201 and used[0] == 200 and "BEGIN CERTIFICATE" in self.certificate,
                    "a key is made and put into use over REST", (made, used))

    def serves(self, what):
        self.tap.ok(asks(self.port, self.certificate), f"served {what}", self.service.own())

    def back(self, what):
        try:
            took = seconds(lambda: wait_for(what, lambda: asks(self.port, self.certificate)))
            self.tap.ok(True, f"served again, with the same certificate: {what} ({took:.1f} s)")
        except TimeoutError:
            self.tap.ok(False, f"served again, with the same certificate: {what}", self.service.own())

    def clients(self):
        with contextlib.closing(Https(self.port, self.certificate)) as client:
            answers = [client.get() for _ in range(50)]
        self.tap.ok(answers == [(200, "OK")] * 50, "50 requests of one client", answers[:3])
        served = []
        threads = [threading.Thread(target=lambda: served.append(asks(self.port, self.certificate)))
                   for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.tap.ok(served == [True] * 32, "32 clients at once", served)

    def restarts(self):
        os.kill(self.platform.children()["front"], signal.SIGKILL)
        self.back("the front was killed")
        pid = int((self.platform.emu_dir / "enclave.pid").read_text())
        with contextlib.closing(Https(self.port, self.certificate)) as client:
            client.get()
            os.kill(pid, signal.SIGKILL)
            client.sock.settimeout(10)
            self.tap.ok(self.has_ended(client.sock), "an open connection ends with the enclave")
        with contextlib.closing(dial(self.port)) as client:
            client.settimeout(10)
            client.sendall(b"\x16")
            self.tap.ok(self.has_ended(client), "a client is refused while there is no enclave")
        self.back("the enclave was killed")
        self.service.stop()
        self.service.start()
        self.service.wait_ready()
        self.port = port_of(self.service)
        self.back("cloisterd was started again")

    def another_tunnel(self):
        with contextlib.closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        socat = subprocess.Popen(["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,nodelay",
                                  f"UNIX-CONNECT:{self.platform.emu_dir}/link/9000"],
                                 stdin=subprocess.DEVNULL)
        try:
            wait_for("socat", lambda: asks(port, self.certificate))
            with contextlib.closing(Https(port, self.certificate)) as client:
                answers = [client.get() for _ in range(5)]
            self.tap.ok(answers == [(200, "OK")] * 5, "socat in the place of the tunnel", answers)
        except TimeoutError as error:
            self.tap.ok(False, "socat in the place of the tunnel", error)
        finally:
            socat.kill()
            socat.wait()

    def floods(self):
        known = Https(self.port, self.certificate)
        known.get()
        known.get()
        kinds = {"silence": b"", "a byte": b"\x16", "garbage": bytes(range(256)) * 4,
                 "half a hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}
        for what, first in kinds.items():
            others, slowest = [], 0.0
            for i in range(FLOOD):
                with contextlib.suppress(OSError):
                    other = dial(self.port)
                    others.append(other)
                    other.sendall(first)
                if i % 20 == 0:
                    slowest = max(slowest, seconds(known.get))
            served = asks(self.port, self.certificate)
            self.tap.ok(served and known.get() == (200, "OK"),
                        f"{FLOOD} clients of {what}: others are served ({slowest * 1000:.0f} ms at most)")
            for other in others:
                other.close()
        known.close()
        text = self.service.request("GET", "/metrics")[1]
        self.tap.ok(self.count(text, 'cloister_tunnel_connections_total{result="evicted"}') > 0,
                    "evictions are counted")

    @staticmethod
    def count(text, sample):
        return next((int(line.split()[-1]) for line in text.splitlines()
                     if line.startswith(sample + " ")), -1)

    def metrics(self):
        text = self.service.request("GET", "/metrics")[1]
        ends = time.time() + 397 * 86400
        self.tap.ok(abs(self.count(text, "cloister_tls_certificate_expire_timestamp_seconds") - ends)
                    < 7200, "the certificate's end is a metric")
        self.tap.ok(self.count(text, 'cloister_data_requests_total{route="/upcheck",status="2xx"}')
                    > 40 and self.count(text, "cloister_kms_attempts_total") > 0,
                    "the enclave's counters are there", text[-3000:])
        self.tap.ok(self.count(text, 'cloister_tunnel_bytes_total{direction="to_enclave"}') > 1000,
                    "the tunnel's counters are there")

    def two_daemons(self):
        conf = self.platform.dir / "second.conf"
        text = "".join(line + "\n" for line in self.service.conf.read_text().splitlines()
                       if not line.startswith("relay")).replace(
                           "127.0.0.1:0", f"127.0.0.1:{self.port}")
        for what, old, new in (("store", "real.sock", "second.sock"),
                               ("port", "store.db", "second.db")):
            text = text.replace(old, new)
            conf.write_text(text)
            done = subprocess.run([str(DAEMON), "--config", str(conf)], capture_output=True, text=True,
                                  timeout=PATIENCE_S)
            self.tap.ok(done.returncode == 1 and ("another process" if what == "store" else
                                                  "tunnel_listen") in done.stderr,
                        f"a second daemon on the same {what} ends", done)
        self.serves("beside them")

    def end(self):
        """A client that is being answered has its answer; who is idle is closed; the daemon ends."""
        idle, busy = Https(self.port, self.certificate), Https(self.port, self.certificate)
        idle.get()
        busy.connect()
        busy.sock.sendall(f"GET /version HTTP/1.1\r\nHost: {HOST}\r\n".encode())
        time.sleep(0.5)  # the first half of a request is under way
        self.service.process.terminate()
        wait_for("the end of the tunnel", lambda: not asks(self.port, self.certificate))
        busy.sock.sendall(b"Connection: close\r\n\r\n")
        answer = b""
        with contextlib.suppress(OSError):
            while part := busy.sock.recv(65536):
                answer += part
        self.tap.ok(answer.startswith(b"HTTP/1.1 200"), "a request under way has its answer", answer)
        took = seconds(lambda: self.service.process.wait(PATIENCE_S))
        self.tap.ok(self.service.process.returncode == 0 and took < 15,
                    "idle connections do not hold the end up", took)
        idle.close()

    def stop(self):
        self.service.stop()
        self.platform.remove()


def main():
    tap = Tap()
    scene = Scene(tap)
    try:
        scene.closed_before_a_key()
        scene.install()
        scene.serves("through cloisterd")
        scene.clients()
        scene.another_tunnel()
        scene.metrics()
        scene.restarts()
        scene.two_daemons()
        scene.floods()
        scene.end()
    finally:
        scene.stop()
    tap.done()


if __name__ == "__main__":
    main()
