# SPDX-License-Identifier: MIT
"""--sandbox where the machine lacks a part of it: old kernels, containers, supervisors."""

import contextlib
import ctypes
import errno
import os
import platform
import signal
import sys
import unittest

import clients
import harness
from seccomp import NO_NEW_PRIVS, NOTIFY, denied, libc, program

# Since 403 a call has the same number on every architecture but Alpha.
PIDFD_OPEN, CLOSE_RANGE = 434, 436
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
# seccomp(2) is older.
SECCOMP = {"x86_64": 317, "aarch64": 277, "riscv64": 277}.get(platform.machine())
MKNODAT = {"x86_64": 259, "aarch64": 33, "riscv64": 33}.get(platform.machine())
NEW_LISTENER = 8
LISTENER_FD = 200


def execute_listened_to(argv):
    """Execute ARGV where a filter with a listener is in force, as in LXD."""
    filtered = program(MKNODAT, NOTIFY)
    assert libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    fd = libc.syscall(SECCOMP, 1, NEW_LISTENER, ctypes.byref(filtered))
    assert fd >= 0
    # The listener is there as long as a process holds it.
    os.dup2(fd, LISTENER_FD)
    os.execv(argv[0], argv)


class Listened(harness.Daemon):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._argv = [sys.executable, "-B", __file__, "execute", *self._argv]


@contextlib.contextmanager
def serving(level, prepare=None, script="echo up", kind=harness.Daemon):
    with harness.tempdir() as directory:
        command = harness.fake_command(directory, script)
        with kind("--sandbox=" + level, "-l", "tcp://127.0.0.1:0", command=command,
                  preexec_fn=prepare) as daemon:
            yield daemon


def can_be_strict():
    done = harness.run([harness.program("ruptimed"), "--sandbox=strict", "-l", "nonsense://"])
    return "--sandbox" not in done.stderr


def setUpModule():
    with serving("basic") as daemon:
        if "do without" in daemon.log:
            raise unittest.SkipTest("this machine or build has no whole sandbox already")


def answer(daemon):
    return clients.ask_stream(daemon.address("tcp")).decode()


class Lacks(unittest.TestCase):
    def starts_without(self, warning, prepare=None, level="basic", kind=harness.Daemon):
        """It does without, says so in one line, and serves; so does a runner started again."""
        with serving(level, prepare, kind=kind) as daemon:
            self.assertEqual(answer(daemon), "up\n")
            if warning:
                daemon.wait_log("^warning: the sandbox has to do without a part: .*" + warning)
            self.assertEqual(daemon.log.count("do without"), 1 if warning else 0, daemon.log)
            os.kill(daemon.helper("runner").pid, signal.SIGKILL)
            self.assertEqual(answer(daemon), "up\n")

    def does_not_start(self, why, prepare):
        if not can_be_strict():
            return
        done = harness.run([harness.program("ruptimed"), "--sandbox=strict",
                            "-l", "tcp://127.0.0.1:0"], preexec_fn=prepare)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, why)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_landlock(self):
        for call, name, errors in (
                (LANDLOCK_CREATE, "landlock_create_ruleset",
                 (errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP)),
                (LANDLOCK_ADD, "landlock_add_rule", (errno.EPERM,)),
                (LANDLOCK_RESTRICT, "landlock_restrict_self", (errno.E2BIG, errno.EPERM))):
            for error in errors:
                with self.subTest(name + ": " + os.strerror(error)):
                    why = r"Landlock: %s\(\) fails: %s" % (name, os.strerror(error))
                    self.starts_without(why, denied(call, error))
                    self.does_not_start(why, denied(call, error))

    @unittest.skipUnless(SECCOMP, "the number of seccomp() is not known here")
    def test_seccomp(self):
        for error in (errno.EPERM, errno.ENOSYS, errno.EACCES):
            with self.subTest(os.strerror(error)):
                self.starts_without("seccomp", denied(SECCOMP, error))
                self.does_not_start("seccomp", denied(SECCOMP, error))

    @unittest.skipUnless(SECCOMP, "the number of seccomp() is not known here")
    def test_a_listener_that_is_there_already(self):
        """It costs the names of refused calls, at either level, and nothing else."""
        for level in ("basic", "strict") if can_be_strict() else ("basic",):
            with self.subTest(level):
                self.starts_without("the names of refused calls", level=level, kind=Listened)
                with serving(level, None, "unshare --user true 2>/dev/null; echo status $?",
                             Listened) as daemon:
                    self.assertEqual(answer(daemon), "status 1\n")
                    self.assertNotIn("refused unshare", daemon.log)

    def test_calls_that_were_not_always_there(self):
        for call in (PIDFD_OPEN, CLOSE_RANGE):
            for error in (errno.EPERM, errno.ENOSYS):
                with self.subTest("%d: %s" % (call, os.strerror(error))):
                    self.starts_without(None, denied(call, error))


if __name__ == "__main__":
    if sys.argv[1:2] == ["execute"]:
        execute_listened_to(sys.argv[2:])
    harness.main()
