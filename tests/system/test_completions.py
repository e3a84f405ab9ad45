# SPDX-License-Identifier: MIT
"""The completions of the shells know all options of the programs, and complete them."""

import os
import re
import shutil
import sys
import unittest

import harness

FOLDER = os.path.join(harness.SOURCE_DIR, "contrib", "completions")
ASK_BASH = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
compopt() { :; }
"$(complete -p "$1" | sed 's/.*-F \\(.*\\) .*/\\1/')"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(program, *words):
    done = harness.run(["bash", "-c", ASK_BASH, "bash", os.path.join(FOLDER, "bash", program),
                        program, *words])
    assert done.stderr == "", done.stderr
    return done.stdout.split()


class Completions(unittest.TestCase):
    def test_are_of_the_options_that_there_are(self):
        """After a change of options: contrib/completions/make-completions.py BUILD_DIRECTORY."""
        with harness.tempdir() as directory:
            done = harness.run([sys.executable, "-B", FOLDER + "/make-completions.py",
                                harness.BUILD_DIR, directory])
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for folder, _, names in os.walk(directory):
                for name in names:
                    path = os.path.join(os.path.relpath(folder, directory), name)
                    with self.subTest(path), \
                            open(os.path.join(folder, name), encoding="utf-8") as made, \
                            open(os.path.join(FOLDER, path), encoding="utf-8") as kept:
                        self.assertEqual(kept.read(), made.read())

    def test_each_option_is_there(self):
        for program in ("ruptime", "ruptimed", "ruptime-bench"):
            told = re.findall(r"^ .*?(--[\w-]+)", harness.run(
                [harness.program(program), "--help"]).stdout, re.MULTILINE)
            self.assertGreater(len(told), 15)
            self.assertEqual([word.rstrip("=") for word in bash(program, "--")], told)

    def test_bash(self):
        self.assertEqual(bash("ruptimed", "--sand"), ["--sandbox="])
        self.assertEqual(bash("ruptimed", "--sandbox", "=", "s"), ["strict"])
        self.assertEqual(bash("ruptimed", "-s", ""), ["exec", "procps"])
        self.assertEqual(bash("ruptimed", "--config", "=", FOLDER + "/make"),
                         [FOLDER + "/make-completions.py"])
        self.assertIn("unix-seqpacket:///", bash("ruptime", "unix-"))

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        done = harness.run(["fish", "-c", "source $argv[1]; complete -C 'ruptimed --sandbox='",
                            os.path.join(FOLDER, "fish", "ruptimed.fish")])
        self.assertEqual(set(re.findall(r"--sandbox=(\w+)", done.stdout)),
                         {"off", "basic", "strict"})

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_reads_them(self):
        for name in os.listdir(os.path.join(FOLDER, "zsh")):
            done = harness.run(["zsh", "-f", "-n", os.path.join(FOLDER, "zsh", name)])
            self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    harness.main()
