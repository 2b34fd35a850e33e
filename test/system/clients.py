#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may use the data plane, from what administrators write to what they sign: `manifest create`, `show`
and `sign` with clients in JSON and in Web3Signer's format, read here after PROTOCOL.md section 9; and
`token new`."""

import datetime
import hashlib
import json
import os
import pathlib
import re
import stat
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import CLI, Reader, Tap, canonical, run  # noqa: E402
from notary import name  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

ARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ADDRESS = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
TOKEN = "5e88" + "0" * 60


def certificate(label, authority):
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime(2026, 1, 1)
    builder = (x509.CertificateBuilder().subject_name(name(label)).issuer_name(name(label))
               .public_key(key.public_key()).serial_number(5).not_valid_before(now)
               .not_valid_after(now + datetime.timedelta(days=9000))
               .add_extension(x509.BasicConstraints(authority, None), True))
    return builder.sign(key, hashes.SHA256())


class Scene:
    def __init__(self, folder):
        self.folder = folder
        (folder / "C.bin").write_bytes(canonical("5c" * 16, ARN, 31337))
        self.trust = self.write("trust", f"configuration = {folder}/C.bin\n")
        self.ca, self.alice = certificate("ca.test", True), certificate("alice", False)
        for label, one in (("ca", self.ca), ("alice", self.alice)):
            (folder / f"{label}.pem").write_bytes(one.public_bytes(serialization.Encoding.PEM))
        self.clients = self.write("clients.json", json.dumps([
            {"label": "payments", "certificate_pem_file": "alice.pem", "operations": ["sign_transaction"],
             "keys": [ADDRESS, "00ff*"]},
            {"label": "monitoring", "token_sha256": TOKEN, "operations": ["metrics"]},
            {"label": "Staff CA", "authority_pem_file": str(folder / "ca.pem"),
             "operations": ["sign_transaction", "metrics"], "keys": ["*"]},
        ]))
        self.known = self.write("known.txt", "# Web3Signer's\nteku " + ":".join(["AB"] * 32) + "\n\nlh " + "cd" * 32 + "\n")

    def write(self, label, text):
        path = self.folder / label
        path.write_text(text)
        return path

    def create(self, *options, output="m.bin"):
        return run(CLI, "manifest", "create", "--serial", "3", *options, "--trust", self.trust,
                   "-o", self.folder / output, check=False)


def sections(data):
    """kind -> bytes of a manifest's sections."""
    r = Reader(data)
    r.take(2 + 16 + 8 + 8)
    found = {}
    for _ in range(r.uint(1)):
        kind = r.uint(1)
        found[kind] = r.var(4)
    if r.at != len(data):
        raise ValueError("bytes after the manifest")
    return found


def entries(section):
    r, found = Reader(section), []
    while r.at < len(section):
        identity, kind, operations, label = r.take(32), r.uint(1), r.uint(2), r.var(1)
        keys = [r.var(1).decode() for _ in range(r.uint(1))]
        found.append((identity, kind, operations, label.decode(), keys, r.var(2)))
    return found


def web(section):
    r, found = Reader(section), []
    while r.at < len(section):
        found.append((r.uint(1), r.var(1).decode()))
    return found


def fingerprint(cert):
    return cert.fingerprint(hashes.SHA256())


def shown(result):
    return f"exit {result.returncode}\n{result.stdout}{result.stderr}"


def created(tap, scene):
    result = scene.create("--clients", scene.clients, "--known-clients", scene.known, "--host", "signer.example",
                          "--host", "10.0.0.1", "--origin", "https://app.example")
    tap.ok(result.returncode == 0, "manifest create takes both forms, hosts and origins", shown(result))
    found = sections((scene.folder / "m.bin").read_bytes())
    tap.ok(sorted(found) == [4, 5], "sections 4 and 5", found)
    der = scene.ca.public_bytes(serialization.Encoding.DER)
    expected = sorted([
        (fingerprint(scene.alice), 1, 2, "payments", [ADDRESS.lower(), "00ff*"], b""),
        (bytes.fromhex(TOKEN), 2, 1, "monitoring", [], b""),
        (fingerprint(scene.ca), 3, 3, "Staff CA", ["*"], der),
        (b"\xab" * 32, 1, 2, "teku", ["*"], b""), (b"\xcd" * 32, 1, 2, "lh", ["*"], b"")])
    tap.ok(entries(found[4]) == expected, "each client as PROTOCOL.md has it, ascending by identity", entries(found[4]))
    tap.ok(web(found[5]) == [(1, "10.0.0.1"), (1, "signer.example"), (2, "https://app.example")], "hosts and origins",
           web(found[5]))
    both = scene.create("--known-clients", scene.known, "--known-clients-operations", "metrics,sign_transaction",
                        "--known-clients-keys", "0xA*", "--known-clients-keys", "0xb*", output="k.bin")
    found = sections((scene.folder / "k.bin").read_bytes())
    tap.ok(both.returncode == 0 and [e[2:5] for e in entries(found[4])] == [(3, "teku", ["0xa*", "0xb*"]),
                                                                         (3, "lh", ["0xa*", "0xb*"])],
           "known clients with other operations and keys", shown(both))
    metrics = scene.create("--known-clients", scene.known, "--known-clients-operations", "metrics", output="k.bin")
    found = sections((scene.folder / "k.bin").read_bytes())
    tap.ok(metrics.returncode == 0 and [e[2:5] for e in entries(found[4])] == [(1, "teku", []), (1, "lh", [])],
           "known clients that only read metrics", shown(metrics))


