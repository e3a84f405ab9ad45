# SPDX-License-Identifier: MIT
"""All transports at once: each client gets exactly one line, the ledger balances, nothing stays."""

import contextlib
import os
import re
import signal
import subprocess
import unittest

import clients
import harness
import local_clients as local

SCHEMES = ("tcp", "udp", *local.TYPES, "msgq")
CLIENTS = 45
REQUESTS = clients.some(10000, 100000)
CYCLES = clients.some(30, 1000)


class Ingress(unittest.TestCase):
    limit_s = 900

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(harness.tempdir())
        self.keys = self.stack.enter_context(local.keys(3))

    def urls(self):
        """Two of each kind, and three XSI queues."""
        urls = ["msgq://%#x" % key for key in self.keys]
        for i in range(2):
            urls += ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"]
            urls += ["%s://%s/%s-%d" % (scheme, self.directory, scheme, i)
                     for scheme in local.TYPES]
        return urls

    def daemon(self, *args, **options):
        return harness.Daemon(*[arg for url in self.urls() for arg in ("-l", url)], *args,
                              **options)

    def left(self):
        return (os.listdir(self.directory),
                [key for key in self.keys
                 if local.exists(key) or local.exists(key | local.REPLY_BIT)])

    def mixed(self, daemon, each, **options):
        """The fixture's counts by address: (asked, ok)."""
        done = subprocess.run([clients.fixture("mixed"), str(CLIENTS), str(each),
                               *daemon.addresses], stdout=subprocess.PIPE, text=True, check=True,
                              timeout=800 if clients.LONG else 60 * harness.SLOW, **options)
        found = re.findall(r"^(\S+) asked=(\d+) ok=(\d+)$", done.stdout, re.MULTILINE)
        return {address: (int(asked), int(ok)) for address, asked, ok in found}

    def test_everybody_gets_one_line(self):
        each = REQUESTS // CLIENTS + 1
        with self.daemon() as daemon:
            before = daemon.descriptors()
            counts = self.mixed(daemon, each)
            self.assertEqual(len(counts), 15)
            self.assertEqual(sum(asked for asked, _ in counts.values()), CLIENTS * each)
            for address, (asked, ok) in counts.items():
                self.assertEqual(ok, asked, address)
            for scheme in SCHEMES:
                asked = sum(n for address, (n, _) in counts.items()
                            if address.startswith(scheme + "://"))
                ledger = clients.state_at_rest(self, daemon, scheme)
                self.assertEqual((ledger["requests"], ledger["replies"], ledger["dropped"]),
                                 (asked, asked, 0), scheme)
            harness.wait_for(lambda: daemon.descriptors() <= before, what="the descriptors")
        self.assertEqual(self.left(), ([], []))

    def test_ledger_balances_with_bad_clients(self):
        with self.daemon() as daemon:
            for i in range(50):
                with contextlib.ExitStack() as stack:
                    for scheme in local.TYPES:
                        sock = stack.enter_context(local.connect(
                            scheme, "%s/%s-%d" % (self.directory, scheme, i % 2)))
                        with contextlib.suppress(OSError):
                            sock.send(b"what?" * i)
                    stack.enter_context(clients.connect(daemon.address("tcp", i % 2)))
                with clients.udp_client(daemon.address("udp", i % 2)) as sock:
                    sock.send(b"what?")
                local.msgsnd(local.msgget(self.keys[i % 3]), 1, b"uptime %d" % (i + 1))
            for scheme in SCHEMES:
                counts = local.settled(self, daemon, scheme, 50)
                self.assertEqual(counts["requests"], counts["replies"] + counts["dropped"])

    def test_cycles_leave_nothing(self):
        for i in range(CYCLES):
            with self.daemon("--quiet") as daemon:
                if i % 10 == 0:
                    local.ask("unix", self.directory + "/unix-0")
                    local.ask_msgq(self.keys[0])
                self.assertEqual(daemon.stop(signal.SIGINT if i % 2 else signal.SIGTERM), 0)
            self.assertEqual(self.left(), ([], []))

    def test_killed_by_force_and_started_again(self):
        for _ in range(3):
            with self.daemon("--quiet") as daemon:
                daemon.stop(signal.SIGKILL)
        with self.daemon() as daemon:
            for i in range(2):
                for scheme in ("unix", "unix-seqpacket", "unix-dgram"):
                    local.ask(scheme, "%s/%s-%d" % (self.directory, scheme, i))
                local.ask_fdpass("%s/fdpass-%d" % (self.directory, i))
                self.assertRegex(clients.ask_stream(daemon.address("tcp", i)),
                                 clients.UPTIME_LINE)
                self.assertRegex(clients.ask_datagram(daemon.address("udp", i)),
                                 clients.UPTIME_LINE)
            for key in self.keys:
                local.ask_msgq(key)
        self.assertEqual(self.left()[0], [])


if __name__ == "__main__":
    harness.main()
