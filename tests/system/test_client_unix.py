# SPDX-License-Identifier: MIT
"""ruptime over UNIX sockets: the real server, bad ones, full ones, none at all."""

import contextlib
import os
import resource
import socket
import subprocess
import time
import unittest

import fakes
import harness
import local_clients as local
from fakes import ANSWER, LINE, UnixDgramServer, UnixServer, answer_extended, extended_answer, sends
from stalls import Stopwatch

RUPTIME = harness.program("ruptime")
STREAMS = ("unix", "unix-seqpacket")
SCHEMES = STREAMS + ("unix-dgram",)
UPTIME_LINE = r"\A [0-9:]+ up .*load average: [0-9., ]+\n\Z"


def ruptime(*args, **options):
    return harness.run([RUPTIME, *args], **options)


class Unix(unittest.TestCase):
    def setUp(self):
        directory = harness.tempdir()
        self.path = os.path.join(directory.__enter__(), "s")
        self.addCleanup(directory.__exit__, None, None, None)

    def answered(self, done, line=LINE):
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, line, ""))

    def failed(self, done, url, reason):
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (2, "", "ruptime: %s: %s\n" % (url, reason)))


class Server(Unix):
    def test_each_kind_of_socket(self):
        urls = ["%s://%s-%s" % (scheme, self.path, scheme) for scheme in SCHEMES]
        with harness.Daemon(*("--listen=" + url for url in urls)):
            for url in urls:
                for _ in range(3):
                    done = ruptime(url)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    self.assertRegex(done.stdout, UPTIME_LINE)

    def test_datagrams_come_from_the_name_that_was_asked(self):
        mode = "?mode=0640"
        with harness.Daemon("--listen=unix-dgram://" + self.path + mode), \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o640)
            sock.settimeout(10 * harness.SLOW)
            sock.bind("")
            sock.sendto(b"x", self.path)
            line, source = sock.recvfrom(1000)
            self.assertRegex(line.decode(), UPTIME_LINE)
            self.assertEqual(source, self.path)
            self.assertEqual(os.listdir(os.path.dirname(self.path)), ["s"])

    def test_failing_command(self):
        urls = ["%s://%s-%s" % (scheme, self.path, scheme) for scheme in STREAMS]
        command = harness.fake_command(os.path.dirname(self.path), "exit 7")
        with harness.Daemon(*("--listen=" + url for url in urls), command=command):
            for url in urls:
                done = ruptime(url)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, r"\Aruptime: %s: [^\n]+\n\Z" % url)

    def test_nobody_there(self):
        for scheme in SCHEMES:
            url = "%s://%s" % (scheme, self.path)
            self.failed(ruptime(url), url, "No such file or directory")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(self.path)
        url = "unix://" + self.path
        self.failed(ruptime(url), url, "Connection refused")

    def test_comes_up_meanwhile(self):
        url = "unix://" + self.path
        with subprocess.Popen([RUPTIME, "--wait", url], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=harness.environment()) as client:
            with UnixServer(self.path, ANSWER):
                stdout, stderr = client.communicate(timeout=20 * harness.SLOW)
        self.assertEqual((client.returncode, stdout, stderr), (0, ANSWER, b""))

    def test_other_kind_of_socket(self):
        with UnixServer(self.path, ANSWER):
            url = "unix-dgram://" + self.path
            self.failed(ruptime(url), url, "Protocol wrong type for socket")

    @unittest.skipUnless(os.geteuid() == 0, "root is needed to become another user")
    def test_not_permitted(self):
        with UnixServer(self.path, ANSWER) as server:
            os.chmod(self.path, 0o600)
            done = harness.run(harness.as_nobody([RUPTIME, server.url]))
            self.failed(done, server.url, "Permission denied")
            self.assertEqual(server.connections, 0)


class BadStreams(Unix):
    def test_bad_answers(self):
        def two_messages(conn, _server):
            conn.sendall(b"x" * 500)
            conn.sendall(b"x" * 500 + b"\n")

        for scheme in STREAMS:
            for number, (sent, reason) in enumerate((
                    (b"", "closed without an answer"),
                    (b"\n", "empty line"),
                    (ANSWER[:-1], "incomplete line"),
                    (b"x" * 513, "line longer than 512 bytes"),
                    (b"x" * 100000, "line longer than 512 bytes"),
                    (two_messages, "line longer than 512 bytes"),
                    (ANSWER + b"x", "more than one line"),
                    (fakes.endless, "more than one line"),
                    (b"error: \x9b31m\n", "\\x9b31m"),
                    (b"error: no luck\n", "no luck"))):
                with self.subTest(scheme=scheme, number=number):
                    path = "%s-%s-%d" % (self.path, scheme, number)
                    with UnixServer(path, sent, scheme=scheme) as server:
                        self.failed(ruptime("--tries=1", server.url), server.url, reason)

    def test_line_in_pieces(self):
        def pieces(conn, _server):
            for i in range(0, len(ANSWER), 7):
                conn.sendall(ANSWER[i:i + 7])

        for scheme in STREAMS:
            with UnixServer(self.path + scheme, pieces, scheme=scheme) as server:
                self.answered(ruptime(server.url))

    def test_deadline(self):
        for scheme in STREAMS:
            for handler in (fakes.hang, fakes.drip):
                path = "%s-%s-%s" % (self.path, scheme, handler.__name__)
                with UnixServer(path, handler, scheme=scheme) as server:
                    watch = Stopwatch()
                    done = ruptime("--tries=1", "--timeout=400ms", server.url)
                    self.assertLess(watch.ran_s, 0.4 + 1 * harness.SLOW)
                    self.failed(done, server.url, "timed out")

    def test_tries(self):
        with UnixServer(self.path, b"", b"half", ANSWER) as server:
            self.answered(ruptime(server.url))
            self.assertEqual(server.connections, 3)