GOLDEN = """\
host                  10.0.0.1
host                  signer.example
origin                https://app.example
CLIENT              KIND        IDENTITY{blank}OPERATIONS               KEYS
"""


def viewed(tap, scene):
    result = run(CLI, "manifest", "show", scene.folder / "m.bin", check=False)
    tail = result.stdout[result.stdout.index("host "):]
    rows = tail.splitlines()[4:]
    tap.ok(tail.startswith(GOLDEN.format(blank=" " * 57)), "show, for people", shown(result))
    wanted = ["payments".ljust(20) + "certificate ".ljust(12) + fingerprint(scene.alice).hex() + " "
              + "sign_transaction".ljust(25) + f"{ADDRESS.lower()} 00ff*",
              "monitoring".ljust(20) + "token".ljust(12) + TOKEN + " " + "metrics".ljust(25)]
    tap.ok(all(row in rows for row in wanted) and len(rows) == 5, "show: a line for each client", tail)
    said = json.loads(run(CLI, "manifest", "show", scene.folder / "m.bin", "--json"))
    by_label = {c["label"]: c for c in said["clients"]}
    tap.ok(said["hosts"] == ["10.0.0.1", "signer.example"] and said["origins"] == ["https://app.example"]
           and by_label["payments"] == {"label": "payments", "kind": "certificate", "identity": fingerprint(scene.alice).hex(),
                                        "operations": ["sign_transaction"], "keys": [ADDRESS.lower(), "00ff*"]}
           and by_label["Staff CA"]["kind"] == "authority" and by_label["Staff CA"]["operations"] == ["metrics", "sign_transaction"]
           and by_label["monitoring"]["keys"] == [], "show --json", said)
    key = scene.folder / "admin.pem"
    run("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
    key.chmod(0o600)
    signed = run(CLI, "manifest", "sign", scene.folder / "m.bin", "--key", key, "-o", scene.folder / "sig", check=False)
    words = signed.stderr
    tap.ok(f"  lets payments (certificate {fingerprint(scene.alice).hex()}) do: sign_transaction\n    with key {ADDRESS.lower()}\n"
           "    with key 00ff*\n" in words and f"  lets monitoring (token {TOKEN}) do: metrics\n" in words
           and "  may be asked under the name signer.example\n" in words
           and "of origin https://app.example\n" in words, "sign says whom it lets do what", words)
    scene.create("--clients", scene.write("any.json", '[{"label":"all","anyone":true,"operations":["metrics"]}]'), output="any.bin")
    words = run(CLI, "manifest", "sign", scene.folder / "any.bin", "--key", key, "-o", scene.folder / "sig2", check=False).stderr
    tap.ok("  lets EVERY connection do: metrics\n" in words, "sign shouts when it is everybody", words)
    scene.create(output="none.bin")
    words = run(CLI, "manifest", "sign", scene.folder / "none.bin", "--key", key, "-o", scene.folder / "sig3", check=False).stderr
    tap.ok("  lets nobody sign, or read metrics" in words, "sign says so when it is nobody", words)


def refused(tap, scene):
    write = scene.write
    twice = write("twice.txt", "teku " + "ab" * 32 + "\nteku2 " + "AB" * 32 + "\n")
    cases = (
        (("--clients", write("c1", "{}")), 1, "c1: malformed: expected an array"),
        (("--clients", write("c2", "[")), 1, "c2: malformed: JSON"),
        (("--clients", write("c3", '[{"label":"a","anyone":true,"operations":["metrics"],"x":1}]')), 1, "[0].x: malformed: unknown field"),
        (("--clients", write("c4", '[{"label":"a","certificate_pem_file":"none.pem","operations":["metrics"]}]')), 1, "[0].certificate_pem_file: "),
        (("--clients", write("c5", '[{"label":"a","authority_pem_file":"alice.pem","operations":["metrics"]}]')), 1, "CA"),
        (("--clients", scene.folder / "none.json"), 1, "none.json"),
        (("--clients", scene.clients, "--clients", scene.clients), 1, "already"),
        (("--known-clients", twice), 1, "twice.txt:2: exists"),
        (("--known-clients", write("k1", "# one\nteku\n")), 1, "k1:2: malformed: expected a common name and a fingerprint"),
        (("--known-clients", scene.known, "--known-clients-operations", "sign"), 2, "--known-clients-operations"),
        (("--known-clients", scene.known, "--known-clients-operations", ""), 2, "--known-clients-operations"),
        (("--known-clients", scene.known, "--known-clients-operations", "metrics", "--known-clients-keys", "*"), 2, "--known-clients-keys"),
        (("--known-clients", scene.known, "--known-clients-keys", ""), 2, "--known-clients-keys"),
        (("--known-clients", scene.known, "--known-clients-keys", "a?"), 1, "pattern"),
        (("--host", "UPPER.example"), 2, "--host"), (("--host", "https://a"), 2, "--host"),
        (("--origin", "app.example"), 2, "--origin"), (("--origin", "https://app.example/"), 2, "--origin"),
        (("--host", "a" * 256), 2, "--host"),
    )
    for options, code, why in cases:
        (scene.folder / "bad.bin").unlink(missing_ok=True)
        result = scene.create(*options, output="bad.bin")
        tap.ok(result.returncode == code and why in result.stderr and not (scene.folder / "bad.bin").exists(),
               f"refused: {' '.join(str(o).rsplit('/', maxsplit=1)[-1][:30] for o in options)}", shown(result))
    many = write("many.txt", "".join(f"client{i} {i + 1:064x}\n" for i in range(1300)))
    result = scene.create("--known-clients", many, output="bad.bin")
    tap.ok(result.returncode == 1 and "room" in result.stderr, "refused: more than a manifest has room for", shown(result))
    anyone = write("anyone.json", '[{"label":"all","anyone":true,"operations":["sign_transaction"],"keys":["*"]}]')
    result = scene.create("--clients", anyone, output="any.bin")
    tap.ok(result.returncode == 0 and entries(sections((scene.folder / "any.bin").read_bytes())[4])[0][:3] == (bytes(32), 4, 2),
           "anyone: zeros as identity, which come first", shown(result))


def tokens(tap, scene):
    path = scene.folder / "token"
    result = run(CLI, "token", "new", "-o", path, check=False)
    text = path.read_text()
    tap.ok(result.returncode == 0 and re.fullmatch(r"[0-9a-f]{64}\n", text) and stat.S_IMODE(path.stat().st_mode) == 0o600,
           "token new -o: 64 digits, mode 0600", shown(result))
    tap.ok(hashlib.sha256(text.strip().encode()).hexdigest() in result.stdout and text.strip() not in result.stdout + result.stderr,
           "token new -o: its hash is shown, and it is not", shown(result))
    again = run(CLI, "token", "new", "-o", path, check=False)
    tap.ok(again.returncode == 1 and path.read_text() == text, "token new -o: nothing is replaced", shown(again))
    link = scene.folder / "link"
    link.symlink_to(scene.folder / "elsewhere")
    through = run(CLI, "token", "new", "-o", link, check=False)
    tap.ok(through.returncode == 1 and not (scene.folder / "elsewhere").exists(), "token new -o: no link is followed", shown(through))
    full = run(CLI, "token", "new", "-o", "/dev/full", check=False)
    tap.ok(full.returncode == 1, "token new -o: no device is written", shown(full))
    said = [json.loads(run(CLI, "token", "new", "--json")) for _ in range(2)]
    tap.ok(all(hashlib.sha256(s["token"].encode()).hexdigest() == s["token_sha256"] for s in said)
           and said[0]["token"] != said[1]["token"], "token new --json: two tokens and their hashes", said)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="cloister-clients-") as folder:
        scene = Scene(pathlib.Path(folder))
        created(tap, scene)
        viewed(tap, scene)
        refused(tap, scene)
        tokens(tap, scene)
    tap.done()


if __name__ == "__main__":
    main()
