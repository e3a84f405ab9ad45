# SPDX-License-Identifier: MIT
"""How many connections may be open: the excess is dropped and counted, and others do not notice."""

import contextlib
import os
import socket
import unittest

import clients
import harness
import local_clients as local
import namespaces
from stalls import Stopwatch

SOURCES4, SOURCES6 = "198.18.0.0/15", "2001:db8::/32"
OTHERS = (65533, 65532)


def setUpModule():
    namespaces.enter()
    namespaces.any_address(SOURCES4)
    namespaces.any_address(SOURCES6)


class Limits(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(harness.tempdir())

    def path(self, name):
        return os.path.join(self.directory, name)

    def serve(self, *args):
        """With a command that runs until open_up()."""
        command = harness.fake_command(
            self.directory, "until [ -e '%s' ]; do sleep 0.02; done; echo up" % self.path("open"))
        return harness.Daemon(
            "-l", "tcp://*:0", "-l", "udp://*:0", "-l", "unix://" + self.path("unix") +
            "?mode=0666", "-l", "fdpass://" + self.path("fdpass"), "--run-timeout=1m",
            "--command=" + command, *args)

    def open_up(self):
        with open(self.path("open"), "w", encoding="ascii"):
            pass

    def connect(self, daemon, source, server=None):
        sock = socket.create_connection(
            (server or ("::1" if ":" in source else "127.0.0.1"), daemon.port("tcp")),
            10 * harness.SLOW, (source, 0))
        return self.stack.enter_context(sock)

    def is_dropped(self, sock):
        """Whether it was, once that is sure."""
        try:
            line = clients.read_to_end(sock)
        except ConnectionResetError:
            return True
        self.assertIn(line, (b"up\n", b""))
        return not line

    def drops(self, daemon, source, server=None):
        try:
            return self.is_dropped(self.connect(daemon, source, server))
        except ConnectionResetError:
            return True

    def fill(self, daemon, source, count, server=None):
        """COUNT connections that are let in, and one that is not."""
        waiting = [self.connect(daemon, source, server) for _ in range(count)]
        self.assertTrue(self.drops(daemon, source, server))
        return waiting

    def all_are_served(self, waiting):
        self.open_up()
        for sock in waiting:
            self.assertFalse(self.is_dropped(sock))
            sock.close()

    def test_in_all(self):
        with self.serve("--max-connections=8") as daemon:
            waiting = self.fill(daemon, "127.0.0.1", 8)
            for _ in range(20):
                self.assertTrue(self.drops(daemon, "127.0.0.1"))
            daemon.wait_log("a connection is dropped: no more may")
            with clients.udp_client(daemon.address("udp")) as sock:
                sock.send(b"?")
                self.all_are_served(waiting)
                self.assertEqual(sock.recv(100), b"up\n")
            self.assertEqual(clients.ask_stream(daemon.address("tcp")), b"up\n")
            counts = clients.state_at_rest(self, daemon, "tcp")
            self.assertEqual((counts["replies"], counts["max-connections"]), (9, 21))
            self.assertEqual(daemon.log.count("a connection is dropped: no more may"), 1)

    def test_from_one_source(self):
        """An IPv4 address, in whichever family; a /64 of IPv6; and loopback is no source."""
        with self.serve("--max-per-source=4") as daemon:
            waiting = self.fill(daemon, "198.18.0.1", 4, "198.18.0.100")
            waiting += self.fill(daemon, "198.19.255.1", 4, "198.18.0.100")
            for host in range(1, 5):
                waiting.append(self.connect(daemon, "2001:db8:1:2::%x" % host, "2001:db8::1"))
            self.assertTrue(self.drops(daemon, "2001:db8:1:2:ffff::", "2001:db8::1"))
            waiting += self.fill(daemon, "2001:db8:1:3::1", 4, "2001:db8::1")
            waiting += [self.connect(daemon, source) for source in ("127.0.0.1", "::1") * 8]
            daemon.wait_log("a connection is dropped: 198.18.0.1 may")
            self.all_are_served(waiting)
            counts = clients.state_at_rest(self, daemon, "tcp")
            self.assertEqual((counts["replies"], counts["max-per-source"]), (32, 4))
            # Each has its places back.
            harness.wait_for(lambda: not self.drops(daemon, "198.18.0.1", "198.18.0.100"),
                             what="a place to be free")

    @unittest.skipUnless(os.geteuid() == 0, "only root can be several users")
    def test_one_user(self):
        def connect_as(uid):
            os.seteuid(uid)
            try:
                return self.stack.enter_context(local.connect("unix", self.path("unix")))
            finally:
                os.seteuid(0)

        with self.serve("--max-per-source=4") as daemon:
            waiting = [connect_as(OTHERS[0]) for _ in range(4)]
            self.assertTrue(self.is_dropped(connect_as(OTHERS[0])))
            waiting += [connect_as(OTHERS[1]) for _ in range(2)]
            # A client that could as well stop the server has no limit of his own.
            waiting += [connect_as(0) for _ in range(20)]
            daemon.wait_log("dropped: user %d may" % OTHERS[0])
            self.all_are_served(waiting)
            counts = clients.state_at_rest(self, daemon, "unix")
            self.assertEqual((counts["replies"], counts["max-per-source"]), (26, 1))

    def test_who_lingers_gives_way(self):
        """A client that has the line and does not close keeps none out, and counts."""
        with self.serve("--max-connections=16", "-w", "1") as daemon:
            self.open_up()
            lingering = []
            for _ in range(100):
                lingering.append(self.connect(daemon, "127.0.0.1"))
                self.assertFalse(self.is_dropped(lingering[-1]))
            self.assertEqual(clients.state_at_rest(self, daemon, "tcp")["replies"], 100)
            daemon.wait_log(r"state connections open=\d+\n")

    def test_who_lingers_in_the_only_place(self):
        """Gives way, too, once looked at: long before its second is over."""
        with self.serve("--max-connections=1", "-w", "1") as daemon:
            self.open_up()
            for _ in range(5):
                self.assertFalse(self.is_dropped(self.connect(daemon, "127.0.0.1")))
                watch = Stopwatch()
                harness.wait_for(lambda: "connections open=0" in self.state_lines(daemon),
                                 what="the place to be free")
                self.assertLess(watch.ran_s, 0.5 * harness.SLOW)

    def state_lines(self, daemon):
        """Those of the last state."""
        clients.state(daemon)
        return daemon.log[daemon.log.rindex("state tcp"):]

    def test_who_is_gone_has_no_place_during_a_long_run(self):
        """The only worker runs the command when they close; there is a place all the same."""
        slow = harness.fake_command(self.directory, "sleep 1; echo up", "slow")
        with harness.Daemon("-l", "tcp://127.0.0.1:0", "--max-connections=4", "-w", "1",
                            "--run-timeout=1m", command=slow) as daemon:
            waiting = [self.connect(daemon, "127.0.0.1") for _ in range(3)]
            # In the next run, which begins when the three get their line.
            harness.wait_for(lambda: clients.state(daemon).get("tcp", {}).get("requests") == 3,
                             what="three requests")
            last = self.connect(daemon, "127.0.0.1")
            for sock in waiting:
                self.assertEqual(clients.read_to_end(sock), b"up\n")
                sock.close()
            more = [self.connect(daemon, "127.0.0.1") for _ in range(3)]
            for sock in [last] + more:
                self.assertEqual(clients.read_to_end(sock), b"up\n")

    def test_who_waits_at_the_gate_counts(self):
        # Each counts as two: itself, and the descriptor that it is to pass.
        with self.serve("--max-connections=16", "--max-per-source=8") as daemon:
            for _ in range(8):
                self.stack.enter_context(local.connect("fdpass", self.path("fdpass")))
            harness.wait_for(
                lambda: clients.state(daemon).get("fdpass", {}).get("requests") == 8,
                what="them to be at the gate")
            self.assertTrue(self.drops(daemon, "127.0.0.1"))
            self.open_up()
            # Those at the gate have two seconds; then there are eight places again.
            harness.wait_for(lambda: clients.state(daemon)["fdpass"]["dropped"] == 8, 5,
                             "their time to be over")
            self.assertEqual(clients.ask_stream(daemon.address("tcp")), b"up\n")
            self.assertEqual(clients.state_at_rest(self, daemon, "fdpass")["expired"], 8)


if __name__ == "__main__":
    harness.main()
