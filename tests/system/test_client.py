# SPDX-License-Identifier: MIT
"""ruptime on the command line and over TCP: good servers, bad ones, none at all."""

import contextlib
import fcntl
import os
import re
import socket
import subprocess
import threading
import time
import unittest

import fakes
import harness
from fakes import ANSWER, LINE, TcpServer
from stalls import Stopwatch

RUPTIME = harness.program("ruptime")


def ruptime(*args, **options):
    return harness.run([RUPTIME, *args], **options)


class Client(unittest.TestCase):
    def answered(self, done, line=LINE):
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, line, ""))

    def failed(self, done, address, reason, code=2):
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (code, "", "ruptime: %s: %s\n" % (address, reason)))


class CommandLine(Client):
    def refused(self, culprit, *args):
        with self.subTest(args=args):
            done = ruptime(*args)
            self.assertEqual((done.returncode, done.stdout), (3, ""), done.stderr)
            self.assertRegex(done.stderr, r"\Aruptime: [^\n]*\n\Z")
            self.assertIn(culprit, done.stderr)

    def test_bad_options(self):
        self.refused("-x", "-x")
        self.refused("-x", "-qx", "localhost")
        self.refused("--fast", "--fast")
        self.refused("--t", "--t=1")
        self.refused("--quiet", "--quiet=yes")
        self.refused("--timeout", "--timeout")
        self.refused("--tries", "--tries")
        for text in ("0", "-1s", "1y", "", "1e3", "nan", "400000000s", "1.s"):
            self.refused("--timeout=" + text, "--timeout=" + text)
        for text in ("0", "-1", "1001", "3.5", "three", "", "99999999999999999999"):
            self.refused("--tries=" + text, "--tries=" + text)
        for text in ("soon", "-1s", "9000h"):
            self.refused("--wait=" + text, "--wait=" + text)

    def test_bad_addresses(self):
        for text in ("tcp://h:99999", "h:", ":8784", "gopher://h", "tcp:///run/x", "tcp://",
                     "*", "udp://*:1", "::1", "[::1", "[fe80::zz]", "h:no-such-service-here",
                     "tcp://h?mode=0600", "a b"):
            self.refused(text, text)
        self.refused("empty", "")
        for text in ("tcp:h:1", "tcp:h", "udp:h:53", "unix:/run/x", "msgq:7", "tcp:/h:1"):
            self.refused('"://" stands behind a scheme', text)

    def test_separate_argument_of_an_option_that_takes_none(self):
        for words in (("--wait", "3s"), ("--wait", "3"), ("--wait", "1.5m", "localhost")):
            self.refused("--wait=" + words[1], *words)

    def test_help_and_version(self):
        done = ruptime("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, ruptime("-h").stdout)
        for name in ("-4", "-6", "--tcp", "--udp", "--timeout=", "--tries=", "--wait[=",
                     "-q, --quiet", "-h, --help", "-V, --version"):
            self.assertIn(name, done.stdout)
        done = ruptime("-V")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\Aruptime \(ruptime\) \d+\.\d+\.\d+\n\Z")

    def test_output_that_cannot_be_written(self):
        with TcpServer(ANSWER) as server, open("/dev/full", "wb") as full:
            for args in ((server.url,), ("--help",), ("--version",)):
                done = ruptime(*args, stdout=full, stderr=subprocess.PIPE)
                self.assertEqual((done.returncode, done.stderr),
                                 (4, "ruptime: standard output: No space left on device\n"))
            done = ruptime("-q", server.url, stdout=full, stderr=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stderr), (4, ""))

    def test_output_that_does_not_block(self):
        def fill(writer):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(writer, b"#")

        def expect(args, text):
            reader, writer = os.pipe()
            fcntl.fcntl(writer, harness.F_SETPIPE_SZ, 4096)
            os.set_blocking(writer, False)
            fill(writer)
            with subprocess.Popen([RUPTIME, *args], stdout=writer, stderr=subprocess.PIPE,
                                  env=harness.environment()) as client:
                os.close(writer)
                harness.wait_for(lambda: harness.Process(client.pid).state == "S", 10,
                                 "the client to wait")
                with open(reader, "rb") as out:
                    self.assertEqual(out.read().lstrip(b"#").decode(), text)
                self.assertEqual((client.wait(), client.stderr.read()), (0, b""))

        with TcpServer(ANSWER) as server:
            expect([server.url], LINE)
        expect(["--help"], ruptime("--help").stdout)

    def test_reader_that_has_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        with TcpServer(ANSWER) as server:
            done = ruptime(server.url, stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr),
                         (4, "ruptime: standard output: Broken pipe\n"))

    def test_closed_output_is_no_socket(self):
        with TcpServer(ANSWER) as server:
            done = harness.run(["sh", "-c", 'exec "$0" "$@" >&-', RUPTIME, server.url])
        self.assertEqual((done.returncode, done.stderr),
                         (4, "ruptime: standard output: Bad file descriptor\n"))
        # No host is asked when there is nowhere to put the answer.
        self.assertEqual(server.connections, 0)


