# SPDX-License-Identifier: Apache-2.0
"""The data plane of the image in the virtual machine: HTTPS that ends in the guest, reached through the
emulated vsock and through cloisterd's tunnel, by Python's own ssl module."""

import contextlib
import socket
import ssl
import time

from boottest import VirtualPlatform
from cloistertest import CLI, PATIENCE_S, run, wait_for
from dataplanetest import DataPlane, call, client_context, dial_tls, is_up
from tunnel import port_of

HOST = "localhost"
UNVERIFIED = 4
# Both are less than any handshake: one cuts the client's greeting, one the guest's answer.
CUTS = (200, 900)


def goes_on(s):
    """Whether a connection is still served."""
    with contextlib.suppress(OSError):
        call(s)
        return True
    return False


class VirtualDataPlane(DataPlane, VirtualPlatform):
    """An image in a virtual machine, with a keyset for TLS keys."""

    def tunnel(self):
        """What cloisterd is told, so that it leads clients to the guest."""
        return "tunnel_listen = tcp://127.0.0.1:0", f"tunnel = unix://{self.data}"


class Scene:
    """A TLS key that was made in the guest and is in use, and its clients."""

    def __init__(self, tap, platform, service):
        self.tap, self.platform, self.service = tap, platform, service
        made = service.request("POST", "/v1/tls-keys", {"name": "front"})
        used = service.request("PUT", "/v1/tls-keys/front/certificate", {"names": [HOST]})
        tap.ok(made[0] == 201 and used[0] == 200, "a TLS key is made and put into use over REST",
               (made, used))
        self.certificate = used[1]["certificate_pem"]
        self.context = client_context(self.certificate)

    def versions(self):
        """What clients that can do one version only have agreed on, each after an answer."""
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            context = client_context(self.certificate)
            context.minimum_version = context.maximum_version = version
            with contextlib.closing(dial_tls(self.platform.data, context)) as s:
                call(s)
                yield s.version()

    def through_tunnel(self):
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", port_of(self.service)), PATIENCE_S) as raw, \
                    self.context.wrap_socket(raw, server_hostname=HOST) as s:
                call(s)
                return True
        return False

    def verify(self, pcr0):
        return run(CLI, "attest", "verify", f"https://{HOST}:{port_of(self.service)}", "--pcr0", pcr0,
                   "--config", self.platform.config, "--trust", "/dev/null", check=False)

    def serves(self, when):
        versions = list(self.versions())
        self.tap.ok(versions == ["TLSv1.3", "TLSv1.2"], f"the guest serves TLS 1.3 and 1.2, {when}",
                    versions)
        self.tap.ok(self.through_tunnel(), f"and through cloisterd's tunnel, {when}",
                    self.service.own())
        result = self.verify(self.platform.built["pcr0"])
        self.tap.ok(result.returncode == 0, f"attest verify https://: PCR0 of the build, {when}",
                    result.stdout + result.stderr)
        result = self.verify("ab" * 48)
        self.tap.ok(result.returncode == UNVERIFIED and "PCR0: it runs another image" in result.stdout,
                    f"attest verify https://: another PCR0 is refused, {when}",
                    result.stdout + result.stderr)

    def back(self):
        """After another machine's start, nobody asks for the certificate but cloisterd."""
        started = time.monotonic()
        wait_for("the certificate", lambda: is_up(self.platform.data, self.context))
        print(f"# the same certificate serves {time.monotonic() - started:.2f} s after READY")
        self.serves("after a restart of the machine")

    def asks(self, n=4):
        """Whether each of n new clients is served."""
        return [is_up(self.platform.data, self.context) for _ in range(n)]

    def suffers(self):
        """The vsock's faults meet connections that begin under them; all others go on."""
        with contextlib.closing(dial_tls(self.platform.data, self.context)) as before:
            self.platform.fault("link-delay,ms=30")
            served = self.asks()
            self.tap.ok(all(served), "vsock delay: the data plane serves", served)
            for cut in CUTS:
                self.platform.fault("link-delay,ms=10", f"link-cut,bytes={cut}")
                served = self.asks()
                self.tap.ok(not any(served) and goes_on(before),
                            f"vsock cut after {cut} bytes: only who was there before is served", served)
            self.platform.fault()
            wait_for("recovery", lambda: is_up(self.platform.data, self.context), 60)
            served = self.asks()
            self.tap.ok(all(served) and goes_on(before), "vsock: all are served once it is over", served)
        self.service.wait_ready(60)
