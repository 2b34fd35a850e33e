# SPDX-License-Identifier: Apache-2.0
"""Attestation documents, written and verified after AWS's "Attestation process" document, RFC 9052
(COSE) and RFC 5280, with cbor2 and cryptography; and KMS's CiphertextForRecipient after RFC 5652.
Shares no code with the product: it is the other side of its tests."""

import datetime
import pathlib

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import (decode_dss_signature,
                                                             encode_dss_signature)
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.x509.oid import NameOID

ES384 = b"\xa1\x01\x38\x22"  # {1: -35}, RFC 9053 2.1
REQUIRED = {"module_id", "timestamp", "digest", "pcrs", "certificate", "cabundle"}
OPTIONAL = {"public_key", "user_data", "nonce"}


class Bad(Exception):
    """A document or envelope that is not what it must be."""


def need(condition, what):
    if not condition:
        raise Bad(what)


# -- documents -------------------------------------------------------------------------------------

def signed_bytes(payload):
    """The Sig_structure of RFC 9052 4.4."""
    return cbor2.dumps(["Signature1", ES384, b"", payload])


def check_payload(doc):
    """The syntactical rules of AWS's document, section "Syntactical validation"."""
    need(REQUIRED <= doc.keys() <= REQUIRED | OPTIONAL, "fields")
    need(isinstance(doc["module_id"], str) and doc["module_id"], "module_id")
    need(doc["digest"] == "SHA384", "digest")
    need(isinstance(doc["timestamp"], int) and doc["timestamp"] > 0, "timestamp")
    need(1 <= len(doc["pcrs"]) <= 32, "number of PCRs")
    for index, value in doc["pcrs"].items():
        need(isinstance(index, int) and 0 <= index < 32, "PCR index")
        need(isinstance(value, bytes) and len(value) in (32, 48, 64), "PCR length")
    need(doc["cabundle"] and all(1 <= len(c) <= 1024 for c in doc["cabundle"]), "cabundle")
    for name, most in (("public_key", 1024), ("user_data", 512), ("nonce", 512)):
        value = doc.get(name)
        need(value is None or (isinstance(value, bytes) and len(value) <= most), name)


def check_chain(doc, root_der, at):
    """Section "Certificates chain": root pinned, each signed by the one before, all valid."""
    need(doc["cabundle"][0] == root_der, "root")
    chain = [x509.load_der_x509_certificate(c) for c in [*doc["cabundle"], doc["certificate"]]]
    for depth, cert in enumerate(chain):
        issuer = chain[max(depth - 1, 0)]
        need(cert.issuer == issuer.subject, f"issuer of certificate {depth}")
        need(isinstance(cert.public_key(), ec.EllipticCurvePublicKey)
             and cert.public_key().curve.name == "secp384r1", f"curve of certificate {depth}")
        need(isinstance(cert.signature_hash_algorithm, hashes.SHA384), f"hash {depth}")
        issuer.public_key().verify(cert.signature, cert.tbs_certificate_bytes,
                                   ec.ECDSA(hashes.SHA384()))
        need(cert.not_valid_before_utc <= at <= cert.not_valid_after_utc, f"validity {depth}")
        constraints = cert.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = cert.extensions.get_extension_for_class(x509.KeyUsage).value
        below = len(chain) - 2 - depth  # authorities below this one
        need(constraints.ca == (depth < len(chain) - 1), f"CA {depth}")
        need(not constraints.ca or constraints.path_length is None
             or constraints.path_length >= below, f"path length {depth}")
        need(usage.key_cert_sign if constraints.ca else usage.digital_signature, f"usage {depth}")
    return chain


def verify(document, root_der):
    """The verified payload, as a dictionary; Bad or an exception of cryptography otherwise."""
    sign1 = cbor2.loads(document)
    need(isinstance(sign1, list) and len(sign1) == 4, "COSE_Sign1 without tag")
    protected, unprotected, payload, signature = sign1
    need(protected == ES384 and unprotected == {} and len(signature) == 96, "COSE headers")
    doc = cbor2.loads(payload)
    check_payload(doc)
    at = datetime.datetime.fromtimestamp(doc["timestamp"] / 1000, datetime.timezone.utc)
    leaf = check_chain(doc, root_der, at)[-1]
    r, s = int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big")
    leaf.public_key().verify(encode_dss_signature(r, s), signed_bytes(payload),
                             ec.ECDSA(hashes.SHA384()))
    return doc


