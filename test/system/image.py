#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""`cloister image`: images are the same bytes for everybody, and measure as AWS's format says
(eif_oracle.py recomputes everything without the product's code); hostile images are refused, by
name of what is wrong with them."""

import contextlib
import datetime
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
import eif_oracle as eif  # noqa: E402
from cloistertest import BUILD, Tap, run  # noqa: E402

CLI = BUILD / "src/cli/cloister"
ENCLAVE = BUILD / "src/enclave/cloister-enclave"
# The two published PCRs of nothing: an image with one ramdisk has this PCR2.
PCR2_OF_NOTHING = ("21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c"
                   "10edb30948c90ba67310f7b964fc500a")
METADATA = b'{"ImageName":"t"}'


def bzimage(release=b"6.12.95 (someone@somewhere) #1 SMP"):
    """As much of a kernel as its boot header is."""
    kernel = bytearray(4096)
    kernel[0x1f1] = 3
    kernel[0x1fe:0x206] = b"\x55\xaa\0\0HdrS"
    kernel[0x206:0x208] = (0x20f).to_bytes(2, "little")
    kernel[0x20e:0x210] = (0x300).to_bytes(2, "little")
    kernel[0x211] = kernel[0x236] = 1
    kernel[0x500:0x500 + len(release)] = release
    return bytes(kernel)


def elf(kind, interpreter=False):
    """A header, and a program header for each of LOAD and, if wanted, INTERP."""
    kinds = [1, 3] if interpreter else [1]
    headers = b"".join(struct.pack("<IIQQQQQQ", k, 0, 0, 0, 0, 0, 0, 0) for k in kinds)
    return (b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, 0, 64, 0, 0, 64,
                                                    56, len(kinds), 0, 0, 0) + headers)


def certificate(subject, key, days=30, ago=1):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.utcnow() - datetime.timedelta(days=ago)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(key.public_key()).serial_number(7).not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=days)).sign(key, hashes.SHA384()))
    return cert.public_bytes(serialization.Encoding.PEM)


def private(key, password=None):
    from cryptography.hazmat.primitives import serialization
    how = (serialization.BestAvailableEncryption(password) if password
           else serialization.NoEncryption())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


class World:
    def __init__(self, tap):
        self.tap = tap
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cloister-image-"))
        self.put("bz", bzimage())
        self.put("init", elf(3) + b"the program")
        self.put("nsm.ko", elf(1) + b"the module")

    def put(self, name, content, mode=0o644):
        path = self.dir / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def cloister(self, *args, **kwargs):
        kwargs.setdefault("cwd", self.dir)
        return run(CLI, *args, "--trust", "/dev/null", check=False, **kwargs)

    def build(self, output, *args, **kwargs):
        options = ["--kernel", "bz", "--init", "init", "-o", output, *args]
        return self.cloister("image", "build", *options, **kwargs)

    def refused(self, result, code, text, name):
        said = result.stdout + result.stderr
        self.tap.ok(result.returncode == code and text in result.stderr, name,
                    f"exit {result.returncode}, expected {code} and {text!r}\n{said}")


def measurements(result):
    return json.loads(result.stdout)["Measurements"]


# -- building --------------------------------------------------------------------------------------

def contents(world):
    """Everything in an image, by the oracle's reading."""
    tap = world.tap
    result = world.build("a.eif", "--module", "nsm.ko", "--name", "signer", "--version", "1.2",
                         "--cmdline", "console=ttyS0", "--json")
    image = eif.read((world.dir / "a.eif").read_bytes())
    kinds = [kind for kind, _ in image["sections"]]
    data = [content for _, content in image["sections"]]
    tap.ok(kinds == [eif.KERNEL, eif.CMDLINE, eif.METADATA, eif.RAMDISK, eif.RAMDISK]
           and image["version"] == 4 and image["flags"] == 0, "sections in AWS's order", kinds)
    tap.ok(data[0] == bzimage() and data[1] == b"console=ttyS0", "kernel and command line")
    metadata = json.loads(data[2])
    tap.ok(metadata == {"ImageName": "signer", "ImageVersion": "1.2", "BuildMetadata": {
        "BuildTime": "", "BuildTool": "cloister", "OperatingSystem": "Linux",
        "BuildToolVersion": metadata["BuildMetadata"]["BuildToolVersion"],
        "KernelVersion": "6.12.95"}, "DockerInfo": None, "CustomMetadata": None}, "metadata",
        metadata)
    tap.ok(eif.uncpio(data[3]) == {
        "dev": (0o40755, b""), "nsm.ko": (0o100644, (world.dir / "nsm.ko").read_bytes()),
        "proc": (0o40755, b"")}, "boot ramdisk: mount points and module", eif.uncpio(data[3]))
    tap.ok(eif.uncpio(data[4]) == {"init": (0o100755, (world.dir / "init").read_bytes())},
           "user ramdisk: init and nothing else")
    tap.ok(measurements(result) == {"HashAlgorithm": "Sha384 { ... }", **{
        f"PCR{i}": value.hex() for i, value in image["pcrs"].items()}},
        "measurements are the oracle's", result.stdout)
    if shutil.which("cpio"):
        listing = subprocess.run(["cpio", "-it", "--quiet"], input=data[3], capture_output=True,
                                 check=True).stdout
        tap.ok(listing == b"dev\nnsm.ko\nproc\n", "cpio(1) reads the ramdisk", listing)
    else:
        tap.skip("cpio(1) reads the ramdisk", "there is no cpio")


def real_program(world):
    """Without --init: the program of this build. What `describe` says is the same, by file."""
    world.put("bz2", bzimage())
    result = world.cloister("image", "build", "--kernel", "bz2", "-o", "real.eif", "--json")
    image = eif.read((world.dir / "real.eif").read_bytes())
    init = eif.uncpio(image["sections"][4][1])["init"][1]
    world.tap.ok(result.returncode == 0 and init == ENCLAVE.read_bytes(),
                 "cloister-enclave of this build is the default init", result.stderr)
    again = world.cloister("image", "describe", "real.eif", "--json")
    world.tap.ok(measurements(again) == measurements(result), "describe measures the same")
    said = [tuple(f.values()) for f in json.loads(again.stdout)["files"]]
    world.tap.ok(said == [("3", "040755", "0", eif.sha384(b"").hex(), "dev"),
                          ("3", "040755", "0", eif.sha384(b"").hex(), "proc"),
                          ("4", "100755", str(len(init)), eif.sha384(init).hex(), "init")],
                 "describe lists every file of the image", said)
    people = world.cloister("image", "describe", "real.eif").stdout
    world.tap.ok(all(value.hex() in people for value in image["pcrs"].values()),
                 "describe prints the PCRs for people", people)


def elsewhere(world, number):
    """The same build in another directory, by another user at another time."""
    other = pathlib.Path(tempfile.mkdtemp(prefix=f"elsewhere-{number}-"))
    other.chmod(0o777)
    for name in ("bz", "init", "nsm.ko"):
        shutil.copyfile(world.dir / name, other / f"x-{name}")
        os.utime(other / f"x-{name}", (number * 1e6, number * 1e6))
        (other / f"x-{name}").chmod((0o777, 0o644, 0o555)[number])
    program = shutil.copy(CLI, other / "cloister")  # where another user finds it
    program.chmod(0o755)  # whatever the umask of the build was
    env = {"PATH": os.environ["PATH"], "TZ": ("Asia/Tokyo", "UTC", "America/Lima")[number],
           "LC_ALL": ("C", "de_DE.UTF-8", "tr_TR")[number], "HOME": "/nonexistent",
           "SOURCE_DATE_EPOCH": str(number)}
    how = {"user": 65534, "group": 65534} if os.getuid() == 0 and number == 2 else {}
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, other)
        result = subprocess.run(
            [program, "image", "build", "-o", other / "out.eif", "--module", other / "x-nsm.ko",
             "--init", "x-init", f"--kernel={other}/x-bz", "--trust", "/dev/null"], cwd=other,
            env=env, umask=(0o022, 0o077, 0)[number], capture_output=True, text=True, timeout=60,
            **how)
        out = other / "out.eif"
        return (out.read_bytes() if out.exists() else b""), result.stdout + result.stderr


