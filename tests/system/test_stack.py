# SPDX-License-Identifier: MIT
"""Whatever the limit of the stack (ulimit -s): the programs have what they need, or say why not."""

import os
import resource
import signal
import subprocess
import unittest

import clients
import harness

# No more than this can be wanted of a limit that is lower, see THREAD_MAIN_STACK_BYTES.
ENOUGH = 64 << 10
EXIT_NOT_PERMITTED = 4
COMPLAINT = "ulimit -s"


def setUpModule():
    done = harness.run([harness.program("ruptimed"), "--sandbox=strict", "-l", "nonsense://"])
    if "sanitizer" in done.stderr:
        raise unittest.SkipTest("a sanitizer needs more stack than programs do")


def limited(size):
    """For preexec_fn: neither this process nor one without privileges can get more again."""
    return lambda: resource.setrlimit(resource.RLIMIT_STACK, (size, size))


# The stack begins with the environment, which may be larger than all the limit.
BARE = {name: None for name in os.environ if name not in ("HOME", "PATH", "TMPDIR")}


def may_have(size):
    """Is there such a limit to be had?"""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    return hard == resource.RLIM_INFINITY or size <= hard


class Stack(unittest.TestCase):
    def serve(self, size):
        key = 0x2c000000 + (size >> 10)
        with harness.tempdir() as directory:
            with harness.Daemon("-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0",
                                "-l", "unix://%s/u" % directory,
                                "-l", "unix-dgram://%s/d" % directory,
                                "-l", "fdpass://%s/f" % directory, "-l", "msgq://%d" % key,
                                env=BARE, preexec_fn=limited(size)) as daemon:
                for address in daemon.addresses:
                    done = harness.run([harness.program("ruptime"), address])
                    self.assertEqual(done.returncode, 0, "%s: %s" % (address, done.stderr))
                daemon.signal(signal.SIGHUP)
                self.assertTrue(clients.state(daemon))
                self.assertEqual(daemon.stop(), 0)

    def test_serves(self):
        for size in (ENOUGH, 1 << 20, 64 << 30):
            with self.subTest(size=size):
                if may_have(size):
                    self.serve(size)

    def test_serves_or_says_why_not(self):
        for size in (20 << 10, 32 << 10):
            with self.subTest(size=size):
                with harness.Daemon("-l", "tcp://127.0.0.1:0", ready=False,
                                    env=BARE, preexec_fn=limited(size)) as daemon:
                    harness.wait_for(lambda: daemon.addresses or daemon.exit_code is not None,
                                     what="a start or an end")
                    if daemon.exit_code is None:
                        clients.ask_stream(daemon.address("tcp"))
                    else:
                        self.assertEqual(daemon.wait(), EXIT_NOT_PERMITTED)
                        self.assertIn(COMPLAINT, daemon.log)

    def test_clients(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:0") as daemon:
            address = daemon.address("tcp").replace("127.0.0.1", "localhost")
            bench = ["ruptime-bench", "-d200ms", "--warmup=0", address]
            for argv in (["ruptime", address], bench + ["-c2"], bench + ["--vs", address]):
                for size in (20 << 10, ENOUGH, 64 << 30):
                    if not may_have(size):
                        continue
                    done = harness.run([harness.program(argv[0])] + argv[1:],
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       env=BARE, preexec_fn=limited(size))
                    if size >= ENOUGH or done.returncode == 0:
                        self.assertEqual(done.returncode, 0, done.stdout)
                    else:
                        self.assertEqual(done.returncode, EXIT_NOT_PERMITTED, done.stdout)
                        self.assertIn(COMPLAINT, done.stdout)


if __name__ == "__main__":
    harness.main()