class Tcp(Client):
    def test_line_as_received(self):
        longest = b"x" * 511 + b"\n"
        for sent in (ANSWER, b"x\n", b" ~ \n", longest, b"error:\n"):
            with TcpServer(sent) as server:
                self.answered(ruptime(server.url), sent.decode())
                self.assertEqual(server.connections, 1)

    def test_line_in_pieces(self):
        def pieces(conn, server):
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(0, len(ANSWER), 7):
                conn.sendall(ANSWER[i:i + 7])
                server.stopping.wait(0.002)

        with TcpServer(pieces) as server:
            self.answered(ruptime(server.url))

    def test_bare_host(self):
        with TcpServer(ANSWER) as server:
            self.answered(ruptime(server.authority))
            self.answered(ruptime("--udp", "--tcp", server.authority))
            self.answered(ruptime("--udp", server.url))

    def test_families(self):
        with TcpServer(ANSWER) as server:
            self.answered(ruptime("-4", server.url))
            done = ruptime("-6", server.url)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertRegex(done.stderr, r"\Aruptime: %s: [^\n]+\n\Z" % re.escape(server.url))

    @unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "this machine has no IPv6")
    def test_ipv6(self):
        with TcpServer(ANSWER, host="::1") as server:
            self.answered(ruptime(server.url))
            self.answered(ruptime("-6", server.authority))
            self.assertEqual(ruptime("-4", server.url).returncode, 2)

    def test_no_operand_is_localhost(self):
        # Whether a server is there is this machine's affair; which host was asked is not.
        done = ruptime("--tries=1", "--timeout=1s", "-4")
        if done.returncode == 2:
            self.assertRegex(done.stderr, r"\Aruptime: tcp://localhost:\d+: [^\n]+\n\Z")
        else:
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_refused(self):
        with fakes.refusing(socket.SOCK_STREAM) as authority:
            began = time.monotonic()
            self.failed(ruptime(authority), "tcp://" + authority, "Connection refused")
            # Two rests: 100 and 200 ms, a quarter less at the shortest.
            self.assertGreaterEqual(time.monotonic() - began, 0.225)

    def test_name_not_found(self):
        done = ruptime("no-such-host.invalid:1", timeout=60)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\Aruptime: tcp://no-such-host\.invalid:1: [^\n]+\n\Z")

    def test_quiet(self):
        with TcpServer(b"", ANSWER) as server:
            done = ruptime("-q", "--tries=1", server.url)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (2, "", ""))
            self.answered(ruptime("-q", "--tries=1", server.url))

    def test_tries(self):
        for handlers in ((b"", b"", ANSWER), (fakes.reset, b"half", ANSWER)):
            with TcpServer(*handlers) as server:
                self.answered(ruptime(server.url))
                self.assertEqual(server.connections, 3)
            with TcpServer(*handlers) as server:
                self.assertEqual(ruptime("--tries=2", server.url).returncode, 2)
                self.assertEqual(server.connections, 2)

    def test_wait_until_it_is_up(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            url = "tcp://127.0.0.1:%d" % listener.getsockname()[1]

            def serve():
                listener.listen()
                listener.settimeout(20 * harness.SLOW)
                conn, _peer = listener.accept()
                with conn:
                    conn.sendall(ANSWER)

            begun = time.monotonic()
            timer = threading.Timer(1.5, serve)
            timer.start()
            done = ruptime("--wait", "--tries=1", url)
            timer.join()
        self.answered(done)
        self.assertGreaterEqual(time.monotonic() - begun, 1.5)

    def test_wait_ends(self):
        with TcpServer(b"") as server:
            begun = time.monotonic()
            done = ruptime("--wait=1.5s", server.url)
            self.failed(done, server.url, "closed without an answer")
            self.assertGreaterEqual(time.monotonic() - begun, 1.5)
            # At 0, 1 and 1.5 s.
            self.assertEqual(server.connections, 3)
        with TcpServer(b"") as server:
            self.assertEqual(ruptime("--wait=0", server.url).returncode, 2)
            self.assertEqual(server.connections, 1)

    def test_bad_answers(self):
        for sent, reason in (
                (b"", "closed without an answer"),
                (b"\n", "empty line"),
                (ANSWER[:-1], "incomplete line"),
                (b"x" * 511, "incomplete line"),
                (b"x" * 512, "line longer than 512 bytes"),
                (b"x" * 512 + b"\n", "line longer than 512 bytes"),
                (b"x" * 10000000, "line longer than 512 bytes"),
                (ANSWER + ANSWER, "more than one line"),
                (ANSWER + b"x", "more than one line"),
                (fakes.endless, "more than one line"),
                (b"\r\n", "empty line"),
                (b"up\r", "incomplete line"),
                (b"up\r\nup\r\n", "more than one line"),
                (b"error: \033[31mred\xc2\x9b\n", "\\x1b[31mred\\xc2\\x9b"),
                (fakes.reset, "Connection reset by peer")):
            with self.subTest(sent=sent if callable(sent) else sent[:20]):
                with TcpServer(sent) as server:
                    self.failed(ruptime("--tries=1", server.url), server.url, reason)
                    self.assertEqual(server.connections, 1)

    def test_line_from_a_server_that_does_not_close(self):
        def never_ends(conn, server):
            conn.sendall(ANSWER)
            fakes.hang(conn, server)

        def goes_on_later(conn, server):
            conn.sendall(ANSWER)
            server.stopping.wait(0.1)
            conn.sendall(b"more")
            fakes.hang(conn, server)

        with TcpServer(never_ends) as server:
            begun = time.monotonic()
            self.answered(ruptime("--tries=1", "--timeout=500ms", server.url))
            # Until then, more might come.
            self.assertGreaterEqual(time.monotonic() - begun, 0.5)
        with TcpServer(goes_on_later) as server:
            self.failed(ruptime("--tries=1", server.url), server.url, "more than one line")

    def test_unprintable_bytes_are_escaped(self):
        for sent, shown in (
                (b"up\r\n", b"up\r\n"),
                (b"up, caf\xc3\xa9 \xe2\x82\xac\n", b"up, caf\xc3\xa9 \xe2\x82\xac\n"),
                (b"\033[2Jup\n", b"\\x1b[2Jup\n"),
                (b"up\xc2\x9b31m\n", b"up\\xc2\\x9b31m\n"),
                (b"up\xff\0\t\n", b"up\\xff\\x00\\x09\n"),
                ("up \u202e\n".encode(), b"up \\xe2\\x80\\xae\n"),
                (b"\0" * 511 + b"\n", b"\\x00" * 511 + b"\n")):
            with self.subTest(sent=sent[:20]), TcpServer(sent) as server:
                done = ruptime(server.url, text=False)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, shown, b""))

    def test_reset_behind_the_line(self):
        def line_and_reset(conn, server):
            conn.sendall(ANSWER)
            fakes.reset(conn, server)

        with TcpServer(line_and_reset) as server:
            self.failed(ruptime("--tries=1", server.url), server.url, "Connection reset by peer")

    def test_error_of_the_server(self):
        for handlers in ((b"error: uptime did not end in time\n",),
                         (b"error: uptime did not end in time\n", ANSWER)):
            with TcpServer(*handlers) as server:
                self.failed(ruptime(server.url), server.url, "uptime did not end in time")
                # It was heard: to ask at once again would only add to its trouble.
                self.assertEqual(server.connections, 1)
        with TcpServer(b"error: not yet\n", ANSWER) as server:
            self.answered(ruptime("--wait", server.url))

    def test_deadline_of_a_try(self):
        for handler in (fakes.hang, fakes.drip):
            with self.subTest(handler=handler.__name__), TcpServer(handler) as server:
                watch = Stopwatch()
                done = ruptime("--tries=1", "--timeout=500ms", server.url)
                self.failed(done, server.url, "timed out")
                self.assertGreaterEqual(watch.elapsed_s, 0.5)
                self.assertLess(watch.ran_s, 0.5 + 1 * harness.SLOW)

    def test_deadline_of_each_try(self):
        with TcpServer(fakes.hang, fakes.drip, ANSWER) as server:
            begun = time.monotonic()
            self.answered(ruptime("--timeout=300ms", server.url))
            self.assertGreaterEqual(time.monotonic() - begun, 0.6)
            self.assertEqual(server.connections, 3)

    def test_no_descriptor_left(self):
        starve = 'ulimit -n 4; exec "$0" "$@"'
        with fakes.UdpServer(lambda *_: None) as server:
            done = harness.run(["sh", "-c", starve, RUPTIME, "--timeout=100ms", server.url])
        # The first try has the one that is left; it stays open for a late answer.
        self.failed(done, server.url, "Too many open files", code=4)


if __name__ == "__main__":
    harness.main()
