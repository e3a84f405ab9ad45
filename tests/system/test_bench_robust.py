# SPDX-License-Identifier: MIT
"""ruptime-bench where memory, descriptors, room in pipes and files, or good names are scarce."""

import fcntl
import html
import json
import os
import resource
import shutil
import subprocess
import unittest

import fakes
import harness
from oddserver import BENCH, OddServer, bench, finish, start

QUICK = ("-c", "1", "-d", "250ms", "--warmup=0")


class Memory(unittest.TestCase):
    @unittest.skipIf(harness.SLOW > 1, "a sanitizer keeps what was freed")
    def test_it_is_for_what_is_in_flight(self):
        """2,000 answers of 60 kB, a few at a time."""
        def peak_mb(size):
            with fakes.TcpServer(b"x" * (size - 1) + b"\n") as server:
                process = start("-r", "1000", "-n", "2000", server.url)
                out = process.stdout.read()
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                process.stdout.close()
                process.stderr.close()
            self.assertGreater(json.loads(out)["answered"], 1500)
            return usage.ru_maxrss / 1024
        small, big = peak_mb(60), peak_mb(60000)
        self.assertLess(big, small + 30)


class Records(unittest.TestCase):
    def test_boundaries_do_not_matter(self):
        with harness.tempdir() as directory:
            for name, records, good in (
                    ("long", [b"x" * 599 + b"\n"], True), ("longer", [b"x" * 65000 + b"\n"], True),
                    ("two", [b"up 1 day, ", b"2 users\n"], True),
                    ("many", [b"x"] * 100 + [b"\n"], True),
                    ("unfinished", [b"up ", b"1 day"], False),
                    ("too-long", [b"x" * 50000, b"x" * 50000, b"\n"], False)):
                def serve(conn, _server, records=records):
                    for record in records:
                        conn.send(record)

                with self.subTest(name=name), fakes.UnixServer(
                        directory + "/" + name, serve, scheme="unix-seqpacket") as server:
                    _, got = bench("-n", "20", server.url)
                    self.assertEqual(got["answered"], 20 if good else 0, got)
                    self.assertEqual(got["bad_reasons"], {} if good else {name: 20})


