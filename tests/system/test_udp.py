# SPDX-License-Identifier: MIT
"""Answers over UDP: what is a request, what is not, and from where the answer comes."""

import select
import socket
import unittest

import clients
import harness


class Requests(unittest.TestCase):
    def setUp(self):
        context = harness.Daemon("-l", "udp://127.0.0.1:0")
        self.daemon = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.address = self.daemon.address("udp")
        self.sock = clients.udp_client(self.address)
        self.addCleanup(self.sock.close)

    def expect_no_answer(self, *requests):
        """None of REQUESTS is answered, all are counted, and the service goes on."""
        before = clients.state(self.daemon).get("udp", {}).get("dropped", 0)
        for request in requests:
            self.sock.send(request)
        # Datagrams of one socket are served in order: an answer to one of them would be first.
        request, nonce = clients.extended_request(512)
        self.sock.send(request)
        answer = self.sock.recv(65536)
        self.assertEqual(answer[:12], b"RUr1" + nonce)
        ledger = clients.state_at_rest(self, self.daemon, "udp")
        self.assertEqual(ledger["dropped"] - before, len(requests))
        return ledger

    def test_one_byte_of_any_value(self):
        for value in range(256):
            self.sock.send(bytes([value]))
            self.assertRegex(self.sock.recv(65536), b"^" + clients.UPTIME_LINE.pattern + b"$")

    def test_zero_length(self):
        ledger = self.expect_no_answer(*[b""] * 100)
        self.assertEqual(ledger["malformed"], 100)

    def test_wrong_length(self):
        self.expect_no_answer(b"ab", b"abc", bytes(15), bytes(16), b"x" * 512)

    def test_long(self):
        self.expect_no_answer(b"x" * 513, b"x" * 1472, b"x" * 9000, b"x" * 65507)

    def test_extended_too_short_or_too_long(self):
        too_long, _ = clients.extended_request(513)
        self.expect_no_answer(b"RUq1", b"RUq1" + b"n" * 8, b"RUq1" + b"n" * 8 + bytes(3), too_long)

    def test_extended_with_padding_that_is_not_zero(self):
        requests = [clients.extended_request(size, padding=1)[0] for size in (16, 128, 512)]
        request, _ = clients.extended_request(200)
        requests.append(request[:-1] + b"\1")
        self.expect_no_answer(*requests)

    def test_extended_of_another_version(self):
        request, _ = clients.extended_request(128)
        self.expect_no_answer(b"RUq2" + request[4:], b"RUr1" + request[4:])

    def test_no_answer_is_a_request(self):
        plain = clients.ask_datagram(self.address)
        extended = clients.ask_datagram(self.address, clients.extended_request(256)[0])
        self.expect_no_answer(plain, extended)

    def test_extended_is_answered_if_the_answer_is_not_longer(self):
        line = clients.ask_datagram(self.address)
        fits = 12 + len(line) + 4
        for size in (fits, 128, 300, 512):
            request, nonce = clients.extended_request(size)
            self.sock.send(request)
            answer = self.sock.recv(65536)
            self.assertEqual(answer[:12], b"RUr1" + nonce)
            self.assertRegex(answer[12:], b"^" + clients.UPTIME_LINE.pattern + b"$")
            self.assertLessEqual(len(answer), size)
        ledger = self.expect_no_answer(clients.extended_request(16)[0],
                                       clients.extended_request(12 + len(line) - 8)[0])
        self.assertEqual(ledger["no-room"], 2)

    def test_garbage_among_load(self):
        load = clients.start_crowd(self.address, "-n", 32, "-d", clients.seconds(1))
        sent = 0
        while load.poll() is None:
            for request in (b"", b"xx", b"x" * 600):
                self.sock.send(request)
                sent += 1
            # Not a flood: the kernel's buffer is not what is tried here.
            select.select([], [], [], 0.001)
        counts = clients.finish_crowd(load)
        lost, ledger = 0, {}

        def all_are_there():
            nonlocal lost
            state = clients.state(self.daemon)
            lost = state["datagrams"]["kernel-dropped"]
            ledger.update(state["udp"])
            return ledger["requests"] + lost == counts["started"] + sent

        harness.wait_for(all_are_there, what="all datagrams")
        # A server that a sanitizer makes slow has little room while it is behind.
        clients.expect_all_answered(self, counts, but=("timeout",) if lost else ())
        self.assertLessEqual(ledger["malformed"], sent)
        self.assertGreaterEqual(ledger["malformed"], sent - lost)


class ExactFit(unittest.TestCase):
    def test_by_the_byte(self):
        with harness.tempdir() as directory:
            command = harness.fake_command(directory, "echo 0123456789")
            with harness.Daemon("-l", "udp://127.0.0.1:0", command=command) as daemon:
                address = daemon.address("udp")
                with clients.udp_client(address) as sock:
                    short, _ = clients.extended_request(22)
                    exact, nonce = clients.extended_request(23)
                    sock.send(short)
                    sock.send(exact)
                    self.assertEqual(sock.recv(100), b"RUr1" + nonce + b"0123456789\n")
                self.assertEqual(clients.state_at_rest(self, daemon, "udp")["no-room"], 1)


class ReplySource(unittest.TestCase):
    """A connected socket takes replies only from the address that it asked."""

    def expect_reply_from(self, listen, *hosts):
        with harness.Daemon("-l", listen) as daemon:
            port = daemon.port("udp")
            for host in hosts:
                address = "udp://%s:%d" % ("[%s]" % host if ":" in host else host, port)
                with self.subTest(listen=listen, host=host):
                    self.assertRegex(clients.ask_datagram(address), clients.UPTIME_LINE)

    def test_everywhere(self):
        self.expect_reply_from("udp://*:0", "127.0.0.1", "127.0.0.2", "127.200.3.4", "::1")

    def test_everywhere_in_numbers(self):
        self.expect_reply_from("udp://0.0.0.0:0", "127.0.0.1", "127.0.0.2")
        self.expect_reply_from("udp://[::]:0", "::1")


class Load(unittest.TestCase):
    def test_64_at_a_time(self):
        with harness.Daemon("-l", "udp://127.0.0.1:0") as daemon:
            address = daemon.address("udp")
            plain = clients.crowd(address, "-n", 64, "-d", clients.seconds(1))
            extended = clients.crowd(address, "-e", "-n", 64, "-d", clients.seconds(1))
            clients.expect_all_answered(self, plain)
            clients.expect_all_answered(self, extended)
            ledger = clients.state_at_rest(self, daemon, "udp")
            self.assertEqual(ledger["replies"], plain["ok"] + extended["ok"])

    def test_small_queue(self):
        with harness.Daemon("-l", "udp://127.0.0.1:0", "-q", 1) as daemon:
            counts = clients.crowd(daemon.address("udp"), "-n", 64, "-k", 1000)
            clients.expect_all_answered(self, counts)

    def test_burst_of_one_client(self):
        """What fits into the socket's buffer is answered, one for one."""
        with harness.Daemon("-l", "udp://127.0.0.1:0") as daemon:
            with clients.udp_client(daemon.address("udp")) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                for _ in range(100):
                    sock.send(b"?")
                for _ in range(100):
                    self.assertRegex(sock.recv(1000), clients.UPTIME_LINE)
            ledger = clients.state_at_rest(self, daemon, "udp")
            self.assertEqual(ledger["replies"], 100)


if __name__ == "__main__":
    harness.main()
