# SPDX-License-Identifier: Apache-2.0
"""Enclave images (EIF) and cpio archives, read, written and measured after AWS's public description
with nothing but the standard library, and `cryptography` for signatures. Shares no code with the
product: it is the other side of its tests."""

import hashlib
import struct
import zlib

HEAD = struct.Struct(">4sHHQQHH32Q32QII")
SECTION = struct.Struct(">HHQ")
KERNEL, CMDLINE, RAMDISK, SIGNATURE, METADATA = range(1, 6)


class Bad(Exception):
    """Bytes that are not what they must be."""


def need(condition, what):
    if not condition:
        raise Bad(what)


def sha384(data):
    return hashlib.sha384(data).digest()


def pcr(content):
    """A register that was zero, extended once by the hash of what it measures."""
    return sha384(bytes(48) + sha384(content))


# -- images ----------------------------------------------------------------------------------------

def write(sections, version=4, flags=0, memory=1 << 30, cpus=2):
    """The image of (type, bytes)..., with a right checksum."""
    at, offsets, sizes, body = HEAD.size, [], [], b""
    for kind, data in sections:
        offsets.append(at)
        sizes.append(len(data))
        part = SECTION.pack(kind, 0, len(data)) + data
        body += part
        at += len(part)
    offsets += [0] * (32 - len(sections))
    sizes += [0] * (32 - len(sections))
    return seal(HEAD.pack(b".eif", version, flags, memory, cpus, 0, len(sections), *offsets,
                          *sizes, 0, 0) + body)


def seal(image):
    """The same bytes with the checksum that they need."""
    crc = zlib.crc32(image[HEAD.size:], zlib.crc32(image[:HEAD.size - 4]))
    return image[:HEAD.size - 4] + struct.pack(">I", crc) + image[HEAD.size:]


def read(image):
    """{version, flags, memory, cpus, sections: [(type, bytes)], pcrs: {0, 1, 2[, 8]}}."""
    fields = HEAD.unpack_from(image)
    magic, version, flags, memory, cpus, reserved, count = fields[:7]
    offsets, sizes, (unused, crc) = fields[7:39], fields[39:71], fields[71:]
    need(magic == b".eif" and reserved == unused == 0, "header")
    need(seal(image) == image, f"checksum {crc:08x}")
    need(not any(offsets[count:]) and not any(sizes[count:]), "unused slots")
    at, sections = HEAD.size, []
    for offset, size in zip(offsets[:count], sizes[:count]):
        need(offset == at, "offset")
        kind, section_flags, n = SECTION.unpack_from(image, at)
        need(section_flags == 0 and n == size, "section header")
        at += SECTION.size + n
        sections.append((kind, image[at - n:at]))
    need(at == len(image), "end")
    return {"version": version, "flags": flags, "memory": memory, "cpus": cpus, "crc": crc,
            "sections": sections, "pcrs": measure(sections)}


def measure(sections):
    boot = b"".join(data for kind, data in sections if kind in (KERNEL, CMDLINE))
    disks = [data for kind, data in sections if kind == RAMDISK]
    return {0: pcr(boot + b"".join(disks)), 1: pcr(boot + disks[0]), 2: pcr(b"".join(disks[1:]))}


# -- signatures ------------------------------------------------------------------------------------

def cbor(data):
    """One item of the subset in use, and what is left."""
    major, info = data[0] >> 5, data[0] & 31
    need(info < 28 and major < 6, "CBOR head")
    extra = 0 if info < 24 else 1 << (info - 24)
    n = info if info < 24 else int.from_bytes(data[1:1 + extra], "big")
    data = data[1 + extra:]
    if major < 2:
        return (-1 - n if major else n), data
    if major < 4:
        need(len(data) >= n, "CBOR string")
        return (data[:n] if major == 2 else data[:n].decode()), data[n:]
    items = []
    for _ in range(n * (major - 3)):
        item, data = cbor(data)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2]))), data


def head(major, n):
    for info, size in ((24, 1), (25, 2), (26, 4)):
        if n < 1 << 8 * size:
            return bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | info]) + n.to_bytes(size, "big")
    raise ValueError(n)


