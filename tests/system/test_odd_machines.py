# SPDX-License-Identifier: MIT
"""Machines and parents that are odd: what is missing, what is limited, what was left behind."""

import ctypes
import os
import resource
import signal
import unittest

import clients
import harness
import local_clients as local

CLONE_NEWTIME, CLONE_NEWNS = 0x80, 0x20000
MS_REC_PRIVATE, MNT_DETACH = 0x44000, 2
RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE = 11, 12
DAYS_S = 1000 * 86400


def call(name, *args):
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*args) < 0:
        raise OSError(ctypes.get_errno(), name)


def in_mount_table(change):
    """A preexec_fn: CHANGE what is mounted, for the child alone."""
    def prepare():
        call("unshare", CLONE_NEWNS)
        call("mount", b"none", b"/", None, MS_REC_PRIVATE, None)
        change()
    return prepare


def limit(what, value):
    return lambda: resource.setrlimit(what, (value, value))


class OddMachines(local.Sockets):
    def works(self, prepare, **options):
        daemon = self.serve("tcp://127.0.0.1:0", self.url("unix"), self.url("unix-dgram", "d"),
                            preexec_fn=prepare, **options)
        self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
        self.ask("unix")
        self.ask("unix-dgram", "d")
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.listdir(self.directory))

    def test_limits(self):
        for what in (resource.RLIMIT_MEMLOCK, resource.RLIMIT_CORE, RLIMIT_SIGPENDING,
                     RLIMIT_MSGQUEUE):
            with self.subTest(limit=what):
                self.works(limit(what, 0))

    def test_too_few_descriptors(self):
        """From too few to start with to enough: it says so, in one line, or serves."""
        urls = [self.url("unix"), "tcp://127.0.0.1:0", self.url("unix-dgram", "d"),
                self.url("fdpass", "f")]
        served = 0
        for count in range(8, 44):
            with self.subTest(count=count):
                with harness.Daemon(*(arg for url in urls for arg in ("-l", url)), ready=False,
                                    preexec_fn=limit(resource.RLIMIT_NOFILE, count)) as daemon:
                    harness.wait_for(lambda: daemon.exit_code is not None or
                                     "listening fdpass" in daemon.log, 8, "an end or a start")
                    if daemon.exit_code is None:
                        served += 1
                        self.assertEqual(daemon.stop(), 0)
                    else:
                        self.assertEqual(daemon.wait(), 1)
                        self.assertRegex(daemon.log, "(?m)^ruptimed: .*: Too many open files$")
                self.assertFalse(os.listdir(self.directory))
        self.assertTrue(served)

    def test_signals_of_the_parent(self):
        numbers = (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

        def ignored():
            for number in numbers:
                signal.signal(number, signal.SIG_IGN)

        def blocked():
            signal.pthread_sigmask(signal.SIG_SETMASK, range(1, 65))

        for prepare in (ignored, blocked):
            with self.subTest(prepare.__name__):
                self.works(prepare)

    @unittest.skipIf(os.geteuid() != 0, "needs root, for name spaces")
    def test_without_proc(self):
        if harness.is_built_with("__asan_init") or harness.is_built_with("__tsan_init"):
            self.skipTest("the sanitizer needs it")
        prepare = in_mount_table(lambda: call("umount2", b"/proc", MNT_DETACH))
        self.assertIn("its mode cannot be set without /proc", self.refused(
            "-l", self.url("unix", keys="?user=1"), preexec_fn=prepare))
        self.assertFalse([name for name in os.listdir(self.directory) if "ruptimed-" in name])

    @unittest.skipIf(os.geteuid() != 0, "needs root, for name spaces")
    def test_without_dev_null(self):
        prepare = in_mount_table(lambda: call("mount", b"none", b"/dev", b"tmpfs", 0, None))
        daemon = self.serve("tcp://127.0.0.1:0", preexec_fn=prepare)
        self.assertEqual(clients.ask_stream(daemon.address("tcp")),
                         b"error: the command cannot be run: there is no /dev/null\n")

    @unittest.skipIf(os.geteuid() != 0, "needs root, for name spaces")
    def test_a_clock_of_its_own(self):
        """A container that was moved here, and whose monotonic clock says so."""
        def prepare():
            call("unshare", CLONE_NEWTIME)
            with open("/proc/self/timens_offsets", "w", encoding="ascii") as offsets:
                offsets.write("monotonic %d 0\nboottime %d 0\n" % (DAYS_S, DAYS_S))

        if not os.path.exists("/proc/self/timens_offsets"):
            self.skipTest("no name spaces for clocks here")
        self.works(prepare)


if __name__ == "__main__":
    harness.main()
