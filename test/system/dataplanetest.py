# SPDX-License-Identifier: Apache-2.0
"""What tests of the data plane share: an emulated platform whose configuration has a keyset for TLS keys,
and TLS over the emulated link, by Python's own ssl module."""

import contextlib
import json
import socket
import ssl

from cloistertest import CHAIN, CLI, PATIENCE_S, Platform, run, wait_for


class DataPlane(Platform):
    """A platform with keysets `main` and `web`; no administrators, so nobody has any permission."""

    def build_config(self, deployment, name, arn=None, chain=CHAIN):
        def keyset(keyset_name, purpose):
            return {"name": keyset_name, "purpose": purpose, "threshold": 1, "keys": [arn or self.arn]}
        source = self.dir / f"{name}.json"
        source.write_text(json.dumps({
            "version": 1, "deployment": deployment, "mode": "parent-trusted",
            "slashing": "parent-trusted", "administrators": {"threshold": 0, "keys": []},
            "keysets": [keyset("main", "accounts"), keyset("web", "tls")],
            "networks": [{"name": "dev", "chain_id": chain}], "anchor": {"kind": "none"}}))
        run(CLI, "config", "build", source, "-o", self.dir / f"{name}.bin")
        return self.dir / f"{name}.bin"

    @property
    def data(self):
        return self.emu_dir / "link" / "9000"

    def serve(self, names=("localhost",)):
        """Starts it and puts a self-signed key into use; the control plane and the certificate (PEM)."""
        self.start()
        self.start_relay()
        control = self.control()
        self.configure(control)
        keyset = control.call("keyset.create", name="web")
        control.call("keyset.open", record_b64=keyset["record_b64"])
        self.key = control.call("tls.create", keyset=keyset["keyset"])
        opened = control.call("tls.open", record_b64=self.key["record_b64"], names=list(names))
        self.certificate = opened["certificate_pem"]
        return control


def client_context(certificate, low=False):
    """Trusts exactly this certificate; `low`: offers everything that the library still can do."""
    context = ssl.create_default_context(cadata=certificate)
    if low:
        context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


def dial_raw(path, patience=PATIENCE_S):
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(path))
    s.settimeout(patience)
    return s


def dial_tls(path, context, patience=PATIENCE_S):
    raw = dial_raw(path, patience)
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def get(path="/upcheck", *fields):
    return "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: localhost", *fields,
                                              "")).encode()


def read_answer(s):
    """Status, head and body of one answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(65536)
        if not part:
            raise ConnectionError(f"closed after {data[:100]!r}")
        data += part
    head, body = data.split(b"\r\n\r\n", 1)
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                   if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        part = s.recv(65536)
        if not part:
            raise ConnectionError("closed within a body")
        body += part
    return int(head.split()[1]), head, body


def call(s):
    """One request that must succeed."""
    s.sendall(get())
    status, head, body = read_answer(s)
    if status != 200 or body != b"OK":
        raise ConnectionError(f"{head!r} {body!r}")


def is_up(path, context):
    with contextlib.suppress(OSError):
        with contextlib.closing(dial_tls(path, context)) as s:
            call(s)
            return True
    return False


def wait_up(path, context):
    return wait_for("the data plane", lambda: is_up(path, context))
