#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
"""Memory is bounded: after a million requests of every kind that a client may repeat, vault and
front hold no more than after ten thousand, give or take one MiB."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "system"))
from cloistertest import BUILD, Platform, Tap, tx  # noqa: E402

FIRST, ALL, IN_FLIGHT = 10_000, 1_000_000, 64
# Of each ten requests: so many. A signature costs a hundred times what a status costs, and an
# attestation document a thousand times.
SHARES = {"status": 0.949, "sign": 0.05, "attestation": 0.001}
# The vault signs 100 documents a second for others, and answers `busy` beyond that.
DOCUMENTS_AT_ONCE, PAUSE_S = 100, 1.5


def resident_kib(pids):
    return {role: int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
            for role, pid in pids.items()}


def flight(platform, path, count):
    done = subprocess.run([str(BUILD / "bench/bench-flight"), str(platform.emu_dir / "link/5000"),
                           str(path), str(count), str(IN_FLIGHT)],
                          capture_output=True, text=True, check=True)
    return done.stdout.strip()


def send(platform, requests, count):
    for name, request in requests.items():
        path = platform.dir / f"{name}.json"
        path.write_text(json.dumps(request))
        left, said = max(int(count * SHARES[name]), 1), ""
        most = DOCUMENTS_AT_ONCE if name == "attestation" else left
        while left > 0:
            said = flight(platform, path, min(left, most))
            left -= most
            time.sleep(PAUSE_S if left > 0 else 0)
        print(f"# {name}: {said}", flush=True)


def main():
    tap = Tap()
    platform = Platform().start()
    try:
        platform.start_relay()
        control = platform.control()
        platform.ready(control)
        keyset = control.call("status")["keysets"][0]["id"]
        record = control.call("account.create", keyset=keyset, unrestricted=True)["record_b64"]
        requests = {"status": {"method": "status", "params": {}},
                    "sign": {"method": "sign_transaction",
                             "params": {"record_b64": record, "tx": tx()}},
                    "attestation": {"method": "attestation", "params": {"nonce": "0x" + "5a" * 64}}}
        pids = platform.children()
        send(platform, requests, FIRST)
        before = resident_kib(pids)
        send(platform, requests, ALL - FIRST)
        after = resident_kib(pids)
        for role in ("vault", "front"):
            tap.ok(after[role] <= before[role] + 1024, f"{role}: {before[role]} KiB after {FIRST} "
                   f"requests, {after[role]} KiB after {ALL}")
        tap.ok(platform.children() == pids, "neither was started again")
    finally:
        platform.remove()
    tap.done()


if __name__ == "__main__":
    main()
