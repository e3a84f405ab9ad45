# SPDX-License-Identifier: MIT
"""The configuration file: what it takes, what it says is wrong, and what is in force then."""

import contextlib
import os
import re
import socket
import unittest
import unittest.mock

import clients
import harness

ANY = "tcp://127.0.0.1:0"


def is_built_in():
    done = harness.run([harness.program("ruptimed"), "-c", "/dev/null/x", "--check-config"])
    return "libconfuse" not in done.stderr


@unittest.skipUnless(is_built_in(), "built without libconfuse")
class Files(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())
        self.path = self.directory + "/ruptimed.conf"

    def write(self, text, name="ruptimed.conf"):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as out:
            out.write(text)

    def run_with(self, *args, **options):
        return harness.run([harness.program("ruptimed"), "-c", self.path, *args], **options)

    def dump(self, *args):
        """{option: [(value, where it is from)]}"""
        done = self.run_with(*args, "--dump-config")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        found = {}
        for line in done.stdout.splitlines():
            key, value, source = re.fullmatch(
                r"(?:([\w-]+) = )?\t?([^\t]*)(?:\t# (.*))?", line).groups()
            last = key or (last if line.startswith("\t") else None)
            if last and value not in ("{", "{}"):
                found.setdefault(last, []).append((value.rstrip(",").strip("'"), source))
        return found


class Values(Files):
    def test_are_in_force(self):
        self.write("# a comment\n"
                   "listen = { \"%s\",\n"
                   "           'udp://127.0.0.1:0' } // another\n"
                   "/* one\n more */ workers = 3\n"
                   "print-messages = yes\n" % ANY)
        with harness.Daemon("-c", self.path) as daemon:
            self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
            clients.ask_datagram(daemon.address("udp"))
            names = []
            for task in os.listdir("/proc/%d/task" % daemon.pid):
                with open("/proc/%d/task/%s/comm" % (daemon.pid, task), encoding="ascii") as comm:
                    names.append(comm.read().rstrip("\n"))
            self.assertEqual(sum(name.startswith("worker-") for name in names), 3)
            self.assertIn("prints", names)

    def test_have_a_source(self):
        self.write("listen = { '%s' }\n\nworkers = 3\nqueue = 77\nverbose = on\n" % ANY)
        dump = self.dump("-w", "5", "--deny=192.0.2.0/24")
        self.assertEqual(dump["listen"], [(ANY, self.path + ":1")])
        self.assertEqual(dump["workers"], [("5", "--workers")])
        self.assertEqual(dump["queue"], [("77", self.path + ":4")])
        self.assertEqual(dump["verbose"], [("true", self.path + ":5")])
        self.assertEqual(dump["deny"], [("192.0.2.0/24", "--deny")])
        self.assertEqual(dump["rate"], [("50/s", "default")])
        self.assertEqual(dump["quiet"], [("false", "default")])

    def test_of_the_command_line_win(self):
        self.write("listen = { 'tcp://192.0.2.1:1', 'udp://192.0.2.1:1' }\nquiet = true\n")
        with harness.Daemon("-c", self.path, "-l", ANY, "-v") as daemon:
            self.assertEqual(len(daemon.addresses), 1)
            self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)

    def test_lists_are_replaced_or_added_to(self):
        self.write("allow = { 10.0.0.0/8, 192.0.2.1 }\nallow = { 172.16.0.0/12 }\n"
                   "allow += { 'fd00::/8',\n\t'::1' }\ndeny = 192.0.2.2\n")
        dump = self.dump()
        self.assertEqual(dump["allow"], [("172.16.0.0/12", self.path + ":2"),
                                         ("fd00::/8", self.path + ":3"),
                                         ("::1", self.path + ":4")])
        self.assertEqual(dump["deny"], [("192.0.2.2", self.path + ":5")])
        self.assertEqual(dump["listen"], [("tcp://*", "default"), ("udp://*", "default")])

    def test_the_last_one_counts(self):
        self.write("workers = 3\nworkers = 4\n")
        self.assertEqual(self.dump()["workers"], [("4", self.path + ":2")])

    def test_may_be_included(self):
        os.mkdir(self.directory + "/sub")
        self.write("workers = 2\ninclude('sub/a.conf')\nqueue = 5\n")
        self.write("# a\nqueue = 4\ninclude(\"b.conf\")\nmax-age = 7s\n", "sub/a.conf")
        self.write("\n\nworkers = 9\n", "sub/b.conf")
        dump = self.dump()
        self.assertEqual(dump["workers"], [("9", self.directory + "/sub/b.conf:3")])
        self.assertEqual(dump["queue"], [("5", self.path + ":3")])
        self.assertEqual(dump["max-age"], [("7s", self.directory + "/sub/a.conf:4")])

    def test_a_dump_is_a_file_that_says_the_same(self):
        self.write("listen = { \"unix:///tmp/a'b\\\\c\", '%s' }\nrate = \"7/s\"\n"
                   "udp-allow = 192.0.2.0/25\nsource = exec\nuser = root\n" % ANY)
        before = self.dump("--run-timeout=3s")
        self.write(self.run_with("--run-timeout=3s", "--dump-config").stdout, "again.conf")
        self.path = self.directory + "/again.conf"
        self.assertEqual({key: [value for value, _ in values] for key, values in before.items()},
                         {key: [value for value, _ in values] for key, values in
                          self.dump().items()})

    def test_the_example_is_what_holds_without_it(self):
        example = os.path.join(harness.SOURCE_DIR, "contrib/ruptimed.conf")
        self.write("")
        without = self.dump()
        self.path = example
        self.assertEqual(self.dump(), without)
        # Its lines that are commented out are right, too.
        with open(example, encoding="utf-8") as text:
            told = dict(re.findall(r"^#([\w-]+) = (.*)$", text.read(), re.MULTILINE))
        for key, value in told.items():
            self.path = self.directory + "/ruptimed.conf"
            self.write("%s = %s\n" % (key, value))
            if key not in ("workers", "max-connections", "user", "pid-file", "takeover", "command",
                           "metrics"):
                self.assertEqual([v for v, _ in self.dump().get(key, [])],
                                 [v for v, _ in without.get(key, [])], key)


