# SPDX-License-Identifier: MIT
"""--sandbox: what is left of the rights of each thread and process, and what the command meets."""

import contextlib
import os
import re
import shutil
import signal
import unittest

import clients
import harness

NO_CAPABILITY = "0" * 16


def can_be_strict():
    done = harness.run([harness.program("ruptimed"), "--sandbox=strict", "-l", "nonsense://"])
    return "--sandbox" not in done.stderr


def levels():
    return ("basic", "strict") if can_be_strict() else ("basic",)


def setUpModule():
    with serving("basic") as daemon:
        if "do without" in daemon.log:
            raise unittest.SkipTest("this machine or build has no whole sandbox")


@contextlib.contextmanager
def serving(level, script="echo up", *args):
    """A daemon, with .command(script) to exchange its command for another."""
    with harness.tempdir() as directory:
        def command(text):
            os.rename(harness.fake_command(directory, text, "new"), directory + "/uptime")

        command(script)
        with harness.Daemon("--sandbox=" + level, "-l", "tcp://127.0.0.1:0", *args,
                            command=directory + "/uptime") as daemon:
            daemon.command = command
            yield daemon


def status(pid, thread):
    with open("/proc/%d/task/%s/status" % (pid, thread), encoding="ascii") as lines:
        return dict(re.findall(r"^(\w+):\s*(.*)$", lines.read(), re.MULTILINE))


def threads(pid):
    return [status(pid, thread) for thread in os.listdir("/proc/%d/task" % pid)]


def runner(daemon):
    return daemon.helper("runner").pid


def ask(daemon):
    return clients.ask_stream(daemon.address("tcp")).decode()


class Sandbox(unittest.TestCase):
    def test_rights_of_all_threads(self):
        if not can_be_strict():
            self.skipTest("a sanitizer may have a thread of its own")
        for level in levels():
            with serving(level) as daemon:
                self.assertEqual(ask(daemon), "up\n")
                all_threads = threads(daemon.pid) + threads(runner(daemon)) + \
                    threads(daemon.helper("keeper").pid)
                self.assertGreater(len(all_threads), 5)
                for thread in all_threads:
                    self.assertEqual((thread["Seccomp"], thread["NoNewPrivs"]), ("2", "1"), thread)
                    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                        self.assertEqual(thread[kind], NO_CAPABILITY, thread)
                    if os.geteuid() == 0:
                        self.assertEqual(thread["CapBnd"], NO_CAPABILITY, thread)

    def test_off(self):
        with serving("off") as daemon:
            self.assertEqual(ask(daemon), "up\n")
            before = status(os.getpid(), os.getpid())
            for thread in threads(daemon.pid) + threads(runner(daemon)):
                self.assertEqual([thread[k] for k in ("Seccomp", "NoNewPrivs", "CapEff")],
                                 [before[k] for k in ("Seccomp", "NoNewPrivs", "CapEff")])

    def test_default_is_basic(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:0", env={}) as daemon:
            if not harness.SANDBOX:
                self.assertEqual(threads(daemon.pid)[0]["Seccomp"], "2")

    def test_refused_call_of_the_command_is_named(self):
        """That of a runner that was started again, too: its filter stands on the keeper's."""
        for level in levels():
            with serving(level, "unshare --user true 2>/dev/null; echo status $?") as daemon:
                self.assertEqual(ask(daemon), "status 1\n")
                daemon.wait_log(r"the sandbox refused unshare\(\) to unshare, the runner or its")
                os.kill(runner(daemon), signal.SIGKILL)
                daemon.command("PATH=/usr/sbin:/usr/bin:/sbin:/bin; "
                               "chroot / true 2>/dev/null; echo status $?")
                self.assertEqual(ask(daemon), "status 125\n")
                daemon.wait_log(r"the sandbox refused chroot\(\) to chroot, the runner or its")

    def test_the_command_has_no_network(self):
        script = "python3 -c 'import socket; socket.socket()' 2>/dev/null; echo status $?"
        with serving("off", script) as daemon:
            self.assertEqual(ask(daemon), "status 0\n")
        for level in levels():
            with serving(level, script) as daemon:
                self.assertEqual(ask(daemon), "status 1\n")
                daemon.wait_log(r"the sandbox refused socket\(\) to python3")

    def test_the_command_may_not_execute_what_is_elsewhere(self):
        with harness.tempdir() as directory:
            brought = harness.fake_command(directory, "echo brought", "brought")
            script = "%s 2>/dev/null || echo refused" % brought
            with serving("off", script) as daemon:
                self.assertEqual(ask(daemon), "brought\n")
            for level in levels():
                with serving(level, script) as daemon:
                    self.assertEqual(ask(daemon), "refused\n")

    def test_a_command_that_cannot_be_read(self):
        """It cannot be told then what else has to be executed for it."""
        for level in levels():
            with harness.tempdir() as directory:
                command = shutil.copy(shutil.which("uptime"), directory)
                os.chmod(command, 0o711)
                if os.geteuid() != 0:
                    os.chmod(command, 0o111)
                with harness.Daemon("-l", "tcp://127.0.0.1:0", "--sandbox=" + level,
                                    command=command, unprivileged=True) as daemon:
                    self.assertRegex(ask(daemon), "load average")

    def test_strict_writes_in_temporary_directories_only(self):
        shared = "/dev/shm/ruptime-%d" % os.getpid()
        script = "for f in %s /tmp/$$; do (echo >$f) 2>/dev/null; echo $?; rm -f $f; done | " \
            "tr '\\n' ' '; echo" % shared
        with serving("basic", script) as daemon:
            self.assertEqual(ask(daemon), "0 0 \n")
        if can_be_strict():
            with serving("strict", script) as daemon:
                self.assertEqual(ask(daemon), "2 0 \n")

    def test_a_replaced_command_is_executed(self):
        """As when its package is upgraded: the one that was allowed is there no more."""
        for level in levels():
            with serving(level) as daemon:
                for i in range(5):
                    daemon.command("echo %d" % i)
                    self.assertEqual(ask(daemon), "%d\n" % i)
                self.assertNotIn("refused", daemon.log)

    def test_names_are_removed(self):
        for level in levels():
            with harness.tempdir() as directory:
                with serving(level, "echo up", "-l", "unix://%s/socket" % directory,
                             "--pid-file=%s/pid" % directory) as daemon:
                    self.assertEqual(sorted(os.listdir(directory)), ["pid", "socket"])
                    self.assertEqual(daemon.stop(), 0)
                self.assertEqual(os.listdir(directory), [])

    def test_the_log_names_nothing_that_is_needed(self):
        """Each transport, a state and a stop: the allow-list has all of it."""
        key = 0x2e000000 + os.getpid()
        for level in levels():
            with harness.tempdir() as directory:
                with serving(level, "echo up", "-l", "udp://127.0.0.1:0", "-l", "msgq://%d" % key,
                             "-l", "fdpass://%s/f" % directory, "-l", "unix://%s/u" % directory,
                             "-l", "unix-dgram://%s/d" % directory) as daemon:
                    for address in daemon.addresses:
                        done = harness.run([harness.program("ruptime"), address])
                        self.assertEqual((done.returncode, done.stdout), (0, "up\n"), address)
                    daemon.signal(signal.SIGUSR1)
                    daemon.wait_log("^state runs")
                    self.assertEqual(daemon.stop(), 0)
                    self.assertNotIn("refused", daemon.log)


if __name__ == "__main__":
    harness.main()
