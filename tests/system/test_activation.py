# SPDX-License-Identifier: MIT
"""Sockets that a service manager brings (LISTEN_FDS): any kind, mixed with our own, and kept."""

import contextlib
import os
import signal
import socket
import threading
import unittest

import clients
import harness
import local_clients as local


class Manager(unittest.TestCase):
    """Starts ruptimed as systemd does: the sockets stand from descriptor 3 on, and stay ours."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(harness.tempdir())
        self.sockets = []

    def open(self, kind, address=None, family=socket.AF_INET):
        sock = self.stack.enter_context(socket.socket(family, kind))
        sock.bind(address or ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        if kind != socket.SOCK_DGRAM:
            sock.listen(64)
        self.sockets.append(sock)
        return sock

    def path(self, name):
        return os.path.join(self.directory, name)

    def serve(self, *args, names=None, count=None, pid=None, **options):
        # A shell knows its number, which exec keeps, and moves the sockets to where they belong.
        fds = [os.dup(sock.fileno()) for sock in self.sockets]
        low = max(fds + [20]) + 10
        script = "".join("exec %d<&%d; " % (low + i, fd) for i, fd in enumerate(fds))
        script += "".join("exec %d<&%d %d<&-; " % (3 + i, low + i, low + i)
                          for i in range(len(fds)))
        script += "LISTEN_PID=%s; export LISTEN_PID; exec \"$@\"" % (pid or "$$")
        # Above those that the sockets get, whatever the harness passes.
        env = {"LISTEN_FDS": str(len(fds) if count is None else count), "LISTEN_FDNAMES": names}
        try:
            return self.stack.enter_context(Activated(script, fds, *args, env=env, **options))
        finally:
            for fd in fds:
                os.close(fd)


class Activated(harness.Daemon):
    """A Daemon that a shell with SCRIPT becomes, with FDS open in it."""

    def __init__(self, script, fds, *args, **options):
        super().__init__(*args, **options)
        self._argv = ["bash", "-c", script, "bash"] + self._argv
        self._fds = fds

    def _descriptors(self, daemon_fd):
        return [daemon_fd] + self._fds


class Kinds(Manager):
    def test_each(self):
        tcp = self.open(socket.SOCK_STREAM)
        tcp6 = self.open(socket.SOCK_STREAM, family=socket.AF_INET6)
        udp = self.open(socket.SOCK_DGRAM)
        for name, kind in (("stream", socket.SOCK_STREAM), ("packets", socket.SOCK_SEQPACKET),
                           ("datagrams", socket.SOCK_DGRAM), ("descriptors", socket.SOCK_STREAM)):
            self.open(kind, self.path(name), socket.AF_UNIX)
        daemon = self.serve(names="web:web:udp:a:b:c:fdpass")
        self.assertEqual(daemon.addresses, [
            "tcp://127.0.0.1:%d" % tcp.getsockname()[1],
            "tcp://[::1]:%d" % tcp6.getsockname()[1],
            "udp://127.0.0.1:%d" % udp.getsockname()[1],
            "unix://" + self.path("stream"), "unix-seqpacket://" + self.path("packets"),
            "unix-dgram://" + self.path("datagrams"), "fdpass://" + self.path("descriptors")])
        for address in daemon.addresses[:2]:
            self.assertRegex(clients.ask_stream(address), clients.UPTIME_LINE)
        self.assertRegex(clients.ask_datagram(daemon.addresses[2]), clients.UPTIME_LINE)
        self.assertRegex(local.ask("unix", self.path("stream")), clients.UPTIME_LINE)
        self.assertRegex(local.ask("unix-seqpacket", self.path("packets")), clients.UPTIME_LINE)
        self.assertRegex(local.ask("unix-dgram", self.path("datagrams")), clients.UPTIME_LINE)
        self.assertRegex(local.ask_fdpass(self.path("descriptors")), clients.UPTIME_LINE)

    def test_without_names(self):
        self.open(socket.SOCK_STREAM, self.path("stream"), socket.AF_UNIX)
        daemon = self.serve()
        self.assertEqual(daemon.addresses, ["unix://" + self.path("stream")])

    def test_mixed_with_our_own(self):
        self.open(socket.SOCK_STREAM)
        daemon = self.serve("-l", "tcp://127.0.0.1:0", "-l", "unix://" + self.path("own"))
        self.assertEqual(len(daemon.addresses), 3)
        for address in daemon.addresses[:2]:
            self.assertRegex(clients.ask_stream(address), clients.UPTIME_LINE)
        self.assertRegex(local.ask("unix", self.path("own")), clients.UPTIME_LINE)

    def test_of_any_address_and_both_families(self):
        """As ListenStream=7000 and ListenDatagram=7000 open them."""
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = self.stack.enter_context(socket.socket(socket.AF_INET6, kind))
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(("::", 0))
            if kind == socket.SOCK_STREAM:
                sock.listen()
            self.sockets.append(sock)
        self.serve()
        tcp, udp = (sock.getsockname()[1] for sock in self.sockets)
        for host in ("127.0.0.1", "[::1]"):
            self.assertRegex(clients.ask_stream("tcp://%s:%d" % (host, tcp)),
                             clients.UPTIME_LINE)
            self.assertRegex(clients.ask_datagram("udp://%s:%d" % (host, udp)),
                             clients.UPTIME_LINE)

    def test_for_another_process(self):
        self.open(socket.SOCK_STREAM)
        daemon = self.serve("-l", "unix://" + self.path("own"), pid=1)
        self.assertEqual(daemon.addresses, ["unix://" + self.path("own")])

    def test_what_cannot_be_served(self):
        for sock, shown in ((socket.socket(), "does not listen"),
                            (socket.socketpair()[0], "without a name|does not listen")):
            self.sockets = [self.stack.enter_context(sock)]
            daemon = self.serve(ready=False)
            self.assertEqual(daemon.wait(), 2)
            self.assertRegex(daemon.log, "^ruptimed: descriptor 3 of LISTEN_FDS: .*(%s)" % shown)
        self.sockets = []
        daemon = self.serve(ready=False, count=1)
        self.assertNotEqual(daemon.wait(), 0)
        self.assertRegex(daemon.log, "^ruptimed: .*LISTEN_FDS")


class Kept(Manager):
    """The sockets of the manager outlive the server, with all that waits in them."""

    def open_all(self):
        self.open(socket.SOCK_STREAM)
        self.open(socket.SOCK_DGRAM)
        self.open(socket.SOCK_STREAM, self.path("stream"), socket.AF_UNIX)
        self.open(socket.SOCK_DGRAM, self.path("datagrams"), socket.AF_UNIX)

    def ask_all(self):
        tcp, udp = (sock.getsockname()[1] for sock in self.sockets[:2])
        self.assertRegex(clients.ask_stream("tcp://127.0.0.1:%d" % tcp), clients.UPTIME_LINE)
        self.assertRegex(clients.ask_datagram("udp://127.0.0.1:%d" % udp), clients.UPTIME_LINE)
        self.assertRegex(local.ask("unix", self.path("stream")), clients.UPTIME_LINE)
        self.assertRegex(local.ask("unix-dgram", self.path("datagrams")), clients.UPTIME_LINE)

    def test_after_every_kind_of_end(self):
        self.open_all()
        for order in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            daemon = self.serve()
            self.ask_all()
            self.assertEqual(daemon.stop(order), 0 if order == signal.SIGTERM else -order)
        # What comes while no server is there waits for the next one.
        waiting = [threading.Thread(target=self.ask_all)]
        waiting[0].start()
        self.serve()
        waiting[0].join(10 * harness.SLOW)
        self.assertFalse(waiting[0].is_alive())

    def test_no_connection_is_refused_in_between(self):
        tcp = self.open(socket.SOCK_STREAM)
        load = clients.start_crowd("tcp://127.0.0.1:%d" % tcp.getsockname()[1], "-n", 8, "-d",
                                   clients.seconds(2))
        while load.poll() is None:
            daemon = self.serve()
            harness.let_pass(0.2)
            self.assertEqual(daemon.stop(), 0)
        last = self.serve()
        clients.expect_all_answered(self, clients.finish_crowd(load))
        self.assertIsNone(last.exit_code)

    def test_none_is_refused_when_it_is_killed(self):
        """What it had accepted dies with it; whatever comes later waits for the next one."""
        tcp = self.open(socket.SOCK_STREAM)
        address = "tcp://127.0.0.1:%d" % tcp.getsockname()[1]
        load = clients.start_crowd(address, "-n", 8, "-d", clients.seconds(2, 60 * clients.LONG))
        kills, stack = 0, self.stack
        while load.poll() is None:
            with contextlib.ExitStack() as self.stack:
                daemon = self.serve()
                clients.ask_stream(address)
                self.assertEqual(daemon.stop(signal.SIGKILL), -signal.SIGKILL)
            kills += 1
        self.stack = stack
        last = self.serve()
        counts = clients.finish_crowd(load)
        clients.expect_all_answered(self, counts, but=["reset", "empty", "partial"])
        self.assertIsNone(last.exit_code)
        print("# %d kills, %d answers, none refused" % (kills, counts["ok"]))


if __name__ == "__main__":
    harness.main()
