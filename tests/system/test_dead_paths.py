# SPDX-License-Identifier: MIT
"""Names and descriptors of clients that lead into a file system that does not answer."""

import contextlib
import os
import signal
import socket
import unittest

import clients
import deadfs
import harness
import local_clients as local
import namespaces
import test_config
from stalls import Stopwatch

ASKERS = 8
OTHER_USER = 1001
# The leak sanitizer stops all threads first, and those that hang cannot be stopped.
LEAVES_THREADS = {**clients.LEAVES_THREADS, "ASAN_OPTIONS": "detect_leaks=0"}


def setUpModule():
    namespaces.enter()


class Paths(local.Sockets):
    """Some of which lead into a file system that does not answer."""

    serve_dead = None

    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o777)
        for name in ("dead", "other"):
            os.mkdir(self.path(name), 0o777)
            os.chmod(self.path(name), 0o777)
        # It goes first: a process may have to wait for that.
        self.dead = contextlib.ExitStack()
        self.addCleanup(self.dead.close)
        self.dead.enter_context(deadfs.mounted(self.path("dead"), self.serve_dead))

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

    def hang(self, daemon):
        """Have an answer of DAEMON hang."""
        before = clients.state(daemon).get("unix-dgram", {"requests": 0})["requests"]
        sock, = self.lead_astray(1)
        sock.sendto(b"?", self.path())
        harness.wait_for(lambda: clients.state(daemon).get("unix-dgram", {}).get(
            "requests", 0) > before, what="the request")


class DeadPaths(Paths):
    def setUp(self):
        super().setUp()
        self.daemon = self.serve(self.url("unix-dgram", keys="?mode=0666"), "tcp://127.0.0.1:0",
                                 self.url("unix", "stream"), args=["-w", "4"],
                                 env=LEAVES_THREADS)

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
        watch = Stopwatch()
        self.daemon.signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(6), 0)
        self.assertLess(watch.ran_s, 1.5 * harness.SLOW)
        self.assertRegex(self.daemon.log, "%d answers to UNIX datagram clients are given up" %
                         ASKERS)

    def test_the_end_waits_for_those_that_can_be_answered(self):
        """What is still to be sent behind the ones that hang, of all that was received."""
        hanging = self.lead_astray(4)
        for sock in hanging:
            sock.sendto(b"?", self.path())
        others = [self.bound(self.path("other/%d" % i)) for i in range(40)]
        for sock in others:
            sock.sendto(b"?", self.path())
        self.daemon.signal(signal.SIGTERM)
        for sock in others:
            self.assertRegex(sock.recv(4096), clients.UPTIME_LINE)
        self.assertEqual(self.daemon.wait(6), 0)

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


@unittest.skipUnless(test_config.is_built_in(), "built without libconfuse")
class Reload(Paths):
    def test_the_next_server_is_not_kept_waiting(self):
        """Nor is the end, and each request is in the ledger."""
        file = self.path("ruptimed.conf")
        with open(file, "w", encoding="utf-8") as out:
            out.write("listen = { '%s', 'tcp://127.0.0.1:0' }\n" %
                      self.url("unix-dgram", keys="?mode=0666"))
        daemon = self.stack.enter_context(harness.Daemon("-c", file, env=LEAVES_THREADS))
        for round_ in range(1, 3):
            self.hang(daemon)
            daemon.signal(signal.SIGHUP)
            harness.wait_for(lambda: daemon.log.count("reload: done in") == round_,
                             what="the end of the reload")
            os.unlink(self.path("folder0"))
            os.rename(self.path("folder0.away"), self.path("away%d" % round_))
            self.ask("unix-dgram")
        state = clients.state_at_rest(self, daemon, "unix-dgram")
        self.assertEqual((state["requests"], state["replies"], state["stalled"]), (4, 2, 2))
        watch = Stopwatch()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(watch.ran_s, 1.5 * harness.SLOW)


class Unkillable(Paths):
    """The kernel keeps the process until the file system answers, or is gone."""

    serve_dead = staticmethod(deadfs.take)

    def has_successor(self, listen, hang, last_words):
        """Another server can start where the one whose thread HANGs has been told to stop."""
        pid_file = self.path("pid")
        daemon = self.serve(*listen, "tcp://127.0.0.1:0", args=["--pid-file=" + pid_file],
                            env=LEAVES_THREADS)
        hang(daemon)
        daemon.signal(signal.SIGTERM)
        daemon.wait_log(last_words, timeout=10)
        harness.wait_for(lambda: not os.path.exists(pid_file), what="the pid file to go")
        with harness.Daemon(*(arg for url in listen for arg in ("-l", url)),
                            "-l", daemon.address("tcp"), "--pid-file=" + pid_file) as successor:
            self.assertRegex(clients.ask_stream(successor.address("tcp")), clients.UPTIME_LINE)
            self.assertIsNone(daemon.exit_code)
        self.dead.close()
        self.assertEqual(daemon.wait(), 0)

    def test_a_path(self):
        self.has_successor([self.url("unix-dgram", keys="?mode=0666"), self.url("unix", "stream")],
                           self.hang, "^stopped$")

    def test_a_descriptor(self):
        os.mkdir(self.path("dying"))

        def hang(daemon):
            file, die = self.dead.enter_context(deadfs.dying(self.path("dying")))
            client = self.stack.enter_context(local.connect("fdpass", self.path()))
            socket.send_fds(client, [b"x"], [file])
            die()
            harness.wait_for(lambda: clients.state(daemon).get("fdpass", {}).get("requests"),
                             what="the request")

        self.has_successor([self.url("fdpass")], hang, "stopping has taken too long")


if __name__ == "__main__":
    harness.main()
