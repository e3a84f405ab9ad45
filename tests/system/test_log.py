# SPDX-License-Identifier: MIT
"""Readers of the log and of standard output that stall: they lose lines, and stop nothing."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import unittest

import clients
import harness
import local_clients as local
import xsi

F_SETPIPE_SZ = 1031


def fill(fd):
    """Write to FD until it takes no more, through a description of its own."""
    os.set_blocking(fd, False)
    for piece in (b"x" * 511 + b"\n", b"\n"):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(fd, piece)


class Output:
    """What a server writes to, and the end that its reader has. Full at first if FULL."""

    def __init__(self, kind, full=True):
        getattr(self, kind)()
        if full:
            fill(os.open("/proc/self/fd/%d" % self.write_fd, os.O_WRONLY | os.O_NONBLOCK)
                 if kind == "pipe" else self.write_fd)
        # As a shell or a collector leaves it.
        os.set_blocking(self.write_fd, True)

    def pipe(self):
        self.read_fd, self.write_fd = os.pipe()
        fcntl.fcntl(self.write_fd, F_SETPIPE_SZ, 4096)

    def stream(self):
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.read_fd, self.write_fd = (end.detach() for end in ends)

    def terminal(self):
        self.read_fd, self.write_fd = pty.openpty()
        termios.tcflow(self.write_fd, termios.TCOOFF)

    def close(self):
        os.close(self.read_fd)
        os.close(self.write_fd)

    def drain(self):
        """What is there to read now."""
        os.set_blocking(self.read_fd, False)
        text = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                text += os.read(self.read_fd, 65536)
        return text.decode()


def read_lines(test, output, prefix, line, total):
    """All until TOTAL are accounted for: shown as LINE, or told to be lost, in any number of
    lines, as room may come more than once."""
    text = ""
    shown = lost = 0

    def read():
        nonlocal text, shown, lost
        text += output.drain()
        shown = text.count(line)
        lost = sum(int(number) for number in
                   re.findall(r"^%s(\d+) lines lost$" % prefix, text, re.MULTILINE))
        return shown + lost >= total

    harness.wait_for(read, what="the count")
    test.assertEqual(shown + lost, total)
    test.assertGreater(lost, 0)
    return text


class Stalled(unittest.TestCase):
    """The reader of stderr reads nothing, from before the start until after the stop."""

    def each_output(self):
        for kind in ("pipe", "stream", "terminal"):
            output = Output(kind)
            with self.subTest(output=kind), contextlib.closing(output):
                yield output

    def serve_and_stop(self, output, *args, **kw):
        with harness.Daemon("-l", "tcp://127.0.0.1:0", "-l", "unix://" + self.path, *args,
                            **kw) as daemon:
            for _ in range(50):
                # Each is a line of the log, with -v.
                self.assertRegex(local.ask("unix", self.path), clients.UPTIME_LINE)
            flags = fcntl.fcntl(output.write_fd, fcntl.F_GETFL)
            self.assertFalse(flags & os.O_NONBLOCK)
            self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(self.path))

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())
        self.path = self.directory + "/socket"

    def test_stderr(self):
        for output in self.each_output():
            self.serve_and_stop(output, "-v", stderr=output.write_fd)

    def test_a_signal_that_logs(self):
        for output in self.each_output():
            with harness.Daemon("-l", "unix://" + self.path, stderr=output.write_fd) as daemon:
                for _ in range(20):
                    daemon.signal(signal.SIGUSR1)
                self.assertRegex(local.ask("unix", self.path), clients.UPTIME_LINE)
                self.assertEqual(daemon.stop(), 0)

    def test_a_stop_at_once(self):
        for output in self.each_output():
            slow = harness.fake_command(self.directory, "sleep 5; echo up")
            with harness.Daemon("-l", "unix://" + self.path, "--run-timeout=9s", command=slow,
                                stderr=output.write_fd, env=clients.LEAVES_THREADS) as daemon, \
                    local.connect("unix", self.path):
                harness.wait_for(lambda: len(harness.descendants(daemon.pid)) > 1, what="a run")
                daemon.signal(signal.SIGTERM)
                harness.let_pass(.7)
                daemon.signal(signal.SIGTERM)
                self.assertEqual(daemon.wait(3), 1)
            self.assertFalse(os.path.exists(self.path))

    def test_a_start_that_fails(self):
        for output in self.each_output():
            for code, args in ((1, ["-l", "unix:///nonexistent/s"]), (2, ["--nonsense"])):
                with subprocess.Popen([harness.program("ruptimed"), *args],
                                      stderr=output.write_fd) as process:
                    self.assertEqual(process.wait(3 * harness.SLOW), code)

    def test_ready_fd(self):
        with contextlib.closing(Output("pipe")) as output:
            log = self.directory + "/log"
            with open(log, "wb") as stderr, subprocess.Popen(
                    [harness.program("ruptimed"), "-l", "unix://" + self.path,
                     "--ready-fd=%d" % output.write_fd], pass_fds=[output.write_fd],
                    stderr=stderr) as process:
                try:
                    harness.wait_for(lambda: os.path.exists(self.path))
                    self.assertRegex(local.ask("unix", self.path), clients.UPTIME_LINE)
                    process.send_signal(signal.SIGTERM)
                    self.assertEqual(process.wait(5 * harness.SLOW), 0)
                finally:
                    process.kill()


class Lost(unittest.TestCase):
    def test_is_counted(self):
        """A reader that comes back gets what was kept, and the number of what was not."""
        with contextlib.closing(Output("pipe", full=False)) as output, harness.tempdir() as tmp:
            path = tmp + "/socket"
            with harness.Daemon("-l", "unix://" + path, "-v", stderr=output.write_fd) as daemon:
                # More lines than the buffer has room for.
                asked = 10000
                counts = clients.crowd("unix://" + path, "-n", 32, "-k", asked)
                clients.expect_all_answered(self, counts)
                self.assertEqual(counts["ok"], asked)
                log = read_lines(self, output, "warning: ", "debug: unix", asked)
                self.assertEqual(daemon.stop(), 0)
                log += output.drain()
                self.assertTrue(log.endswith("stopping\nstopped\n"), log[-200:])

    def test_reader_that_has_gone(self):
        with contextlib.closing(Output("pipe", full=False)) as output, harness.tempdir() as tmp:
            path = tmp + "/socket"
            with harness.Daemon("-l", "unix://" + path, "-v", stderr=output.write_fd) as daemon:
                os.close(output.read_fd)
                os.close(output.write_fd)
                output.read_fd, output.write_fd = os.pipe()
                for _ in range(10):
                    self.assertRegex(local.ask("unix", path), clients.UPTIME_LINE)
                self.assertEqual(daemon.stop(), 0)


class Printed(unittest.TestCase):
    """The reader of standard output, with --print-messages."""

    def test_that_stalls(self):
        for kind in ("pipe", "stream", "terminal"):
            output = Output(kind)
            key = xsi.free_key()
            with self.subTest(output=kind), contextlib.closing(output), harness.Daemon(
                    "-l", "msgq://%d" % key, "-l", "tcp://127.0.0.1:0", "--print-messages",
                    stdout=output.write_fd) as daemon:
                queue = xsi.msgget(key)
                for _ in range(500):
                    xsi.msgsnd(queue, 1, b"x" * 2000)
                local.ask_msgq(key)
                self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
                self.assertEqual(daemon.stop(), 0)

    def test_that_comes_back(self):
        key = xsi.free_key()
        with contextlib.closing(Output("pipe")) as output, harness.Daemon(
                "-l", "msgq://%d" % key, "--print-messages", stdout=output.write_fd) as daemon:
            queue = xsi.msgget(key)
            sent = 500
            for _ in range(sent):
                xsi.msgsnd(queue, 1, b"x" * 2000)
            local.ask_msgq(key)
            read_lines(self, output, "", "queue id %d, message xxx" % queue, sent)
            self.assertEqual(daemon.stop(), 0)


class Forged(unittest.TestCase):
    """What a stranger can choose never becomes a line or a control sequence of the log."""

    RENAMED = """#!%s
