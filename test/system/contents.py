#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise 11: nothing of the emulator and of the development PKI is in the release, neither code nor
data: no symbol, no string of src/emu, no name, key or certificate of the PKI of this build. The same
search over the emulator itself shows that it would find them."""

import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import BUILD, EMU, ENCLAVE, PKI, Tap  # noqa: E402

RELEASE = BUILD / "src/enclave/cloister-enclave"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src"
SHORTEST = 16  # shorter ones are words that OpenSSL has too
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
INCLUDE = re.compile(r"^\s*#.*$", re.M)


def literals(component):
    """String literals without escapes, as the compiler joins them."""
    found = set()
    for path in sorted((SOURCE / component).rglob("*.[ch]")):
        text = INCLUDE.sub("", re.sub(r"//.*$", "", path.read_text(), flags=re.M))
        for literal in LITERAL.findall(re.sub(r'"\s*"', "", text)):
            if len(literal) >= SHORTEST and "\\" not in literal:
                found.add(literal.encode())
    return found


def subjects():
    """The names in the certificates of the development PKI."""
    found = set()
    for path in sorted(PKI.glob("*.der")):
        shown = subprocess.run(["openssl", "x509", "-inform", "DER", "-in", str(path), "-noout",
                                "-subject", "-nameopt", "multiline"], capture_output=True, text=True,
                               check=False).stdout
        found |= {m.encode() for m in re.findall(r"commonName\s*=\s*(.*)", shown)}
    return found


def documented():
    """(package, version, hash) of the table in doc/reproduce.md, and of the lock files."""
    table = re.findall(r"^\| `(\S+)` \| (\S+) \| `([0-9a-f]{64})` \|$",
                       (ROOT / "doc/reproduce.md").read_text(), re.M)
    locked = set()
    for lock in ("kernel", "enclave"):
        locked |= {tuple(line.split()) for line in
                   (ROOT / f"image/{lock}.lock").read_text().splitlines()}
    return table, locked


def sections(path):
    return subprocess.run(["readelf", "-WS", str(path)], capture_output=True, text=True,
                          check=True).stdout


def main():
    tap = Tap()
    release, emulator, development = (p.read_bytes() for p in (RELEASE, EMU, ENCLAVE))
    of_enclave = set().union(*(literals(c) for c in ("base", "crypto", "proto", "eth", "vault", "net",
                                                     "front", "enclave")))
    shared = b"\n".join(of_enclave)
    own = {s for s in literals("emu") if b" " in s and s not in shared}
    seen = {s for s in own if s in emulator}
    tap.ok(len(own) > 100 and len(seen) > 0.9 * len(own),
           f"the search finds {len(seen)} of {len(own)} strings of src/emu in the emulator")
    inside = {s for s in of_enclave if s in release}
    tap.ok(len(inside) > 500, f"and {len(inside)} strings of the enclave in the release")
    tap.ok(not {s for s in own if s in release}, "release: no string of src/emu",
           {s for s in own if s in release})
    names = subjects()
    tap.ok(names and any(n in development for n in names),
           f"the names of the development PKI are in the development build ({len(names)})")
    tap.ok(not any(n in release for n in names), "release: no name of the development PKI")
    keys = {path.name: path.read_bytes() for path in sorted(PKI.iterdir()) if path.is_file()}
    tap.ok(not {name for name, data in keys.items() if data in release},
           f"release: none of the {len(keys)} files of the development PKI")
    tap.ok(not re.search(r"\.(symtab|strtab|debug\w*|note\.gnu\.build-id)\s", sections(RELEASE)),
           "release: no symbols, debug information or build id", sections(RELEASE))
    table, locked = documented()
    tap.ok(len(table) == 5 and locked.issuperset(table), "doc/reproduce.md names the locked packages",
           set(table) - locked)
    tap.done()


if __name__ == "__main__":
    main()
