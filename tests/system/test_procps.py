# SPDX-License-Identifier: MIT
"""--source=procps: to the byte what the installed uptime prints, without running it."""

import re
import subprocess
import unittest

import clients
import harness

TRIES = 50


def uptime_now():
    """What uptime prints, as ruptimed would run it."""
    return subprocess.run(["uptime"], capture_output=True, check=True,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}).stdout


def setUpModule():
    done = harness.run([harness.program("ruptimed"), "-s", "procps", "-l", "tcp://127.0.0.1:x y"])
    if "without libproc2" in done.stderr:
        raise unittest.SkipTest("built without libproc2")


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

    def state(self, daemon):
        daemon.signal(harness.signal.SIGUSR1)
        daemon.wait_log(r"^state runs ok=")
        return daemon.log


if __name__ == "__main__":
    harness.main()