def issue(name, key, issuer, issuer_key, ca):
    """A certificate below `issuer` that is valid now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return (x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer.subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(hours=3))
            .add_extension(x509.BasicConstraints(ca, 0 if ca else None), True)
            .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, False, False,
                                         False), True)
            .sign(issuer_key, hashes.SHA384()))


def make(pki, pcrs, public_key, timestamp_ms=None, **other):
    """A document under the development root in `pki`, with these PCRs and this SPKI."""
    pki = pathlib.Path(pki)
    root_der = (pki / "nsm-root.der").read_bytes()
    root = x509.load_der_x509_certificate(root_der)
    root_key = serialization.load_pem_private_key((pki / "nsm-root.key").read_bytes(), None)
    middle_key, leaf_key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    middle = issue("interop.zonal", middle_key, root, root_key, True)
    leaf = issue("interop.enclave", leaf_key, middle, middle_key, False)
    now_ms = int(datetime.datetime.now().timestamp() * 1000)
    doc = {"module_id": "i-00000000000000000-enc0000000000000000", "digest": "SHA384",
           "timestamp": timestamp_ms or now_ms, "pcrs": {i: pcrs.get(i, bytes(48))
                                                          for i in range(16)} | pcrs,
           "certificate": leaf.public_bytes(serialization.Encoding.DER),
           "cabundle": [root_der, middle.public_bytes(serialization.Encoding.DER)],
           "public_key": public_key, "user_data": None, "nonce": None, **other}
    payload = cbor2.dumps(doc)
    r, s = decode_dss_signature(leaf_key.sign(signed_bytes(payload), ec.ECDSA(hashes.SHA384())))
    return cbor2.dumps([ES384, {}, payload, r.to_bytes(48, "big") + s.to_bytes(48, "big")])


# -- CiphertextForRecipient ------------------------------------------------------------------------

def tlv(data, at=0):
    """One BER element (X.690 8.1): tag, content or children, and where the next one starts."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length == 0x80:
        children = []
        while data[at:at + 2] != b"\0\0":
            child, at = tlv(data, at)
            children.append(child)
        return (tag, children), at + 2
    if length > 0x80:
        n = length & 0x7f
        length, at = int.from_bytes(data[at:at + n], "big"), at + n
    content, end = data[at:at + length], at + length
    need(len(content) == length, "BER: too short")
    if not tag & 0x20:
        return (tag, content), end
    children, inside = [], 0
    while inside < length:
        child, inside = tlv(content, inside)
        children.append(child)
    return (tag, children), end


def oid(hexadecimal):
    return 0x06, bytes.fromhex(hexadecimal)


SHA256_ID = (0x30, [oid("608648016503040201"), (0x05, b"")])
OAEP = (0x30, [oid("2a864886f70d010107"),
               (0x30, [(0xa0, [SHA256_ID]),
                       (0xa1, [(0x30, [oid("2a864886f70d010108"), SHA256_ID])])])])


def parse_cms(ber):
    """Encrypted key, IV and ciphertext of an EnvelopedData in the one form that KMS answers."""
    (_, (kind, (_, (enveloped,)))), end = tlv(ber)
    need(end == len(ber), "CMS: bytes left over")
    need(kind == oid("2a864886f70d010703"), "CMS: content type")
    version, recipients, encrypted = enveloped[1]
    need(version == (0x02, b"\x02") and len(recipients[1]) == 1, "CMS: version, one recipient")
    r_version, r_id, algorithm, wrapped = recipients[1][0][1]
    need(r_version == (0x02, b"\x02") and r_id[0] == 0x80, "CMS: recipient by key identifier")
    need(algorithm == OAEP, "CMS: RSAES-OAEP with SHA-256")
    content_type, (_, (cipher, iv)), content = encrypted[1]
    need(content_type == oid("2a864886f70d010701"), "CMS: id-data")
    need(cipher == oid("60864801650304012a") and len(iv[1]) == 16, "CMS: AES-256-CBC")
    sealed = b"".join(c for _, c in content[1]) if content[0] == 0xa0 else content[1]
    return wrapped[1], iv[1], sealed


def open_cms(ber, private_key):
    """The plaintext, opened with this RSA key."""
    wrapped, iv, sealed = parse_cms(ber)
    key = private_key.decrypt(wrapped, padding.OAEP(padding.MGF1(hashes.SHA256()),
                                                    hashes.SHA256(), None))
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(128).unpadder()
    padded = decryptor.update(sealed) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()
