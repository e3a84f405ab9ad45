# SPDX-License-Identifier: MIT
"""The harness notices what it promises to notice: tried on make-believe daemons."""

import os
import re
import signal
import socket
import sys
import unittest

import harness
import ports
from stalls import Stopwatch, undisturbed

# Says it is ready at the descriptor of the last argument, --ready-fd=N.
READY = """
for last; do :; done
echo 'listening tcp://127.0.0.1:4711' >&2
echo 'listening tcp://[::1]:4712' >&2
echo 'listening udp://127.0.0.1:4713' >&2
echo >"/proc/self/fd/${last#--ready-fd=}"
"""


class MakeBelieve(unittest.TestCase):
    def setUp(self):
        context = harness.tempdir()
        self.directory = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        os.mkdir(self.directory + "/src")
        real, harness.BUILD_DIR = harness.BUILD_DIR, self.directory
        self.addCleanup(setattr, harness, "BUILD_DIR", real)

    def daemon(self, script):
        harness.fake_command(self.directory + "/src", script, "ruptimed")
        return harness.Daemon()

    def fails(self, script, regex):
        with self.assertRaisesRegex(AssertionError, regex):
            with self.daemon(script) as daemon:
                harness.wait_for(lambda: "go" in daemon.log, what="the script's go")

    def test_addresses_and_clean_stop(self):
        with self.daemon("trap 'kill $!; wait; exit 0' TERM" + READY +
                         "while :; do sleep 1 & wait; done") as daemon:
            self.assertEqual(daemon.port("tcp", 1), 4712)
            self.assertEqual(daemon.address("udp"), "udp://127.0.0.1:4713")
            self.assertIsNone(daemon.exit_code)
            self.assertEqual(daemon.stop(), 0)

    def test_never_ready(self):
        with self.assertRaisesRegex(AssertionError, "ended with 2 before"):
            with self.daemon("echo no >&2; exit 2"):
                pass

    def test_wrong_exit_code(self):
        self.fails("trap 'exit 3' TERM" + READY + "echo go >&2\nwhile :; do :; done", "with 3")

    def test_orphan(self):
        self.fails("trap 'exit 0' TERM" + READY +
                   "sleep 60 & echo go >&2\nwhile :; do :; done", "left a process.*sleep")

    def test_orphan_is_killed(self):
        with self.assertRaises(AssertionError):
            with self.daemon("trap 'exit 0' TERM" + READY +
                             "sleep 61 & echo go $! go >&2\nwhile :; do :; done") as daemon:
                orphan = int(daemon.wait_log("go (.*) go").group(1))
        self.assertFalse(os.path.exists("/proc/%d" % orphan))

    def test_zombie(self):
        with self.assertRaisesRegex(AssertionError, "a zombie stays"):
            with self.daemon(READY + "true & exec sleep 60") as daemon:
                harness.wait_for(lambda: "Z" in [p.state for p in
                                                 harness.descendants(daemon.pid)])

    def test_crash(self):
        self.fails("trap 'kill -SEGV $$' TERM" + READY + "echo go >&2\nwhile :; do :; done",
                   "by signal 11")

    def test_sanitizer_report(self):
        self.fails("trap 'exit 0' TERM" + READY +
                   "echo '==1==ERROR: AddressSanitizer: heap go' >&2\nwhile :; do :; done",
                   "a sanitizer")

    def test_killed_by_the_test(self):
        with self.daemon(READY + "exec sleep 60") as daemon:
            self.assertEqual(daemon.stop(signal.SIGKILL), -signal.SIGKILL)


class Ports(unittest.TestCase):
    def test_refusing_port(self):
        """It stays closed, whatever other programs bind meanwhile."""
        with ports.refusing() as port:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with self.subTest(kind=kind), socket.socket(type=kind) as client:
                    client.settimeout(5 * harness.SLOW)
                    with self.assertRaises(ConnectionRefusedError):
                        client.connect(("127.0.0.1", port))
                        client.send(b"?")
                        client.recv(1)
                    with socket.socket(type=kind) as taker:
                        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        self.assertRaises(OSError, taker.bind, ("", port))


class Signals(unittest.TestCase):
    def test_none_is_ignored(self):
        """Also where the caller has them ignored."""
        with open("/proc/self/status", encoding="ascii") as status:
            ignored = int(re.search(r"^SigIgn:\t(\w+)", status.read(), re.MULTILINE)[1], 16)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            self.assertFalse(ignored >> number - 1 & 1, number)
        if "NESTED" not in os.environ:
            done = harness.run(["sh", "-c", "trap '' HUP INT QUIT; exec \"$@\"", "sh",
                                sys.executable, "-B", __file__, self.id().partition(".")[2]],
                               env={"NESTED": "1"})
            self.assertRegex(done.stdout, "^ok 1 ")


class Standstill(unittest.TestCase):
    def test_a_machine_that_stands_still(self):
        """As it looks to a process that is stopped for half a second."""
        watch = Stopwatch()
        harness.run(["sh", "-c", "kill -STOP $PPID; sleep .5; kill -CONT $PPID"])
        self.assertGreater(watch.standstill_s, 0.4)
        self.assertGreater(watch.elapsed_s, 0.5)
        self.assertAlmostEqual(watch.ran_s + watch.standstill_s, watch.elapsed_s, delta=0.01)

    def test_a_machine_at_rest(self):
        """A wait is no standstill."""
        watch = undisturbed(self.wait, lambda watch: watch.ran_s >= 0.3)
        self.assertGreaterEqual(watch.ran_s, 0.3)

    def wait(self):
        watch = Stopwatch()
        harness.let_pass(0.3)
        return watch

    def test_what_is_asked_again(self):
        """Three times, and once more for each time that the machine stood still."""
        for stopped, wanted in (((), 3), ((0, 2), 5)):
            asked = []

            def ask(asked=asked, stopped=stopped):
                if len(asked) in stopped:
                    harness.run(["sh", "-c", "kill -STOP $PPID; sleep .1; kill -CONT $PPID"])
                asked.append(0)

            undisturbed(ask, lambda _: False)
            self.assertGreaterEqual(len(asked), wanted)


if __name__ == "__main__":
    harness.main()
