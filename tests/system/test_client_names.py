# SPDX-License-Identifier: MIT
"""ruptime and names: several addresses, dead ones among them; name servers that do not answer."""

import json
import os
import socket
import subprocess
import tempfile
import time
import unittest

import harness
import namespaces
from fakes import ANSWER, LINE, TcpServer, UdpServer, answer_extended
from stalls import Stopwatch

RUPTIME = harness.program("ruptime")
# As RFC 8305 has it: so long the next address waits.
TURN_S = 0.25


def setUpModule():
    namespaces.enter()


def ruptime(*args, **options):
    return harness.run([RUPTIME, *args], **options)


class Names(unittest.TestCase):
    def setUp(self):
        directory = harness.tempdir()
        self.directory = directory.__enter__()
        self.addCleanup(directory.__exit__, None, None, None)

    def cover(self, path, text):
        namespaces.cover(path, text, tempfile.mkdtemp(dir=self.directory))
        self.addCleanup(namespaces.uncover, path)

    def name(self, *addresses):
        """Makes "several" a host with these addresses."""
        self.cover("/etc/hosts", "".join(a + " several\n" for a in addresses))
        self.cover("/etc/nsswitch.conf", "hosts: files\n")

    def dead(self, port, *hosts):
        """Addresses that do not even answer to a handshake."""
        for host in hosts:
            listener = socket.socket()
            self.addCleanup(listener.close)
            listener.bind((host, port))
            listener.listen(0)
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.connect((host, port))

    def answered_in(self, least, args):
        watch = Stopwatch()
        done = ruptime(*args)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, LINE, ""))
        self.assertGreaterEqual(watch.elapsed_s, least)
        self.assertLess(watch.ran_s, least + 0.5 * harness.SLOW)

    def test_first_address_is_dead(self):
        with TcpServer(ANSWER, host="127.0.0.9") as server:
            port = server.sock.getsockname()[1]
            self.name("127.0.0.8", "127.0.0.9")
            self.dead(port, "127.0.0.8")
            self.answered_in(TURN_S, ["several:%d" % port])

    def test_two_addresses_are_dead(self):
        with TcpServer(ANSWER, host="127.0.0.9") as server:
            port = server.sock.getsockname()[1]
            self.name("127.0.0.7", "127.0.0.8", "127.0.0.9")
            self.dead(port, "127.0.0.7", "127.0.0.8")
            self.answered_in(2 * TURN_S, ["several:%d" % port])

    def test_first_address_refuses(self):
        with TcpServer(ANSWER, host="127.0.0.9") as server:
            self.name("127.0.0.8", "127.0.0.9")
            self.answered_in(0, ["several:%d" % server.sock.getsockname()[1]])

    def test_first_address_is_slow(self):
        """What was begun goes on: the first address wins if it connects before the second."""
        with TcpServer(ANSWER, host="127.0.0.8") as server:
            port = server.sock.getsockname()[1]
            self.name("127.0.0.8", "127.0.0.9")
            self.dead(port, "127.0.0.9")
            self.answered_in(0, ["several:%d" % port])

    def test_first_address_over_udp_is_dead(self):
        with UdpServer(answer_extended, host="127.0.0.9") as server, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            port = server.sock.getsockname()[1]
            silent.bind(("127.0.0.8", port))
            self.name("127.0.0.8", "127.0.0.9")
            self.answered_in(TURN_S, ["udp://several:%d" % port])

    @unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "this machine has no IPv6")
    def test_families_take_turns(self):
        with TcpServer(ANSWER, host="127.0.0.9") as server:
            port = server.sock.getsockname()[1]
            self.name("::1", "::1", "127.0.0.9")
            with socket.socket(socket.AF_INET6) as listener:
                listener.bind(("::1", port))
                listener.listen(0)
                with socket.create_connection(("::1", port)):
                    self.answered_in(TURN_S, ["several:%d" % port])

    def test_name_server_that_does_not_answer(self):
        self.cover("/etc/nsswitch.conf", "hosts: dns\n")
        self.cover("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:20 attempts:1\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 53))
            for scheme in ("tcp", "udp"):
                url = scheme + "://no-such-host.invalid:1"
                watch = Stopwatch()
                done = ruptime("--tries=2", "--timeout=500ms", url)
                self.assertEqual((done.returncode, done.stdout, done.stderr),
                                 (2, "", "ruptime: %s: timed out looking up the name\n" % url))
                self.assertGreaterEqual(watch.elapsed_s, 1)
                self.assertLess(watch.ran_s, 1.1 + 0.7 * harness.SLOW)

    def test_names_hold_up_no_numbers(self):
        """Names that are looked up in vain cost their own time, not that of hosts behind them."""
        self.cover("/etc/nsswitch.conf", "hosts: dns\n")
        self.cover("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:20 attempts:1\n")
        if "jansson" in ruptime("-J", "-f", "/dev/null").stderr:
            self.skipTest("this build has no jansson")
        with TcpServer(ANSWER) as server, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 53))
            hosts = "no[1-40].invalid:1\n%s\n" % server.authority
            watch = Stopwatch()
            with subprocess.Popen([RUPTIME, "-J", "--tries=1", "--timeout=500ms", "-f", "-"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True,
                                  env=harness.environment()) as client:
                client.stdin.write(hosts)
                client.stdin.close()
                first = json.loads(client.stdout.readline())
                answered = watch.ran_s
                others = [json.loads(row) for row in client.stdout]
        self.assertEqual((first["target"], first["status"]), (server.authority, "up"))
        self.assertLess(answered, 0.5 * harness.SLOW)
        self.assertEqual({row["reason"] for row in others}, {"timed out looking up the name"})
        self.assertEqual(len(others), 40)
        # Sixteen at a time.
        self.assertLess(watch.ran_s, 3 * 0.5 + 1 * harness.SLOW)


if __name__ == "__main__":
    harness.main()
