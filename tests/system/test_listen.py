# SPDX-License-Identifier: MIT
"""Where it listens: families, names, '*', ports; in a network of the test's own."""

import contextlib
import os
import shutil
import subprocess
import unittest

import clients
import harness
import namespaces


def setUpModule():
    namespaces.enter()


class ListenCase(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())

    def answers(self, daemon, scheme, *hosts, port=None):
        ask = clients.ask_stream if scheme == "tcp" else clients.ask_datagram
        for host in hosts:
            name = "[%s]" % host if ":" in host else host
            address = "%s://%s:%d" % (scheme, name, port or daemon.port(scheme))
            self.assertRegex(ask(address), clients.UPTIME_LINE, address)

    def does_not_answer(self, scheme, host, port):
        name = "[%s]" % host if ":" in host else host
        ask = clients.ask_stream if scheme == "tcp" else clients.ask_datagram
        with self.assertRaises(ConnectionRefusedError):
            ask("%s://%s:%d" % (scheme, name, port))

    def cover(self, path, text):
        if not os.path.exists(path):
            self.skipTest("no " + path)
        namespaces.cover(path, text, self.directory)
        self.addCleanup(namespaces.uncover, path)


class Hosts(ListenCase):
    def test_everywhere(self):
        with harness.Daemon("-l", "tcp://*:0", "-l", "udp://*:0") as daemon:
            # One line for both families, which have the same port.
            self.assertEqual(daemon.addresses, ["%s://*:%d" % (scheme, daemon.port(scheme))
                                                for scheme in ("tcp", "udp")])
            for scheme in ("tcp", "udp"):
                self.answers(daemon, scheme, "127.0.0.1", "127.0.0.2", "::1")

    def test_numbers(self):
        for host, other in (("127.0.0.1", "::1"), ("127.3.2.1", "127.0.0.1"), ("::1", "127.0.0.1"),
                            ("0.0.0.0", "::1"), ("::", "127.0.0.1")):
            name = "[%s]" % host if ":" in host else host
            reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
            with self.subTest(host=host), harness.Daemon(
                    "-l", "tcp://%s:0" % name, "-l", "udp://%s:0" % name) as daemon:
                for scheme in ("tcp", "udp"):
                    self.answers(daemon, scheme, reached)
                    self.does_not_answer(scheme, other, daemon.port(scheme))

    def test_name_with_two_families(self):
        self.cover("/etc/hosts", "127.0.0.1 both.test\n::1 both.test\n")
        with harness.Daemon("-l", "tcp://both.test:0", "-l", "udp://both.test:0") as daemon:
            for scheme in ("tcp", "udp"):
                port = daemon.port(scheme)
                mine = [a for a in daemon.addresses if a.startswith(scheme)]
                self.assertEqual(sorted(mine), ["%s://127.0.0.1:%d" % (scheme, port),
                                                "%s://[::1]:%d" % (scheme, port)])
                self.answers(daemon, scheme, "127.0.0.1", "::1")

    def test_name_that_has_an_address_twice(self):
        self.cover("/etc/hosts", "127.0.0.1 twice.test\n127.0.0.1 twice.test\n")
        with harness.Daemon("-l", "tcp://twice.test:0", "-l", "udp://twice.test:0") as daemon:
            self.assertEqual(len(daemon.addresses), 2)
            self.answers(daemon, "tcp", "127.0.0.1")

    def test_without_ipv6(self):
        """A host that has its IPv6 switched off, but its name of old."""
        self.cover("/etc/hosts", "127.0.0.1 both.test\n::1 both.test six.test\n")
        switch = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
        if not os.path.exists(switch):
            self.skipTest("no IPv6 here at all")
        with open(switch, "w", encoding="ascii") as off:
            off.write("1")
        try:
            for host in ("*", "both.test"):
                with self.subTest(host=host), harness.Daemon(
                        "-l", "tcp://%s:0" % host, "-l", "udp://%s:0" % host) as daemon:
                    self.answers(daemon, "tcp", "127.0.0.1")
                    self.answers(daemon, "udp", "127.0.0.1")
            done = harness.run([harness.program("ruptimed"), "-l", "tcp://six.test:0"])
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^ruptimed: tcp://six\.test:0: [^\n]+\n$")
        finally:
            with open(switch, "w", encoding="ascii") as on:
                on.write("0")

    def test_address_that_comes_later(self):
        """Tentative at boot, or not there at all: named in the log, and served once it is there."""
        if not shutil.which("ip"):
            self.skipTest("no ip(8) here")
        self.cover("/etc/hosts", "127.0.0.1 late.test\nfd84::7 late.test\n")
        with harness.Daemon("-l", "tcp://late.test:0", "-l", "udp://late.test:0") as daemon:
            for scheme in ("tcp", "udp"):
                daemon.wait_log(r"warning: %s://\[fd84::7\]:%d is not an address of this host now" %
                                (scheme, daemon.port(scheme)))
                self.answers(daemon, scheme, "127.0.0.1")
            subprocess.run(["ip", "addr", "add", "fd84::7/128", "dev", "lo", "nodad"], check=True)
            try:
                harness.wait_for(lambda: subprocess.run(
                    ["ip", "route", "get", "fd84::7"], capture_output=True, check=False)
                    .returncode == 0, what="a route to the address")
                for scheme in ("tcp", "udp"):
                    self.answers(daemon, scheme, "fd84::7")
            finally:
                subprocess.run(["ip", "addr", "del", "fd84::7/128", "dev", "lo"], check=True)

    def test_only_address_is_tentative(self):
        if not shutil.which("ip"):
            self.skipTest("no ip(8) here")
        commands = ("link add here type veth peer name there", "link set there up",
                    "addr add fd84::8/64 dev here", "link set here up")
        with open("/proc/sys/net/ipv6/conf/default/dad_transmits", "r+", encoding="ascii") as dad:
            usual = dad.read()
            dad.write("10")
            dad.flush()
            try:
                for command in commands:
                    subprocess.run(["ip", *command.split()], check=True)
                with harness.Daemon("-l", "tcp://[fd84::8]:0") as daemon:
                    daemon.wait_log("is not an address of this host now")
            finally:
                dad.seek(0)
                dad.write(usual)
                subprocess.run(["ip", "link", "del", "here"], check=False)

    def test_only_address_is_none_of_this_host(self):
        done = harness.run([harness.program("ruptimed"), "-l", "tcp://[fd84::9]:0"])
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^ruptimed: tcp://\[fd84::9\]:0: Cannot assign[^\n]+\n$")

    def test_many(self):
        args = []
        for i in range(1, 33):
            args += ["-l", "tcp://127.0.1.%d:0" % i, "-l", "udp://127.0.1.%d:0" % i]
        with harness.Daemon(*args) as daemon:
            self.assertEqual(len(set(daemon.addresses)), 64)
            for address in daemon.addresses:
                ask = clients.ask_stream if address.startswith("tcp") else clients.ask_datagram
                self.assertRegex(ask(address), clients.UPTIME_LINE)
            state = clients.ledgers_at_rest(self, daemon, ["tcp", "udp"])
            self.assertEqual((state["tcp"]["replies"], state["udp"]["replies"]), (32, 32))