def encode(item):
    if isinstance(item, int):
        return head(0, item) if item >= 0 else head(1, -1 - item)
    if isinstance(item, bytes):
        return head(2, len(item)) + item
    if isinstance(item, str):
        return head(3, len(item)) + item.encode()
    if isinstance(item, dict):
        return head(5, len(item)) + b"".join(encode(x) for pair in item.items() for x in pair)
    return head(4, len(item)) + b"".join(encode(x) for x in item)


PROTECTED = encode({1: -35})  # ES384, RFC 9053 2.1


def signed_bytes(payload):
    return encode(["Signature1", PROTECTED, b"", payload])  # RFC 9052 4.4


def signature_section(pem, key, register, index=0):
    """What AWS's builder writes, signed with a private key of `cryptography`."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    payload = encode({"register_index": index, "register_value": list(register)})
    r, s = utils.decode_dss_signature(key.sign(signed_bytes(payload), ec.ECDSA(hashes.SHA384())))
    document = encode([PROTECTED, {}, payload, r.to_bytes(48, "big") + s.to_bytes(48, "big")])
    return encode([{"signing_certificate": list(pem), "signature": list(document)}])


def verify_signature(section, pcr0):
    """PCR8 of the certificate, when its key signed this PCR0; an exception otherwise."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    entries, rest = cbor(section)
    need(rest == b"" and len(entries) == 1, "signature section")
    need(set(entries[0]) == {"signing_certificate", "signature"}, "signature section")
    certificate = x509.load_pem_x509_certificate(bytes(entries[0]["signing_certificate"]))
    document, rest = cbor(bytes(entries[0]["signature"]))
    need(rest == b"" and document[:2] == [PROTECTED, {}] and len(document) == 4, "COSE_Sign1")
    payload, rest = cbor(document[2])
    need(rest == b"" and payload == {"register_index": 0, "register_value": list(pcr0)}, "payload")
    raw = document[3]
    need(len(raw) == 96, "signature length")
    encoded = utils.encode_dss_signature(int.from_bytes(raw[:48], "big"),
                                         int.from_bytes(raw[48:], "big"))
    certificate.public_key().verify(encoded, signed_bytes(document[2]), ec.ECDSA(hashes.SHA384()))
    return pcr(certificate.public_bytes(serialization.Encoding.DER))


# -- archives --------------------------------------------------------------------------------------

def cpio(entries):
    """The "newc" archive of {name: (mode, bytes)}, as `uncpio` wants it."""
    archive = b""
    for inode, (name, (mode, data)) in enumerate(
            [*sorted(entries.items()), ("TRAILER!!!", (0, b""))], 1):
        is_end, name = name == "TRAILER!!!", name.encode() + b"\0"
        fields = [0 if is_end else inode, mode, 0, 0, 2 if mode & 0o40000 else 1, 0, len(data), 0, 0, 0,
                  0, len(name), 0]
        for part in (b"070701" + b"".join(b"%08x" % field for field in fields) + name, data):
            archive += part + bytes(-len(part) % 4)
    return archive + bytes(-len(archive) % 512)


def uncpio(archive):
    """{name: (mode, bytes)} of a "newc" archive that must be reproducible: root's, of time 0."""
    entries, at, inode = {}, 0, 0
    while True:
        need(archive[at:at + 6] == b"070701", "cpio magic")
        ino, mode, uid, gid, links, mtime, size, *devices, name_size, check = (
            int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13))
        need(uid == gid == mtime == check == 0 and not any(devices), "cpio owner, time, device")
        name = archive[at + 110:at + 110 + name_size]
        need(name.endswith(b"\0"), "cpio name")
        name = name[:-1].decode()
        at = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            need(size == 0 and not any(archive[at:]) and len(archive) % 512 == 0, "cpio end")
            return entries
        inode += 1
        need(ino == inode and links in (1, 2), "cpio inode")
        need(not entries or name > max(entries), "cpio order")
        entries[name] = (mode, archive[at:at + size])
        at = (at + size + 3) & ~3
