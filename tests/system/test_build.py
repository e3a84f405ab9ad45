# SPDX-License-Identifier: MIT
"""What configure decides, and what make install and make dist make of the tree."""

import hashlib
import os
import re
import struct
import unittest

import clients
import harness

ET_DYN = 3
# A make above this one, and what it was told, is no business of those that are run here.
ALONE = {"MAKEFLAGS": None, "MFLAGS": None, "MAKELEVEL": None}


def make(*args, env=None, **popen):
    done = harness.run(["make", "-s", "-C", harness.BUILD_DIR, *args], timeout=120,
                       env={**ALONE, **(env or {})}, **popen)
    if done.returncode != 0:
        raise AssertionError("make %s:\n%s%s" % (" ".join(args), done.stdout, done.stderr))


def variables(makefile):
    with open(makefile, encoding="utf-8") as text:
        return dict(re.findall(r"^(\w+) = (.*)$", text.read(), re.MULTILINE))


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Configure(unittest.TestCase):
    limit_s = 240

    def configured(self, *args):
        """The variables of src/Makefile with these ARGS of configure."""
        with harness.tempdir() as directory:
            done = harness.run([os.path.join(harness.SOURCE_DIR, "configure"), "-q", *args],
                               timeout=120, cwd=directory)
            self.assertEqual(done.returncode, 0, done.stderr)
            return variables(os.path.join(directory, "src", "Makefile"))

    def setUp(self):
        if os.path.exists(os.path.join(harness.SOURCE_DIR, "config.status")):
            self.skipTest("the source tree itself is configured")

    def test_fortify_is_the_packagers(self):
        for args in (["CFLAGS=-O2 -D_FORTIFY_SOURCE=1"],
                     ["CPPFLAGS=-D_FORTIFY_SOURCE=1", "CFLAGS=-O2"]):
            self.assertNotIn("_FORTIFY_SOURCE", self.configured(*args)["HARDEN_CFLAGS"])

    def test_fortify_needs_an_optimiser(self):
        flags = self.configured("CFLAGS=-O0")["HARDEN_CFLAGS"]
        self.assertNotIn("_FORTIFY_SOURCE", flags)
        self.assertIn("-fstack-protector-strong", flags)

    def test_static_is_not_pie(self):
        made = self.configured("LDFLAGS=-static", "--without-libproc2", "--without-libseccomp",
                               "--without-jansson")
        self.assertNotIn("-pie", made["HARDEN_LDFLAGS"].split())


class Programs(unittest.TestCase):
    def test_lie_where_the_kernel_likes(self):
        flags = variables(os.path.join(harness.BUILD_DIR, "src", "Makefile"))["HARDEN_LDFLAGS"]
        if "-pie" not in flags.split():
            self.skipTest("built with HARDEN_LDFLAGS = " + flags)
        for name in ("ruptime", "ruptimed", "ruptime-bench"):
            with open(harness.program(name), "rb") as program:
                kind, = struct.unpack("=H", program.read(18)[16:])
            self.assertEqual(kind, ET_DYN, name)


class Reproducible(unittest.TestCase):
    limit_s = 600

    @unittest.skipUnless(clients.LONG, "make check-long runs it")
    def test_wherever_they_are_built(self):
        """The programs and the preloaded object are the same bytes in whatever folder."""
        names = ("ruptime", "ruptimed", "ruptime-bench", "warm.so")
        hashes = []
        with harness.tempdir() as directory:
            for folder in ("one", "another/folder"):
                builddir = os.path.join(directory, folder)
                os.makedirs(builddir)
                for command in ([os.path.join(harness.SOURCE_DIR, "configure"), "-q"],
                                ["make", "-s", "-C", "src", "-j2"]):
                    done = harness.run(command, timeout=300, cwd=builddir, env=ALONE)
                    self.assertEqual(done.returncode, 0, done.stderr)
                hashes.append([sha256(os.path.join(builddir, "src", name)) for name in names])
        self.assertEqual(*hashes)


class Install(unittest.TestCase):
    def test_everything_has_its_place_and_goes_away_again(self):
        with harness.tempdir() as directory:
            make("install", "DESTDIR=" + directory, "prefix=/usr")
            for path in ("bin/ruptime", "bin/ruptime-bench", "sbin/ruptimed",
                         "share/man/man8/ruptimed.8",
                         "share/doc/ruptime/ruptime-bench.schema.json",
                         "share/bash-completion/completions/ruptime",
                         "share/zsh/site-functions/_ruptimed",
                         "share/fish/vendor_completions.d/ruptime-bench.fish",
                         "share/doc/ruptime/examples/systemd/takeover.conf",
                         "lib/systemd/system/ruptimed.service",
                         "lib/systemd/system/ruptimed.socket", "lib/sysusers.d/ruptimed.conf",
                         "lib/tmpfiles.d/ruptimed.conf", "etc/ruptimed.conf"):
                self.assertTrue(os.path.isfile(os.path.join(directory, "usr", path)), path)
            with open(directory + "/usr/etc/ruptimed.conf", "a", encoding="utf-8") as changed:
                changed.write("# mine\n")
            make("install", "DESTDIR=" + directory, "prefix=/usr")
            make("uninstall", "DESTDIR=" + directory, "prefix=/usr")
            with open(directory + "/usr/etc/ruptimed.conf", encoding="utf-8") as kept:
                self.assertIn("# mine\n", kept.read())
            os.unlink(directory + "/usr/etc/ruptimed.conf")
            left = [names for _, _, names in os.walk(directory) if names]
            self.assertEqual(left, [])


class Distribution(unittest.TestCase):
    def test_twice_the_same(self):
        """Whatever the day, the zone and the umask."""
        name = "ruptime-dist-test"
        tarball = os.path.join(harness.BUILD_DIR, name + ".tar.gz")
        hashes = set()
        for umask, zone in ((0o022, "UTC"), (0o077, "Asia/Tokyo")):
            try:
                make("dist", "distdir=" + name, env={"TZ": zone},
                     preexec_fn=lambda umask=umask: os.umask(umask) and None)
                hashes.add(sha256(tarball))
            finally:
                if os.path.exists(tarball):
                    os.unlink(tarball)
        self.assertEqual(len(hashes), 1)


if __name__ == "__main__":
    harness.main()