import ctypes, socket
ctypes.CDLL(None).prctl(15, %r)
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
except OSError:
    pass
print("up")
"""

    def harmless(self, log):
        self.assertNotRegex(log, r"(?m)^<0>")
        self.assertEqual(log, "".join(c for c in log if c == "\n" or c.isprintable()))

    @unittest.skipIf(harness.SANDBOX == "off", "nothing is refused")
    def test_name_of_a_thread_that_was_refused_a_call(self):
        for name in (b"a\n<0>panic: x", b"\x1b[2J\rok\x9b1A"):
            with harness.tempdir() as directory:
                path = directory + "/uptime"
                with open(path, "w", encoding="ascii") as out:
                    out.write(self.RENAMED % (sys.executable, name))
                os.chmod(path, 0o755)
                with harness.Daemon("-l", "tcp://127.0.0.1:0", "--run-timeout=10s",
                                    command=path) as daemon:
                    if "socketcall()" in daemon.log:
                        self.skipTest("no socket is refused on this machine")
                    self.assertEqual(clients.ask_stream(daemon.address("tcp")), b"up\n")
                    daemon.wait_log(r"the sandbox refused socket\(\)")
                    self.harmless(daemon.log)

    def test_addresses_and_paths(self):
        with harness.tempdir() as directory:
            path = directory + "/a\u009bb\u202e"
            with harness.Daemon("-l", "unix://" + path, "-v") as daemon:
                self.assertRegex(local.ask("unix", path), clients.UPTIME_LINE)
                daemon.wait_log("listening unix://%s/a" % directory)
                self.harmless(daemon.log)
        path = directory + "/a\n<0>b\x1b[2J\x9b"
        for args in (["-l", "unix://" + path], ["--" + path], ["-l", path], ["-u", path],
                     ["--command=" + path], ["--pid-file=" + path + "/x"], [path]):
            done = harness.run([harness.program("ruptimed"), *args])
            self.assertIn(done.returncode, (1, 2))
            self.harmless(done.stderr)
            self.assertRegex(done.stderr, r"^ruptimed: [^\n]*\n$")

    def test_messages(self):
        key = xsi.free_key()
        with contextlib.closing(Output("pipe", full=False)) as output, harness.Daemon(
                "-l", "msgq://%d" % key, "--print-messages", stdout=output.write_fd) as daemon:
            xsi.msgsnd(xsi.msgget(key), 1, b"a\n<0>b\x1b[2J\x9b\r")
            daemon.wait_log("message a")
            self.harmless(daemon.log)
            self.assertEqual(daemon.stop(), 0)
            self.harmless(output.drain())


if __name__ == "__main__":
    harness.main()
