#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 180
"""A data key that the parent knows, under the right encryption context.

Key policies of CMKs guard Decrypt and GenerateDataKey; who may call Encrypt has KMS wrap a data key
of his choice just as GenerateDataKey would, and the genuine enclave gets it back from Decrypt. So the
parent makes a keyset record whose keyset key it knows. SECURITY.md says what that is good for: not to
stand in the place of a keyset that people know, since its id commits to the key; and accounts of
another keyset are refused by who has `keyset = ID` in the trust file."""

import datetime
import hashlib
import hmac
import http.client
import json
import os
import socket
import sqlite3
import ssl
import struct
import sys

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import (EMU, PKI, Platform, Reader, Refused, Tap, b64, run, tx, unb64,  # noqa: E402
                          unseal_account)
from own_config import CREATE, Daemon, hidden  # noqa: E402

HOST = "kms.eu-west-1.amazonaws.com"


# -- the parent's own calls of KMS ---------------------------------------------------------------------

class Kms(http.client.HTTPSConnection):
    """The emulated KMS under its real name, with Signature Version 4 (written after AWS's guide)."""

    def __init__(self, platform):
        context = ssl.create_default_context(cadata=(PKI / "tls-root.der").read_bytes())
        super().__init__(HOST, context=context, timeout=20)
        host, port = (platform.emu_dir / "kms.addr").read_text().strip()[6:].split(":")
        self.at, self.keys, self.tls = (host, int(port)), platform.credentials(), context

    def connect(self):
        self.sock = self.tls.wrap_socket(socket.create_connection(self.at, 20),
                                         server_hostname=HOST)

    def call(self, operation, **params):
        body = json.dumps(params).encode()
        now = datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
        headers = {"content-type": "application/x-amz-json-1.1", "host": HOST, "x-amz-date": now,
                   "x-amz-security-token": self.keys["aws_session_token"],
                   "x-amz-target": f"TrentService.{operation}"}
        signed, scope = ";".join(headers), f"{now[:8]}/eu-west-1/kms/aws4_request"
        canonical = "\n".join(["POST", "/", ""] + [f"{k}:{v}" for k, v in headers.items()]
                              + ["", signed, hashlib.sha256(body).hexdigest()])
        key = ("AWS4" + self.keys["aws_secret_access_key"]).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.keys['aws_access_key_id']}/{scope}, SignedHeaders="
            f"{signed}, Signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}")
        self.request("POST", "/", body, headers)
        answer = self.getresponse()
        return answer.status, json.loads(answer.read())


def allow_encrypt(platform):
    """As an administrator's key policy often has it."""
    path = platform.dir / "policy.json"
    policy = json.loads(path.read_text())
    policy["Statement"].append({"Sid": "admin", "Effect": "Allow", "Principal": {"AWS": "*"},
                                "Action": "kms:Encrypt", "Resource": "*"})
    path.write_text(json.dumps(policy))
    run(EMU, "key", "policy", "--dir", platform.emu_dir, "--key", platform.arn, "--file", path)


# -- records by PROTOCOL.md, sections 5 and 7 ----------------------------------------------------------

def tag_hash(tag, *fields):
    return hashlib.sha256(tag + b"\0" + b"".join(struct.pack(">I", len(f)) + f
                                                 for f in fields)).digest()


def keyset_id(key, deployment):
    return hmac.new(key, tag_hash(b"cloister-keyset-id-1", deployment), hashlib.sha256).digest()[:16]


