# SPDX-License-Identifier: MIT
"""UNIX datagram clients whose names lead into a file system that does not answer."""

import os
import signal
import socket
import time
import unittest

import clients
import deadfs
import harness
import local_clients as local
import namespaces

ASKERS = 8
OTHER_USER = 1001


def setUpModule():
    namespaces.enter()


class DeadPaths(local.Sockets):
    limit_s = 60

    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o777)
        for name in ("dead", "other"):
            os.mkdir(self.path(name), 0o777)
            os.chmod(self.path(name), 0o777)
        self.stack.enter_context(deadfs.mounted(self.path("dead")))
        self.daemon = self.serve(self.url("unix-dgram", keys="?mode=0666"), "tcp://127.0.0.1:0",
                                 self.url("unix", "stream"), args=["-w", "4"],
                                 env=clients.LEAVES_THREADS)

    def bound(self, path):
        sock = self.stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        sock.bind(path)
        os.chmod(path, 0o777)
        sock.settimeout(5 * harness.SLOW)
        return sock

    def lead_astray(self, count, folders=1):
        """Clients in FOLDERS directories, each of which leads into the dead one from then on."""
        askers = []
        for folder in range(folders):
            name = self.path("folder%d" % folder)
            os.mkdir(name)
            askers += [self.bound("%s/%d" % (name, i)) for i in range(count // folders)]
            os.rename(name, name + ".away")
            os.symlink(self.path("dead/%d" % folder), name)
        return askers

    def ask_as(self, sock):
        sock.sendto(b"?", self.path())
        self.assertRegex(sock.recv(4096), clients.UPTIME_LINE)

    def ask_others(self):
        self.assertRegex(clients.ask_stream(self.daemon.address("tcp")), clients.UPTIME_LINE)
        self.ask("unix", "stream")
        self.ask("unix-dgram")
        abstract = self.stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        abstract.bind("\0ruptime-%d" % os.getpid())
        abstract.settimeout(5 * harness.SLOW)
        self.ask_as(abstract)
        abstract.close()

    def test_others_are_answered(self):
        beside = self.bound(self.path("other/client"))
        for sock in self.lead_astray(ASKERS):
            sock.sendto(b"?", self.path())
            self.ask_others()
            self.ask_as(beside)
        # The ones that are answered may not be counted yet.
        harness.wait_for(lambda: self.waiting() == ASKERS, what="all others to be counted")
        start = time.monotonic()
        self.daemon.signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(6), 0)
        self.assertLess(time.monotonic() - start, 5 * harness.SLOW)

    def waiting(self):
        state = clients.state(self.daemon)["unix-dgram"]
        return state["requests"] - state["replies"] - state["dropped"]

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be two users")
    def test_another_user_is_answered(self):
        """However many directories the first one takes."""
        beside = self.bound(self.path("other/client"))
        for sock in self.lead_astray(24, 24):
            sock.sendto(b"?", self.path())
        harness.wait_for(lambda: clients.state(self.daemon).get("unix-dgram", {}).get(
            "requests") == 24, what="all to be received")
        for _ in range(20):
            self.as_other_user(beside)
        self.ask_others()

    def as_other_user(self, sock):
        os.setreuid(OTHER_USER, 0)
        try:
            self.ask_as(sock)
        finally:
            os.setreuid(0, 0)

    def test_what_is_too_much_is_dropped_and_counted(self):
        """And when the file system is gone all is as before."""
        sock, = self.lead_astray(1)
        for _ in range(2000):
            sock.sendto(b"?", self.path())
        harness.wait_for(lambda: clients.state(self.daemon).get("unix-dgram", {}).get(
            "stalled", 0) > 1000, what="drops")
        self.ask_others()
        self.assertLessEqual(self.waiting(), 512)
        self.daemon.wait_log("wait for a file system: no more may wait")


if __name__ == "__main__":
    harness.main()
