# SPDX-License-Identifier: MIT
"""ruptime that passes its standard output: what it may be, who takes it, who answers what."""

import contextlib
import os
import socket
import subprocess
import unittest

import fakes
import harness
from fakes import ANSWER, UnixServer
from stalls import Stopwatch

RUPTIME = harness.program("ruptime")
UPTIME_LINE = r"\A [0-9:]+ up .*load average: [0-9., ]+\n\Z"
OK = b"\0"


def take(conn):
    """The descriptor that comes with the client's first message."""
    _data, descriptors, _flags, _address = socket.recv_fds(conn, 64, 16)
    assert len(descriptors) == 1, descriptors
    return descriptors[0]


def writes(status, line=ANSWER):
    """A handler that writes LINE to the descriptor and answers STATUS."""
    def handler(conn, _server):
        passed_fd = take(conn)
        os.write(passed_fd, line)
        os.close(passed_fd)
        conn.sendall(status)
    return handler


def then(handler):
    """A handler that takes the descriptor, closes it, and goes on as HANDLER does."""
    def taking(conn, server):
        os.close(take(conn))
        handler(conn, server)
    return taking


class Fdpass(unittest.TestCase):
    def setUp(self):
        directory = harness.tempdir()
        self.directory = directory.__enter__()
        self.addCleanup(directory.__exit__, None, None, None)
        self.path = os.path.join(self.directory, "s")
        self.url = "fdpass://" + self.path

    def ruptime(self, *args, **options):
        return harness.run([RUPTIME, *args, self.url], **options)

    def server(self, *handlers):
        return UnixServer(self.path, *handlers, scheme="fdpass")

    def failed(self, done, reason, code=2):
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (code, "", "ruptime: %s: %s\n" % (self.url, reason)))


