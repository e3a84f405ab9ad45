# SPDX-License-Identifier: MIT
"""quickstart on machines that lack something. It finds everything built already."""

import os
import shutil
import unittest

import harness

# What the script itself calls, and nothing that is needed to build.
COMMANDS = ("awk", "cat", "chmod", "cut", "date", "dirname", "env", "grep", "id", "mkdir",
            "mktemp", "nproc", "rm", "sed", "setpriv", "sh", "sort", "tail", "tee", "test", "tr")
NOTHING_TO_BUILD = "all:\n\t@:\n"


class Quickstart(unittest.TestCase):
    def setUp(self):
        self.tree = self.enterContext(harness.tempdir())
        self.script = shutil.copy(os.path.join(harness.SOURCE_DIR, "quickstart"), self.tree)
        os.makedirs(os.path.join(self.tree, "build", "src"))
        os.makedirs(os.path.join(self.tree, "build", "logs"), mode=0o777)
        os.chmod(os.path.join(self.tree, "build", "logs"), 0o777)
        for path in ("configure", "build/config.status"):
            self.write(path, "")
        self.write("build/Makefile", NOTHING_TO_BUILD)
        for name in ("ruptimed", "ruptime"):
            os.symlink(harness.program(name), os.path.join(self.tree, "build", "src", name))

    def enterContext(self, manager):  # Python 3.11 has one
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def write(self, path, text, mode=0o644):
        path = os.path.join(self.tree, path)
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
        os.chmod(path, mode)

    def asked(self, tmpdir, **kw):
        """The addresses that `run` asks with TMPDIR; it has to succeed."""
        done = harness.run([self.script, "run"], env={"TMPDIR": tmpdir}, **kw)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return [line.split()[2] for line in done.stdout.splitlines()
                if line.startswith("$ ruptime ")]

    def test_folder_for_sockets(self):
        good = os.path.join(self.tree, "t")
        os.mkdir(good)
        folders = {good: good, self.tree + "/a b": "/tmp", self.tree + "/" + 60 * "l": "/tmp",
                   self.tree + "/what?user=x": "/tmp", self.tree + "/50%": "/tmp",
                   "t": "/tmp", self.tree + "/absent": "/tmp", "": "/tmp"}
        for folder, expected in folders.items():
            with self.subTest(folder):
                if folder.startswith("/") and not folder.endswith("absent"):
                    os.makedirs(folder, exist_ok=True)
                asked = self.asked(folder, cwd=self.tree)
                self.assertEqual(len(asked), 7)
                self.assertIn("unix://%s/ruptime-quickstart." % expected, asked[2])
                left = os.listdir(folder) if os.path.isdir(folder) and folder != "t" else []
                self.assertEqual(left, [])

    @unittest.skipIf(os.geteuid() != 0, "root alone may enter what others may not")
    def test_folder_of_root(self):
        folder = os.path.join(self.tree, "closed", "tmp")
        os.makedirs(folder)
        os.chmod(os.path.dirname(folder), 0o700)
        self.assertIn("unix:///tmp/ruptime-quickstart.", self.asked(folder)[2])

    def bare(self, **commands):
        """A PATH where only what quickstart itself needs is there, and COMMANDS (sh)."""
        os.mkdir(os.path.join(self.tree, "bin"))
        for name in COMMANDS:
            os.symlink(shutil.which(name), os.path.join(self.tree, "bin", name))
        for name, text in commands.items():
            self.write("bin/" + name.replace("_", "-"), "#!/bin/sh\n" + text + "\n", 0o755)
        return {"PATH": os.path.join(self.tree, "bin")}

    def refused(self, argv, env):
        done = harness.run(argv + ["run"], env=env)
        self.assertNotEqual(done.returncode, 0)
        return done.returncode, done.stdout, done.stderr

    def test_without_apt_get(self):
        status, stdout, stderr = self.refused([self.script], self.bare())
        self.assertEqual((status, stderr), (
            1, "quickstart: no apt-get on this machine; please install these\n"))
        self.assertRegex(stdout, r"missing on this machine\n(.*\n)*  build-essential\t")

    def test_without_sudo(self):
        status, _, stderr = self.refused(harness.as_nobody([self.script]),
                                         self.bare(apt_get="exit 1"))
        self.assertEqual(status, 1)
        self.assertRegex(stderr, r"^quickstart: sudo is not installed; let root run: apt-get "
                                 r"install .*\bbuild-essential\b.*\n$")

    def test_sudo_refuses(self):
        status, _, stderr = self.refused(harness.as_nobody([self.script]),
                                         self.bare(apt_get="exit 1", sudo="exit 1"))
        self.assertEqual(status, 1)
        self.assertRegex(stderr, r"^quickstart: sudo refuses; let root run: apt-get install .*\n$")

    def test_apt_get_fails(self):
        """The status tells it from what is wrong with the program or its tests."""
        fails = self.bare(apt_cache="exit 0", apt_get="echo unreachable; exit 100",
                          sudo='[ "$1" = -v ] || "$@"')
        status, stdout, stderr = self.refused([self.script], fails)
        self.assertEqual((status, stderr), (
            3, "quickstart: apt-get cannot install what is missing; what it says stands above\n"),
            stdout)
        self.assertIn("going on with the package lists that are here", stdout)
        self.assertIn("unreachable", stdout)


if __name__ == "__main__":
    harness.main()