def forge(platform, blob, data_key, key, ident=None):
    """A keyset record around a data key and a keyset key of one's own; the id that fits, or one of
    somebody else's."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    deployment, cmk = bytes.fromhex(platform.deployment), platform.arn.encode()
    ident = ident or keyset_id(key, deployment)
    wrapping = b"\x01" + struct.pack(">H", len(cmk)) + cmk + struct.pack(">H", len(blob)) + blob
    aad = (b"cloister-share-1\0\0\1" + deployment + ident + b"\x04main\x01\x01\x01" + wrapping)
    nonce = os.urandom(12)
    sealed = nonce + AESGCM(data_key).encrypt(nonce, key, aad)
    head = b"\0\1" + deployment + ident + b"\x04main\x01" + struct.pack(">Q", 1) + b"\x01\x01\x01"
    check = hmac.new(key, tag_hash(b"cloister-keyset-check-1", head + wrapping + b"\0\0"),
                     hashlib.sha256).digest()
    return head + wrapping + bytes([len(sealed)]) + sealed + b"\0\0" + check


def refused(control, record):
    try:
        return None, control.call("keyset.open", record_b64=b64(record))
    except Refused as error:
        return error.code, str(error)


# -- the attack ----------------------------------------------------------------------------------------

def inject(tap, platform, control, genuine):
    """Returns the parent's keyset key and what `account.create` answered under it."""
    data_key, key = os.urandom(32), os.urandom(32)
    context = {"service": "cloister", "deployment": platform.deployment, "keyset": "main",
               "purpose": "datakey"}
    kms = Kms(platform)
    status, answer = kms.call("Encrypt", KeyId=platform.arn, Plaintext=b64(data_key),
                              EncryptionContext=context)
    tap.ok(status == 400 and "AccessDenied" in answer["__type"],
           "the key policy of the tests allows no Encrypt: nothing to inject", answer)
    allow_encrypt(platform)
    status, answer = kms.call("Encrypt", KeyId=platform.arn, Plaintext=b64(data_key),
                              EncryptionContext=context)
    blob = unb64(answer["CiphertextBlob"])
    other = dict(context, keyset="other")
    wrong = unb64(kms.call("Encrypt", KeyId=platform.arn, Plaintext=b64(data_key),
                           EncryptionContext=other)[1]["CiphertextBlob"])
    kms.close()
    code, text = refused(control, forge(platform, wrong, data_key, key))
    tap.ok(code == "kms", "a known data key under another context: KMS refuses it", text)
    for name, record in (
            ("in the genuine keyset's place", forge(platform, blob, data_key, key, genuine["id"])),
            ("with an id that is made up", forge(platform, blob, data_key, key, os.urandom(16))),
            ("in the genuine record", genuine["record"].replace(genuine["blob"], blob))):
        code, text = refused(control, record)
        tap.ok(code == "corrupt", f"a known data key {name}: refused", text)
    code, text = refused(control, forge(platform, blob, data_key, key))
    tap.ok(code is None, "a keyset of the parent's own opens (SECURITY.md says so)", text)
    return key, control.call("account.create", keyset=text["keyset"], unrestricted=True)


def exchanged(tap, platform, daemon, made):
    """The store shows the parent's account in the place of alice's."""
    own = daemon.trust(platform.config)
    daemon.cloister(own, *CREATE, "main")
    shown = daemon.cloister(own, "status", "--json")
    keyset = next(k["id"] for k in json.loads(shown.stdout)["enclave"]["keysets"])
    daemon.stop()
    store = sqlite3.connect(daemon.store)
    record = unb64(made["record_b64"])
    store.execute("UPDATE accounts SET id = ?, keyset = ?, record = ?, receipt = ?, address = ?, "
                  "nonce = x''", (made["account"], record[18:34].hex(), record,
                                  unb64(made["receipt_b64"]), made["address"]))
    store.commit()
    store.close()
    again = Daemon(platform, platform.config)
    try:
        pinned = platform.dir / "pinned"
        pinned.write_text(own.read_text() + f"keyset = {keyset}\n")
        loose = again.cloister(own, "account", "show", "--user", "alice", "--name", "main")
        tap.ok(made["address"].lower() in loose.stdout.lower(),
               "account show without a pinned keyset: it is shown (SECURITY.md says so)",
               loose.stdout + loose.stderr)
        for args in (("account", "show", "--user", "alice", "--name", "main"), ("account", "list")):
            hidden(tap, again.cloister(pinned, *args),
                   f"{' '.join(args[:2])} with a pinned keyset: the parent's account is not shown")
    finally:
        again.stop()


def main():
    tap = Tap()
    platform = Platform().start()
    try:
        platform.start_relay()
        control = platform.control()
        record = unb64(platform.ready(control))
        r = Reader(record)
        r.take(2 + 16)
        genuine = {"record": record, "id": r.take(16)}
        r.take(5 + 1 + 8 + 2 + 2)
        r.var(2)
        genuine["blob"] = r.var(2)
        key, made = inject(tap, platform, control, genuine)
        private, public = unseal_account(key, unb64(made["record_b64"]))
        tap.ok(len(private) == 32 and len(public) == 33,
               "and the parent has the keys that are made in it (the attack is a real one)")
        before = control.call("status")
        tap.ok(len(before["keysets"]) == 2, "status shows both keysets", before)
        code = None
        try:
            stored = unb64(made["record_b64"])
            moved = stored[:18] + genuine["id"] + stored[34:]
            control.call("sign_transaction", record_b64=b64(moved), tx=tx())
        except Refused as error:
            code = error.code
        tap.ok(code == "corrupt", "its account made to name the genuine keyset: refused", code)
        control.close()
        platform.stop()
        platform.start()
        (platform.emu_dir / "link" / "8000").unlink(missing_ok=True)
        exchanged(tap, platform, Daemon(platform, platform.config), made)
    finally:
        platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
