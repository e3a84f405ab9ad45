# SPDX-License-Identifier: MIT
"""Who is answered over UDP and how often, asked from a second network."""

import itertools
import select
import socket
import time
import unittest

import clients
import harness
import namespaces

OUTSIDE = None
PLAIN = b"?"
# Enough for all the answers of a test.
BUFFER_BYTES = 1 << 22
# What fits into the buffer of a server without privileges.
BURST = 200


def setUpModule():
    global OUTSIDE  # pylint: disable=global-statement
    namespaces.enter()
    OUTSIDE = namespaces.Outside()


class Policy(unittest.TestCase):
    def start(self, *args):
        context = harness.Daemon("-l", "udp://*:0", *args)
        self.daemon = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.port = self.daemon.port("udp")

    def client(self, source, port=0):
        sock = OUTSIDE.udp(source, port)
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        sock.settimeout(5 * harness.SLOW)
        sock.connect((OUTSIDE.HERE6 if ":" in source else OUTSIDE.HERE, self.port))
        return sock

    def is_answered(self, sock, request=PLAIN):
        """REQUEST, and then what is always answered and goes the same way."""
        last, nonce = clients.extended_request(512)
        sock.send(request)
        sock.send(last)
        answer = sock.recv(1000)
        if answer[:12] == b"RUr1" + nonce:
            return False
        self.assertEqual(sock.recv(1000)[:12], b"RUr1" + nonce)
        return True

    def state(self):
        return clients.state_at_rest(self, self.daemon, "udp")

    def drops(self, reason):
        return self.state().get(reason, 0)


class Sources(Policy):
    def test_local_ones(self):
        self.start()
        for source in ("10.77.0.2", "10.88.0.1", "fd77::2", "fd88::1"):
            with self.subTest(source):
                self.assertTrue(self.is_answered(self.client(source)))

    def test_others(self):
        self.start()
        others = ("203.0.113.7", "198.18.0.1", "2001:db8::7")
        for source in others:
            with self.subTest(source):
                sock = self.client(source)
                self.assertFalse(self.is_answered(sock))
                request, nonce = clients.extended_request(200)
                sock.send(request)
                answer = sock.recv(1000)
                self.assertEqual(answer[:12], b"RUr1" + nonce)
                self.assertLessEqual(len(answer), len(request))
        self.assertEqual(self.drops("not-local"), len(others))

    def test_allowed_ones(self):
        self.start("--udp-allow=203.0.113.0/25", "--udp-allow=2001:db8::/64")
        self.assertTrue(self.is_answered(self.client("203.0.113.7")))
        self.assertFalse(self.is_answered(self.client("203.0.113.128")))
        self.assertTrue(self.is_answered(self.client("2001:db8::7")))
        self.assertFalse(self.is_answered(self.client("2001:db8:0:1::7")))
        self.assertNotIn("udp-open", self.daemon.log)

    def test_open_to_all(self):
        self.start("--udp-open")
        self.daemon.wait_log("^warning: --udp-open: ")
        for source in ("203.0.113.7", "198.18.0.1", "2001:db8::7"):
            self.assertTrue(self.is_answered(self.client(source)))

    def test_allowed_all(self):
        """What is allowed to all is as open as --udp-open, and is said so."""
        self.start("--udp-allow=0.0.0.0/0", "--udp-allow=2000::/3", "--udp-allow=10.0.0.0/8")
        self.daemon.wait_log(r"^warning: --udp-allow=0\.0\.0\.0/0: ")
        self.daemon.wait_log("^warning: --udp-allow=2000::/3: ")
        self.assertNotIn("10.0.0.0", self.daemon.log)
        for source in ("203.0.113.7", "198.18.0.1", "2001:db8::7"):
            self.assertTrue(self.is_answered(self.client(source)))

    def test_on_link_ones(self):
        """Interfaces come and go while it runs."""
        self.start("--rate=0")
        sock = self.client("198.18.7.7")
        self.assertFalse(self.is_answered(sock))
        OUTSIDE.here("address", "add", "198.18.7.1/28", "dev", "wire")
        self.addCleanup(OUTSIDE.here, "address", "flush", "to", "198.18.7.1", "dev", "wire")
        OUTSIDE.here("neighbour", "add", "198.18.7.7", "lladdr", "02:00:00:00:00:02", "dev", "wire",
                     "nud", "permanent")
        harness.wait_for(lambda: self.is_answered(sock), 15, "a look at the interfaces")
        self.assertFalse(self.is_answered(self.client("198.18.7.16")))

    def test_servers(self):
        self.start()
        for source, port in (("10.77.0.2", 1023), ("10.77.0.2", self.port), ("fd77::2", 1)):
            sock = self.client(source, port)
            sock.send(PLAIN)
            sock.send(clients.extended_request(512)[0])
        harness.wait_for(lambda: self.state()["requests"] >= 6, what="all datagrams")
        self.assertTrue(self.is_answered(self.client("10.77.0.2", 1024)))
        self.assertEqual(self.drops("source-port"), 6)

    def test_itself(self):
        """As if it had asked itself: that would go round for ever."""
        self.start()
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as forger:
            for host in ("127.0.0.1", OUTSIDE.HERE):
                me = socket.inet_aton(host)
                forger.sendto(namespaces.udp_packet(me, self.port, me, self.port, PLAIN),
                              (host, 0))
        harness.wait_for(lambda: self.state()["requests"] >= 2, what="both packets")
        self.assertEqual(self.state()["replies"], 0)
        self.assertEqual(self.drops("source-port"), 2)


