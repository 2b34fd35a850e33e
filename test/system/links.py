#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise 11: the link line decides the anchors, nothing else does; and the release is hardened."""

import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import BUILD, CLI, ENCLAVE, PKI, Tap, run  # noqa: E402

RELEASE = BUILD / "src/enclave/cloister-enclave"
BOOTTEST = BUILD / "src/enclave/cloister-enclave-boottest"
RELEASE_CLI = BUILD / "src/cli/cloister"
NITRO_ROOT_SUBJECT = b"aws.nitro-enclaves"


def readelf(*options):
    return subprocess.run(["readelf", "-W", *options, str(RELEASE)], capture_output=True, text=True,
                          check=True).stdout


def objects(program):
    """What the linker took for a program, after its link map: {name: path}, archives' members too."""
    found = {}
    with open(f"{program}.map", encoding="utf-8", errors="replace") as f:
        for line in f:
            loaded = re.match(r"LOAD (\S+\.o)$", line)
            member = re.match(r"(\S+\.a\(\S+\)|src/\S+\.o)$", line)
            if loaded and not loaded[1].startswith("/"):
                found[os.path.basename(loaded[1])] = BUILD / loaded[1]
            elif member:
                found[member[1]] = None
    return found


def compare(tap):
    """The image that is tested in a virtual machine and the one that is released."""
    release, boottest = objects(RELEASE), objects(BOOTTEST)
    ours = {name for name, path in release.items() if path}
    tap.ok({"main.c.o", "env_hardware.c.o", "anchors_aws.c.o"} == ours,
           "release: three objects of its own, the rest archives", ours)
    tap.ok(len(release) > 100, "its link map lists what came out of archives", len(release))
    only = set(release) ^ set(boottest)
    tap.ok(len(only) == 2 and all("anchors_" in name for name in only),
           "boot test: differs from the release in exactly one object, the anchors", only)
    same = [name for name in ours & set(boottest)
            if release[name].read_bytes() == boottest[name].read_bytes()]
    tap.ok(sorted(same) == ["env_hardware.c.o", "main.c.o"], "and the others are equal", same)
    data = BOOTTEST.read_bytes()
    tap.ok(b"DEVELOPMENT" in data and NITRO_ROOT_SUBJECT not in data,
           "boot test: says DEVELOPMENT, has no AWS root")


def main():
    tap = Tap()
    release, development = RELEASE.read_bytes(), ENCLAVE.read_bytes()
    dev_root = (PKI / "nsm-root.der").read_bytes()
    dev_tls = (PKI / "tls-root.der").read_bytes()
    tap.ok(NITRO_ROOT_SUBJECT in release, "release: has AWS's Nitro root")
    tap.ok(dev_root not in release and dev_tls not in release, "release: no development root")
    tap.ok(dev_root in development and dev_tls in development, "development: has its own roots")
    tap.ok(NITRO_ROOT_SUBJECT not in development, "development: no AWS root")
    tap.ok(b"DEVELOPMENT" in development and b"DEVELOPMENT" not in release,
           "only the development build calls itself so")
    tap.ok(b"emulator" not in release and b"cloister-emu" not in release,
           "release: nothing of the emulator")
    tap.ok(not re.search(rb"(/home/|/root/|/work/|/tmp/|%s)" % str(pathlib.Path.cwd()).encode(),
                         release), "release: no path of the build machine")
    tap.ok("DEVELOPMENT" in run(CLI, "version"), "cloister-dev version says DEVELOPMENT")
    tap.ok("DEVELOPMENT" not in run(RELEASE_CLI, "version"), "cloister version does not")
    tap.ok("DYN (" in readelf("-h"), "release: position-independent")
    tap.ok("INTERP" not in readelf("-l"), "release: static")
    tap.ok("GNU_RELRO" in readelf("-l"), "release: read-only relocations")
    tap.ok("NOW" in readelf("-d"), "release: bound at start")
    tap.ok(re.search(r"GNU_STACK .* RW ", readelf("-l")), "release: stack is not executable")
    tap.ok("Build ID" not in readelf("-n"), "release: no build id")
    compare(tap)
    refused = run(RELEASE, "--help", check=False, env={})
    tap.ok(refused.returncode == 1, "release: takes no arguments", refused)
    tap.done()


if __name__ == "__main__":
    main()
