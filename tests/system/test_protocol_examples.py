# SPDX-License-Identifier: MIT
"""The examples of doc/protocol.md do what it says: each prints one line."""

import os
import re
import shutil
import sys
import unittest

import harness
import ports
import xsi

UPTIME_LINE = r"( [0-9:]+ up .*load average: [0-9., ]+\n)"
INTERPRETERS = {"sh": ["sh", "-ec"], "python": [sys.executable, "-c"]}
LANGUAGES = ["sh", "python", "python", "python", "rust", "python", "sh", "python"]
# What the page calls these, we have elsewhere.
PAGE_DIRECTORY, PAGE_PORT, PAGE_KEY = "/run/ruptime", "8784", "0x123"


def examples():
    """The language and the text of each example."""
    with open(os.path.join(harness.SOURCE_DIR, "doc", "protocol.md"), encoding="utf-8") as page:
        return re.findall(r"^```(\w+)\n(.*?)^```$", page.read(), re.MULTILINE | re.DOTALL)


class Examples(unittest.TestCase):
    def test_each_prints_the_line(self):
        key = "0x%x" % xsi.free_key()
        with harness.tempdir() as directory:
            port = str(ports.free())
            urls = ["tcp://127.0.0.1:" + port, "udp://127.0.0.1:" + port, "msgq://" + key]
            urls += ["%s://%s/%s" % (scheme, directory, name) for scheme, name in (
                ("unix", "stream"), ("unix-seqpacket", "seqpacket"), ("unix-dgram", "dgram"),
                ("fdpass", "fdpass"))]
            with harness.Daemon(*("--listen=" + url for url in urls)):
                self.assertEqual([language for language, _ in examples()], LANGUAGES)
                for language, text in examples():
                    with self.subTest(text=text):
                        self.run_one(directory, language, text.replace(PAGE_DIRECTORY, directory)
                                     .replace(PAGE_PORT, port).replace(PAGE_KEY, key))

    def run_one(self, directory, language, text):
        commands = set(re.findall(r"^(socat|perl)", text, re.MULTILINE))
        if language == "rust" and shutil.which("rustc") and \
                harness.run(["rustc", "--version"]).returncode != 0:
            self.skipTest("rustc has no toolchain")
        commands |= {"rustc"} if language == "rust" else set()
        missing = [command for command in commands if not shutil.which(command)]
        if missing:
            self.skipTest("%s is not installed" % missing[0])
        argv = [*INTERPRETERS[language], text] if language in INTERPRETERS else \
            [self.build_rust(directory, text)]
        done = harness.run(argv)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = text.count("socat") or 1
        self.assertRegex(done.stdout, r"\A%s{%d}\Z" % (UPTIME_LINE, lines))

    def build_rust(self, directory, text):
        program = directory + "/example"
        with open(program + ".rs", "w", encoding="utf-8") as out:
            out.write(text)
        # Below make it looks for the descriptors of its job server, which are closed here.
        done = harness.run(["rustc", "-D", "warnings", "-o", program, program + ".rs"],
                           timeout=60, env=dict.fromkeys(
                               ("MAKEFLAGS", "MFLAGS", "CARGO_MAKEFLAGS")))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return program


if __name__ == "__main__":
    harness.main()