class Wrong(Files):
    """Each with its file and line, on one line, and exit code 2."""

    def refused(self, shown, *args):
        for check in (["--check-config"], ["--dump-config"], []):
            done = self.run_with(*args, *check)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(done.stdout, "")
            self.assertRegex(done.stderr, r"\Aruptimed: [^\n]*\n\Z")
            self.assertIn(shown, done.stderr)

    def test_values(self):
        for line, shown in (("workers = many", "workers = many: not a number"),
                            ("workers = 0", "workers = 0: not a number"),
                            ("run-timeout = 5x", "run-timeout = 5x: not a duration"),
                            ("quiet = maybe", "quiet = maybe: neither true nor false"),
                            ("listen = { 'nonsense://x' }", "listen = nonsense://x: unknown"),
                            ("listen = { '%s', '%s' }" % (("tcp://127.0.0.1:7",) * 2), "twice"),
                            ("allow = host.example", "allow = host.example: names are not"),
                            ("sandbox = none", "sandbox = none: the levels"),
                            ("command = uptime", "command = uptime: the path"),
                            ("bogus = 1", "no such option 'bogus'"),
                            ("config = '/x'", "no such option 'config'"),
                            ("help = true", "no such option 'help'"),
                            ("workers 3", "missing equal sign"),
                            ("workers = { 3 }", "unexpected token"),
                            ("include('missing')", "missing: No such file"),
                            ("include('.')", ".: Is a directory"),
                            ("include('ruptimed.conf')", "")):
            # libconfuse does not free what it has read when includes nest too deeply.
            leaks = {"ASAN_OPTIONS": "detect_leaks=0"} if "ruptimed.conf" in line else {}
            with self.subTest(line=line), unittest.mock.patch.dict(os.environ, leaks):
                self.write("# first\nqueue = 5 # second\n\n%s\nmax-age = 1s\n" % line)
                self.refused("%s:4: " % self.path)
                self.refused(shown)

    def test_in_an_included_file(self):
        self.write("include(\"%s/b.conf\")\n" % self.directory)
        self.write("# b\nworkers = x\n", "b.conf")
        self.refused("%s/b.conf:2: workers = x: " % self.directory)

    def test_files(self):
        self.refused("No such file")
        self.path = self.directory
        self.refused("Is a directory")
        self.path += "/fifo"
        os.mkfifo(self.path)
        self.refused(self.path)

    def test_what_is_not_understood(self):
        for text in ("listen = { ", "listen = { 'tcp://", "/* ", "\0\0\0", "= = =", "{}{}", "\"",
                     "workers =", "\xff\xfe", "(" * 5000):
            self.write(text)
            done = self.run_with("--check-config")
            self.assertIn(done.returncode, (0, 2))
            self.assertRegex(done.stderr, r"\A(ruptimed: [^\n]*\n)?\Z")

    def test_users_and_commands(self):
        self.write("user = no-such-user\n")
        done = self.run_with("--check-config")
        self.assertEqual((done.returncode, done.stderr),
                         (2, "ruptimed: no-such-user: no such user\n"))
        self.write("command = /nonexistent\n")
        self.assertEqual(self.run_with("--check-config").returncode, 2)

    def test_a_check_touches_no_socket(self):
        path = self.directory + "/socket"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.write("listen = { 'tcp://127.0.0.1:%d', 'unix://%s' }\n" % (
                taken.getsockname()[1], path))
            done = self.run_with("--check-config")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            self.assertFalse(os.path.exists(path))
            self.assertEqual(self.run_with().returncode, 1)


if __name__ == "__main__":
    harness.main()
