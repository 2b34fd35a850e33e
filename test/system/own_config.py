#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise 5: `cloister` shows no address that is not the enclave's.

The attacker is the parent: it boots the genuine image with a configuration of its own, whose CMK it
controls, and serves accounts from there. The user's trust file names the genuine PCR0 and the right
configuration. Then the attacker tampers with a store that is otherwise right."""

import json
import os
import re
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import CLI, DAEMON, PATIENCE_S, Platform, ROLE, Tap, run, wait_for  # noqa: E402

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\b")


class Daemon:
    """cloisterd over a platform, and a trust file that may name another configuration."""

    def __init__(self, platform, config):
        self.platform = platform
        kms = (platform.emu_dir / "kms.addr").read_text().strip()
        self.socket = platform.dir / "rest.sock"
        self.store = platform.dir / "store.db"
        conf = platform.dir / "cloisterd.conf"
        conf.write_text(f"""listen = unix://{self.socket}
token_file = {platform.dir}/token
enclave = unix://{platform.emu_dir}/link/5000
configuration = {config}
store = {self.store}
imds = {(platform.emu_dir / 'imds.addr').read_text().strip()}
role = {ROLE.split('/')[-1]}
relay_listen = unix://{platform.emu_dir}/link/
relay = kms.eu-west-1.amazonaws.com {kms}
""")
        self.log = open(platform.dir / "cloisterd.log", "ab")
        self.process = subprocess.Popen([str(DAEMON), "--config", str(conf)], stdout=self.log,
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        trust = self.trust(config)
        wait_for("READY", lambda: json.loads(
            self.cloister(trust, "status", "--json").stdout or "{}").get(
                "cloisterd", {}).get("ready"))

    def trust(self, config, pcr0=None, name="trust"):
        path = self.platform.dir / name
        path.write_text(f"""url = unix://{self.socket}
token_file = {self.platform.dir}/token
pcr0 = {pcr0 or self.platform.pcrs['pcr0']}
configuration = {config}
""")
        return path

    @staticmethod
    def cloister(trust, *args):
        return run(CLI, *args, "--trust", trust, check=False)

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.log.close()


CREATE = ("account", "create", "--unrestricted", "--user", "alice", "--name")


def hidden(tap, result, name):
    """No address, the word in its place, the exit status that scripts look at."""
    text = result.stdout + result.stderr
    tap.ok(result.returncode == 4 and "UNVERIFIED" in result.stdout
           and not ADDRESS.search(result.stdout), name, f"exit {result.returncode}\n{text}")


def own_configuration(tap):
    """The attack itself: PCR0 is genuine, the configuration is the attacker's."""
    platform = Platform()
    daemon = None
    try:
        honest = platform.build_config(os.urandom(16).hex(), "honest")
        platform.start()
        daemon = Daemon(platform, platform.config)
        deceived = daemon.trust(honest, name="deceived")
        own = daemon.trust(platform.config, name="own")
        result = daemon.cloister(own, *CREATE, "first")
        tap.ok(result.returncode == 0 and ADDRESS.search(result.stdout),
               "under its own configuration the account is shown (the check can pass)",
               result.stdout + result.stderr)
        hidden(tap, daemon.cloister(deceived, *CREATE, "second"), "create: not shown")
        hidden(tap, daemon.cloister(deceived, "account", "list", "--user", "alice"),
               "list: not shown")
        hidden(tap, daemon.cloister(deceived, "account", "show", "--user", "alice", "--name",
                                    "first"), "show: not shown")
        hidden(tap, daemon.cloister(deceived, "account", "list", "--json"), "list --json: not shown")
        verify = daemon.cloister(deceived, "attest", "verify")
        tap.ok(verify.returncode not in (0, 5) and "UNVERIFIED" in verify.stdout + verify.stderr,
               "attest verify: refused", verify.stdout + verify.stderr)
        other = daemon.trust(platform.config, pcr0="11" * 48, name="other-image")
        hidden(tap, daemon.cloister(other, "account", "list"), "other PCR0: not shown")
        alone = daemon.cloister(own, "attest", "verify", "--pcr0", platform.pcrs["pcr0"])
        tap.ok(alone.returncode == 5 and "deployment unverified" in alone.stdout,
               "attest verify with PCR0 alone: code ok, deployment unverified",
               alone.stdout + alone.stderr)
        whole = daemon.cloister(own, "attest", "verify")
        tap.ok(whole.returncode == 0, "attest verify with the right trust file: ok",
               whole.stdout + whole.stderr)
        unpinned_import(tap, platform, own)
        daemon = tampered_store(tap, platform, daemon, own)
    finally:
        if daemon:
            daemon.stop()
        platform.remove()


def unpinned_import(tap, platform, trust):
    """Without administrators and without a keyset in the trust file nobody knows whose keyset it is
    that a key would be sealed to."""
    def attempt(path):
        return run(CLI, "account", "import", "--user", "bob", "--name", "own", "--unrestricted",
                   "--key-fd", "0", "--trust", path, check=False, input="11" * 32 + "\n")
    result = attempt(trust)
    tap.ok(result.returncode != 0 and "keyset = ID" in result.stderr
           and not ADDRESS.search(result.stdout), "import: refused without a pinned keyset",
           result.stdout + result.stderr)
    keyset = json.loads(run(CLI, "status", "--json", "--trust", trust))["enclave"]["keysets"][0]
    pinned = platform.dir / "pinned"
    pinned.write_text(trust.read_text() + f"keyset = {keyset['id']}\n")
    result = attempt(pinned)
    tap.ok(result.returncode == 0 and "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A" in result.stdout,
           "import: with it the key's own address is shown", result.stdout + result.stderr)
    pinned.write_text(trust.read_text() + f"keyset = {'ab' * 16}\n")
    result = attempt(pinned)
    tap.ok(result.returncode != 0 and not ADDRESS.search(result.stdout),
           "import: refused under another keyset than the pinned one",
           result.stdout + result.stderr)


def tampered_store(tap, platform, daemon, trust):
    """The parent changes what only it stores, each account in another way: every change is seen."""
    names = ("other receipt", "no receipt", "damaged receipt", "damaged record", "other address")
    for name in names:
        daemon.cloister(trust, *CREATE, name)
    daemon.stop()
    store = sqlite3.connect(daemon.store)
    receipt = dict(store.execute("SELECT name, receipt FROM accounts"))
    record = dict(store.execute("SELECT name, record FROM accounts"))
    address = dict(store.execute("SELECT name, address FROM accounts"))["other address"]

    def change(name, column, value):
        store.execute(f"UPDATE accounts SET {column} = ? WHERE name = ?", (value, name))
    change("other receipt", "receipt", receipt["no receipt"])
    change("no receipt", "receipt", b"")
    change("damaged receipt", "receipt", flip(receipt["damaged receipt"], -1))
    change("damaged record", "record", flip(record["damaged record"], 80))
    change("other address", "address", "0x" + "42" * 20)
    store.commit()
    store.close()
    daemon = Daemon(platform, platform.config)
    for name in names:
        result = daemon.cloister(trust, "account", "show", "--user", "alice", "--name", name)
        if name == "other address":
            tap.ok(address in result.stdout and "42" * 20 not in result.stdout,
                   "store: another address: the record's own is shown",
                   result.stdout + result.stderr)
        else:
            hidden(tap, result, f"store: {name}: not shown")
    return daemon


def flip(data, at):
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def main():
    tap = Tap()
    own_configuration(tap)
    tap.done()


if __name__ == "__main__":
    main()
