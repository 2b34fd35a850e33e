#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""packages/verify-js: its own tests, and that what would be published is its sources and README only,
without dependencies, for Node and browser alike."""

import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import Tap  # noqa: E402

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "packages/verify-js"
IMPORT = re.compile(r"(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'")


def npm(*args):
    return subprocess.run(["npm", *args], cwd=PACKAGE, capture_output=True, text=True, timeout=200,
                          check=False, stdin=subprocess.DEVNULL)


def reached(name, seen=None):
    """The foreign modules that a source of the package imports, itself or through others."""
    seen = set() if seen is None else seen
    if name in seen:
        return set()
    seen.add(name)
    found = IMPORT.findall(re.sub(r"/\*.*?\*/", "", (PACKAGE / "src" / name).read_text(), flags=re.S))
    own = [n[2:] for n in found if n.startswith("./")]
    return {n for n in found if not n.startswith("./")}.union(*(reached(n, seen) for n in own))


def main():
    tap = Tap()
    tests = npm("test", "--silent")
    counts = dict(re.findall(r"^# (pass|fail|skipped|tests) (\d+)$", tests.stdout, re.M))
    tap.ok(tests.returncode == 0 and int(counts.get("pass", 0)) > 0, f"npm test: {counts}",
           tests.stdout + tests.stderr)
    packed = npm("pack", "--dry-run", "--json")
    names = sorted(f["path"] for f in json.loads(packed.stdout)[0]["files"])
    tap.ok(all(re.fullmatch(r"src/\w+\.js|README\.md|package\.json", n) for n in names),
           "what would be published", names)
    package = json.loads((PACKAGE / "package.json").read_text())
    tap.ok(not any("ependencies" in key for key in package) and "install" not in package["scripts"],
           "no dependencies and no install script")
    tap.ok(reached("index.js") == {"node:crypto"}, "imports nothing of Node but its WebCrypto", reached("index.js"))
    own = {f"./src/{name}" for name in ("index.js", "node.js")}
    tap.ok(set(package["exports"].values()) == own and reached("node.js") == {"node:crypto", "node:https", "node:tls"},
           "what needs Node's network has an entry of its own", (package["exports"], reached("node.js")))
    tap.done()


if __name__ == "__main__":
    main()
