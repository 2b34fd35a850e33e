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
    imports = {name for f in (PACKAGE / "src").glob("*.js") for name in IMPORT.findall(f.read_text())}
    tap.ok({n for n in imports if not n.startswith("./")} == {"node:crypto"},
           "imports nothing of Node but its WebCrypto", imports)
    tap.done()


if __name__ == "__main__":
    main()
