# SPDX-License-Identifier: MIT
"""SIGTERM: all clients that were there are answered, none waits long, nothing stays behind."""

import contextlib
import os
import signal
import threading
import time
import unittest

import clients
import harness
import local_clients as local
import ports
from stalls import Stopwatch

ROUNDS = 20 if clients.LONG else 3
STOPS = 1000 * clients.LONG or 3
KILLS = 500 * clients.LONG or 3


class UnderLoad(unittest.TestCase):
    limit_s = 720

    def test_every_established_connection_gets_its_line(self):
        slowest = answered = 0
        for _ in range(STOPS):
            # Unprivileged, as it is meant to be run: root may do what others may not.
            with harness.Daemon("-l", "tcp://127.0.0.1:0", unprivileged=True) as daemon:
                load = clients.start_crowd(daemon.address("tcp"), "-n", 64, "-d", 20, "-r")
                harness.wait_for(lambda: clients.state(daemon).get("tcp", {}).get("replies", 0) >
                                 500, what="load")
                start = time.monotonic()
                self.assertEqual(daemon.stop(timeout=5), 0)
                slowest = max(slowest, time.monotonic() - start)
                self.assertLess(slowest, 5 * harness.SLOW)
                counts = clients.finish_crowd(load)
                clients.expect_all_answered(self, counts, but=["refused"])
                self.assertEqual(counts["ok"] + counts["refused"], counts["started"])
                answered += counts["ok"]
        print("# %d stops, the slowest %d ms, %d answers" % (STOPS, slowest * 1000, answered))

    def test_who_talks_too(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:0") as daemon:
            load = clients.start_crowd(daemon.address("tcp"), "-n", 64, "-d", 20, "-r", "-t", 8192)
            harness.wait_for(lambda: clients.state(daemon).get("tcp", {}).get("replies", 0) > 500,
                             what="load")
            self.assertEqual(daemon.stop(timeout=5), 0)
            clients.expect_all_answered(self, clients.finish_crowd(load), but=["refused"])

    def test_with_a_slow_command(self):
        with harness.tempdir() as directory:
            slow = harness.fake_command(directory, "sleep 0.2; echo up")
            with harness.Daemon("-l", "tcp://127.0.0.1:0", command=slow) as daemon:
                load = clients.start_crowd(daemon.address("tcp"), "-n", 200, "-d", 20, "-r")
                harness.wait_for(lambda: clients.state(daemon).get("tcp", {}).get("replies", 0) >=
                                 200, what="load")
                self.assertEqual(daemon.stop(signal.SIGINT, timeout=5), 0)
                clients.expect_all_answered(self, clients.finish_crowd(load), but=["refused"])


class InTheKernel(unittest.TestCase):
    """What the server had no room for yet waits in the kernel; it was there all the same."""

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())
        self.gate = clients.Gate(self.directory)

    def daemon(self, address):
        os.chmod(self.directory, 0o777)
        return harness.Daemon("-l", address, "-q", 4, "-w", 1, "--run-timeout=1m",
                              command=self.gate.path, unprivileged=True)

    def test_backlog(self):
        with self.daemon("tcp://127.0.0.1:0") as daemon, contextlib.ExitStack() as stack:
            address = daemon.address("tcp")
            socks = [stack.enter_context(clients.connect(address)) for _ in range(200)]
            self.gate.wait_started()
            self.assertLessEqual(clients.state(daemon)["tcp"]["requests"], 5)
            daemon.signal(signal.SIGTERM)
            daemon.wait_log("^stopping$")
            self.gate.open()
            for sock in socks:
                self.assertEqual(clients.read_to_end(sock), b"up\n")
                sock.close()
            self.assertEqual(daemon.wait(5), 0)
            with self.assertRaises(ConnectionRefusedError):
                clients.connect(address).close()

    def test_socket_buffer(self):
        with self.daemon("udp://127.0.0.1:0") as daemon:
            with clients.udp_client(daemon.address("udp")) as sock:
                for _ in range(200):
                    sock.send(b"?")
                self.gate.wait_started()
                self.assertLessEqual(clients.state(daemon)["udp"]["requests"], 5)
                daemon.signal(signal.SIGTERM)
                daemon.wait_log("^stopping$")
                self.gate.open()
                for _ in range(200):
                    self.assertEqual(sock.recv(100), b"up\n")
            self.assertEqual(daemon.wait(5), 0)

    def test_newcomers_are_not_let_in(self):
        """Who comes after SIGTERM is refused in the end, and never left without an answer."""
        with self.daemon("tcp://127.0.0.1:0") as daemon:
            address = daemon.address("tcp")
            with clients.connect(address) as early:
                self.gate.wait_started()
                daemon.signal(signal.SIGTERM)
                daemon.wait_log("^stopping$")
                late = []

                def come_late():
                    try:
                        late.append(clients.ask_stream(address))
                    except ConnectionRefusedError:
                        late.append("refused")

                comer = threading.Thread(target=come_late)
                comer.start()
                self.gate.open()
                self.assertEqual(clients.read_to_end(early), b"up\n")
                early.close()
                self.assertEqual(daemon.wait(5), 0)
                comer.join()
                self.assertIn(late[0], ("refused", b"up\n"))


