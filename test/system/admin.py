#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""Administrators, import and k of n through the whole service: cloisterd and `cloister`.

What is admitted opens, what is not stays closed and is said; a seal wipes and only enough
administrators undo it; an imported key is in no process, log, file or byte on the way but the
vault's."""

import contextlib
import json
import os
import pty
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import CLI, Tap, b64, run, tx, wait_for  # noqa: E402
from servicetest import (AdminPlatform, Service, address_of, all_files, keystore,  # noqa: E402
                         memory_of)

CREATE = ("account", "create", "--unrestricted", "--user", "alice", "--name")
IMPORT = ("account", "import", "--unrestricted", "--user", "alice", "--name")
PASSWORD = "a password that stands nowhere else"


def said(result):
    return f"exit {result.returncode}\n{result.stdout}{result.stderr}"


def create_manifest(service, serial, *options):
    path = service.platform.dir / f"manifest{serial}.bin"
    return path, service.cloister("manifest", "create", "--serial", serial, *options, "-o", path)


def sign(service, kind, path, *admins):
    """Each administrator signs on his own machine: without the trust file."""
    options, texts = [], ""
    for admin in admins:
        signature = service.platform.dir / f"{path.name}.{admin.name}.sig"
        result = run(CLI, kind, "sign", path, "--key", admin.key, "-o", signature, check=False)
        texts += said(result)
        options += ["--signature", signature]
    return options, texts


def manifests(tap, service):
    """Not admitted, refused in several ways, admitted, applied again after restarts."""
    admins = service.platform.admins
    problem = service.wait_problem("not admitted")
    tap.ok("denied" in problem and "manifest" in problem, "a new keyset is closed, and status says "
           "why", problem)
    tap.ok(service.own()["ready"] is False, "the service is not READY")
    shown = service.cloister("status")
    tap.ok("not admitted" in shown.stdout, "cloister status shows the problem", said(shown))
    path, made = create_manifest(service, 1, "--from-service")
    tap.ok(made.returncode == 0 and "ADMITTED_KEYSET" in made.stdout,
           "manifest create: the service's keyset, its receipt verified", said(made))
    signatures, words = sign(service, "manifest", path, *admins)
    tap.ok("serial 1" in words and "admits keyset" in words, "manifest sign says what it signs",
           words)
    one = service.cloister("manifest", "apply", path, *signatures[:2])
    tap.ok(one.returncode == 1 and service.request("GET", "/v1/manifest")[0] == 404,
           "one signature of two: refused, nothing kept", said(one))
    twice = service.cloister("manifest", "apply", path, *signatures[:2], *signatures[:2])
    tap.ok(twice.returncode == 1 and "signed already" in twice.stderr,
           "the same administrator twice: refused", said(twice))
    two = service.cloister("manifest", "apply", path, *signatures[:4])
    tap.ok(two.returncode == 0, "two signatures: applied", said(two))
    service.wait_ready()
    tap.ok(True, "the keyset is admitted: READY")
    status, kept = service.request("GET", "/v1/manifest")
    tap.ok(status == 200 and kept["serial"] == 1, "GET /v1/manifest", kept)
    older = service.cloister("manifest", "apply", path, *signatures[2:])
    tap.ok(older.returncode == 0, "the same manifest again: nothing to change", said(older))
    key = service.platform.dir / "admin0.pem"
    key.chmod(0o640)
    opened = run(CLI, "manifest", "sign", path, "--key", key, "-o", path.with_suffix(".no"),
                 check=False)
    tap.ok(opened.returncode == 1 and "open to others" in opened.stderr,
           "a key file that others can read: refused", said(opened))
    key.chmod(0o600)
    linked = service.platform.dir / "link.pem"
    linked.symlink_to(key)
    followed = run(CLI, "manifest", "sign", path, "--key", linked, "-o", path.with_suffix(".no"),
                   check=False)
    tap.ok(followed.returncode == 1 and "symbolic link" in followed.stderr,
           "a symbolic link: refused", said(followed))


def restarts(tap, service):
    platform = service.platform
    service.stop()
    platform.stop()
    platform.start()
    service.conf.write_text(re.sub(
        "^imds = .*$", f"imds = {(platform.emu_dir / 'imds.addr').read_text().strip()}",
        re.sub(r"^(relay = \S+) .*$", rf"\1 {(platform.emu_dir / 'kms.addr').read_text().strip()}",
               service.conf.read_text(), flags=re.M), flags=re.M))
    service.start()
    service.wait_ready()
    serial = service.request("GET", "/v1/status")[1]["enclave"]["manifest_serial"]
    tap.ok(serial == 1, "after a restart of both the manifest is applied again, then READY", serial)


