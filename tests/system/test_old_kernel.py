# SPDX-License-Identifier: MIT
"""The programs on older kernels: system calls that those lack fail here as they do there."""

import contextlib
import os
import signal
import unittest

import clients
import harness
import xsi
from seccomp import old_kernel

# The first system call that a kernel lacks, see seccomp.py.
OLDEST = 424        # 4.18, but for names of refused calls: pidfd_send_signal() is of 5.1
KERNELS = {
    "4.18": OLDEST,
    "5.2": 434,     # pidfd_open() is of 5.3
    "5.8": 436,     # close_range() is of 5.9
    "5.10": 441,    # epoll_pwait2() is of 5.11, Landlock of 5.13
}


class OldKernel(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())

    def daemon(self, first, *args):
        addresses = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "msgq://%d" % xsi.free_key()]
        addresses += ["%s://%s/%s" % (scheme, self.directory, scheme) for scheme in
                      ("unix", "unix-seqpacket", "unix-dgram", "fdpass")]
        listen = [word for address in addresses for word in ("-l", address)]
        return harness.Daemon(*listen, *args, preexec_fn=old_kernel(first))

    def run_on(self, first, name, *args):
        done = harness.run([harness.program(name), *args], preexec_fn=old_kernel(first))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_each_serves_and_asks(self):
        for kernel, first in KERNELS.items():
            with self.subTest(kernel=kernel), self.daemon(first) as daemon:
                self.assertEqual(len(daemon.addresses), 7)
                for address in daemon.addresses:
                    self.assertRegex(self.run_on(first, "ruptime", address).encode(),
                                     clients.UPTIME_LINE)

    def test_what_it_lacks_is_said(self):
        with self.daemon(OLDEST) as daemon:
            daemon.wait_log("warning")
            warnings = [line for line in daemon.log.splitlines() if "warning" in line]
            self.assertEqual(len(warnings), 1)
            self.assertIn("Landlock: landlock_create_ruleset() fails: Function not implemented",
                          warnings[0])

    def test_strict_is_refused(self):
        done = harness.run([harness.program("ruptimed"), "-l", "tcp://127.0.0.1:0",
                            "--sandbox=strict"], preexec_fn=old_kernel(OLDEST))
        self.assertNotEqual(done.returncode, 0)
        if "sanitizer" in done.stderr:
            self.skipTest("a sanitizer's build has no strict level")
        if "socketcall()" in done.stderr:
            self.skipTest("this machine has no strict level on any kernel")
        self.assertIn("landlock_create_ruleset()", done.stderr)

    def test_hanging_command_is_killed(self):
        command = harness.fake_command(self.directory, "setsid sleep 60 & exec sleep 60")
        with self.daemon(OLDEST, "--command=" + command, "--run-timeout=100ms") as daemon:
            self.assertIn(b"did not finish", clients.ask_stream(daemon.address("tcp")))

    def test_processes_are_started_again(self):
        with self.daemon(OLDEST) as daemon:
            os.kill(daemon.helper("runner").pid, signal.SIGKILL)
            self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)

    def test_bench_measures(self):
        with self.daemon(OLDEST) as daemon:
            text = self.run_on(OLDEST, "ruptime-bench", "-r", "200", "-d", "500ms", "--warmup=0s",
                               daemon.address("tcp"))
            self.assertRegex(text, r"lost 0, late 0, duplicate 0, bad 0, errors 0")


if __name__ == "__main__":
    harness.main()
