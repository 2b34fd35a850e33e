#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second opinion on what enclave and emulator do, by other people's code (cryptography, cbor2,
botocore) and written after the specifications: attestation documents, SigV4 of the requests that
the enclave's front really sends, KMS's envelopes, key policies. The front's requests are seen by a
proxy that ends its TLS with the development certificate. Run it with `make check-oracle`; SEED=N
as argument repeats a run."""

import base64
import json
import os
import pathlib
import random
import re
import socket
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import attestation  # noqa: E402
import policy_oracle  # noqa: E402
from boto3_kms import CONTEXT, OWN, World, allow, policy  # noqa: E402
from botocore.auth import SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from cloistertest import EMU, PKI, Tap, unb64  # noqa: E402

POLICIES = 600


class Proxy:
    """The parent's relay, with ears: TLS on both sides, one request and answer after the other."""

    def __init__(self, path, port, root):
        self.seen = []  # (request head, request body, answer body)
        self.port = port
        self.inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.inside.load_cert_chain(PKI / "tls-server.pem", PKI / "tls-server.key")
        self.outside = ssl.create_default_context(cafile=str(root))
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(4)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            raw, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw):
        with self.inside.wrap_socket(raw, server_side=True) as front:
            while request := self._message(front):
                host = re.search(rb"(?im)^host: *([^\r:]+)", request[0])[1].decode()
                with self.outside.wrap_socket(socket.create_connection(("127.0.0.1", self.port)),
                                              server_hostname=host) as kms:
                    kms.sendall(b"".join(request))
                    answer = self._message(kms)
                self.seen.append((*request, answer[1]))
                front.sendall(b"".join(answer))

    @staticmethod
    def _message(stream):
        """Head with its empty line, and body; None at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            part = stream.recv(65536)
            if not part:
                return None
            data += part
        at = data.index(b"\r\n\r\n") + 4
        length = int(re.search(rb"(?im)^content-length: *(\d+)", data[:at])[1])
        while len(data) < at + length:
            data += stream.recv(65536)
        return data[:at], data[at:]


def agrees(call, *arguments):
    """Whether an oracle was content, and what it said otherwise."""
    try:
        return call(*arguments), ""
    except Exception as e:  # whatever an oracle raises is its opinion
        return None, f"{type(e).__name__}: {e}"


class Oracle:
    def __init__(self, tap, world):
        self.tap, self.world = tap, world
        self.counts = {}
        self.root = (PKI / "nsm-root.der").read_bytes()

    def count(self, what, good, detail=""):
        right, all_of = self.counts.get(what, (0, 0))
        self.counts[what] = (right + bool(good), all_of + 1)
        if not good and right == all_of:  # the first disagreement of its kind
            print(f"# {what}: {detail}")

    def report(self):
        for what, (right, all_of) in self.counts.items():
            self.tap.ok(right == all_of, f"{what}: {right} of {all_of} agree")

    # -- documents ---------------------------------------------------------------------------------

    def document(self, what, document, nonce=None, kms=False):
        doc, detail = agrees(attestation.verify, document, self.root)
        self.count(f"{what}: signature, chain and profile", doc, detail)
        if not doc:
            return
        platform = self.world.platform
        expected = {0: platform.pcrs["pcr0"], 1: platform.pcrs["pcr1"], 2: platform.pcrs["pcr2"],
                    3: platform.pcrs["pcr3"], 16: platform.pcr16}
        self.count(f"{what}: PCRs", all(doc["pcrs"][i].hex() == v for i, v in expected.items()),
                   {i: v.hex() for i, v in doc["pcrs"].items()})
        self.count(f"{what}: nonce and public key", doc.get("nonce") == nonce
                   and (doc.get("public_key") is not None) == kms, doc)
        for at in (len(document) - 1, len(document) // 2, 40):
            changed = document[:at] + bytes([document[at] ^ 1]) + document[at + 1:]
            self.count(f"{what}: refused when changed",
                       agrees(attestation.verify, changed, self.root)[0] is None)

    def documents(self, control):
        for size in (None, 1, 20, 64):
            nonce = os.urandom(size) if size else None
            params = {"nonce": "0x" + nonce.hex()} if nonce else {}
            answer = control.call("attestation", **params)
            self.document("attestation documents", unb64(answer["document_b64"]), nonce)

    # -- what the front sent -----------------------------------------------------------------------

    def signature(self, head, body, credentials):
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, v in (li.split(":", 1) for li in lines[1:] if li)}
        field = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^,/]+)/(\d+)/([^/]+)/([^/]+)/"
                             r"aws4_request, *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})",
                             headers["authorization"])
        access, day, region, service, signed, signature = field.groups()
        request = AWSRequest("POST", f"https://{headers['host']}/", data=body,
                             headers={n: headers[n] for n in signed.split(";") if n != "host"})
        request.context["timestamp"] = headers["x-amz-date"]
        signer = SigV4Auth(Credentials(credentials["aws_access_key_id"],
                                       credentials["aws_secret_access_key"],
                                       credentials["aws_session_token"]), service, region)
        canonical = signer.canonical_request(request)
        again = signer.signature(signer.string_to_sign(request, canonical), request)
        must = {"content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"}
        self.count("SigV4: signature", again == signature, canonical)
        self.count("SigV4: what is signed, and the scope", must <= set(signed.split(";"))
                   and service == "kms" and headers["host"] == f"kms.{region}.amazonaws.com"
                   and headers["x-amz-date"].startswith(day)
                   and access == credentials["aws_access_key_id"], head)

    def sent(self, seen, credentials):
        for head, body, answer in seen:
            self.signature(head, body, credentials)
            request, answer = json.loads(body), json.loads(answer)
            self.count("requests: key and context (PROTOCOL.md 3)",
                       request["KeyId"] == self.world.platform.arn
                       and request["EncryptionContext"] == {
                           "service": "cloister", "keyset": "main", "purpose": "datakey",
                           "deployment": self.world.platform.deployment}
                       and request["Recipient"]["KeyEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256",
                       request)
            document = base64.b64decode(request["Recipient"]["AttestationDocument"], validate=True)
            self.document("documents to KMS", document, kms=True)
            parsed, detail = agrees(attestation.parse_cms,
                                    base64.b64decode(answer["CiphertextForRecipient"]))
            self.count("answers to the enclave: form of the envelope",
                       parsed and "Plaintext" not in answer and len(parsed[0]) == 256, detail)

    def front(self):
        platform = self.world.platform
        path = platform.emu_dir / "link" / "8000"
        proxy = Proxy(path, self.world.port, self.world.root)
        control = platform.control()
        credentials = platform.credentials()
        platform.configure(control)
        self.documents(control)
        for _ in range(4):
            record = control.call("keyset.create", name="main")["record_b64"]
            control.call("keyset.open", record_b64=record)
        self.documents(control)
        self.tap.ok(len(proxy.seen) == 12, "the front made 3 calls for each keyset",
                    len(proxy.seen))
        self.sent(proxy.seen, credentials)

    # -- envelopes ---------------------------------------------------------------------------------

    def envelopes(self):
        kms = self.world.client()
        arn = kms.create_key(Policy=policy(allow(OWN, "kms:*")))["KeyMetadata"]["Arn"]
        sizes = [*range(1, 50), 255, 256, 984, 999, 1000, 1001, 1999, 2000, 4000, 4095, 4096]
        recipient = self.world.recipient()
        for size in sizes:
            plaintext = os.urandom(size)
            blob = kms.encrypt(KeyId=arn, Plaintext=plaintext,
                               EncryptionContext=CONTEXT)["CiphertextBlob"]
            answer = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT,
                                 Recipient=recipient)
            opened, detail = agrees(self.world.open, answer)
            self.count("envelopes: opened, plaintext", opened == plaintext, f"{size}: {detail}")

    # -- policies ----------------------------------------------------------------------------------

    def policies(self):
        verdicts = {}
        folder = self.world.platform.dir
        for _ in range(POLICIES):
            question, request = policy_oracle.random_policy(), policy_oracle.random_request()
            spoiled = policy_oracle.spoil(question) if random.random() < 0.12 else None
            expected = "refused" if spoiled else policy_oracle.decide(question, request)
            (folder / "q.json").write_text(json.dumps(question))
            (folder / "r.json").write_text(json.dumps(request))
            result = subprocess.run([EMU, "key", "policy-test", "--policy", folder / "q.json",
                                     "--context", folder / "r.json"], capture_output=True,
                                    text=True, timeout=20)
            got = result.stdout.strip() if result.returncode == 0 else "refused"
            self.count("policies", got == expected and result.returncode in (0, 1),
                       f"expected {expected} ({spoiled}), got {got} {result.stderr}: "
                       f"{json.dumps(question)} {json.dumps(request)}")
            kind = expected.rstrip(" 0123456789")
            verdicts[kind] = verdicts.get(kind, 0) + 1
        print(f"# policies by verdict: {verdicts}")
        self.tap.ok(min(verdicts.values()) >= 30 and len(verdicts) == 4,
                    "policies: every kind of verdict is there", verdicts)


def main():
    seed = int(sys.argv[1].removeprefix("SEED=")) if len(sys.argv) > 1 else random.randrange(2**32)
    print(f"# SEED={seed}")
    random.seed(seed)
    tap = Tap()
    world = World()
    try:
        oracle = Oracle(tap, world)
        oracle.front()
        oracle.envelopes()
        oracle.policies()
        oracle.report()
    finally:
        world.platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