def disabling(tap, service, account):
    """What the manifest disables, and what the parent disables."""
    path, _ = create_manifest(service, 2, "--from-service", "--disable", account)
    signatures, words = sign(service, "manifest", path, *service.platform.admins[1:])
    tap.ok(f"disables account {account}" in words, "manifest sign names the disabled account", words)
    applied = service.cloister("manifest", "apply", path, *signatures)
    tap.ok(applied.returncode == 0, "administrators 2 and 3: applied", said(applied))
    service.wait_ready()
    refused = sign_status(service, account)
    tap.ok(refused[0] == 403, "disabled by the manifest: the enclave refuses", refused)
    path, _ = create_manifest(service, 3, "--from-service")
    signatures, _ = sign(service, "manifest", path, *service.platform.admins[:2])
    service.cloister("manifest", "apply", path, *signatures)
    service.wait_ready()
    tap.ok(sign_status(service, account)[0] == 200, "a later manifest without it: signs again")
    for verb, state, expected in ((("disable",), "disabled", 403), (("enable",), "active", 200),
                                  (("delete", "--after-days", "7"), "delete_scheduled", 403),
                                  (("undelete",), "active", 200)):
        result = service.cloister("account", verb[0], account, *verb[1:])
        tap.ok(result.returncode == 0 and state in result.stdout
               and "best_effort" in result.stdout, f"account {verb[0]}: {state}", said(result))
        tap.ok(sign_status(service, account)[0] == expected, f"{state}: sign gives {expected}")


def sign_status(service, account):
    return service.request("POST", f"/v1/accounts/{account}/sign-transaction", {"tx": tx()})


def sealing(tap, service, account):
    sealed = service.cloister("seal")
    tap.ok(sealed.returncode == 0 and "SEALED" in sealed.stdout, "seal", said(sealed))
    problem = service.wait_problem("sealed")
    tap.ok("administrators" in problem, "status says who can unseal", problem)
    status, answer = sign_status(service, account)
    tap.ok(status == 503, "sealed: nothing signs", answer)
    tap.ok(service.request("GET", "/healthz", token="")[0] == 503, "healthz: 503")
    request = service.platform.dir / "request.json"
    asked = service.cloister("unseal", "request", "-o", request)
    tap.ok(asked.returncode == 0, "unseal request", said(asked))
    signatures, words = sign(service, "unseal", request, *service.platform.admins)
    tap.ok(json.loads(request.read_text())["boot"] in words, "unseal sign names the boot", words)
    one = service.cloister("unseal", "apply", *signatures[:2])
    tap.ok(one.returncode == 1, "one signature: refused", said(one))
    tap.ok(sign_status(service, account)[0] == 503, "still sealed")
    two = service.cloister("unseal", "apply", *signatures[:2], *signatures[4:])
    tap.ok(two.returncode == 0, "two signatures: unsealed", said(two))
    service.wait_ready()
    tap.ok(sign_status(service, account)[0] == 200, "keysets are open again, the account signs")
    service.cloister("seal")
    service.wait_problem("sealed")
    old = service.cloister("unseal", "apply", *signatures[:4])
    tap.ok(old.returncode == 1 and "something else" in old.stderr,
           "approvals of the last time: refused", said(old))
    approvals = b64(bytes([2]) + b"".join(
        bytes([i]) + bytes.fromhex(json.loads(open(signatures[2 * i + 1]).read())["signature"])
        for i in range(2)))
    replayed = service.request("POST", "/v1/unseal", {"approvals_b64": approvals})
    tap.ok(replayed[0] >= 400, "and the enclave refuses them as well", replayed)
    service.cloister("unseal", "request", "-o", request)
    signatures, _ = sign(service, "unseal", request, *service.platform.admins[1:])
    service.cloister("unseal", "apply", *signatures)
    service.wait_ready()


def import_with_fd(service, name, content, *options, option="--key-fd"):
    """Runs the import with a pipe that holds the secret."""
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    try:
        return service.cloister(*IMPORT, name, option, read, *options, pass_fds=(read,))
    finally:
        os.close(read)


