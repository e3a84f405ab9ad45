# SPDX-License-Identifier: MIT
"""--source=procps: to the byte what the installed uptime prints, without running it."""

import contextlib
import fcntl
import os
import re
import subprocess
import unittest

import clients
import harness
import namespaces
from stalls import Stopwatch

TRIES = 50


def uptime_now():
    """What uptime prints, as ruptimed would run it."""
    return subprocess.run(["uptime"], capture_output=True, check=True,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}).stdout


def setUpModule():
    done = harness.run([harness.program("ruptimed"), "-s", "procps", "-l", "tcp://127.0.0.1:x y"])
    if "without libproc2" in done.stderr:
        raise unittest.SkipTest("built without libproc2")
    namespaces.enter()
    # A table of users of our own, where others may not look for one.
    subprocess.run(["mount", "-t", "tmpfs", "run", "/run"], check=True)
    with open("/run/utmp", "wb"):
        pass


class Procps(unittest.TestCase):
    def equal(self, ask, address):
        """In a second in which uptime prints the same before and after."""
        for _ in range(TRIES):
            before = uptime_now()
            line = ask(address)
            if before == uptime_now():
                self.assertEqual(line, before)
                return
        self.fail("uptime never prints the same twice")

    def test_equals_the_command(self):
        # Neither a time zone nor a language of the server's own makes a difference.
        with harness.Daemon("-s", "procps", "-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0",
                            env={"TZ": "Pacific/Kiritimati", "LC_ALL": "de_DE.UTF-8"}) as daemon:
            for _ in range(5):
                self.equal(clients.ask_stream, daemon.address("tcp"))
                self.equal(clients.ask_datagram, daemon.address("udp"))

    def test_runs_nothing(self):
        with harness.tempdir() as directory:
            command = harness.fake_command(directory, "touch %s/ran; echo line" % directory)
            with harness.Daemon("-s", "procps", "-l", "tcp://127.0.0.1:0",
                                command=command) as daemon:
                counts = clients.crowd(daemon.address("tcp"), "-n", 32, "-d", clients.seconds(1))
                clients.expect_all_answered(self, counts)
                runs = int(re.search(r"runs ok=(\d+)", self.state(daemon)).group(1))
                self.assertGreater(runs, 0)
                self.assertLess(runs, counts["ok"])
            self.assertFalse(harness.os.path.exists(directory + "/ran"))

    @contextlib.contextmanager
    def locked_users(self):
        """Another process holds the lock of the table of users, from which they are counted."""
        with open("/run/utmp", "r+b") as table:
            readable, writable = os.pipe()
            pid = os.fork()
            if pid == 0:
                try:
                    fcntl.lockf(table, fcntl.LOCK_EX)
                    os.write(writable, b"x")
                    while True:
                        harness.signal.pause()
                finally:
                    os._exit(1)
            os.close(writable)
            try:
                self.assertEqual(os.read(readable, 1), b"x")
                yield
            finally:
                os.close(readable)
                os.kill(pid, harness.SIGKILL)
                os.waitpid(pid, 0)

    def test_a_lock_on_the_users_costs_the_deadline(self):
        with harness.Daemon("-s", "procps", "-l", "tcp://127.0.0.1:0",
                            "--run-timeout=300ms") as daemon:
            address = daemon.address("tcp")
            with self.locked_users():
                watch = Stopwatch()
                self.assertEqual(clients.ask_stream(address),
                                 b"error: libproc2 did not finish within 300 ms\n")
                self.assertGreaterEqual(watch.elapsed_s, 0.3)
                self.assertLess(watch.ran_s, 0.3 + 0.5 * harness.SLOW)
            self.assertRegex(clients.ask_stream(address), clients.UPTIME_LINE)

    def test_a_lock_that_is_released_costs_no_line(self):
        """Nor does it hold up a stop, whatever --run-timeout says."""
        with harness.Daemon("-s", "procps", "-l", "tcp://127.0.0.1:0",
                            "--run-timeout=1m") as daemon:
            address = daemon.address("tcp")
            with clients.connect(address) as sock:
                with self.locked_users():
                    # Some tries of the run come to nothing meanwhile.
                    harness.let_pass(0.35)
                self.assertRegex(clients.read_to_end(sock), clients.UPTIME_LINE)
            with self.locked_users(), clients.connect(address) as sock:
                harness.let_pass(0.1)
                daemon.signal(harness.SIGTERM)
                self.assertRegex(clients.read_to_end(sock), b"^error: the server is stopping\n")
                self.assertEqual(daemon.wait(), 0)

    def state(self, daemon):
        daemon.signal(harness.signal.SIGUSR1)
        daemon.wait_log(r"^state runs ok=")
        return daemon.log


if __name__ == "__main__":
    harness.main()