def determinism(world):
    here = world.build("d.eif", "--module", "nsm.ko")
    first = (world.dir / "d.eif").read_bytes()
    for number in range(3):
        image, said = elsewhere(world, number)
        world.tap.ok(here.returncode == 0 and image == first,
                     f"the same image elsewhere, {number + 1} of 3", said)
    world.build("d.eif", "--module", "nsm.ko", "--build-time", "2026-01-01T00:00:00Z")
    with_time = (world.dir / "d.eif").read_bytes()
    world.tap.ok(with_time != first and eif.read(with_time)["pcrs"] == eif.read(first)["pcrs"],
                 "a build time that is given is in the file and in no PCR")
    world.put("init2", (world.dir / "init").read_bytes() + b"!")
    world.cloister("image", "build", "--kernel", "bz", "--init", "init2", "--module", "nsm.ko",
                   "-o", "d.eif")
    changed, before = (eif.read(b)["pcrs"] for b in ((world.dir / "d.eif").read_bytes(), first))
    world.tap.ok(changed[0] != before[0] and changed[1] == before[1] and changed[2] != before[2],
                 "another program is another PCR0 and PCR2, and the same PCR1")


def refusals(world):
    """(name, options in place of the good ones, exit code, what is said)."""
    kernel = bzimage()
    world.put("empty", b"")
    world.put("gzip", b"\x1f\x8b" + bytes(4000))
    world.put("zimage", kernel[:0x211] + b"\0" + kernel[0x212:])
    world.put("k32", kernel[:0x236] + b"\0" + kernel[0x237:])
    world.put("old", kernel[:0x206] + b"\x0b\x02" + kernel[0x208:])
    world.put("setup", kernel[:2048])
    world.put("dynamic", elf(3, True))
    world.put("script", b"#!/bin/sh\n" + bytes(100))
    world.put("arm", elf(3)[:18] + b"\xb7" + elf(3)[19:])
    world.put("cut", elf(3)[:70])
    os.mkfifo(world.dir / "fifo")
    (world.dir / "folder").mkdir()
    (world.dir / "link.eif").symlink_to("elsewhere")
    sparse = world.put("huge", b"")
    os.truncate(sparse, (128 << 20) + 1)
    cases = [
        ("no kernel", ["--init", "init"], 2, "--kernel: is missing"),
        ("no output", ["--kernel", "bz", "-o", None], 2, "--output: is missing"),
        ("no such kernel", ["--kernel", "none"], 1, "--kernel none: not_found"),
        ("kernel is a folder", ["--kernel", "folder"], 1, "expected a regular file"),
        ("kernel is a FIFO", ["--kernel", "fifo"], 1, "expected a regular file"),
        ("kernel is empty", ["--kernel", "empty"], 1, "is empty"),
        ("kernel is too large", ["--kernel", "huge"], 1, "too_large"),
        ("kernel is no bzImage", ["--kernel", "gzip"], 1, "as bzImage"),
        ("kernel is a zImage", ["--kernel", "zimage"], 1, "not a zImage"),
        ("kernel has 32 bits", ["--kernel", "k32"], 1, "64 bits"),
        ("kernel is old", ["--kernel", "old"], 1, "boot protocol"),
        ("kernel is cut", ["--kernel", "setup"], 1, "ends in its setup code"),
        ("init needs libraries", ["--kernel", "bz", "--init", "dynamic"], 1, "linked statically"),
        ("init is a script", ["--kernel", "bz", "--init", "script"], 1, "expected an ELF file"),
        ("init is for aarch64", ["--kernel", "bz", "--init", "arm"], 1, "for x86-64"),
        ("init is cut", ["--kernel", "bz", "--init", "cut"], 1, "ends before its headers"),
        ("init is a module", ["--kernel", "bz", "--init", "nsm.ko"], 1, "expected a program"),
        ("module is a program", ["--kernel", "bz", "--module", "init"], 1, "expected a kernel module"),
        ("module is no ELF", ["--kernel", "bz", "--module", "bz"], 1, "expected an ELF file"),
        ("command line is empty", ["--kernel", "bz", "--cmdline", ""], 2, "--cmdline"),
        ("command line is too long", ["--kernel", "bz", "--cmdline", "x" * 2048], 2, "--cmdline"),
        ("command line has a line end", ["--kernel", "bz", "--cmdline", "a\nb"], 2, "--cmdline"),
        ("name is too long", ["--kernel", "bz", "--name", "x" * 65], 2, "--name"),
        ("no build time", ["--kernel", "bz", "--build-time", "today"], 2, "--build-time"),
        ("sign without cert", ["--kernel", "bz", "--sign", "key"], 2, "--sign and --cert"),
        ("cert without sign", ["--kernel", "bz", "--cert", "cert"], 2, "--sign and --cert"),
        ("unknown option", ["--kernel", "bz", "--force"], 2, "unknown option"),
        ("output in no folder", ["--kernel", "bz", "-o", "none/x.eif"], 1, "cannot be written"),
        ("output is a link", ["--kernel", "bz", "-o", "link.eif"], 1, "no regular file"),
        ("output is a folder", ["--kernel", "bz", "-o", "folder"], 1, "no regular file"),
        ("output is a device", ["--kernel", "bz", "-o", "/dev/full"], 1, "no regular file"),
    ]
    for name, options, code, text in cases:
        if "--init" not in options:
            options = [*options, "--init", "init"]
        if "-o" not in options:
            options = [*options, "-o", "refused.eif"]
        options = [o for i, o in enumerate(options) if None not in options[i:i + 2]]
        world.refused(world.cloister("image", "build", *options), code, text, f"refused: {name}")
    left = [p.name for p in world.dir.iterdir() if "refused" in p.name or p.name.endswith(".new")]
    world.tap.ok(not left, "refusals leave no file behind", left)


