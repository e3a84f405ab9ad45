# SPDX-License-Identifier: MIT
"""--allow and --deny: who may ask over TCP and UDP."""

import contextlib
import socket
import unittest

import clients
import harness


@contextlib.contextmanager
def serving(*args):
    with harness.tempdir() as directory:
        with harness.Daemon("-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0",
                            "-l", "tcp://[::1]:0", "-l", "udp://[::1]:0",
                            "-l", "unix://%s/socket" % directory, *args) as daemon:
            yield daemon


def asks_stream(daemon, source):
    """What a TCP client that is bound to SOURCE gets; None: a reset."""
    index = int(":" in source)
    host, port = clients.split(daemon.address("tcp", index))
    with socket.socket(clients.family_of(host)) as sock:
        sock.settimeout(10)
        sock.bind((source, 0))
        try:
            sock.connect((host, int(port)))
            return clients.read_to_end(sock)
        except ConnectionResetError:
            return None


def datagram_client(daemon, source):
    return clients.udp_client(daemon.address("udp", int(":" in source)), bind=(source, 0))


class Access(unittest.TestCase):
    def answers_datagram(self, daemon, source):
        with datagram_client(daemon, source) as sock:
            sock.send(b"?")
            self.assertIn(b"load average", sock.recv(600))

    def drops_datagrams(self, daemon, source):
        """One byte and a longer request are dropped for this reason, and not answered."""
        def count():
            return clients.state(daemon).get("udp", {}).get("not-allowed", 0)

        before = count()
        with datagram_client(daemon, source) as sock:
            sock.send(b"?")
            sock.send(clients.extended_request(512)[0])
            harness.wait_for(lambda: count() == before + 2, what="both to be dropped")
            sock.setblocking(False)
            with self.assertRaises(BlockingIOError):
                sock.recv(600)

    def test_deny(self):
        """A reset, or nothing at all; counted by its reason and logged once."""
        with serving("--deny=127.0.0.2", "--deny=::/0") as daemon:
            for source in ("127.0.0.2", "::1"):
                for _ in range(3):
                    self.assertIsNone(asks_stream(daemon, source))
                    self.drops_datagrams(daemon, source)
            for source in ("127.0.0.1", "127.0.0.3"):
                self.assertIn(b"load average", asks_stream(daemon, source))
            for transport, count in (("tcp", 6), ("udp", 12)):
                state = clients.state_at_rest(self, daemon, transport)
                self.assertEqual(state["not-allowed"], count, state)
            self.assertEqual(daemon.log.count("may not ask"), 2)
            daemon.wait_log(r"a connection is dropped: 127\.0\.0\.2 may not ask")
            daemon.wait_log(r"a datagram is dropped: 127\.0\.0\.2 may not ask")

    def test_allow(self):
        """Then all others are denied, those of loopback as well; UNIX sockets have modes."""
        with serving("--allow=127.0.0.1/32", "--allow=192.0.2.0/24") as daemon:
            self.assertIn(b"load average", asks_stream(daemon, "127.0.0.1"))
            self.answers_datagram(daemon, "127.0.0.1")
            for source in ("127.0.0.2", "::1"):
                self.assertIsNone(asks_stream(daemon, source))
                self.drops_datagrams(daemon, source)
            done = harness.run([harness.program("ruptime"), daemon.address("unix")])
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_most_specific_decides(self):
        with serving("--allow=127.0.0.8/30", "--deny=127.0.0.0/8", "--deny=127.0.0.9",
                     "--allow=127.0.0.1") as daemon:
            for source, answered in (("127.0.0.8", True), ("127.0.0.9", False),
                                     ("127.0.0.12", False), ("127.0.0.1", True)):
                with self.subTest(source):
                    self.assertEqual(asks_stream(daemon, source) is not None, answered)
                    check = self.answers_datagram if answered else self.drops_datagrams
                    check(daemon, source)

    def test_who_may_not_ask_takes_no_place(self):
        with serving("--deny=127.0.0.2", "--max-connections=1") as daemon:
            for _ in range(20):
                self.assertIsNone(asks_stream(daemon, "127.0.0.2"))
            self.assertIn(b"load average", asks_stream(daemon, "127.0.0.1"))
            self.assertNotIn("max-connections", clients.state_at_rest(self, daemon, "tcp"))


if __name__ == "__main__":
    harness.main()
