# SPDX-License-Identifier: MIT
"""Out of descriptors: it waits without a spin, serves what it can, and goes on afterwards."""

import contextlib
import os
import resource
import time
import unittest

import clients
import harness

LIMIT = 64
CLIENTS = 500


def cpu_s(pid):
    """Seconds of processor time that PID has used."""
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Starvation(unittest.TestCase):
    limit_s = 120

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())
        self.stack = stack

    def daemon(self, *args):
        return harness.Daemon(
            "-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0", *args, unprivileged=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT)))

    def open_clients(self, address):
        """The kernel's backlog takes those that the server has no descriptor for."""
        return [self.stack.enter_context(clients.connect(address)) for _ in range(CLIENTS)]

    def test_clients_that_wait(self):
        os.chmod(self.directory, 0o755)
        command = harness.fake_command(
            self.directory, "until [ -e '%s/open' ]; do sleep 0.05; done; echo up"
            % self.directory)
        with self.daemon("--run-timeout=1m", "--command=" + command) as daemon:
            waiting = self.open_clients(daemon.address("tcp"))
            daemon.wait_log("accepting pauses: ")
            self.assertLessEqual(daemon.descriptors(), LIMIT)
            start, start_cpu = time.monotonic(), cpu_s(daemon.pid)
            spell_s = clients.seconds(1.5)
            harness.wait_for(lambda: time.monotonic() - start >= spell_s, timeout=spell_s + 5)
            self.assertLess(cpu_s(daemon.pid) - start_cpu, 0.05 * spell_s)
            with open(self.directory + "/open", "w", encoding="ascii"):
                pass
            for sock in waiting:
                self.assertEqual(clients.read_to_end(sock), b"up\n")
                sock.close()
            self.assertEqual(clients.ask_stream(daemon.address("tcp")), b"up\n")
            self.assertEqual(clients.ask_datagram(daemon.address("udp")), b"up\n")
            # One line, not one for each try.
            self.assertEqual(daemon.log.count("accepting pauses"), 1)
            self.assertEqual(clients.state_at_rest(self, daemon, "tcp")["replies"], CLIENTS + 1)

    def test_clients_that_never_close(self):
        with self.daemon() as daemon:
            self.open_clients(daemon.address("tcp"))
            daemon.wait_log("accepting pauses: ")
            start_cpu = cpu_s(daemon.pid)
            for _ in range(20):
                self.assertRegex(clients.ask_datagram(daemon.address("udp")), clients.UPTIME_LINE)
            self.stack.close()
            self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
            self.assertLess(cpu_s(daemon.pid) - start_cpu, 0.5 * harness.SLOW)

    def test_a_stop_in_the_middle(self):
        with self.daemon("-q", "16") as daemon:
            waiting = self.open_clients(daemon.address("tcp"))[:100]
            daemon.wait_log("accepting pauses: ")
            self.assertEqual(daemon.stop(timeout=6), 0)
            self.assertTrue(waiting)


if __name__ == "__main__":
    harness.main()
