# SPDX-License-Identifier: Apache-2.0
"""Attestation documents as the emulated platform signs them, with whatever is wrong in them: COSE and
CBOR after RFC 9052 and RFC 8949, user_data after PROTOCOL.md section 7. Shares no code with the product,
and holds the root's key of the development PKI; and certificates of TLS servers that prove nothing."""

import datetime
import hashlib
import ssl
import struct
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

from cloistertest import PKI

PCR0 = bytes([0xa0]) * 48
HOUR = datetime.timedelta(hours=1)


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for size, info in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if n < 1 << (8 * size):
            return bytes([major << 5 | info]) + n.to_bytes(size, "big")
    raise ValueError(n)


def cbor(value):
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value)) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def tag_hash(tag, *fields):
    return hashlib.sha256(tag.encode() + b"\0" + b"".join(struct.pack(">I", len(f)) + f for f in fields)).digest()


def pcr16_of(configuration):
    return hashlib.sha384(bytes(48) + hashlib.sha384(b"cloister-config-1\0" + configuration).digest()).digest()


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def spki_of(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def spki_sha256(key):
    return hashlib.sha256(spki_of(key)).digest()


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class Notary:
    """One enclave on one machine: its PCRs, and the right to sign documents."""

    def __init__(self, pcr16=bytes(48), pcr0=PCR0):
        self.root = x509.load_der_x509_certificate((PKI / "nsm-root.der").read_bytes())
        self.root_key = serialization.load_pem_private_key((PKI / "nsm-root.key").read_bytes(), None)
        self.pcrs = {i: bytes(48) for i in range(17)}
        self.pcrs.update({0: pcr0, 16: pcr16})
        self.key = ec.generate_private_key(ec.SECP384R1())

    def leaf(self, at):
        usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                               "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
        return (x509.CertificateBuilder().subject_name(name("leaf.test")).issuer_name(self.root.subject)
                .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(at - HOUR).not_valid_after(at + HOUR)
                .add_extension(x509.BasicConstraints(False, None), True)
                .add_extension(x509.KeyUsage(digital_signature=True, **usage), True)
                .sign(self.root_key, hashes.SHA384()).public_bytes(serialization.Encoding.DER))

    def document(self, user_data=None, nonce=None, age_s=0, pcrs=None, key=None, public_key=None):
        at_ms = int(time.time() * 1000) - int(age_s * 1000)
        at = datetime.datetime.utcfromtimestamp(at_ms // 1000)
        payload = cbor({
            "module_id": "i-0-enc0", "digest": "SHA384", "timestamp": at_ms,
            "pcrs": {**self.pcrs, **(pcrs or {})}, "certificate": self.leaf(at),
            "cabundle": [self.root.public_bytes(serialization.Encoding.DER)], "public_key": public_key,
            "user_data": user_data, "nonce": nonce})
        header = bytes.fromhex("a1013822")
        signed = cbor(["Signature1", header, b"", payload])
        r, s = utils.decode_dss_signature((key or self.key).sign(signed, ec.ECDSA(hashes.SHA384())))
        signature = r.to_bytes(48, "big") + s.to_bytes(48, "big")
        return head(4, 4) + cbor(header) + cbor({}) + cbor(payload) + cbor(signature)


def status_fields(phase=4, boot=b"\xb0" * 16, serial=0, anchor=0, anchored=0):
    """What stands after the tag of a status."""
    return (bytes([phase]) + boot + (7).to_bytes(8, "big") + bytes([6]) * 32 + serial.to_bytes(8, "big")
            + bytes([9 if serial else 0]) * 32 + bytes(4) + bytes([anchor, anchored]))


KEYSET = b"\xc5" * 16


def tls_user_data(spki_hash, keyset=KEYSET, **status):
    return b"cloister-tls-1\0" + spki_hash + keyset + status_fields(**status)


class Identity:
    """A TLS server's key, and a certificate that nobody has a reason to trust: of another name, and
    expired long ago."""

    def __init__(self, folder, label, key=None):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.spki_sha256 = spki_sha256(self.key)
        long_ago = datetime.datetime(2001, 1, 1)
        certificate = (x509.CertificateBuilder().subject_name(name("nobody.test")).issuer_name(name("nobody.test"))
                       .public_key(self.key.public_key()).serial_number(1).not_valid_before(long_ago)
                       .not_valid_after(long_ago + HOUR).sign(self.key, hashes.SHA256()))
        self.path = folder / f"{label}.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + pem(self.key))

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context