class Server(Fdpass):
    def setUp(self):
        super().setUp()
        daemon = harness.Daemon("--listen=" + self.url)
        daemon.__enter__()
        self.addCleanup(daemon.__exit__, None, None, None)

    def passes(self, stdout):
        done = self.ruptime(stdout=stdout, stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_pipe(self):
        done = self.ruptime()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, UPTIME_LINE)

    def test_file(self):
        name = os.path.join(self.directory, "out")
        with open(name, "w", encoding="ascii") as out:
            out.write("first\n")
            out.flush()
            for _ in range(3):
                self.passes(out)
        with open(name, encoding="ascii") as out:
            first, *lines = out.readlines()
        self.assertEqual((first, len(lines)), ("first\n", 3))
        for line in lines:
            self.assertRegex(line, UPTIME_LINE)

    def test_sockets(self):
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
            ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
            with ours, theirs:
                self.passes(theirs)
                self.assertRegex(ours.recv(1000).decode(), UPTIME_LINE)

    def test_tcp_connection_ends_with_the_line(self):
        with socket.create_server(("127.0.0.1", 0)) as listener, \
                socket.create_connection(listener.getsockname()) as client:
            conn, _peer = listener.accept()
            with conn:
                self.passes(conn)
            client.settimeout(10 * harness.SLOW)
            with client.makefile("r") as answer:
                self.assertRegex(answer.read(), UPTIME_LINE)

    def test_terminal(self):
        ours, theirs = os.openpty()
        try:
            self.passes(theirs)
            self.assertRegex(os.read(ours, 1000).decode().replace("\r\n", "\n"), UPTIME_LINE)
        finally:
            os.close(ours)
            os.close(theirs)

    def test_output_that_does_not_take_the_line(self):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            for stdout, flags, reason in (
                    ("/dev/null", os.O_RDONLY, "the descriptor is not open for writing"),
                    ("/dev/full", os.O_WRONLY, "no space left"),
                    (writer, 0, "nobody reads from the descriptor any more")):
                fd = stdout if stdout == writer else os.open(stdout, flags)
                done = self.ruptime(stdout=fd, stderr=subprocess.PIPE)
                if fd != writer:
                    os.close(fd)
                self.assertEqual((done.returncode, done.stderr),
                                 (2, "ruptime: %s: %s\n" % (self.url, reason)))
        finally:
            os.close(writer)

    def test_with_wait_and_quiet(self):
        done = self.ruptime("--wait", "-q", "--tries=1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, UPTIME_LINE)


class Fakes(Fdpass):
    def test_what_is_passed(self):
        seen = []

        def look(conn, _server):
            passed_fd = take(conn)
            seen.append(os.fstat(passed_fd))
            os.close(passed_fd)
            conn.sendall(OK)

        with open(os.path.join(self.directory, "out"), "wb") as out, self.server(look):
            done = self.ruptime(stdout=out, stderr=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(os.path.samestat(seen[0], os.fstat(out.fileno())))
            # Only the server writes.
            self.assertEqual(out.tell(), 0)

    def test_status_without_an_end(self):
        def status_and_hang(conn, server):
            writes(OK)(conn, server)
            fakes.hang(conn, server)

        with self.server(status_and_hang) as server:
            done = self.ruptime("--timeout=10s")
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (0, ANSWER.decode(), ""))
            self.assertEqual(server.connections, 1)

    def test_bad_statuses_end_it(self):
        def silent_end(_conn, _server):
            pass

        def sends(status):
            return lambda conn, _server: conn.sendall(status)

        for number, (handler, reason) in enumerate((
                (silent_end, "closed without an answer"),
                (sends(b"error: the disk is full\n"), "the disk is full"),
                (sends(b"error: \033[2J\n"), "\\x1b[2J"),
                (sends(b"error: no end"), "incomplete line"),
                (sends(b"\1"), "incomplete line"),
                (sends(b"x" * 100000), "line longer than 512 bytes"),
                (sends(ANSWER), "a line came instead of a status"),
                (fakes.endless, "more than one line"),
                (fakes.hang, "timed out"),
                (fakes.drip, "timed out"))):
            with self.subTest(number=number, reason=reason):
                self.path = os.path.join(self.directory, str(number))
                self.url = "fdpass://" + self.path
                with self.server(then(handler)) as server:
                    self.failed(self.ruptime("--timeout=400ms"), reason)
                    # The line may have been written: another try could write a second one.
                    self.assertEqual(server.connections, 1)

    def test_the_line_is_never_doubled(self):
        def late(conn, server):
            passed_fd = take(conn)
            conn.recv(1)
            os.write(passed_fd, ANSWER)
            os.close(passed_fd)
            self.assertEqual(server.connections, 1)

        reader, writer = os.pipe()
        with self.server(late), open(reader, "rb") as out:
            try:
                done = self.ruptime("--timeout=200ms", stdout=writer, stderr=subprocess.PIPE)
            finally:
                os.close(writer)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(out.read(), ANSWER)

    def test_server_that_ends_before_it_has_read(self):
        def leave(conn, _server):
            # Until there is something that it leaves unread.
            conn.recv(1, socket.MSG_PEEK)

        with self.server(leave, leave, writes(OK)) as server:
            done = self.ruptime()
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (0, ANSWER.decode(), ""))
            self.assertEqual(server.connections, 3)

    def test_closed_output(self):
        for args, message in (((), "ruptime: standard output: Bad file descriptor\n"),
                              (("-q",), "")):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            with self.server(writes(OK)) as server:
                done = harness.run(["sh", "-c", 'exec "$0" "$@" >&-', RUPTIME, *args, self.url])
            self.assertEqual((done.returncode, done.stderr), (4, message))
            self.assertEqual(server.connections, 0)

    def test_closed_input_and_errors(self):
        with self.server(writes(OK)):
            done = harness.run(["sh", "-c", 'exec "$0" "$@" <&- 2>&-', RUPTIME, self.url])
            self.assertEqual((done.returncode, done.stdout), (0, ANSWER.decode()))

    def test_deadline(self):
        with self.server(then(fakes.hang)) as server:
            watch = Stopwatch()
            self.failed(self.ruptime("--timeout=400ms"), "timed out")
            self.assertLess(watch.ran_s, 0.4 + 1 * harness.SLOW)
            self.assertEqual(server.connections, 1)

    def test_nobody_there(self):
        self.failed(self.ruptime(), "No such file or directory")


if __name__ == "__main__":
    harness.main()