class FullBacklog(Unix):
    """connect() fails at once then, and poll() cannot tell when it would not."""

    def setUp(self):
        super().setUp()
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(self.path)
        self.listener.listen(0)
        self.waiting = local.connect_until_full(self.path)
        for sock in self.waiting:
            self.addCleanup(sock.close)
        self.url = "unix://" + self.path

    def test_times_out_without_spinning(self):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        done = ruptime("--tries=1", "--timeout=2s", self.url)
        took = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.failed(done, self.url, "Connection timed out")
        self.assertGreaterEqual(took, 2)
        self.assertLess(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                        0.2 * harness.SLOW)

    def test_gets_in(self):
        self.listener.settimeout(10 * harness.SLOW)
        with subprocess.Popen([RUPTIME, "--tries=1", "--timeout=10s", self.url],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=harness.environment()) as client:
            # It has met the full backlog once it rests: nothing else makes it wait.
            harness.wait_for(lambda: harness.Process(client.pid).state == "S", 10,
                             "the client to wait")
            for _ in range(len(self.waiting) + 1):
                conn, _peer = self.listener.accept()
                with conn:
                    conn.sendall(ANSWER)
            stdout, stderr = client.communicate(timeout=20 * harness.SLOW)
        self.assertEqual((client.returncode, stdout, stderr), (0, ANSWER, b""))


class Datagrams(Unix):
    def test_extended_request_from_a_name_in_no_directory(self):
        sources = []

        def answer(server, datagram, source):
            sources.append(source)
            answer_extended(server, datagram, source)

        with UnixDgramServer(self.path, answer) as server:
            self.answered(ruptime(server.url))
        self.assertEqual(server.sizes, [512])
        self.assertEqual(sources[0][:1], b"\0")
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["s"])

    def test_old_server(self):
        def old(server, datagram, source):
            if len(datagram) == 1:
                server.sock.sendto(ANSWER, source)

        with UnixDgramServer(self.path, old) as server:
            self.answered(ruptime("--timeout=200ms", server.url))
        self.assertEqual(server.sizes, [512, 512, 1])

    def test_unfit_answers_are_ignored(self):
        def forge(request):
            return [b"", b"x", b"x" * 1000, ANSWER, bytes(range(256)),
                    extended_answer(request, nonce=b"\0" * 8), extended_answer(request, b""),
                    extended_answer(request, b"error: no\n"), extended_answer(request)]

        with UnixDgramServer(self.path, sends(forge)) as server:
            self.answered(ruptime("--tries=1", server.url))

    def test_silence(self):
        with UnixDgramServer(self.path, lambda *_: None) as server:
            begun = time.monotonic()
            done = ruptime("--timeout=100ms", server.url)
            self.assertGreaterEqual(time.monotonic() - begun, 0.3)
            self.failed(done, server.url, "timed out")

    def test_full_buffer(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server, \
                contextlib.ExitStack() as others:
            server.bind(self.path)
            server.settimeout(10 * harness.SLOW)
            filled = before = 0
            # A sender may have a full buffer of its own: the server's is full for each new one.
            while filled == 0 or filled > before:
                before = filled
                other = others.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                other.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        other.sendto(b"xx", self.path)
                        filled += 1
            url = "unix-dgram://" + self.path
            self.failed(ruptime("--tries=1", "--timeout=200ms", url), url, "timed out")
            with subprocess.Popen([RUPTIME, "--tries=1", "--timeout=10s", url],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=harness.environment()) as client:
                harness.wait_for(lambda: harness.Process(client.pid).state == "S", 10,
                                 "the client to wait")
                for _ in range(filled):
                    self.assertEqual(server.recvfrom(100)[0], b"xx")
                request, source = server.recvfrom(1000)
                server.sendto(extended_answer(request), source)
                stdout, stderr = client.communicate(timeout=20 * harness.SLOW)
            self.assertEqual((client.returncode, stdout, stderr), (0, ANSWER, b""))


if __name__ == "__main__":
    harness.main()
