#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""libcloister-verify and packages/verify-js, which share no code, say the same of every document and
record: genuine ones of AWS, those of an emulated enclave, ones made to measure, and random changes.

CLOISTER_AGREE_SECONDS (20) and CLOISTER_AGREE_SEED (1) choose how long changes are made, and which."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import BUILD, PKI, run  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = BUILD / "test/verify"
KEPT = ROOT / ".cache/agree"  # what they disagree about


def main():
    seconds = os.environ.get("CLOISTER_AGREE_SECONDS", "20")
    seed = os.environ.get("CLOISTER_AGREE_SEED", "1")
    vectors = os.environ.get("VECTORS_DIR", str(ROOT / "../shared/vectors"))
    with tempfile.TemporaryDirectory(prefix="cloister-agree-") as folder:
        run(TOOLS / "emit", folder)
        result = subprocess.run(["node", str(ROOT / "test/verify/agree.mjs"), str(TOOLS / "judge"), folder,
                                 str(PKI / "nsm-root.der"), vectors, seconds, seed], check=False)
        for wrong in pathlib.Path(folder).glob("wrong-*.json"):
            KEPT.mkdir(parents=True, exist_ok=True)
            print(f"# kept: {shutil.copy(wrong, KEPT)}")
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()
