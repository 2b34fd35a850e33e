#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libcloister-verify as another program finds it: installed below a prefix of its own, found with
pkg-config, shared and static, from C and C++, showing no name but its own."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import BUILD, PKI, Tap, run  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "doc/examples/verify.c"
PCR0 = "a0" * 48
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\n")
PUBLIC = {"cloister_verify_" + name for name in
          ("version", "measure", "document", "account", "keyset", "status", "tls")}


class Installed:
    """What `meson install` put below a folder."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder) / "root"
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", self.root)
        found = next(self.root.rglob("cloister-verify.pc"))
        prefix = re.search(r"^prefix=(.*)$", found.read_text(), re.M).group(1)
        self.prefix = pathlib.Path(str(self.root) + prefix)
        self.libdir = next(self.root.rglob("libcloister-verify.a")).parent
        self.env = dict(os.environ, PKG_CONFIG_PATH=str(found.parent), LC_ALL="C")

    def flags(self, *options):
        return run("pkg-config", f"--define-variable=prefix={self.prefix}", *options, "cloister-verify",
                   env=self.env).split()


def symbols(*args):
    return {line.split()[-1].split("@")[0] for line in run("nm", *args).splitlines()
            if re.search(r" [A-Z] ", line)}


def names(tap, installed):
    shared = installed.libdir / "libcloister-verify.so"
    archive = installed.libdir / "libcloister-verify.a"
    tap.ok(symbols("-D", "--defined-only", shared) - {"CLOISTER_VERIFY_0"} == PUBLIC,
           "the shared library shows its functions only", symbols("-D", "--defined-only", shared))
    tap.ok(symbols("-g", "--defined-only", archive) == PUBLIC, "so does the static one",
           symbols("-g", "--defined-only", archive))
    dynamic = run("readelf", "-dW", shared)
    tap.ok("soname: [libcloister-verify.so.0]" in dynamic, "its SONAME", dynamic)
    tap.ok("TEXTREL" not in dynamic and "NOW" in dynamic, "no text relocations, bound at start", dynamic)
    wanted = symbols("-D", "--undefined-only", shared)
    harmful = [s for s in wanted if re.match(
        r"CRYPTO_set_|OPENSSL_(init|config|add_all|cleanup)|OSSL_PROVIDER_|ERR_clear_error$|"
        r"RAND_set|EVP_set_default|EVP_default_prop|exit$|_exit$|signal$|sigaction|setlocale|getenv|"
        r"open$|fopen|socket|time$|clock_gettime", s)]
    tap.ok(not harmful, "does not set up libcrypto, end the process, or ask the system", harmful)


def example(tap, installed, emitted, folder):
    flags = installed.flags("--cflags", "--libs")
    static = [f for f in installed.flags("--static", "--cflags", "--libs") if f != "-lcloister-verify"]
    wall = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    record, receipt = emitted / "account.record", emitted / "account.receipt"
    run("cc", *wall, "-o", folder / "shared", EXAMPLE, *flags)
    run("cc", *wall, "-o", folder / "static", EXAMPLE, f"-L{installed.libdir}",
        "-l:libcloister-verify.a", *static)
    for kind in ("shared", "static"):
        env = dict(installed.env, LD_LIBRARY_PATH=str(installed.libdir))
        ask = [folder / kind, PCR0, emitted / "configuration", record]
        good = run(*ask, receipt, PKI / "nsm-root.der", env=env, check=False)
        tap.ok(good.returncode == 0 and ADDRESS.fullmatch(good.stdout), f"{kind}: the example shows the address", good)
        other = run(*ask, emitted / "keyset.receipt", PKI / "nsm-root.der", env=env, check=False)
        tap.ok(other.returncode == 1 and other.stdout.startswith("UNVERIFIED: user_data"),
               f"{kind}: another receipt is not verified", other)
        aws = run(*ask, receipt, env=env, check=False)
        tap.ok(aws.returncode == 1 and "pinned root" in aws.stdout, f"{kind}: by default the root is AWS's", aws)


def languages(tap, installed, folder):
    """The header stands alone, in C99 and in C++ where there is a compiler for it."""
    one = folder / "one.c"
    one.write_text("#include <cloister/verify.h>\n"
                   "int main(void) { return cloister_verify_version()[0] == 0; }\n")
    flags = installed.flags("--cflags", "--libs")
    run("cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", folder / "one", one, *flags)
    tap.ok(True, "the header stands alone in C99")
    if shutil.which("c++"):
        run("c++", "-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", folder / "two",
            one, "-x", "none", *flags)
        tap.ok(True, "and in C++11")
    else:
        tap.skip("and in C++11", "no C++ compiler")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="cloister-library-") as name:
        folder = pathlib.Path(name)
        emitted = folder / "emitted"
        emitted.mkdir()
        run(BUILD / "test/verify/emit", emitted)
        installed = Installed(folder)
        names(tap, installed)
        example(tap, installed, emitted, folder)
        languages(tap, installed, folder)
        page = next(installed.root.rglob("cloister-verify.3*"), None)
        text = page.read_text() if page else ""
        tap.ok(all(s.replace("_", "\\_") in text or s in text for s in PUBLIC), "the manual page names every function")
        version = run("pkg-config", "--modversion", "cloister-verify", env=installed.env).strip()
        tap.ok(version in subprocess.run(["strings", str(installed.libdir / "libcloister-verify.so")],
                                         capture_output=True, text=True, check=True).stdout.split(),
               "pkg-config and library are of one version", version)
    tap.done()


if __name__ == "__main__":
    main()
