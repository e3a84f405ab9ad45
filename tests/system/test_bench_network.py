# SPDX-License-Identifier: MIT
"""ruptime-bench on networks of its own: addresses that are not there, names that have several."""

import fcntl
import socket
import struct
import unittest

import harness
import namespaces
from oddserver import OddServer, bench
from stalls import Stopwatch

SIOCSIFNETMASK = 0x891c


def setUpModule():
    namespaces.enter()


def set_loopback_prefix(mask):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFNETMASK, struct.pack(
            "16shH4s8x", b"lo", socket.AF_INET, 0, socket.inet_aton(mask)))


class Sources(unittest.TestCase):
    def test_a_loopback_with_one_address(self):
        """Only 127.0.0.1 is there, and not the rest of 127/8 to come from."""
        set_loopback_prefix("255.255.255.255")
        try:
            with OddServer("tcp://127.0.0.1:0") as server:
                status, got = bench("-c", "4", "-n", "200", server.address)
        finally:
            set_loopback_prefix("255.0.0.0")
        self.assertEqual((status, got["answered"], got["errors"]), (0, 200, {}))


class Names(unittest.TestCase):
    """several.example has three addresses: without a way to it, refusing, serving."""

    def setUp(self):
        self.directory = self.enterContext(harness.tempdir()) if hasattr(
            self, "enterContext") else self._enter(harness.tempdir())
        namespaces.cover("/etc/hosts", "203.0.113.1 several.example\n127.0.0.9 several.example\n"
                         "127.0.0.1 several.example\n", self.directory)
        self.addCleanup(namespaces.uncover, "/etc/hosts")

    def _enter(self, context):
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def test_the_first_that_answers_is_measured(self):
        for scheme in ("tcp", "udp"):
            with self.subTest(scheme=scheme), OddServer(scheme + "://127.0.0.1:0") as server:
                name = server.address.replace("127.0.0.1", "several.example")
                watch = Stopwatch()
                status, got = bench("-n", "20", name)
                self.assertLess(watch.ran_s, 1.5 * harness.SLOW)
                self.assertEqual((status, got["answered"]), (0, 20))
                self.assertEqual((got["target"], got["addresses"]), (name, [server.address]))


class Limits(unittest.TestCase):
    def test_ruptimed_that_limits_strangers_is_named(self):
        """A source that is not on the server's host gets 50 answers a second, and some more."""
        outside = namespaces.Outside()
        self.addCleanup(outside.close)
        with harness.Daemon("-l", "udp://*:0") as daemon:
            address = "udp://%s:%d" % (outside.HERE, daemon.port("udp"))
            with outside.entered():
                for load in (("-r", "400"), ("-c", "64")):
                    _, got = bench(*load, "-d", "2s", "--warmup=1s", "--timeout=400ms", address)
                    self.assertGreater(got["lost"], 0)
                    self.assertIn("limits each source", " ".join(got["notes"]))
            _, got = bench("-r", "400", "-d", "500ms", "udp://127.0.0.1:%d" % daemon.port("udp"))
            self.assertNotIn("limits", " ".join(got["notes"]))


if __name__ == "__main__":
    harness.main()
