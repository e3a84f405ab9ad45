# SPDX-License-Identifier: MIT
"""Out of descriptors: it waits without a spin, serves what it can, and goes on afterwards."""

import contextlib
import errno
import os
import resource
import select
import signal
import socket
import threading
import time
import unittest

import clients
import harness
import local_clients as local
import refusal

LIMIT = 64
CLIENTS = 500
SPELL_S = clients.seconds(2, 30)
RELIEF_S = 0.15 if clients.LONG else 0.5
RUN_S = 1


def acceptor_cpu_s(pid):
    """Seconds of processor time that the acceptor of PID has used."""
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, task), encoding="ascii") as stat:
            name, _, fields = stat.read().rpartition(")")
        if name.endswith("(acceptor"):
            fields = fields.split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    raise AssertionError("there is no acceptor")


class Starvation(unittest.TestCase):
    limit_s = 300

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(harness.tempdir())
        os.chmod(self.directory, 0o777)
        self.key = self.stack.enter_context(local.keys(1))[0]
        self.datagrams = os.path.join(self.directory, "datagrams")
        self.command("exec uptime")

    def command(self, script):
        harness.fake_command(self.directory, script)

    def daemon(self, *args, unprivileged=True):
        return harness.Daemon(
            "-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0", "-l", "msgq://%#x" % self.key,
            "-l", "unix-dgram://%s?mode=0666" % self.datagrams, *args, unprivileged=unprivileged,
            command=self.directory + "/uptime",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT)))

    def connect(self, daemon):
        """Without waiting for it: the kernel's backlog takes those that the server has no
        descriptor for, and the next ones try again after a second."""
        sock = self.stack.enter_context(socket.socket())
        sock.setblocking(False)
        sock.connect_ex(clients.split(daemon.address("tcp")))
        return sock

    def ask_beside(self, daemon):
        """Those that need no descriptor."""
        self.assertRegex(clients.ask_datagram(daemon.address("udp")), clients.UPTIME_LINE)
        local.ask("unix-dgram", self.datagrams)
        local.ask_msgq(self.key)

    def under_siege(self, daemon, renew):
        """For a spell RENEW clients, and ask beside them; the acceptor does next to nothing."""
        daemon.wait_log("accepting pauses: ")
        start, start_cpu, rounds = time.monotonic(), acceptor_cpu_s(daemon.pid), 0
        while time.monotonic() - start < SPELL_S:
            self.ask_beside(daemon)
            renew()
            rounds += 1
            self.assertLessEqual(daemon.descriptors(), LIMIT)
        share = (acceptor_cpu_s(daemon.pid) - start_cpu) / (time.monotonic() - start)
        print("# in %.0f s: %d times asked beside, acceptor %.1f %% of a core" %
              (time.monotonic() - start, rounds, 100 * share), flush=True)
        self.assertLess(share, 0.05)
        # One line, not one for each try; and a line again every 30 s.
        self.assertLessEqual(daemon.log.count("accepting pauses"), 2)

    def ask_timed(self, daemon):
        start = time.monotonic()
        self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
        return time.monotonic() - start

    def expect_relief(self, daemon, took_s):
        print("# TCP again after %.0f ms" % (1e3 * took_s), flush=True)
        self.assertLess(took_s, RELIEF_S * harness.SLOW)
        self.assertLess(self.ask_timed(daemon), 5 * harness.SLOW)

    def test_limit_lowered_to_none(self):
        """poll() itself fails then: the acceptor does not spin, and serves again afterwards."""
        # As the same user: only that one may change its limits without a privilege.
        with self.daemon(unprivileged=False) as daemon:
            self.ask_beside(daemon)
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (0, LIMIT))
            # A thread that sleeps in poll() notices when it is woken.
            self.connect(daemon)
            daemon.wait_log("poll\\(\\) fails")
            start, start_cpu = time.monotonic(), acceptor_cpu_s(daemon.pid)
            while time.monotonic() - start < SPELL_S:
                waiting = self.connect(daemon)
                self.assertEqual(select.select([waiting], [], [], 0.05)[0], [])
            share = (acceptor_cpu_s(daemon.pid) - start_cpu) / (time.monotonic() - start)
            print("# acceptor %.1f %% of a core" % (100 * share), flush=True)
            self.assertLess(share, 0.05)
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
            self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)

    def test_start_while_others_pass_descriptors(self):
        """The user has more on their way than the server may open, for a moment."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with here, there:
            def send():
                local.send_fds(here, [0] * 2 * LIMIT)

            self.assertEqual(harness.end_of(harness.fork_as_nobody(send)), 0)
            arrival = threading.Timer(0.3, there.recv, (1,))
            arrival.start()
            with self.daemon() as daemon:
                self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
            arrival.join()

    def test_clients_that_wait(self):
        """Behind a command that takes long: who has waited enough goes, and another comes."""
        self.command("sleep %g; exec uptime" % RUN_S)
        with self.daemon("--run-timeout=1m") as daemon:
            waiting = [self.connect(daemon) for _ in range(CLIENTS)]

            def renew():
                for _ in range(self.let_go(waiting)):
                    waiting.append(self.connect(daemon))

            self.under_siege(daemon, renew)
            self.command("exec uptime")
            harness.wait_for(lambda: not [p for p in harness.descendants(daemon.pid)
                                          if p.name == "sleep"], 5, "the last long run")
            start = time.monotonic()
            # A client that was in the backlog all the time: there are no descriptors for so many.
            client = waiting[LIMIT]
            while client in waiting:
                self.let_go(waiting)
            self.expect_relief(daemon, time.monotonic() - start)

    def let_go(self, waiting):
        """Close all that have their line. Returns how many they were."""
        served = [sock for sock in waiting if self.has_line(sock)]
        for sock in served:
            waiting.remove(sock)
            sock.close()
        return len(served)

    def has_line(self, sock):
        try:
            return clients.UPTIME_LINE.match(sock.recv(4096))
        except BlockingIOError:
            return False

    def test_clients_that_never_close(self):
        """They have their line, and stay: no other has to wait for them to go."""
        with self.daemon() as daemon:
            staying = [self.connect(daemon) for _ in range(CLIENTS)]
            slowest = []

            def renew():
                for sock in staying[:20]:
                    sock.close()
                del staying[:20]
                staying.extend(self.connect(daemon) for _ in range(20))
                slowest.append(self.ask_timed(daemon))

            self.under_siege(daemon, renew)
            print("# TCP meanwhile: worst %.0f ms" % (1e3 * max(slowest)), flush=True)
            for sock in staying:
                sock.close()
            self.expect_relief(daemon, self.ask_timed(daemon))

    def test_scrapers_that_wait(self):
        """No thread spins for them, either, and they are answered afterwards."""
        self.command("sleep %g; exec uptime" % (2 * RUN_S))
        with self.daemon("--run-timeout=1m", "--metrics=tcp://127.0.0.1:0") as daemon:
            host, port = clients.split("tcp://" + daemon.wait_log("metrics tcp://(\\S+)")[1])
            waiting = [self.connect(daemon) for _ in range(2 * LIMIT)]
            daemon.wait_log("accepting pauses: ")
            scrapers = [self.stack.enter_context(socket.create_connection((host, port)))
                        for _ in range(3)]
            for sock in scrapers:
                sock.settimeout(10 * harness.SLOW)
                sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            daemon.wait_log("accepting scrapers pauses: ")
            start, start_cpu = time.monotonic(), harness.Process(daemon.pid).cpu_s
            harness.let_pass(RUN_S)
            share = (harness.Process(daemon.pid).cpu_s - start_cpu) / (time.monotonic() - start)
            print("# all threads %.1f %% of a core" % (100 * share), flush=True)
            self.assertLess(share, 0.1)
            for sock in waiting:
                sock.close()
            for sock in scrapers:
                self.assertIn(b" 200 OK", clients.read_to_end(sock))

    def test_descriptors_that_are_passed(self):
        """Each client gets its line once there is a descriptor, or is told the true reason."""
        # Several runs, one after the other, have to be over before two seconds are.
        self.command("sleep 0.05; exec uptime")
        path = os.path.join(self.directory, "fdpass")
        with harness.Daemon(
                "-l", "fdpass://" + path, "-l", "tcp://127.0.0.1:0", "--max-connections=1000",
                command=os.path.join(self.directory, "uptime"), preexec_fn=lambda:
                resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))) as daemon:
            at_rest = daemon.descriptors()
            told = {}
            with open(os.devnull, "wb") as sink:
                waiting = [self.stack.enter_context(local.connect("fdpass", path))
                           for _ in range(80)]
                for sock in waiting:
                    # One that has been told already may be closed by now.
                    with contextlib.suppress(BrokenPipeError):
                        local.send_fds(sock, [sink.fileno()])
                for sock in waiting:
                    answer = clients.read_to_end(sock)
                    sock.close()
                    told[answer] = told.get(answer, 0) + 1
            print("#", told)
            self.assertGreater(told.pop(b"\0"), 60)
            self.assertLessEqual(set(told), {
                b"error: the server had no descriptor left: try again\n"})
            harness.wait_for(lambda: daemon.descriptors() <= at_rest, 5, "all to be closed")

    def test_accept_that_fails(self):
        """For a reason that lasts, such as a filter of the kernel's: no spin, and it is told."""
        command = os.path.join(self.directory, "uptime")
        with harness.Daemon("-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0", command=command,
                            preexec_fn=refusal.refuse("accept4", errno.EPERM)) as daemon:
            waiting = self.connect(daemon)
            daemon.wait_log("accepting fails, and is tried again: Operation not permitted")
            start, start_cpu = time.monotonic(), acceptor_cpu_s(daemon.pid)
            self.assertEqual(select.select([waiting], [], [], SPELL_S)[0], [])
            share = (acceptor_cpu_s(daemon.pid) - start_cpu) / (time.monotonic() - start)
            self.assertLess(share, 0.05)
            self.assertRegex(clients.ask_datagram(daemon.address("udp")), clients.UPTIME_LINE)
            daemon.signal(signal.SIGUSR1)
            daemon.wait_log("state accept-failures=")
            self.assertEqual(daemon.log.count("accepting fails"), 1)

    def test_a_stop_in_the_middle(self):
        with self.daemon("-q", "16") as daemon:
            waiting = [self.connect(daemon) for _ in range(100)]
            daemon.wait_log("accepting pauses: ")
            self.assertEqual(daemon.stop(timeout=6), 0)
            self.assertTrue(waiting)


if __name__ == "__main__":
    harness.main()