def import_on_terminal(service, name, file, typed):
    """Runs the import on a terminal of its own, types when asked; exit status and what was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        words = [str(CLI), *IMPORT, name, "--keystore", str(file), "--trust", str(service.trust)]
        os.execv(words[0], words)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(terminal, 4096):
            shown += part
            if part.rstrip().endswith(b"file:"):
                os.write(terminal, typed)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def on_terminal(tap, service, key, file):
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError:
        tap.skip("the password is asked for on the terminal", "no pseudo-terminal (/dev/pts) here")
        return
    status, shown = import_on_terminal(service, "typed", file, PASSWORD.encode() + b"\n")
    tap.ok(status == 0 and address_of(key) in shown.lower() and PASSWORD not in shown,
           "the password is asked for on the terminal, without echo", shown)
    status, shown = import_on_terminal(service, "aborted", file, b"\x03")
    tap.ok(status != 0 and "nothing was typed" in shown, "Ctrl-C at the prompt ends it", shown)


def imports(tap, service):
    keys = [os.urandom(32) for _ in range(2)]
    file = service.platform.dir / "UTC--key"
    file.write_text(keystore(keys[0], PASSWORD))
    file.chmod(0o600)
    wrong = import_with_fd(service, "old", b"wrong", "--keystore", file, option="--password-fd")
    tap.ok(wrong.returncode == 1 and "password" in wrong.stderr, "wrong password", said(wrong))
    no = run(CLI, *IMPORT, "old", "--keystore", file, "--trust", service.trust, check=False,
             start_new_session=True)
    tap.ok(no.returncode == 1 and "terminal" in no.stderr, "no terminal and no descriptor", said(no))
    for name, key, options in (
            ("old", PASSWORD.encode() + b"\n", ("--keystore", file)),
            ("raw", keys[1], ())):
        result = import_with_fd(service, name, key, *options,
                                option="--password-fd" if options else "--key-fd")
        expected = address_of(keys[0] if options else keys[1])
        tap.ok(result.returncode == 0 and expected in result.stdout.lower(),
               f"import {name}: receipt verifies, the address is the key's own", said(result))
        shown = service.cloister("account", "show", "--user", "alice", "--name", name, "--json")
        signed = sign_status(service, json.loads(shown.stdout)["account"])
        tap.ok(signed[0] == 200 and signed[1]["from"].lower() == expected, f"{name} signs", signed)
    twin = import_with_fd(service, "raw", keys[1])
    tap.ok(twin.returncode == 1 and "already" in twin.stderr, "a twin of the name: refused",
           said(twin))
    bad = import_with_fd(service, "bad", bytes(32))
    tap.ok(bad.returncode == 1 and "no private key" in bad.stderr, "zero is no key", said(bad))
    other = service.platform.dir / "other-trust"
    other.write_text(service.trust.read_text().replace(service.platform.pcrs["pcr0"], "ab" * 48))
    read, write = os.pipe()
    os.write(write, keys[1])
    os.close(write)
    stranger = run(CLI, *IMPORT, "stranger", "--key-fd", read, "--trust", other, check=False,
                   pass_fds=(read,))
    tap.ok(stranger.returncode == 4 and "UNVERIFIED" in stranger.stderr,
           "an enclave that the user does not trust: nothing is sealed to it", said(stranger))
    on_terminal(tap, service, keys[0], file)
    nowhere(tap, service, keys)


def nowhere(tap, service, keys):
    children = service.platform.children()
    where = {"cloisterd": memory_of(service.process.pid), "front": memory_of(children["front"]),
             "the bytes between cloister and cloisterd": bytes(service.recorder.bytes)}
    for path, data in all_files(service.platform.dir).items():
        if path.name != "UTC--key":
            where[f"file {path.name}"] = data
    tap.ok(b"ciphertext_b64" in service.recorder.bytes and len(where["cloisterd"]) > 1 << 20
           and service.token_file.read_bytes().strip() in where["cloisterd"],
           "the search sees what is there (envelope, token)")
    for i, key in enumerate(keys):
        forms = {"raw": key, "reversed": key[::-1], "hex": key.hex().encode(),
                 "base64": b64(key)[:40].encode()}
        found = [f"{form} in {place}" for form, pattern in forms.items()
                 for place, data in where.items() if pattern in data]
        tap.ok(not found, f"imported key {i}: in none of {len(where)} places", found)
    tap.ok(not [place for place, data in where.items() if PASSWORD.encode() in data],
           "the password: in none of them")


def administrators(tap):
    platform = AdminPlatform()
    service = None
    try:
        platform.start()
        service = Service(platform).start()
        manifests(tap, service)
        restarts(tap, service)
        made = service.cloister(*CREATE, "main", "--json")
        account = json.loads(made.stdout)["account"]
        tap.ok(sign_status(service, account)[0] == 200, "an account signs")
        disabling(tap, service, account)
        sealing(tap, service, account)
        imports(tap, service)
    finally:
        if service:
            service.stop()
        platform.remove()


def two_of_three(tap):
    """CMKs in two AWS accounts: one may be missing, two may not."""
    platform = AdminPlatform(k=2, cmks=3, administrators=False)
    service = None
    try:
        platform.start()
        service = Service(platform).start()
        service.wait_ready()
        made = json.loads(service.cloister(*CREATE, "main", "--json").stdout)
        tap.ok(sign_status(service, made["account"])[0] == 200, "2 of 3 CMKs: an account signs")
        for disabled, opens in (((2,), True), ((0,), True), ((0, 2), False), ((1, 2), False),
                                ((), True)):
            for i, arn in enumerate(platform.arns):
                platform.switch(arn, i not in disabled)
            restart_enclave(platform)
            name = f"CMKs {disabled or 'none'} disabled: {'opens' if opens else 'does not open'}"
            if opens:
                service.wait_ready()
                tap.ok(sign_status(service, made["account"])[0] == 200, name)
            else:
                problem = service.wait_problem("keyset.open")
                tap.ok(sign_status(service, made["account"])[0] == 503, name, problem)
    finally:
        if service:
            service.stop()
        platform.remove()


def restart_enclave(platform):
    """Kills the vault; the emulator starts the enclave again, as a supervisor on EC2 would."""
    pid = platform.children()["vault"]
    os.kill(pid, signal.SIGKILL)
    wait_for("the end of the old enclave", lambda: not os.path.exists(f"/proc/{pid}"))
    platform.control().close()


def main():
    tap = Tap()
    administrators(tap)
    two_of_three(tap)
    tap.done()


if __name__ == "__main__":
    main()