class Descriptors(unittest.TestCase):
    def limited(self, limit, *args):
        return finish(start(*args, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (limit, limit))))

    def test_few_are_enough(self):
        with harness.tempdir() as directory:
            for address, options in (("udp://127.0.0.1:0", ("--plain",)), ("udp://127.0.0.1:0", ()),
                                     ("unix-dgram://%s/d" % directory, ("--plain",)),
                                     ("tcp://127.0.0.1:0", ()), ("fdpass://%s/f" % directory, ())):
                with self.subTest(address=address), \
                        OddServer(address, "--delay=1ms", *options) as server:
                    status, got = self.limited(64, "-c", "8", "-n", "2000", server.address)
                    self.assertEqual((status, got["answered"], got["errors"]), (0, 2000, {}))

    def test_too_few_are_named(self):
        done = harness.run([BENCH, "-c", "500", "tcp://127.0.0.1:1"], preexec_fn=lambda:
                           resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
        self.assertEqual(done.returncode, 4)
        self.assertIn("ulimit -n", done.stderr)


class Threads(unittest.TestCase):
    @unittest.skipUnless(shutil.which("strace"), "needs strace, to refuse a thread")
    @unittest.skipIf(harness.SLOW > 1, "sanitizers and strace do not go together")
    def test_one_too_many_ends_the_others(self):
        """Two of four could be started; they do not stay for the hour."""
        with OddServer("tcp://127.0.0.1:0") as server, harness.tempdir() as directory:
            log = directory + "/log"
            done = harness.run(
                ["strace", "-f", "-o", log, "-e", "trace=clone,?clone3", "-e",
                 "inject=clone,?clone3:error=EAGAIN:when=3", BENCH, "-t", "4", "-r", "400",
                 "-d", "1h", server.address])
            with open(log, encoding="utf-8") as calls:
                self.assertEqual(calls.read().count("(INJECTED)"), 1)
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        self.assertIn(server.address + ": Resource temporarily unavailable", done.stderr)


class Output(unittest.TestCase):
    def test_a_full_pipe_that_does_not_block(self):
        with OddServer("tcp://127.0.0.1:0") as server:
            for args in (("-h",), (*QUICK, server.address), ("-J", *QUICK, server.address),
                         ("--report=-", *QUICK, server.address)):
                with self.subTest(args=args):
                    got = self.read_slowly(args)
                    self.assertTrue(got.endswith("\n"), got[-100:])
                    self.assertGreater(len(got), 400)

    def read_slowly(self, args):
        ours, theirs = os.pipe()
        fcntl.fcntl(theirs, harness.F_SETPIPE_SZ, 4096)
        os.set_blocking(theirs, False)
        os.write(theirs, b"#" * 4096)
        process = subprocess.Popen([BENCH, *args], stdout=theirs, stderr=subprocess.PIPE)
        os.close(theirs)
        with open(ours, "rb", buffering=0) as pipe:
            # It has something to say, and no room: it waits in poll().
            harness.wait_for(lambda: _waits_in_poll(process.pid), what="a full pipe")
            got = b""
            while part := pipe.read(512):
                got += part
        self.assertEqual((process.wait(10), process.stderr.read()), (0, b""))
        process.stderr.close()
        return got.lstrip(b"#").decode()

    def test_what_cannot_be_written_is_found_before_the_run(self):
        long = ("-c", "1", "-d", "1h", "tcp://127.0.0.1:1")
        ours, theirs = os.pipe()
        os.close(ours)
        with open("/dev/full", "wb") as full, open(theirs, "wb") as broken:
            for kw, args in (({"stdout": full}, ()), ({"stdout": broken}, ()),
                             ({"preexec_fn": lambda: os.close(1)}, ()),
                             ({}, ("--report=/nonexistent/x",)), ({}, ("--hgrm=/nonexistent/x",)),
                             ({}, ("--csv=/nonexistent/x",)), ({}, ("--report=/dev/full",))):
                with self.subTest(args=args, kw=kw):
                    done = subprocess.run([BENCH, *args, *long], stderr=subprocess.PIPE,
                                          text=True, timeout=10 * harness.SLOW, check=False, **kw)
                    self.assertEqual(done.returncode, 4, done.stderr)
                    self.assertRegex(done.stderr, r"\Aruptime-bench: [^\n]+\n\Z")

    def test_a_dash_is_standard_output(self):
        with OddServer("tcp://127.0.0.1:0") as server:
            for option, begin in (("--report=-", "<!doctype html>"), ("--hgrm=-", "       Value"),
                                  ("--csv=-", "side,due_s")):
                done = harness.run([BENCH, option, *QUICK, server.address])
                self.assertEqual(done.returncode, 0)
                self.assertTrue(done.stdout.startswith(begin), done.stdout[:100])
        self.assertFalse(os.path.exists("-"))

    def test_an_old_report_stays_if_there_is_no_new_one(self):
        with harness.tempdir() as directory:
            path = directory + "/report.html"
            with open(path, "w", encoding="ascii") as old:
                old.write("old")
            done = harness.run([BENCH, "--report=" + path, "ftp://h"])
            self.assertEqual(done.returncode, 3)
            with open(path, encoding="ascii") as old:
                self.assertEqual(old.read(), "old")


def _waits_in_poll(pid):
    try:
        with open("/proc/%d/syscall" % pid, encoding="ascii") as call:
            number = call.read().split()[0]
    except (OSError, IndexError):
        return False
    try:
        with open("/proc/%d/wchan" % pid, encoding="ascii") as where:
            return "poll" in where.read() and number != "running"
    except OSError:
        return False


class Names(unittest.TestCase):
    def test_bytes_that_are_no_utf8_are_escaped(self):
        with harness.tempdir() as directory:
            path = os.fsdecode(os.fsencode(directory) + b"/caf\xe9-\xc3\xa9-<b>")
            page = directory + "/page"
            with fakes.UnixServer(path, fakes.ANSWER) as server:
                command = [BENCH, *QUICK, server.url]
                done = subprocess.run([*command, "-J", "--report=" + page],
                                      stdout=subprocess.PIPE, check=True)
                text = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
            got = json.loads(done.stdout.decode("utf-8"))
            shown = "caf\\xe9-\u00e9-<b>"
            self.assertTrue(got["target"].endswith(shown), got["target"])
            self.assertIn(shown, got["environment"]["command"])
            self.assertIn(shown, text.decode("utf-8"))
            with open(page, encoding="utf-8") as written:
                self.assertIn(html.escape(shown), written.read())

    def test_the_address_that_was_measured_is_named(self):
        with OddServer("tcp://127.0.0.1:0") as server:
            name = server.address.replace("127.0.0.1", "localhost")
            done = harness.run([BENCH, *QUICK, name])
            _, got = bench(*QUICK, name)
        self.assertRegex(done.stdout, r"measured at +%s\n" % server.address)
        self.assertEqual((got["target"], got["addresses"]), (name, [server.address]))


if __name__ == "__main__":
    harness.main()
