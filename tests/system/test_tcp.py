# SPDX-License-Identifier: MIT
"""Answers over TCP: the right line, whole, with a clean end, whatever the client does."""

import re
import socket
import subprocess
import threading
import unittest

import clients
import harness

LOADS = re.compile(rb"load average: .*")
CLOCK = re.compile(rb"(\d\d):(\d\d):(\d\d) ")


def uptime_now():
    return subprocess.run(["uptime"], capture_output=True, check=True,
                          env=harness.environment()).stdout


def without_loads(line):
    return LOADS.sub(b"load average:", line)


class Line(unittest.TestCase):
    def test_is_what_uptime_prints_in_that_second(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:0") as daemon:
            for _ in range(3):
                before = without_loads(uptime_now())
                line = clients.ask_stream(daemon.address("tcp"))
                after = without_loads(uptime_now())
                self.assertRegex(line, b"^" + clients.UPTIME_LINE.pattern + b"$")
                # A second may begin between two of the three, but not between all of them.
                if before == after:
                    self.assertEqual(without_loads(line), before)
                else:
                    self.assertIn(CLOCK.sub(b"", without_loads(line)),
                                  (CLOCK.sub(b"", before), CLOCK.sub(b"", after)))


class Load(unittest.TestCase):
    def test_64_at_a_time(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:0") as daemon:
            address = daemon.address("tcp")
            counts = clients.crowd(address, "-n", 64, "-d", clients.seconds(2))
            clients.expect_all_answered(self, counts)
            ledger = clients.state_at_rest(self, daemon, "tcp")
            self.assertEqual(ledger["replies"], counts["ok"])
            self.assertEqual(ledger["dropped"], 0)

    def test_1000_at_a_time(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:0") as daemon:
            counts = clients.crowd(daemon.address("tcp"), "-n", 1000, "-d", clients.seconds(1))
            clients.expect_all_answered(self, counts)

    def test_small_queue_and_many_workers(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:0", "-q", 1, "-w", 8) as daemon:
            counts = clients.crowd(daemon.address("tcp"), "-n", 64, "-d", clients.seconds(1))
            clients.expect_all_answered(self, counts)


class TalksBeforeItReads(unittest.TestCase):
    """Neither the line nor the clean end may suffer from what the client says."""

    def setUp(self):
        context = harness.Daemon("-l", "tcp://127.0.0.1:0")
        self.daemon = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.address = self.daemon.address("tcp")

    def talk(self, *args, but=()):
        counts = clients.crowd(self.address, *args, timeout=90)
        clients.expect_all_answered(self, counts, but=but)
        self.assertEqual(counts["ok"], counts["started"], counts)

    def test_8_kib(self):
        self.talk("-n", 1, "-k", clients.some(1000), "-t", 8192)

    def test_64_kib(self):
        self.talk("-n", 4, "-k", clients.some(1000), "-t", 65536)

    def test_in_a_crowd(self):
        self.talk("-n", 64, "-k", clients.some(4000), "-t", 8192)

    def test_byte_by_byte(self):
        # Who talks for longer than the server's patience need not be heard out.
        self.talk("-n", 4, "-k", clients.seconds(40, 1000), "-t", 8192, "-c", 1, but=["unsaid"])

    def test_beside_other_load(self):
        other = clients.start_crowd(self.address, "-n", 64, "-d", clients.seconds(2))
        self.talk("-n", 4, "-k", clients.some(1000), "-t", 8192)
        clients.expect_all_answered(self, clients.finish_crowd(other))

    def test_after_the_line(self):
        for _ in range(100):
            with clients.connect(self.address) as sock:
                line = b""
                while not line.endswith(b"\n"):
                    line += sock.recv(100)
                sock.sendall(bytes(8192))
                self.assertEqual(clients.read_to_end(sock), b"")
                self.assertRegex(line, clients.UPTIME_LINE)

    def test_without_end(self):
        """A client that never stops talking has its line, and does not keep the server."""
        with clients.connect(self.address) as sock:
            ended = threading.Event()

            def talk():
                try:
                    while True:
                        sock.sendall(bytes(65536))
                except OSError:
                    ended.set()

            talker = threading.Thread(target=talk)
            talker.start()
            self.assertRegex(clients.read_to_end(sock), clients.UPTIME_LINE)
            self.assertTrue(ended.wait(5 * harness.SLOW))
            talker.join()

    def test_half_closed(self):
        with clients.connect(self.address) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            sock.shutdown(socket.SHUT_WR)
            self.assertRegex(clients.read_to_end(sock), clients.UPTIME_LINE)

    def test_urgent_data(self):
        with clients.connect(self.address) as sock:
            sock.send(b"!", socket.MSG_OOB)
            self.assertRegex(clients.read_to_end(sock), clients.UPTIME_LINE)


class TalksToASlowServer(unittest.TestCase):
    def talk(self, daemon, replies):
        for size in (8192, 65536):
            counts = clients.crowd(daemon.address("tcp"), "-n", 50, "-k", replies, "-t", size)
            clients.expect_all_answered(self, counts)
            self.assertEqual(counts["ok"], replies)

    def test_behind_a_slow_command(self):
        """All that the client says is unread when the line is sent."""
        with harness.tempdir() as directory:
            slow = harness.fake_command(directory, "sleep 0.2; echo up")
            with harness.Daemon("-l", "tcp://127.0.0.1:0", command=slow) as daemon:
                self.talk(daemon, 100)


class RudeClients(unittest.TestCase):
    def test_gone_before_the_line(self):
        with harness.tempdir() as directory:
            slow = harness.fake_command(directory, "sleep 0.3; echo up")
            with harness.Daemon("-l", "tcp://127.0.0.1:0", command=slow) as daemon:
                address = daemon.address("tcp")
                for _ in range(20):
                    with clients.connect(address) as sock:
                        # An abortive close: the server gets a reset.
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        b"\1\0\0\0\0\0\0\0")
                self.assertEqual(clients.ask_stream(address), b"up\n")
                ledger = clients.state_at_rest(self, daemon, "tcp")
                self.assertEqual(ledger["requests"], 21)
                self.assertGreater(ledger["client-gone"], 0)

    def test_never_close(self):
        """A client that keeps its end open costs a descriptor for about a second."""
        with harness.Daemon("-l", "tcp://127.0.0.1:0") as daemon:
            before = daemon.descriptors()
            idle = [clients.connect(daemon.address("tcp")) for _ in range(300)]
            for sock in idle:
                self.assertRegex(clients.read_to_end(sock), clients.UPTIME_LINE)
            harness.wait_for(lambda: daemon.descriptors() <= before, what="its descriptors")
            for sock in idle:
                sock.close()


if __name__ == "__main__":
    harness.main()