def full_disk(world):
    """A file system of 64 KiB, with a small image on it that must survive."""
    disk = world.dir / "disk"
    disk.mkdir()
    script = ('mount -t tmpfs -o size=65536 none disk && echo old >disk/x.eif && '
              '{ "$@"; echo "exit $?"; ls disk; cat disk/x.eif; }')
    world.put("big", elf(3) + bytes(100000))
    argv = ["unshare", "-m", "sh", "-c", script, "sh", str(CLI), "image", "build", "--kernel", "bz",
            "--init", "big", "-o", "disk/x.eif"]
    result = run(*argv, check=False, cwd=world.dir)
    if "exit" not in result.stdout:
        world.tap.skip("a full disk", "no file system can be mounted here")
        return
    world.tap.ok(result.stdout == "exit 1\nx.eif\nold\n" and "no room" in result.stderr,
                 "a full disk: said so, the old file whole, no new one", result.stdout + result.stderr)


# -- signing ---------------------------------------------------------------------------------------

def signing(world):
    from cryptography.hazmat.primitives.asymmetric import ec
    tap = world.tap
    key, other = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    p256 = ec.generate_private_key(ec.SECP256R1())
    world.put("key", private(key), 0o600)
    world.put("key.open", private(key), 0o644)
    world.put("key.locked", private(key, b"secret"), 0o600)
    world.put("key.other", private(other), 0o600)
    (world.dir / "key.link").symlink_to("key")
    world.put("cert", certificate("signer", key))
    world.put("cert.p256", certificate("signer", p256))
    world.put("cert.old", certificate("signer", key, 1, 3))
    world.put("cert.early", certificate("signer", key, 9, -3))
    world.put("cert.two", certificate("signer", key) * 2)
    result = world.build("s.eif", "--sign", "key", "--cert", "cert", "--json")
    plain = world.build("p.eif", "--json")
    signed, unsigned = ((world.dir / n).read_bytes() for n in ("s.eif", "p.eif"))
    image = eif.read(signed)
    section = image["sections"][-1]
    tap.ok(section[0] == eif.SIGNATURE
           and eif.verify_signature(section[1], image["pcrs"][0]).hex() == measurements(result)["PCR8"],
           "the oracle verifies signature and PCR8", result.stderr)
    tap.ok(signed[eif.HEAD.size:].startswith(unsigned[eif.HEAD.size:])
           and image["pcrs"] == eif.read(unsigned)["pcrs"] and "PCR8" not in measurements(plain),
           "a signature changes nothing but its own section and the header")
    good = ["--sign", "key", "--cert", "cert"]
    for name, at, value, code, text in (
            ("key is open to others", 1, "key.open", 1, "open to others"),
            ("key is a link", 1, "key.link", 1, "symbolic link"),
            ("key is missing", 1, "none", 1, "cannot be opened"),
            ("key has a password", 1, "key.locked", 1, "not encrypted"),
            ("key is another's", 1, "key.other", 1, "not the one of the certificate"),
            ("key is no key", 1, "key.open", 1, "--sign key.open"),
            ("certificate is no certificate", 3, "key", 1, "BEGIN CERTIFICATE"),
            ("certificate on P-256", 3, "cert.p256", 1, "P-384"),
            ("certificate has expired", 3, "cert.old", 1, "has expired"),
            ("certificate is not valid yet", 3, "cert.early", 1, "not valid yet"),
            ("two certificates", 3, "cert.two", 1, "not a chain")):
        options = [*good[:at], value, *good[at + 1:]]
        world.refused(world.build("refused.eif", *options), code, text, f"signing refused: {name}")
    tap.ok(not (world.dir / "refused.eif").exists(), "refused signings leave no file behind")
    return key, other


