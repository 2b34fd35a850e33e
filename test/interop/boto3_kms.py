#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""boto3, unchanged, against the emulated KMS: every operation with its answer, and every refusal by
its error code. boto3 takes the endpoint by its real host name; only the name's resolution is bent
to the emulator, whose certificate is verified against the development TLS root. Attested requests
carry documents that test/interop/attestation.py makes. Run it with `make check-boto3`."""

import json
import pathlib
import socket
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import attestation  # noqa: E402
import boto3  # noqa: E402
import botocore.config  # noqa: E402
import botocore.exceptions  # noqa: E402
from cloistertest import ACCOUNT, EMU, PKI, Platform, REGION, ROLE, Tap, run  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: E402

OTHER_ACCOUNT = "444455556666"
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
STRANGER = f"arn:aws:iam::{OTHER_ACCOUNT}:role/stranger"
CONTEXT = {"service": "cloister", "purpose": "datakey"}
PCR0, PCR16 = b"\xa0" * 48, b"\xb0" * 48


def bend_names(port):
    """kms.*.amazonaws.com is on this machine; no other name is touched."""
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if name.startswith("kms.") and name.endswith(".amazonaws.com"):
            return real("127.0.0.1", port, *args[1:], **kwargs)
        return real(host, *args, **kwargs)
    socket.getaddrinfo = getaddrinfo


class World:
    """A running emulator and clients for any role, Region and mistake."""

    def __init__(self):
        self.platform = Platform(role=ROLE).start()
        self.port = int((self.platform.emu_dir / "kms.addr").read_text().rsplit(":", 1)[1])
        self.root = self.platform.dir / "tls-root.pem"
        self.root.write_text(ssl.DER_cert_to_PEM_cert((PKI / "tls-root.der").read_bytes()))
        bend_names(self.port)
        self.recipient_key = rsa.generate_private_key(65537, 2048)
        self.spki = self.recipient_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def client(self, role=ADMIN, region=REGION, **other):
        c = json.loads(run(EMU, "credentials", "--dir", self.platform.emu_dir, "--role", role))
        keys = {"aws_access_key_id": c["AccessKeyId"], "aws_session_token": c["Token"],
                "aws_secret_access_key": c["SecretAccessKey"], **other}
        return boto3.client(
            "kms", region_name=region, verify=str(self.root), **keys,
            endpoint_url=f"https://kms.{region}.amazonaws.com:{self.port}",
            config=botocore.config.Config(retries={"total_max_attempts": 1}))

    def recipient(self, pcrs=None, **other):
        pcrs = {0: PCR0, 16: PCR16} if pcrs is None else pcrs
        return {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument":
                attestation.make(PKI, pcrs, other.pop("public_key", self.spki), **other)}

    def open(self, answer):
        return attestation.open_cms(answer["CiphertextForRecipient"], self.recipient_key)


class Points:
    """Test points: answers and refusals."""

    def __init__(self, tap):
        self.tap = tap

    def refused(self, code, name, call, **arguments):
        try:
            answer = call(**arguments)
            self.tap.ok(False, f"{code}: {name}", answer)
        except botocore.exceptions.ClientError as e:
            self.tap.ok(e.response["Error"]["Code"] == code, f"{code}: {name}", e)

    def ok(self, condition, name, detail=""):
        return self.tap.ok(condition, name, detail)


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(principal, action, **condition):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}
    return {**statement, "Condition": condition} if condition else statement


OWN = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def keys(p, world, kms):
    """CreateKey, DescribeKey, ListKeys, policies."""
    made = kms.create_key(Description="first", KeyUsage="ENCRYPT_DECRYPT",
                          KeySpec="SYMMETRIC_DEFAULT")["KeyMetadata"]
    arn = made["Arn"]
    p.ok(made["KeyState"] == "Enabled" and made["AWSAccountId"] == ACCOUNT
         and arn.endswith(made["KeyId"]) and made["Description"] == "first", "CreateKey", made)
    shown = kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]
    p.ok(shown == made, "DescribeKey by id: the same", shown)
    p.ok(abs(made["CreationDate"].timestamp() - time.time()) < 60, "CreationDate is a time of now")
    more = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3)]
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2})
    listed = [k["KeyId"] for page in pages for k in page["Keys"]]
    p.ok(set(more) | {made["KeyId"]} <= set(listed) and len(listed) == len(set(listed)),
         "ListKeys: a paginator finds every key once", listed)
    got = kms.get_key_policy(KeyId=arn, PolicyName="default")
    p.ok(json.loads(got["Policy"])["Id"] == "key-default-1", "GetKeyPolicy: the default", got)
    new = policy(allow(OWN, "kms:*"))
    kms.put_key_policy(KeyId=arn, Policy=new)
    p.ok(kms.get_key_policy(KeyId=arn)["Policy"] == new, "PutKeyPolicy")
    p.refused("MalformedPolicyDocumentException", "no JSON", kms.put_key_policy, KeyId=arn,
              Policy="{")
    p.refused("MalformedPolicyDocumentException", "unknown operator", kms.put_key_policy, KeyId=arn,
              Policy=policy(allow(OWN, "kms:*", NumericEquals={"kms:CallerAccount": "1"})))
    p.refused("MalformedPolicyDocumentException", "locks its author out", kms.put_key_policy,
              KeyId=arn, Policy=policy(allow(OWN, "kms:Decrypt")))
    p.refused("LimitExceededException", "policy of 33 KB", kms.put_key_policy, KeyId=arn,
              Policy=new + " " * 33000)
    p.refused("NotFoundException", "policy of another name", kms.get_key_policy, KeyId=arn,
              PolicyName="other")
    p.refused("MalformedPolicyDocumentException", "CreateKey with a bad policy", kms.create_key,
              Policy="[]")
    locked = kms.create_key(Policy=policy(allow(OWN, "kms:DescribeKey")),
                            BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["Arn"]
    p.refused("AccessDeniedException", "a locked key stays locked", kms.put_key_policy,
              KeyId=locked, Policy=new, BypassPolicyLockoutSafetyCheck=True)
    p.refused("UnsupportedOperationException", "asymmetric key", kms.create_key,
              KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")
    p.refused("NotFoundException", "unknown key", kms.describe_key,
              KeyId="00000000-0000-4000-8000-000000000000")
    p.refused("NotFoundException", "alias", kms.describe_key, KeyId="alias/none")
    p.refused("InvalidMarkerException", "marker", kms.list_keys, Marker="x")
    p.refused("UnknownOperationException", "an operation that the emulator lacks",
              kms.list_aliases)
    return arn


def data(p, world, kms, arn):
    """Encrypt, Decrypt, ReEncrypt, data keys, random bytes, pairs, without a Recipient."""
    sealed = kms.encrypt(KeyId=arn, Plaintext=b"hello", EncryptionContext=CONTEXT)
    p.ok(sealed["KeyId"] == arn and len(sealed["CiphertextBlob"]) == 157, "Encrypt", sealed)
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=CONTEXT)
    p.ok(opened["Plaintext"] == b"hello" and opened["KeyId"] == arn, "Decrypt without KeyId")
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=CONTEXT,
                         KeyId=arn, EncryptionAlgorithm="SYMMETRIC_DEFAULT")
    p.ok(opened["Plaintext"] == b"hello", "Decrypt with KeyId")
    second = kms.create_key()["KeyMetadata"]["Arn"]
    again = kms.re_encrypt(CiphertextBlob=sealed["CiphertextBlob"], DestinationKeyId=second,
                           SourceEncryptionContext=CONTEXT,
                           DestinationEncryptionContext={"a": "b"})
    p.ok(again["SourceKeyId"] == arn and again["KeyId"] == second
         and kms.decrypt(CiphertextBlob=again["CiphertextBlob"],
                         EncryptionContext={"a": "b"})["Plaintext"] == b"hello", "ReEncrypt")
    for spec, size in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16),
                       ({"NumberOfBytes": 1024}, 1024)):
        made = kms.generate_data_key(KeyId=arn, **spec)
        p.ok(len(made["Plaintext"]) == size and kms.decrypt(
            CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"],
             f"GenerateDataKey {spec}")
    made = kms.generate_data_key_without_plaintext(KeyId=arn, KeySpec="AES_256")
    p.ok("Plaintext" not in made and len(made["CiphertextBlob"]) == 184,
         "GenerateDataKeyWithoutPlaintext")
    p.ok(len(kms.generate_random(NumberOfBytes=77)["Plaintext"]) == 77, "GenerateRandom")
    pairs(p, kms, arn)
    bad = sealed["CiphertextBlob"][:-1] + bytes([sealed["CiphertextBlob"][-1] ^ 1])
    p.refused("InvalidCiphertextException", "damaged", kms.decrypt, CiphertextBlob=bad,
              EncryptionContext=CONTEXT)
    p.refused("InvalidCiphertextException", "no ciphertext", kms.decrypt, CiphertextBlob=b"x")
    p.refused("InvalidCiphertextException", "other context", kms.decrypt,
              CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"service": "x"})
    p.refused("IncorrectKeyException", "other key", kms.decrypt, KeyId=second,
              CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=CONTEXT)
    p.refused("InvalidKeyUsageException", "algorithm", kms.encrypt, KeyId=arn, Plaintext=b"x",
              EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    p.refused("ValidationException", "neither length nor spec", kms.generate_data_key, KeyId=arn)
    p.refused("InvalidGrantTokenException", "grant token", kms.encrypt, KeyId=arn, Plaintext=b"x",
              GrantTokens=["none"])
    p.refused("UnsupportedOperationException", "pair of SM2", kms.generate_data_key_pair, KeyId=arn,
              KeyPairSpec="SM2")
    for call, arguments in ((kms.encrypt, {"Plaintext": b"x"}),
                            (kms.generate_data_key, {"KeySpec": "AES_256"}),
                            (kms.generate_data_key_pair, {"KeyPairSpec": "ECC_NIST_P256"})):
        p.refused("DryRunOperationException", "dry run", call, KeyId=arn, DryRun=True, **arguments)
    p.refused("DryRunOperationException", "dry run of Decrypt", kms.decrypt, DryRun=True,
              CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=CONTEXT)


def pairs(p, kms, arn):
    for spec in ("ECC_SECG_P256K1", "ECC_NIST_P256", "RSA_2048"):
        made = kms.generate_data_key_pair(KeyId=arn, KeyPairSpec=spec)
        key = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
        public = key.public_key().public_bytes(serialization.Encoding.DER,
                                               serialization.PublicFormat.SubjectPublicKeyInfo)
        curve = {"ECC_SECG_P256K1": "secp256k1", "ECC_NIST_P256": "secp256r1"}.get(spec)
        right = (key.key_size == 2048 if curve is None
                 else isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == curve)
        opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"])["Plaintext"]
        p.ok(right and public == made["PublicKey"] and opened == made["PrivateKeyPlaintext"],
             f"GenerateDataKeyPair {spec}")
    made = kms.generate_data_key_pair_without_plaintext(KeyId=arn, KeyPairSpec="ECC_SECG_P256K1")
    p.ok("PrivateKeyPlaintext" not in made and made["PublicKey"],
         "GenerateDataKeyPairWithoutPlaintext")


def attested(p, world, kms, arn):
    """Recipient: with documents made outside the emulator, and everything wrong with them."""
    pcr = "kms:RecipientAttestation:PCR"
    kms.put_key_policy(KeyId=arn, Policy=policy(
        allow(OWN, ["kms:Put*", "kms:Encrypt"]),
        allow({"AWS": ROLE}, ["kms:Decrypt", "kms:GenerateDataKey*"],
              StringEqualsIgnoreCase={pcr + "0": PCR0.hex(), pcr + "16": PCR16.hex().upper()},
              StringEquals={"kms:EncryptionContext:service": "cloister"})))
    enclave = world.client(ROLE)
    made = enclave.generate_data_key(KeyId=arn, KeySpec="AES_256", EncryptionContext=CONTEXT,
                                     Recipient=world.recipient())
    data_key = world.open(made)
    p.ok("Plaintext" not in made and len(data_key) == 32, "GenerateDataKey with Recipient", made)
    blob = {"KeyId": arn, "CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": CONTEXT}
    opened = enclave.decrypt(Recipient=world.recipient(), **blob)
    p.ok("Plaintext" not in opened and world.open(opened) == data_key, "Decrypt with Recipient")
    pair = enclave.generate_data_key_pair(KeyId=arn, KeyPairSpec="ECC_SECG_P256K1",
                                          EncryptionContext=CONTEXT, Recipient=world.recipient())
    key = serialization.load_der_private_key(world.open(pair), None)
    p.ok("PrivateKeyPlaintext" not in pair and key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
         == pair["PublicKey"], "GenerateDataKeyPair with Recipient")
    random = enclave.generate_random(NumberOfBytes=48, Recipient=world.recipient())
    p.ok("Plaintext" not in random and len(world.open(random)) == 48,
         "GenerateRandom with Recipient")
    p.refused("AccessDeniedException", "no Recipient", enclave.decrypt, **blob)
    p.refused("AccessDeniedException", "other PCR0", enclave.decrypt, **blob,
              Recipient=world.recipient({0: b"\xa1" * 48, 16: PCR16}))
    p.refused("AccessDeniedException", "PCR16 not set", enclave.decrypt, **blob,
              Recipient=world.recipient({0: PCR0}))
    p.refused("AccessDeniedException", "debug mode", enclave.decrypt, **blob,
              Recipient=world.recipient({16: PCR16}))
    p.refused("AccessDeniedException", "other role", kms.decrypt, **blob,
              Recipient=world.recipient())
    p.refused("AccessDeniedException", "other context", enclave.decrypt, Recipient=world.recipient(),
              **{**blob, "EncryptionContext": {"service": "other"}})
    old = int(time.time() * 1000) - 400_000
    cut = world.recipient()
    cut["AttestationDocument"] = cut["AttestationDocument"][:-1]
    flipped = world.recipient()
    flipped["AttestationDocument"] = bytes([*flipped["AttestationDocument"][:-1],
                                            flipped["AttestationDocument"][-1] ^ 1])
    small = rsa.generate_private_key(65537, 3072).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for name, recipient in (("cut short", cut), ("signature changed", flipped),
                            ("seven minutes old", world.recipient(timestamp_ms=old)),
                            ("no public key", world.recipient(public_key=None)),
                            ("RSA-3072", world.recipient(public_key=small)),
                            ("bytes", {**cut, "AttestationDocument": b"\0" * 500})):
        p.refused("ValidationException", f"document: {name}", enclave.decrypt, **blob,
                  Recipient=recipient)


def states(p, kms):
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    use = {"KeyId": arn, "Plaintext": b"x"}
    kms.disable_key(KeyId=arn)
    p.ok(kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled", "DisableKey")
    p.refused("DisabledException", "Encrypt", kms.encrypt, **use)
    kms.enable_key(KeyId=arn)
    p.ok(kms.encrypt(**use)["KeyId"] == arn, "EnableKey")
    p.refused("KMSInvalidStateException", "nothing to cancel", kms.cancel_key_deletion, KeyId=arn)
    p.refused("ValidationException", "six days", kms.schedule_key_deletion, KeyId=arn,
              PendingWindowInDays=6)
    planned = kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    days = (planned["DeletionDate"].timestamp() - time.time()) / 86400
    p.ok(planned["KeyState"] == "PendingDeletion" and 6.9 < days < 7.1, "ScheduleKeyDeletion")
    for call, arguments in ((kms.encrypt, use), (kms.enable_key, {"KeyId": arn}),
                            (kms.schedule_key_deletion, {"KeyId": arn})):
        p.refused("KMSInvalidStateException", "pending deletion", call, **arguments)
    p.ok(kms.cancel_key_deletion(KeyId=arn)["KeyId"] == arn
         and kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled",
         "CancelKeyDeletion leaves it disabled")


def accounts(p, world, kms):
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    stranger = world.client(STRANGER)
    use = {"KeyId": arn, "Plaintext": b"x"}
    for principal in ("*", {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}):
        kms.put_key_policy(KeyId=arn, Policy=policy(allow(OWN, "kms:*"), allow(principal, "kms:*")))
        p.refused("AccessDeniedException", f"another account by {principal}", stranger.encrypt,
                  **use)
    kms.put_key_policy(KeyId=arn, Policy=policy(allow(OWN, "kms:*"),
                                                allow({"AWS": STRANGER}, "kms:*")))
    p.ok(stranger.encrypt(**use)["KeyId"] == arn, "another account, role named: Encrypt")
    p.ok(stranger.describe_key(KeyId=arn)["KeyMetadata"]["AWSAccountId"] == ACCOUNT,
         "another account, role named: DescribeKey")
    p.refused("NotFoundException", "another account by id alone", stranger.encrypt, Plaintext=b"x",
              KeyId=arn.split("/")[1])
    p.refused("NotFoundException", "another account: DisableKey", stranger.disable_key, KeyId=arn)
    own = stranger.create_key()["KeyMetadata"]
    p.ok(own["AWSAccountId"] == OTHER_ACCOUNT and own["KeyId"] in
         [k["KeyId"] for k in stranger.list_keys()["Keys"]], "its own keys are of its own account")
    p.refused("AccessDeniedException", "and not ours", kms.encrypt, Plaintext=b"x", KeyId=own["Arn"])
    elsewhere = world.client(region="eu-west-2")
    p.refused("NotFoundException", "another Region", elsewhere.describe_key, KeyId=arn)
    p.ok(arn not in [k["KeyArn"] for k in elsewhere.list_keys()["Keys"]],
         "another Region lists other keys")


def callers(p, world):
    p.refused("InvalidSignatureException", "wrong secret",
              world.client(aws_secret_access_key="x" * 40).list_keys)
    p.refused("UnrecognizedClientException", "wrong token",
              world.client(aws_session_token="x").list_keys)
    p.refused("UnrecognizedClientException", "unknown access key",
              world.client(aws_access_key_id="ASIAAAAAAAAAAAAAAAAA").list_keys)


def faults(p, world, kms):
    def order(*spec):
        run(EMU, "fault", "--dir", world.platform.emu_dir, *spec)
    for spec, code in (("throttle", "ThrottlingException"), ("internal", "KMSInternalException"),
                       ("internal,status=503", "KMSInternalException")):
        order(spec + ",count=1")
        p.refused(code, f"fault {spec}", kms.list_keys)
        p.ok(kms.list_keys()["Keys"], "and then it works")


def main():
    tap = Tap()
    world = World()
    try:
        p = Points(tap)
        kms = world.client()
        arn = keys(p, world, kms)
        data(p, world, kms, arn)
        attested(p, world, kms, arn)
        states(p, kms)
        accounts(p, world, kms)
        callers(p, world)
        faults(p, world, kms)
    finally:
        world.platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
