# SPDX-License-Identifier: MIT
"""ruptime --watch: rounds, changes, commands for them, and the live table on a terminal."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import unittest
import unittest.mock

import harness
from fakes import LINE, UdpServer, extended_answer

RUPTIME = harness.program("ruptime")
REBOOTED = " 12:00:00 up 0 min,  0 users,  load average: 0.00, 0.00, 0.00\n"


class Host(UdpServer):
    """Answers what `line` holds at the time; nothing if that is None."""

    def __init__(self):
        self.line = LINE
        super().__init__(self.answer)

    def answer(self, _server, datagram, source):
        if self.line and len(datagram) > 1:
            self.sock.sendto(extended_answer(datagram, self.line.encode()), source)


class Watch(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.host = stack.enter_context(Host())
        self.directory = stack.enter_context(harness.tempdir())

    def start(self, *args, **popen):
        return subprocess.Popen(
            [RUPTIME, "--watch=100ms", "--timeout=100ms", *args, self.host.url],
            env=harness.environment({"TERM": "xterm"}), **popen)

    def wait_rounds(self, count):
        before = len(self.host.seen)
        harness.wait_for(lambda: len(self.host.seen) >= before + count, 10, "more rounds")


class Plain(Watch):
    def rows(self, client, state):
        """Read JSON lines until one has that status."""
        while True:
            row = json.loads(client.stdout.readline())
            if row["status"] == state:
                return row

    def setUp(self):
        super().setUp()
        if "jansson" in harness.run([RUPTIME, "-J", "-f", "/dev/null"]).stderr:
            self.skipTest("this build has no jansson")

    def test_json_round_after_round(self):
        with self.start("-J", stdout=subprocess.PIPE) as client:
            for _ in range(3):
                self.rows(client, "up")
            self.host.line = None
            self.assertEqual(self.rows(client, "down")["reason"], "timed out")
            self.host.line = LINE
            self.rows(client, "up")
            client.send_signal(signal.SIGINT)
            client.stdout.read()
            self.assertEqual(client.wait(20 * harness.SLOW), 130)

    def test_tables_and_marks(self):
        with self.start(stdout=subprocess.PIPE, text=True) as client:
            def until(regex):
                for line in client.stdout:
                    if re.search(regex, line):
                        return line
                raise AssertionError("no line " + regex)

            until(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  1 hosts, 1 up, 0 down$")
            until(re.escape(self.host.url) + r"  up 3\+04:05,  2 users,  load 0\.01, 0\.02, 0\.05$")
            self.host.line = REBOOTED
            until(r"  up 0:00,  .*  <- rebooted$")
            self.host.line = None
            until(r"  down  timed out  <- down$")
            self.host.line = REBOOTED
            until(r"  up 0:00,  .*  <- back$")
            client.send_signal(signal.SIGTERM)
            client.stdout.read()
            self.assertEqual(client.wait(20 * harness.SLOW), 143)

    def test_on_change(self):
        log = os.path.join(self.directory, "log")
        command = harness.fake_command(self.directory, """
            printf '%s|' "$1" "$RUPTIME_TARGET" "$RUPTIME_CHANGE" "$RUPTIME_LINE" \\
                "$RUPTIME_REASON" >>$0.log
            echo >>$0.log""", "change")
        log = command + ".log"

        def logged(count):
            def lines():
                with contextlib.suppress(FileNotFoundError), open(log, encoding="ascii") as text:
                    found = text.read().splitlines()
                    return found if len(found) >= count else None
                return None
            return harness.wait_for(lines, 10, "line %d of the log" % count)[count - 1]

        with self.start("-J", "--on-change=%s a;b" % command,
                        stdout=subprocess.DEVNULL) as client:
            self.wait_rounds(2)
            self.host.line = None
            self.assertEqual(logged(1), "a;b|%s|down||timed out|" % self.host.url)
            self.host.line = LINE
            self.assertEqual(logged(2), "a;b|%s|back|%s||" % (self.host.url, LINE.rstrip()))
            self.host.line = REBOOTED
            self.assertEqual(logged(3), "a;b|%s|rebooted|%s||" % (self.host.url,
                                                                  REBOOTED.rstrip()))
            client.send_signal(signal.SIGINT)
            self.assertEqual(client.wait(20 * harness.SLOW), 130)

    def test_command_that_fails(self):
        with self.start("-J", "--on-change=/nowhere/at/all", stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE, text=True) as client:
            self.wait_rounds(2)
            self.host.line = None
            self.wait_rounds(4)
            client.send_signal(signal.SIGINT)
            self.assertEqual(client.stderr.read(), "ruptime: --on-change: 1 commands failed\n")

    def test_mistakes(self):
        for args, reason in ((("-w", "2s", "h"), "--watch=2s"), (("--watch=0", "h"), "--watch=0"),
                             (("--on-change=x", "h"), "only --watch"),
                             (("-w", "--on-change= ", "h"), "empty"),
                             (("-w", "-c", "3", "h"), "--count")):
            done = harness.run([RUPTIME, *args])
            self.assertEqual((done.returncode, done.stdout), (3, ""))
            self.assertIn(reason, done.stderr)


class Terminal(Watch):
    """What a terminal shows is not judged here, only that the right words come to it: those that
    differ from what was there before."""

    def setUp(self):
        super().setUp()
        if harness.run([RUPTIME, "--help"]).returncode or not self.has_screen():
            self.skipTest("this build has no ncurses")

    def has_screen(self):
        with open(os.path.join(harness.BUILD_DIR, "config.log"), encoding="utf-8",
                  errors="replace") as log:
            return re.search(r"^have_ncurses='?yes|^HAVE_NCURSES_TRUE=''", log.read(),
                             re.MULTILINE) is not None

    @staticmethod
    def set_size(terminal, lines, columns):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def open(self, *args):
        self.ours, theirs = pty.openpty()
        self.addCleanup(os.close, self.ours)
        self.set_size(theirs, 24, 80)
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.addCleanup(os.close, theirs)
        self.shown = b""
        return self.start(*args, stdin=theirs, stdout=theirs, stderr=theirs,
                          start_new_session=True)

    def see(self, text):
        def look():
            while select.select([self.ours], [], [], 0)[0]:
                self.shown += os.read(self.ours, 65536)
            return text in self.shown
        harness.wait_for(look, 10, "%r on the terminal, which shows %r" % (text, self.shown[-300:]))

    def ended(self, client, code):
        while client.poll() is None:
            if select.select([self.ours], [], [], 0.05)[0]:
                self.shown += os.read(self.ours, 65536)
        self.see(b"\x1b[?1049l")
        self.assertEqual(client.returncode, code)
        self.assertEqual(termios.tcgetattr(self.theirs), self.before)

    def test_quit(self):
        with self.open() as client:
            self.see(b"1 hosts")
            self.see(b"up 3+04:05")
            os.write(self.ours, b"q")
            self.ended(client, 0)

    def test_interrupt_and_hangup(self):
        for sent, code in ((signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGTERM, 143)):
            with self.open() as client:
                self.see(b"up 3+04:05")
                client.send_signal(sent)
                self.ended(client, code)

    def test_colours(self):
        """A host that is down is red, unless NO_COLOR says otherwise; empty, it says nothing."""
        self.host.line = None
        for value, is_red in (("", True), ("1", False)):
            with unittest.mock.patch.dict(os.environ, NO_COLOR=value), self.open() as client:
                self.see(b"timed out")
                os.write(self.ours, b"q")
                self.ended(client, 2)
            self.assertEqual(b"\x1b[31m" in self.shown, is_red, self.shown)

    def test_lost_terminal(self):
        """It controls no session here, so that no signal says that it has gone."""
        with self.open() as client:
            self.see(b"up 3+04:05")
            with open("/dev/null", "rb") as null:
                os.dup2(null.fileno(), self.ours)
            self.assertEqual(client.wait(10 * harness.SLOW), 4)

    def test_changes_filter_and_history(self):
        with self.open() as client:
            self.see(b"up 3+04:05")
            self.host.line = None
            self.see(b"timed out")
            self.see(b"marked: 1 down")
            self.host.line = LINE
            self.see(b"back")
            os.write(self.ours, b"\n")
            self.see(b"load in the last 80 rounds")
            os.write(self.ours, b"\n/nothing-like-that")
            self.see(b"filter: nothing-like-that_  (0 shown)")
            os.write(self.ours, b"\x1b")
            os.write(self.ours, b" ")
            self.see(b"FROZEN")
            os.write(self.ours, b"q")
            self.ended(client, 0)

    def test_resize(self):
        with self.open() as client:
            self.see(b"clear")
            self.set_size(self.theirs, 10, 40)
            client.send_signal(signal.SIGWINCH)
            self.wait_rounds(3)
            os.write(self.ours, b"q")
            self.ended(client, 0)

    def test_no_terminal_of_that_name(self):
        """Without one that can show a screen, tables follow each other."""
        with subprocess.Popen([RUPTIME, "--watch=100ms", self.host.url], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True,
                              env=harness.environment()) as client:
            self.assertRegex(client.stdout.readline(), r"1 hosts, 1 up, 0 down")
            client.kill()


if __name__ == "__main__":
    harness.main()