# -- images of others ------------------------------------------------------------------------------

MINI = [(eif.KERNEL, b"KERNEL-BYTES"), (eif.CMDLINE, b"reboot=k console=ttyS0"),
        (eif.METADATA, METADATA), (eif.RAMDISK, b"RAMDISK-ONE"), (eif.RAMDISK, b"RAMDISK-TWO")]


def patch(image, at, form, value, sealed=True):
    new = struct.pack(form, value)
    image = image[:at] + new + image[at + len(new):]
    return eif.seal(image) if sealed else image


def hostile(world):
    """(name, image, exit code, what is said): the same of describe and verify."""
    good = eif.write(MINI)
    kernel, cmdline, metadata, one, two = MINI
    offset, size = (lambda i: 28 + 8 * i), (lambda i: 284 + 8 * i)
    cases = [
        ("empty", b"", "shorter than the header"),
        ("only a header", good[:547], "shorter than the header"),
        ("cut", good[:-1], "section 4: malformed: size: reaches beyond the file"),
        ("one byte more", good + b"\0", "bytes behind its last section"),
        ("magic", patch(good, 0, ">I", 0x7f454c46), "magic"),
        ("version 1", patch(good, 4, ">H", 1), "version: expected 2 to 4"),
        ("version 5", patch(good, 4, ">H", 5), "version: expected 2 to 4"),
        ("flags", patch(good, 6, ">H", 2), "flags"),
        ("reserved", patch(good, 24, ">H", 1), "reserved"),
        ("reserved at the end", patch(good, 540, ">I", 1), "reserved"),
        ("no section", patch(good, 26, ">H", 0), "number of sections"),
        ("33 sections", patch(good, 26, ">H", 33), "number of sections"),
        ("65535 sections", patch(good, 26, ">H", 65535), "number of sections"),
        ("a section less than there are", patch(good, 26, ">H", 4), "behind its last section"),
        ("a section more than there are", patch(good, 26, ">H", 6), "section 5: malformed: offset"),
        ("offset in the header", patch(good, offset(0), ">Q", 0), "section 0: malformed: offset: overlaps"),
        ("offset overlaps", patch(good, offset(2), ">Q", 600), "section 2: malformed: offset: overlaps"),
        ("offset leaves a gap", patch(good, offset(2), ">Q", 607), "section 2: malformed: offset: leaves a gap"),
        ("offset outside", patch(good, offset(4), ">Q", 1 << 40), "section 4: malformed: offset: lies outside"),
        ("offset wraps around", patch(good, offset(4), ">Q", 2**64 - 4), "section 4: malformed: offset: lies outside"),
        ("size outside", patch(good, size(0), ">Q", 1 << 40), "section 0: malformed: size: reaches beyond"),
        ("size wraps around", patch(good, size(0), ">Q", 2**64 - 1), "section 0: malformed: size: reaches beyond"),
        ("sizes differ", patch(good, 548 + 4, ">Q", 11), "section 0: malformed: size: is another one"),
        ("a slot that is not used", patch(good, offset(9), ">Q", 548), "that do not exist"),
        ("type 0", patch(good, 635, ">H", 0), "section 3: unsupported: type"),
        ("type 6", patch(good, 635, ">H", 6), "section 3: unsupported: type"),
        ("section flags", patch(good, 637, ">H", 1), "section 3: unsupported: flags"),
        ("ramdisk first", eif.write([one, kernel, cmdline, metadata]), "section 0: malformed: type: expected the kernel first"),
        ("two kernels", eif.write([kernel, kernel, cmdline, metadata, one]), "section 1: malformed: type: a second"),
        ("two metadata", eif.write([kernel, cmdline, metadata, metadata, one]), "section 3: malformed: type: a second"),
        ("ramdisk before command line", eif.write([kernel, one, cmdline, metadata]), "command line before"),
        ("no command line", eif.write([kernel, metadata]), "no command line"),
        ("no ramdisk", eif.write([kernel, cmdline, metadata]), "no ramdisk"),
        ("no metadata", eif.write([kernel, cmdline, one]), "no metadata"),
        ("empty kernel", eif.write([(eif.KERNEL, b""), cmdline, metadata, one]), "section 0: malformed: size: expected at least"),
        ("empty ramdisk", eif.write([*MINI[:3], (eif.RAMDISK, b"")]), "section 3: malformed: size: expected at least"),
        ("long command line", eif.write([kernel, (eif.CMDLINE, b"x" * 4097), metadata, one]), "section 1: too_large"),
        ("long metadata", eif.write([kernel, cmdline, (eif.METADATA, b"x" * 65537), one]), "section 2: too_large"),
        ("long signature", eif.write([*MINI, (eif.SIGNATURE, b"x" * 32769)]), "section 5: too_large"),
        ("a section behind the signature", eif.write([*MINI, (eif.SIGNATURE, b"x"), two]), "nothing may follow"),
        ("signature is no CBOR", eif.write([*MINI, (eif.SIGNATURE, b"x")]), "signature section"),
        ("two signatures", eif.write([*MINI, (eif.SIGNATURE, eif.encode([{}, {}]))]), "expected one signature"),
        ("checksum", patch(good, 544, ">I", 0, False), "crc32"),
        ("a byte of the kernel", good[:565] + b"!" + good[566:], "crc32"),
    ]
    for name, image, text in cases:
        world.put("hostile.eif", image)
        for verb in ("describe", "verify"):
            result = world.cloister("image", verb, "hostile.eif")
            world.tap.ok(result.returncode == 1 and text in result.stderr and not result.stdout,
                         f"{verb} refuses: {name}",
                         f"exit {result.returncode}\n{result.stdout}{result.stderr}")
    world.put("hostile.eif", eif.write([kernel, cmdline, (eif.METADATA, b"{"), one]))
    world.refused(world.cloister("image", "describe", "hostile.eif"), 1, "metadata",
                  "describe refuses: metadata is no JSON")
    huge = world.put("huge.eif", good)
    os.truncate(huge, (512 << 20) + 1)
    world.refused(world.cloister("image", "verify", "huge.eif"), 1, "too_large", "verify refuses: 512 MiB and a byte")
    world.refused(world.cloister("image", "verify", "none.eif"), 1, "not_found", "verify refuses: no such file")
    world.refused(world.cloister("image", "verify", "folder"), 1, "regular file", "verify refuses: a folder")
    world.refused(world.cloister("image", "verify"), 2, "argument is missing", "verify refuses: no file named")


