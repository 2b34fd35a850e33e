#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 480
# alone: measures deadlines
"""Whatever KMS does - slow, busy, broken, false - keyset.create and keyset.open end within their
deadline with an error that says what it was, the enclave lives on, and when KMS is well again both
work. The faults are ordered from the emulator (src/emu/fault.h) and met by the real enclave."""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import EMU, Platform, Refused, Tap, run  # noqa: E402

DEADLINE_S = 60  # the front gives a KMS call 15 s; the rest is for a busy machine

# Fault, operations that meet it, accepted codes, words in the message. An enclave has places for 16
# open keysets, and each `open` below takes one in the end.
FAULTS = (
    ("throttle", ("create", "open"), ("kms",), "ThrottlingException"),
    ("internal,status=500", ("create", "open"), ("kms",), "KMSInternalException"),
    ("internal,status=503", ("create", "open"), ("kms",), "KMSInternalException"),
    ("wrong-key-id", ("create", "open"), ("mismatch",), "KeyId"),
    ("plaintext", ("create", "open"), ("untrusted",), "Plaintext"),
    ("corrupt-cms", ("create", "open"), ("corrupt",), ""),
    ("corrupt-cms,at=0", ("create", "open"), ("malformed", "corrupt"), ""),
    ("corrupt-cms,at=440", ("create", "open"), ("untrusted", "corrupt"), ""),
    ("corrupt-cms,operation=Decrypt", ("create", "open"), ("corrupt",), ""),
    ("wrong-recipient", ("create", "open"), ("corrupt",), ""),
    ("wrong-recipient,operation=GenerateDataKey", ("create",), ("corrupt",), ""),
    ("other-data-key", ("create", "open"), ("untrusted", "corrupt"), ""),
    ("cut,bytes=1", ("create", "open"), ("closed", "unreachable"), ""),
    ("cut,bytes=40", ("create", "open"), ("closed", "unreachable"), ""),
    ("cut,bytes=600", ("create", "open"), ("closed", "unreachable"), ""),
)
# These do no harm: one retry is enough, or nothing was wrong.
HARMLESS = (
    ("throttle,count=1", ("create", "open")),
    ("internal,count=1", ("create",)),
    ("latency,ms=200", ("create", "open")),
    ("throttle,operation=Encrypt", ("create",)),
)


class Scene:
    """A platform whose enclave is configured, with a keyset record for every `open`."""

    def __init__(self, tap):
        self.tap = tap
        self.platform = Platform().start()
        self.platform.start_relay()
        self.control = self.platform.control()
        self.platform.configure(self.control)
        self.children = self.platform.children()

    def fault(self, *arguments):
        run(EMU, "fault", "--dir", self.platform.emu_dir, *arguments)

    def create(self):
        return self.control.call("keyset.create", name="main")["record_b64"]

    def ask(self, operation, record):
        """The refusal (None: it worked) and how long it took."""
        started = time.monotonic()
        try:
            if operation == "create":
                self.create()
            else:
                self.control.call("keyset.open", record_b64=record)
            refusal = None
        except Refused as e:
            refusal = e
        return refusal, time.monotonic() - started

    def is_alive(self):
        self.control.call("status")
        return self.platform.children() == self.children

    def meet(self, spec, operation, codes, words):
        record = self.create() if operation == "open" else None
        self.fault(spec)
        refusal, seconds = self.ask(operation, record)
        alive = self.is_alive()
        self.fault("--clear")
        good = (refusal is not None and refusal.code in codes and words in refusal.message
                and refusal.message and seconds < DEADLINE_S and alive)
        self.tap.ok(good, f"{operation}, {spec}: refused and alive ({refusal})",
                    f"{refusal}, {seconds:.1f} s, alive: {alive}")
        # What was refused leaves nothing behind: the same request works now.
        again, seconds = self.ask(operation, record)
        if again is not None:
            self.tap.ok(False, f"{operation}, {spec}: works again afterwards", again)

    def harmless(self, spec, operation):
        record = self.create() if operation == "open" else None
        self.fault(spec)
        refusal, seconds = self.ask(operation, record)
        self.fault("--clear")
        self.tap.ok(refusal is None and seconds < DEADLINE_S, f"{operation}, {spec}: works anyway",
                    refusal)

    def remove(self):
        self.platform.remove()


def too_slow(results, spec, operation):
    """A KMS that does not answer in time, on a platform of its own: it takes the whole deadline."""
    scene = Scene(None)
    try:
        record = scene.create() if operation == "open" else None
        scene.fault(spec)
        refusal, seconds = scene.ask(operation, record)
        alive = scene.is_alive()
        scene.fault("--clear")
        again, _ = scene.ask(operation, record)
        results.append((operation, refusal, seconds, alive, again))
    finally:
        scene.remove()


def main():
    tap = Tap()
    results = []
    threads = [threading.Thread(target=too_slow, args=(results, "latency,ms=17000", operation))
               for operation in ("create", "open")]
    for thread in threads:
        thread.start()
    scene = Scene(tap)
    try:
        for spec, operations, codes, words in FAULTS:
            for operation in operations:
                scene.meet(spec, operation, codes, words)
        for spec, operations in HARMLESS:
            for operation in operations:
                scene.harmless(spec, operation)
        account = scene.control.call("account.create", keyset=scene.control.call(
            "status")["keysets"][0]["id"], unrestricted=True)
        tap.ok(account["address"].startswith("0x"), "after all of them the enclave makes accounts")
        tap.ok(scene.platform.children() == scene.children, "vault and front are still the same")
    finally:
        scene.remove()
    for thread in threads:
        thread.join()
    for operation, refusal, seconds, alive, again in sorted(results, key=lambda r: r[0]):
        tap.ok(refusal is not None and refusal.code == "timeout" and seconds < DEADLINE_S and alive
               and again is None, f"{operation}, 17 s of latency: timeout, alive, works again",
               f"{refusal}, {seconds:.1f} s, alive: {alive}, again: {again}")
    tap.ok(len(results) == 2, "both slow cases were seen")
    tap.done()


if __name__ == "__main__":
    main()