class Ports(ListenCase):
    def test_default(self):
        self.cover("/etc/services", "echo 7/tcp\n")
        with harness.Daemon() as daemon:
            self.assertEqual(daemon.addresses, ["tcp://*:8784", "udp://*:8784"])
            self.answers(daemon, "tcp", "127.0.0.1", "::1", port=8784)
            self.answers(daemon, "udp", "127.0.0.1", "::1", port=8784)
        with harness.Daemon("-l", "tcp://127.0.0.1", "-l", "udp://[::1]") as daemon:
            self.assertEqual(daemon.addresses, ["tcp://127.0.0.1:8784", "udp://[::1]:8784"])

    def test_of_the_service_ruptime(self):
        self.cover("/etc/services", "ruptime 7784/tcp\nruptime 7785/udp\nother 7786/tcp\n")
        with harness.Daemon() as daemon:
            self.assertEqual(daemon.addresses, ["tcp://*:7784", "udp://*:7785"])
        with harness.Daemon("-l", "tcp://127.0.0.1:other", "-l", "udp://127.0.0.1:ruptime",
                            "-l", "tcp://127.0.0.1") as daemon:
            self.assertEqual(daemon.addresses, ["tcp://127.0.0.1:7786", "udp://127.0.0.1:7785",
                                                "tcp://127.0.0.1:7784"])
        # The same address in other words is given twice, too.
        done = harness.run([harness.program("ruptimed"), "-l", "tcp://127.0.0.1",
                            "-l", "tcp://127.0.0.1:7784"])
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^ruptimed: tcp://127\.0\.0\.1:7784: [^\n]+\n$")

    def test_tcp_and_udp_share_a_number(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:7001", "-l", "udp://127.0.0.1:7001") as daemon:
            self.answers(daemon, "tcp", "127.0.0.1")
            self.answers(daemon, "udp", "127.0.0.1")

    def test_several_of_port_0(self):
        with harness.Daemon(*["-l", "tcp://127.0.0.1:0"] * 3) as daemon:
            self.assertEqual(len(set(daemon.addresses)), 3)

    def test_overlap(self):
        for scheme in ("tcp", "udp"):
            done = harness.run([harness.program("ruptimed"), "-l", scheme + "://*:7001",
                                "-l", scheme + "://127.0.0.1:7001"])
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^ruptimed: %s://127\.0\.0\.1:7001: [^\n]+\n$" % scheme)

    def test_a_server_gone_in_mid_connection_frees_its_port(self):
        for _ in range(5):
            with harness.Daemon("-l", "tcp://127.0.0.1:7001") as daemon:
                clients.expect_all_answered(self, clients.crowd(daemon.address("tcp"), "-k", 200))


if __name__ == "__main__":
    harness.main()