def damaged(world, seed=1):
    """Changes anywhere, checksum made right again: refused or read, never a crash."""
    chance = random.Random(seed)
    good = eif.write([*MINI, (eif.SIGNATURE, bytes(40))])
    odd = []
    for _ in range(150):
        image = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            image[chance.choice((chance.randrange(60), chance.randrange(284, 330),
                                 chance.randrange(548, len(image))))] = chance.randrange(256)
        world.put("damaged.eif", eif.seal(bytes(image)))
        result = world.cloister("image", "describe", "damaged.eif")
        if result.returncode not in (0, 1):
            odd.append((result.returncode, bytes(image).hex()))
    world.tap.ok(not odd, "150 damaged images with a right checksum: no crash", odd[:1])


def verifying(world, key, other):
    tap = world.tap
    cert = (world.dir / "cert").read_bytes()
    pcrs = eif.measure(MINI)
    image = world.put("mini.eif", eif.write(MINI))
    described = json.loads(world.cloister("image", "describe", image, "--json").stdout)
    tap.ok(described["Measurements"] == {"HashAlgorithm": "Sha384 { ... }", **{
        f"PCR{i}": v.hex() for i, v in pcrs.items()}} and described["metadata"] == {"ImageName": "t"},
        "an image of two ramdisks by another writer", described)
    tap.ok(described["files"] == [] and "multiple of 4" in described["files_of_section_3"]
           and "files_of_section_4" in described, "a ramdisk that is no archive is said to be none",
           described)
    for version, sections in ((2, [MINI[0], MINI[1], MINI[3]]), (3, [*MINI[:2], MINI[3]]),
                              (4, MINI[:4])):
        world.put("one.eif", eif.write(sections, version))
        result = world.cloister("image", "describe", "one.eif", "--json")
        tap.ok(result.returncode == 0 and measurements(result)["PCR2"] == PCR2_OF_NOTHING
               and measurements(result)["PCR0"] == measurements(result)["PCR1"],
               f"an image of version {version} with one ramdisk", result.stderr)

    def signed(name, section):
        world.put(name, eif.write([*MINI, (eif.SIGNATURE, section)]))

    signed("signed.eif", eif.signature_section(cert, key, pcrs[0]))
    signed("forged.eif", eif.signature_section(cert, other, pcrs[0]))
    signed("moved.eif", eif.signature_section(cert, key, eif.pcr(b"another image")))
    signed("index.eif", eif.signature_section(cert, key, pcrs[0], 1))
    signed("old.eif", eif.signature_section((world.dir / "cert.old").read_bytes(), key, pcrs[0]))
    world.put("trust", f"pcr0 = {pcrs[0].hex()}\n".encode())
    pcr8 = eif.verify_signature(eif.read((world.dir / "signed.eif").read_bytes())["sections"][-1][1],
                                pcrs[0]).hex()
    zero, pin = "00" * 48, ["--pcr0", pcrs[0].hex()]
    for name, args, code, text in (
            ("one that is trusted", ["mini.eif", *pin], 0, "verified              yes"),
            ("one of several", ["mini.eif", "--pcr0", zero, *pin], 0, "verified              yes"),
            ("signed", ["signed.eif", *pin], 0, "whoever's"),
            ("signed by whom it must", ["signed.eif", *pin, "--pcr8", pcr8], 0, "of --pcr8"),
            ("nothing to compare with", ["mini.eif"], 5, "not compared"),
            ("another", ["mini.eif", "--pcr0", zero], 4, "UNVERIFIED"),
            ("not signed, but must be", ["mini.eif", *pin, "--pcr8", pcr8], 4, "UNVERIFIED"),
            ("signed by another", ["signed.eif", *pin, "--pcr8", zero], 4, "UNVERIFIED"),
            ("signature of another key", ["forged.eif", *pin], 4, "UNVERIFIED"),
            ("signature of another image", ["moved.eif", *pin], 4, "UNVERIFIED"),
            ("certificate has expired", ["old.eif", *pin], 4, "UNVERIFIED"),
            ("signature over another register", ["index.eif", *pin], 1, ""),
            ("pcr0 is no hex", ["mini.eif", "--pcr0", "xyz"], 2, ""),
            ("pcr8 is too short", ["mini.eif", "--pcr8", "00"], 2, "")):
        result = world.cloister("image", "verify", *args)
        tap.ok(result.returncode == code and text in result.stdout
               and ("yes" in result.stdout.split()[:2]) == (code == 0), f"verify: {name}",
               f"exit {result.returncode}\n{result.stdout}{result.stderr}")
    result = run(CLI, "image", "verify", image, "--trust", world.dir / "trust", "--json", check=False)
    tap.ok(result.returncode == 0 and json.loads(result.stdout)["verified"] == "yes",
           "verify: by the trust file", result.stderr)


