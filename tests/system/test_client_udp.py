# SPDX-License-Identifier: MIT
"""ruptime over UDP: what is lost, late, doubled, forged or malformed."""

import os
import socket
import time
import unittest

import fakes
import harness
from fakes import ANSWER, LINE, UdpServer, answer_extended, extended_answer, sends
from stalls import Stopwatch

OTHER = b" 00:00:00 up 0 min, another host's line\n"


def ruptime(*args, **options):
    return harness.run([harness.program("ruptime"), *args], **options)


class Udp(unittest.TestCase):
    def answered(self, done, line=LINE):
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, line, ""))

    def failed(self, done, url, reason):
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (2, "", "ruptime: %s: %s\n" % (url, reason)))

    def test_extended_request(self):
        with UdpServer(answer_extended) as server:
            self.answered(ruptime(server.url))
            self.answered(ruptime("--udp", server.authority))
            self.answered(ruptime("-4", server.url))
        self.assertEqual(server.sizes, [512] * 3)
        for request in server.seen:
            self.assertEqual(request[:4], b"RUq1")
            self.assertEqual(request[12:], bytes(500))
        nonces = {request[4:12] for request in server.seen}
        self.assertEqual(len(nonces), 3)

    @unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "this machine has no IPv6")
    def test_ipv6(self):
        with UdpServer(answer_extended, host="::1") as server:
            self.answered(ruptime(server.url))
            self.answered(ruptime("-6", server.url))
            self.assertEqual(ruptime("-4", server.url).returncode, 2)

    def test_line_without_its_end(self):
        with UdpServer(sends(lambda q: [extended_answer(q, ANSWER[:-1])])) as server:
            self.answered(ruptime(server.url))

    def test_longest_line(self):
        line = b"x" * 499 + b"\n"
        with UdpServer(sends(lambda q: [extended_answer(q, line)])) as server:
            self.answered(ruptime(server.url), line.decode())

    def test_lines_are_escaped(self):
        for sent, shown in ((b"a\r\n", b"a\r\n"), (b"caf\xc3\xa9\n", b"caf\xc3\xa9\n"),
                            (b"\033[31m\n", b"\\x1b[31m\n"), (b"a\x9bb", b"a\\x9bb\n")):
            with UdpServer(sends(lambda q, line=sent: [extended_answer(q, line)])) as server:
                done = ruptime(server.url, text=False)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, shown, b""))

    def test_two_tries_lost(self):
        def third_time(server, datagram, source):
            if server.tries() == 3:
                answer_extended(server, datagram, source)

        with UdpServer(third_time) as server:
            begun = time.monotonic()
            self.answered(ruptime("--timeout=200ms", server.url))
            self.assertGreaterEqual(time.monotonic() - begun, 0.4)
        self.assertEqual(server.tries(), 3)
        # Beginning with the second one, each try also sends what an old server knows.
        self.assertEqual(server.sizes[:4], [512, 512, 1, 512])
        self.assertEqual(len({r[4:12] for r in server.seen if len(r) > 1}), 3)

    def test_all_tries_lost(self):
        with UdpServer(lambda *_: None) as server:
            begun = time.monotonic()
            done = ruptime("--timeout=100ms", server.url)
            self.assertGreaterEqual(time.monotonic() - begun, 0.3)
            self.failed(done, server.url, "timed out")
            harness.wait_for(lambda: len(server.seen) == 5, what="the last datagram")
        self.assertEqual(server.sizes, [512, 512, 1, 512, 1])

    def test_old_server(self):
        for sent in (ANSWER, ANSWER[:-1]):
            def old(server, datagram, source, sent=sent):
                if len(datagram) == 1:
                    server.sock.sendto(sent, source)

            with UdpServer(old) as server:
                self.answered(ruptime("--timeout=200ms", server.url))
            self.assertEqual(server.sizes, [512, 512, 1])

    def test_old_server_costs_no_timeout(self):
        def old(server, datagram, source):
            if len(datagram) == 1:
                server.sock.sendto(ANSWER, source)

        with UdpServer(old) as server:
            watch = Stopwatch()
            self.answered(ruptime("--tries=1", server.url))
        self.assertEqual(server.sizes, [512, 512, 1])
        self.assertGreaterEqual(watch.elapsed_s, 0.25)
        self.assertLess(watch.ran_s, 0.25 + 0.5 * harness.SLOW)

    def test_loss_costs_no_timeout(self):
        def second_time(server, datagram, source):
            if server.tries() == 2:
                answer_extended(server, datagram, source)

        with UdpServer(second_time) as server:
            watch = Stopwatch()
            self.answered(ruptime("--tries=1", server.url))
            self.assertLess(watch.ran_s, 0.25 + 0.5 * harness.SLOW)
        self.assertEqual(server.tries(), 2)

    def test_plain_line_nobody_asked_for(self):
        with UdpServer(sends(lambda q: [OTHER])) as server:
            done = ruptime("--timeout=200ms", "--tries=1", server.url)
            self.failed(done, server.url, "timed out")

    def test_wrong_nonce(self):
        def forge(request):
            almost = request[4:11] + bytes([~request[11] & 255])
            return [extended_answer(request, OTHER, nonce=b"\0" * 8),
                    extended_answer(request, OTHER, nonce=almost),
                    extended_answer(request)]

        with UdpServer(sends(forge)) as server:
            self.answered(ruptime(server.url))
        self.assertEqual(server.tries(), 1)

    def test_printable_wrong_nonce_is_no_plain_line(self):
        def forge(server, datagram, source):
            if len(datagram) == 1:
                server.sock.sendto(extended_answer(b"", OTHER, nonce=b"12345678"), source)

        with UdpServer(forge) as server:
            done = ruptime("--timeout=200ms", "--tries=2", server.url)
            self.failed(done, server.url, "timed out")
        self.assertIn(1, server.sizes)

    def test_wrong_source(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))

            def forge(server, datagram, source):
                if len(datagram) > 1:
                    stranger.sendto(extended_answer(datagram, OTHER), source)
                    answer_extended(server, datagram, source)

            with UdpServer(forge) as server:
                self.answered(ruptime(server.url))
            self.assertEqual(server.tries(), 1)

    def test_duplicates(self):
        with UdpServer(sends(lambda q: [extended_answer(q)] * 5)) as server:
            self.answered(ruptime(server.url))

    def test_late_answer_to_the_first_try(self):
        first = []

        def late(server, datagram, source):
            first.append((datagram, source))
            if server.tries() == 2:
                server.sock.sendto(extended_answer(first[0][0]), first[0][1])

        with UdpServer(late) as server:
            self.answered(ruptime("--timeout=300ms", "--tries=2", server.url))

    def test_late_answer_between_two_tries(self):
        def late(server, datagram, source):
            # The first try is over, the second one a second away.
            server.stopping.wait(0.3)
            answer_extended(server, datagram, source)

        with UdpServer(late) as server:
            watch = Stopwatch()
            self.answered(ruptime("--timeout=100ms", "--wait", server.url))
            self.assertLess(watch.ran_s, 1 * harness.SLOW)
        self.assertEqual(server.sizes, [512])

    def test_unfit_answers(self):
        unfit = {
            "zero length": b"",
            "one byte": b"x",
            "header alone": extended_answer(b"", b"", nonce=b"\1" * 8)[:12],
            "long": b"x" * 1000,
            "huge": b"x" * 60000,
            "binary": bytes(range(256)),
        }
        for name, datagram in unfit.items():
            with self.subTest(name):
                with UdpServer(sends(lambda q, bad=datagram: [bad, extended_answer(q)])) as server:
                    self.answered(ruptime(server.url))
                self.assertEqual(server.tries(), 1)

    def test_unfit_lines(self):
        for line in (b"", b"\n", b"\r\n", b"a\nb\n", b"a\n\n", b"a\r\nb\r\n", b"error: no\n",
                     b"x" * 501, b"x" * 512):
            with self.subTest(line=line[:20]):
                with UdpServer(sends(lambda q, bad=line: [extended_answer(q, bad)])) as server:
                    done = ruptime("--timeout=100ms", "--tries=1", server.url)
                    self.failed(done, server.url, "timed out")

    def test_flood_does_not_hide_the_deadline(self):
        def flood(server, _datagram, source):
            while not server.stopping.is_set():
                server.sock.sendto(OTHER, source)

        with UdpServer(flood) as server:
            watch = Stopwatch()
            done = ruptime("--timeout=300ms", "--tries=1", server.url)
            server.stopping.set()
            self.failed(done, server.url, "timed out")
        self.assertLess(watch.ran_s, 0.3 + 1 * harness.SLOW)

    def test_refused(self):
        with fakes.refusing(socket.SOCK_DGRAM) as authority:
            watch = Stopwatch()
            self.failed(ruptime("--udp", authority), "udp://" + authority, "Connection refused")
        # The timeout of 2 s a try is not waited for, but the rests are kept.
        self.assertGreaterEqual(watch.elapsed_s, 0.225)
        self.assertLess(watch.ran_s, 1.5 * harness.SLOW)

    def test_name_not_found(self):
        done = ruptime("udp://no-such-host.invalid:1", timeout=60)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\Aruptime: udp://no-such-host\.invalid:1: [^\n]+\n\Z")


if __name__ == "__main__":
    harness.main()
