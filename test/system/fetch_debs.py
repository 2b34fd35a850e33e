#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tools/fetch-debs unpacks is what the lock file names, byte for byte, or nothing: the enclave's
compiler comes in through it. The packages here are made on the spot; no mirror is asked but one for a
suite that does not exist."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import Tap  # noqa: E402

TOOL = pathlib.Path(__file__).resolve().parent.parent.parent / "tools/fetch-debs"
SUITE = "bookworm-that-does-not-exist"


class Place:
    """A cache, a lock file, a folder to unpack into."""

    def __init__(self, top):
        self.cache, self.lock, self.folder = top / "cache", top / "test.lock", top / "root"
        self.top = top
        self.cache.mkdir()

    def package(self, name, text):
        """Makes a package that brings one setuid program; its line for the lock file, its path."""
        tree = self.top / name
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "bin").mkdir()
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n")
        (tree / "DEBIAN/postinst").write_text(f"#!/bin/sh\ntouch {self.top}/ran\n")
        (tree / "DEBIAN/postinst").chmod(0o755)
        (tree / "bin" / name).write_text(text)
        (tree / "bin" / name).chmod(0o4755)
        path = self.top / f"{name}.deb"
        subprocess.run(["dpkg-deb", "-b", "-Zxz", str(tree), str(path)], check=True,
                       capture_output=True)
        return f"{name} 1 {hashlib.sha256(path.read_bytes()).hexdigest()}", path

    def write(self, *lines):
        self.lock.write_text("\n".join(["# a lock", f"suites {SUITE}", "packages one", *lines, ""]))

    def run(self):
        """Exit status and what it said."""
        done = subprocess.run([str(TOOL), str(self.lock), str(self.folder)], capture_output=True,
                              text=True, timeout=250, check=False,
                              env={**os.environ, "CLOISTER_DEBS": str(self.cache)})
        return done.returncode, done.stderr

    def says(self, name):
        path = self.folder / "usr/bin" / name
        return path.read_text() if path.exists() else None


def main():
    tap = Tap()
    if not shutil.which("dpkg-deb"):
        print("1..0 # SKIP there is no dpkg-deb")
        return
    with tempfile.TemporaryDirectory(prefix="cloister-debs-") as name:
        place = Place(pathlib.Path(name))
        one, one_path = place.package("one", "first")
        two, two_path = place.package("two", "second")
        shutil.copy(one_path, place.cache / "named-as-one-likes.deb")
        place.write(one)
        status, said = place.run()
        tap.ok(status == 0 and place.says("one") == "first", "a file in the cache is known by its hash",
               said)
        tap.ok((place.folder / "bin").is_symlink() and
               (place.folder / "usr/bin/one").stat().st_mode & 0o7777 == 0o755,
               "bin is usr/bin, and no program is setuid")
        tap.ok(not (place.top / "ran").exists(), "no script of a package runs")
        (place.folder / "mark").touch()
        tap.ok(place.run()[0] == 0 and (place.folder / "mark").exists(),
               "the same lock again: nothing is touched")

        place.write(one, two)
        status, said = place.run()
        tap.ok(status == 77 and "fetch-debs: " in said, "a package that cannot be had: 77", said)
        tap.ok(place.says("one") == "first" and place.says("two") is None and
               (place.folder / "mark").exists(), "and what was there is left as it was")
        shutil.copy(one_path, place.cache / "two_1_all.deb")
        tap.ok(place.run()[0] == 77, "another file under its name is not taken")
        shutil.copy(two_path, place.cache / "two_1_all.deb")
        tap.ok(place.run()[0] == 0 and place.says("two") == "second" and
               not (place.folder / "mark").exists(), "the right file: all is unpacked anew")

        kept = place.cache / f"{two.split()[2]}.deb"
        kept.write_bytes(kept.read_bytes()[:-1] + b"x")
        place.write(two)
        status, said = place.run()
        tap.ok(status == 77 and "was damaged" in said and place.says("one") == "first",
               "a damaged file in the cache is not unpacked", said)
        tap.ok(not kept.exists(), "nor kept")
        for line, what in (("one 1", "without a hash"), ("one 1 " + "ab" * 31, "with a short hash"),
                           (one + " more", "with more")):
            place.write(line)
            status, said = place.run()
            tap.ok(status == 1 and "expected NAME VERSION SHA256" in said, f"a line {what} is refused",
                   said)
    tap.done()


if __name__ == "__main__":
    main()