class HungCommand(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.gate = clients.Gate(stack.enter_context(harness.tempdir()))
        self.daemon = stack.enter_context(
            harness.Daemon("-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0",
                           "--run-timeout=1m", command=self.gate.path,
                           env=clients.LEAVES_THREADS))
        self.sock = stack.enter_context(clients.connect(self.daemon.address("tcp")))
        self.gate.wait_started()

    def test_ends_within_5_s_all_the_same(self):
        start = time.monotonic()
        self.daemon.signal(signal.SIGTERM)
        line = clients.read_to_end(self.sock)
        self.sock.close()
        self.assertEqual(self.daemon.wait(5), 0)
        self.assertLess(time.monotonic() - start, 5 * harness.SLOW)
        self.assertRegex(line, b"^error: [ -~]+\n$")

    def test_second_signal_ends_at_once(self):
        watch = Stopwatch()
        self.assertEqual(self.daemon.stop_at_once(), 1)
        self.assertLess(watch.ran_s, 0.6 + 0.5 * harness.SLOW)

    def test_two_signals_of_different_kinds(self):
        self.assertEqual(self.daemon.stop_at_once(signal.SIGINT, signal.SIGTERM), 1)

    def test_killed_by_force_nothing_lives_on(self):
        """The harness fails the test if the runner or the command outlive the server."""
        self.daemon.signal(signal.SIGKILL)
        self.assertEqual(self.daemon.wait(2), -signal.SIGKILL)


class AtRest(unittest.TestCase):
    def test_is_quick(self):
        with harness.Daemon("-l", "tcp://*:0", "-l", "udp://*:0") as daemon:
            watch = Stopwatch()
            self.assertEqual(daemon.stop(), 0)
            self.assertLess(watch.ran_s, 0.5 * harness.SLOW)

    def test_a_client_that_never_closes_holds_it_up_for_a_second(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:0") as daemon:
            with clients.connect(daemon.address("tcp")) as sock:
                clients.read_to_end(sock)
                watch = Stopwatch()
                self.assertEqual(daemon.stop(), 0)
                self.assertLess(watch.ran_s, 1.5 * harness.SLOW)

    def test_the_port_is_free_again(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:0") as daemon:
            address = daemon.address("tcp")
            for _ in range(20):
                clients.ask_stream(address)
        with harness.Daemon("-l", address) as daemon:
            self.assertRegex(clients.ask_stream(address), clients.UPTIME_LINE)



class Killed(local.Sockets):
    limit_s = 720

    def test_under_load_it_can_be_started_again(self):
        """At once, at the same addresses, and what the dead one left is no hindrance."""
        key, = self.stack.enter_context(local.keys())
        pid_file = self.path("pid")
        urls = ["tcp://127.0.0.1:%d" % ports.free(), "msgq://%#x" % key]
        urls += [self.url(scheme, scheme) for scheme in local.TYPES]
        args = [arg for url in urls for arg in ("-l", url)] + ["--pid-file=" + pid_file]
        waits_ms = []
        for _ in range(KILLS):
            begun = time.monotonic()
            with harness.Daemon(*args) as daemon:
                self.assertRegex(clients.ask_stream(urls[0]), clients.UPTIME_LINE)
                waits_ms.append((time.monotonic() - begun) * 1000)
                for scheme in local.TYPES:
                    self.ask(scheme, scheme)
                local.ask_msgq(key)
                loads = [clients.start_crowd(url, "-n", 16, "-d", 20, "-r")
                         for url in (urls[0], self.url("unix", "unix"))]
                harness.wait_for(lambda: clients.state(daemon)["unix"]["replies"] > 100,
                                 what="load")
                self.assertEqual(daemon.stop(signal.SIGKILL), -signal.SIGKILL)
                for load in loads:
                    clients.finish_crowd(load)
        with harness.Daemon(*args) as daemon:
            self.ask("unix", "unix")
            self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.listdir(self.directory))
        waits_ms.sort()
        print("# %d kills, first answer after %d ms, %d ms at p99" % (
            KILLS, waits_ms[len(waits_ms) // 2], waits_ms[len(waits_ms) * 99 // 100]))


if __name__ == "__main__":
    harness.main()