class Destinations(Policy):
    def test_many(self):
        self.start()
        destinations = (OUTSIDE.BROADCAST, "255.255.255.255", "224.0.0.1", "ff02::1")
        answered = self.client("10.77.0.2")
        for host in destinations:
            sock = OUTSIDE.udp("fd77::2" if ":" in host else "10.77.0.2")
            self.addCleanup(sock.close)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"wire")
            sock.sendto(PLAIN, (host, self.port))
            sock.sendto(clients.extended_request(512)[0], (host, self.port))
        harness.wait_for(lambda: self.state()["requests"] >= 8, what="all datagrams")
        self.assertEqual(self.drops("broadcast"), 8)
        self.assertTrue(self.is_answered(answered))

    def test_not_to_be_served(self):
        for host in (OUTSIDE.BROADCAST, "224.0.0.251"):
            done = harness.run([harness.program("ruptimed"), "-l", "udp://%s:0" % host])
            self.assertEqual(done.returncode, 1)
            self.assertIn(host, done.stderr)


class Rate(Policy):
    def flood(self, sock, count):
        """COUNT requests as fast as they can be sent. Returns how many were answered, and how
        long it took."""
        before = self.state_or_nothing()
        begun = time.monotonic()
        self.send_all(itertools.repeat(sock, count), before["requests"])
        took = time.monotonic() - begun
        ledger = self.state()
        self.assertEqual(clients.state(self.daemon)["datagrams"]["kernel-dropped"], 0)
        replies = ledger["replies"] - before["replies"]
        limited = ledger.get("rate-limited", 0) - before.get("rate-limited", 0)
        self.assertEqual(replies + limited, count)
        for _ in range(replies):
            sock.recv(1000)
        self.assertEqual(select.select([sock], [], [], 0)[0], [], "more answers than are counted")
        return replies, took

    def send_all(self, socks, before=0):
        """One request from each of SOCKS, no more at a time than the server has room for."""
        for count, sock in enumerate(socks, 1):
            sock.send(PLAIN)
            if count % BURST == 0:
                self.wait_for_requests(before + count)
        self.wait_for_requests(before + count)

    def wait_for_requests(self, count):
        harness.wait_for(lambda: self.state_or_nothing()["requests"] >= count,
                         what="all datagrams")

    def state_or_nothing(self):
        return clients.state(self.daemon).get("udp", {"requests": 0, "replies": 0})

    def expect(self, replies, took, count, rate):
        """The burst, what came back while it took, and one in eight of the rest."""
        burst = rate * 5 // 2
        least = burst + (count - burst) / 8 - 6 * (count / 64 * 7) ** 0.5
        most = least + rate * took + 12 * (count / 64 * 7) ** 0.5
        self.assertGreaterEqual(replies, least)
        self.assertLessEqual(replies, most)

    def test_one_address(self):
        self.start()
        for source in ("10.88.1.1", "fd88::1"):
            with self.subTest(source):
                replies, took = self.flood(self.client(source), 2000)
                self.expect(replies, took, 2000, 50)
        self.daemon.wait_log(r"^warning: .*over the rate limit.* 10\.88\.1\.1")
        # A neighbour has what it had.
        self.assertEqual(self.flood(self.client("10.88.1.2"), 125)[0], 125)

    def test_another_rate(self):
        self.start("--rate=4/s")
        replies, took = self.flood(self.client("10.88.1.1"), 1000)
        self.expect(replies, took, 1000, 4)

    def test_a_network(self):
        """Each of its addresses keeps to the rate; all of them together do not."""
        self.start("--rate=4/s")
        socks = [self.client("10.88.2.%d" % i) for i in range(1, 251)]
        begun = time.monotonic()
        self.send_all(socks * 10)
        took = time.monotonic() - begun
        ledger = self.state()
        self.assertEqual(ledger["replies"] + ledger["rate-limited"], 2500)
        self.expect(ledger["replies"], took, 2500, 32 * 4)
        self.assertEqual(self.flood(self.client("10.88.3.1"), 10)[0], 10)

    def test_below_it(self):
        self.start()
        sock = self.client("10.88.1.1")
        for _ in range(40):
            self.assertTrue(self.is_answered(sock))
            harness.let_pass(2 / 50)
        self.assertEqual(self.drops("rate-limited"), 0)

    def test_loopback_is_exempt(self):
        self.start("--rate=1/s")
        for host in ("127.0.0.1", "::1"):
            with clients.udp_client("udp://[%s]:%d" % (host, self.port)) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
                self.assertEqual(self.flood(sock, 1000)[0], 1000)

    def test_no_limit(self):
        self.start("--rate=0")
        self.assertEqual(self.flood(self.client("10.88.1.1"), 1000)[0], 1000)

    def test_dry_run(self):
        self.start("--rate-dry-run")
        self.assertEqual(self.flood(self.client("10.88.1.1"), 1000)[0], 1000)
        exceeded = clients.state(self.daemon)["datagrams"]["rate-exceeded"]
        self.assertLessEqual(exceeded, 1000 - 125)
        self.assertGreater(exceeded, 500)


class Buffer(unittest.TestCase):
    def test_is_told(self):
        with harness.Daemon("-l", "udp://*:0") as daemon:
            daemon.wait_log(r"^receive buffer of udp://\*:%d: (4194304 bytes|"
                            r"\d+ bytes, for want of net\.core\.rmem_max)$" % daemon.port("udp"))


if __name__ == "__main__":
    harness.main()