def emulated(world):
    """The emulated hypervisor measures the same, PCR8 too, and starts what AWS would start."""
    def measured(name):
        return run(BUILD / "src/emu/cloister-emu", "measure", "--eif", world.dir / name, check=False)

    for name in ("s.eif", "signed.eif", "mini.eif", "p.eif"):
        image = eif.read((world.dir / name).read_bytes())
        expected = {f"pcr{i}": value.hex() for i, value in image["pcrs"].items()}
        expected["pcr3"] = "00" * 48
        if image["sections"][-1][0] == eif.SIGNATURE:
            expected["pcr8"] = eif.verify_signature(image["sections"][-1][1], image["pcrs"][0]).hex()
        result = measured(name)
        world.tap.ok(result.returncode == 0 and json.loads(result.stdout) == expected,
                     f"the emulator measures {name} as the oracle does", result.stdout + result.stderr)
    section = eif.read((world.dir / "signed.eif").read_bytes())["sections"][-1]
    pem, document = list(eif.cbor(section[1])[0][0].values())
    odd = [("of two signatures", [section, section]), ("without a map", [(eif.SIGNATURE, b"\x80")]),
           ("with no certificate", [(eif.SIGNATURE, eif.encode([{"signature": document}]))]),
           ("with a certificate that is none", [(eif.SIGNATURE, eif.encode(
               [{"signing_certificate": list(b"none"), "signature": document}]))]),
           ("with bytes above 255", [(eif.SIGNATURE, eif.encode(
               [{"signing_certificate": [256], "signature": document}]))]),
           ("with more behind it", [(eif.SIGNATURE, section[1] + b"\0")]),
           ("that is cut", [(eif.SIGNATURE, section[1][:-1])]),
           ("of another algorithm", [(eif.SIGNATURE, eif.encode([{
               "signing_certificate": pem, "signature": [d + (i == 5) for i, d in enumerate(document)]}]))]),
           ("larger than 32 KiB", [(eif.SIGNATURE, bytes(32769))])]
    for name, sections in odd:
        world.put("odd.eif", eif.write([*MINI, *sections]))
        world.refused(measured("odd.eif"), 1, "odd.eif: ", f"the emulator starts no image {name}")
    for name, text in (("forged.eif", "not the certificate's"), ("moved.eif", "another image"),
                       ("index.eif", "register_index"), ("old.eif", "not valid now")):
        world.refused(measured(name), 1, text, f"the emulator starts no image like {name}")


def published(world):
    """An image whose checksum, digest and PCRs were worked out by hand when the format was studied."""
    image = eif.write(MINI)
    import hashlib
    world.put("published.eif", image)
    result = world.cloister("image", "describe", "published.eif", "--json")
    said = json.loads(result.stdout)
    world.tap.ok(
        hashlib.sha256(image).hexdigest() ==
        "661e1ab8bcb5b34ef499a23dd81ddb0c87431f610dfb719ec78b07c95a34f066"
        and said["crc32"] == "b45fe2fd" and said["Measurements"]["PCR0"].startswith("4277ec56b63df8c8")
        and said["Measurements"]["PCR1"].startswith("ea207765c6932571")
        and said["Measurements"]["PCR2"].startswith("f33eabf2c1c9c848"), "recorded values", said)


def main():
    tap = Tap()
    world = World(tap)
    try:
        contents(world)
        real_program(world)
        determinism(world)
        refusals(world)
        full_disk(world)
        keys = signing(world)
        hostile(world)
        damaged(world)
        verifying(world, *keys)
        emulated(world)
        published(world)
    finally:
        shutil.rmtree(world.dir)
    tap.done()


if __name__ == "__main__":
    main()
