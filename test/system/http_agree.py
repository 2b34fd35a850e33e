#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
"""The HTTP server's parser and Node's llhttp read the same bytes alike, or ours is stricter for a
reason that is listed (test/http/agree.mjs).

CLOISTER_AGREE_SECONDS (10) and CLOISTER_AGREE_SEED (1) choose how long changes are made, and which."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import BUILD  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    seconds = os.environ.get("CLOISTER_AGREE_SECONDS", "10")
    seed = os.environ.get("CLOISTER_AGREE_SEED", "1")
    result = subprocess.run(["node", "--no-deprecation", str(ROOT / "test/http/agree.mjs"),
                             str(BUILD / "test/http/http-judge"), seconds, seed], check=False)
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()
