# SPDX-License-Identifier: MIT
"""What the command may do to the server: nothing but cost one deadline and one clear error."""

import contextlib
import os
import signal
import time
import unittest

import clients
import harness

RUN_TIMEOUT_S = 0.5
ERROR_LINE = rb"^error: [ -~]+\n$"

# What the command does, and what the error says. Each runs the ordinary way afterwards.
MISBEHAVIOURS = {
    "hangs": ("exec sleep 60", b"did not finish within"),
    "hangs with its output closed": ("exec >&-; sleep 60", b"did not finish"),
    "ignores SIGTERM": ("trap '' TERM HUP INT; while :; do sleep 60; done", b"did not finish"),
    "hangs after its line": ("echo up; sleep 60", b"did not finish"),
    "hangs with children": ("sleep 60 & sleep 61 & wait", b"did not finish"),
    "drips": ("while :; do printf x; sleep 0.05; done", b"did not finish"),
    "crashes": ("kill -SEGV $$", b"killed by signal 11"),
    "aborts after its line": ("echo up; kill -ABRT $$", b"killed by signal 6"),
    "fails": ("echo up; exit 3", b"exited with status 3"),
    "floods": ("while :; do echo flood flood flood flood flood; done", b"more than 4096 bytes"),
    "floods without a newline": ("exec cat /dev/zero", b"more than 4096 bytes"),
    "is silent": (":", b"printed nothing"),
    "prints no newline": ("printf up", b"no complete line"),
    "prints an empty line": ("echo", b"empty or not printable"),
    "prints a NUL": (r"printf 'u\000p\n'", b"empty or not printable"),
    "prints an escape": (r"printf '\033[31mup\n'", b"empty or not printable"),
    "prints high bytes": (r"printf 'up \303\244 \377\n'", b"empty or not printable"),
    "prints garbage": ("head -c 2000 /dev/urandom | tr -d '\\n'; echo", b"not printable"),
}


class RunnerCase(unittest.TestCase):
    """A daemon whose command is a script that the test may exchange."""

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())
        self.command("echo up")
        self.daemon = stack.enter_context(harness.Daemon(
            "-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0",
            "--run-timeout=%gs" % RUN_TIMEOUT_S, command=self.directory + "/uptime"))
        self.tcp, self.udp = self.daemon.address("tcp"), self.daemon.address("udp")

    def command(self, script):
        """Replaced by renaming: a script that is being executed is not written to."""
        new = harness.fake_command(self.directory, script, "new")
        os.rename(new, self.directory + "/uptime")

    def runner(self):
        return harness.wait_for(
            lambda: [p for p in harness.descendants(self.daemon.pid)
                     if p.name == "ruptimed-runner" and p.state != "Z"], what="the runner")[0]

    def only_the_runner_is_left(self):
        harness.wait_for(lambda: [p.name for p in harness.descendants(self.daemon.pid)] ==
                         ["ruptimed-runner"], what="the command's processes to be gone")


class Misbehaviour(RunnerCase):
    limit_s = 120

    def expect_error(self, reason):
        with clients.udp_client(self.udp) as datagram, clients.connect(self.tcp) as one, \
                clients.connect(self.tcp) as two:
            start = time.monotonic()
            datagram.send(b"?")
            lines = [clients.read_to_end(one), clients.read_to_end(two)]
            took_s = time.monotonic() - start
            # Two runs at most: the second client may have come when the first run was under way.
            self.assertLess(took_s, (2 * (RUN_TIMEOUT_S + 0.2)) * harness.SLOW)
            for line in lines:
                self.assertRegex(line, ERROR_LINE)
                self.assertIn(reason, line)

    def test_each_costs_an_error_and_no_more(self):
        descriptors = self.daemon.descriptors()
        errors = 0
        for name, (script, reason) in MISBEHAVIOURS.items():
            with self.subTest(command=name):
                self.command(script)
                self.expect_error(reason)
                errors += 1
                # The datagram may have come too late for the runs of the streams.
                harness.wait_for(
                    lambda: clients.state(self.daemon)["udp"].get("run-failed") == errors,
                    what="the datagram to be dropped")
                self.only_the_runner_is_left()
                self.command("echo up")
                start = time.monotonic()
                self.assertEqual(clients.ask_stream(self.tcp), b"up\n")
                self.assertEqual(clients.ask_datagram(self.udp), b"up\n")
                self.assertLess(time.monotonic() - start, 0.5 * harness.SLOW)
        tcp = clients.state_at_rest(self, self.daemon, "tcp")
        udp = clients.state_at_rest(self, self.daemon, "udp")
        self.assertEqual(tcp["run-failed"], 2 * errors)
        self.assertEqual(udp["run-failed"], errors)
        self.assertEqual((tcp["replies"], udp["replies"]), (errors, errors))
        harness.wait_for(lambda: self.daemon.descriptors() <= descriptors, what="its descriptors")

    def test_a_hang_is_over_within_the_deadline(self):
        self.command("sleep 60")
        start = time.monotonic()
        self.assertRegex(clients.ask_stream(self.tcp), ERROR_LINE)
        took_s = time.monotonic() - start
        self.assertGreaterEqual(took_s, RUN_TIMEOUT_S)
        self.assertLess(took_s, RUN_TIMEOUT_S + 0.2 * harness.SLOW)

    def test_no_datagram_is_an_error(self):
        self.command("exit 1")
        with clients.udp_client(self.udp) as sock:
            request, _ = clients.extended_request(512)
            for _ in range(20):
                sock.send(b"?")
                sock.send(request)
            # Before the first has been received there is no state of "udp".
            harness.wait_for(
                lambda: clients.state(self.daemon).get("udp", {}).get("run-failed") == 40,
                what="the requests to be dropped")
            self.command("echo up")
            sock.send(b"?")
            self.assertEqual(sock.recv(1000), b"up\n")

    def test_missing(self):
        os.unlink(self.directory + "/uptime")
        self.expect_error(b"No such file")
        self.command("echo up")
        self.assertEqual(clients.ask_stream(self.tcp), b"up\n")

    def test_not_executable_any_more(self):
        os.chmod(self.directory + "/uptime", 0o644)
        self.expect_error(b"cannot be run")
        os.chmod(self.directory + "/uptime", 0o755)
        self.assertEqual(clients.ask_stream(self.tcp), b"up\n")

    def test_no_program(self):
        with open(self.directory + "/uptime", "wb") as out:
            out.write(b"\x7fELF nonsense")
        self.expect_error(b"error: ")

    def test_grandchildren_that_got_away(self):
        """A session of their own, and the output kept open: they die with the run all the same."""
        self.command("setsid sleep 60 & setsid sh -c 'setsid sleep 61 & sleep 62' & echo up")
        self.assertEqual(clients.ask_stream(self.tcp), b"up\n")
        self.only_the_runner_is_left()

    def test_first_line_of_many(self):
        self.command("echo up; echo down; printf more")
        self.assertEqual(clients.ask_stream(self.tcp), b"up\n")

    def test_longest_line(self):
        self.command("printf '%4095s\\n' x")
        line = clients.ask_stream(self.tcp)
        self.assertEqual((len(line), line[-2:]), (4096, b"x\n"))
        self.assertEqual(len(clients.ask_datagram(self.udp)), 4096)


class Confinement(RunnerCase):
    def test_the_command_sees_only_what_it_needs(self):
        self.command(r"""
            fds= fd=0
            while [ $fd -lt 256 ]; do
                [ -L /proc/$$/fd/$fd ] && fds="$fds $fd=$(readlink /proc/$$/fd/$fd)"
                fd=$((fd + 1))
            done
            set -- $(cat /proc/$$/stat)
            [ "$1" = "$5" ] && group=own || group=other
            set -- $(grep -E 'Sig(Blk|Ign)' /proc/$$/status)
            echo "blocked=$2 ignored=$4 group=$group$fds"
            """)
        line = clients.ask_stream(self.tcp).decode()
        # The C library's spawn ignores its own signals, 32 and 33; sh keeps its script on 10.
        self.assertRegex(line, r"^blocked=0{16} ignored=0000000[01][08]0{7} group=own "
                               r"0=/dev/null 1=pipe:\[\d+\] 2=/dev/null( 10=\S*/uptime)?\n$")

    def test_its_environment(self):
        self.command("tr '\\0' ' ' </proc/$$/environ; echo")
        names = [word.partition("=")[0] for word in clients.ask_stream(self.tcp).decode().split()]
        self.assertEqual(sorted(names), ["LC_ALL", "PATH"])

    def test_its_arguments(self):
        self.command('echo "$#"')
        self.assertEqual(clients.ask_stream(self.tcp), b"0\n")

    def test_descriptors_of_server_and_runner(self):
        """All are close-on-exec but the three standard ones; the runner has no other but one."""
        clients.ask_stream(self.tcp)
        for pid, most in ((self.daemon.pid, 100), (self.runner().pid, 4)):
            fds = os.listdir("/proc/%d/fd" % pid)
            self.assertLessEqual(len(fds), most)
            for fd in fds:
                try:
                    with open("/proc/%d/fdinfo/%s" % (pid, fd), encoding="ascii") as info:
                        flags = int(info.read().split("flags:")[1].split()[0], 8)
                except FileNotFoundError:
                    continue  # a connection that was closed meanwhile
                if int(fd) > 2:
                    self.assertTrue(flags & os.O_CLOEXEC, "%s of %d: %s" % (
                        fd, pid, os.readlink("/proc/%d/fd/%s" % (pid, fd))))


class RunnerDies(RunnerCase):
    def test_next_request_is_answered(self):
        for _ in range(5):
            killed = self.runner()
            os.kill(killed.pid, signal.SIGKILL)
            self.assertEqual(clients.ask_stream(self.tcp), b"up\n")
            self.assertNotEqual(self.runner().pid, killed.pid)
            self.only_the_runner_is_left()
        self.daemon.wait_log("^warning: the runner process died and was started again")

    def test_killed_under_load(self):
        for _ in range(3):
            load = clients.start_crowd(self.tcp, "-n", 64, "-d", 1)
            for _ in range(3):
                os.kill(self.runner().pid, signal.SIGKILL)
                self.assertEqual(clients.ask_stream(self.tcp), b"up\n")
            counts = clients.finish_crowd(load)
            self.assertEqual({name: counts[name] for name in clients.FAULTS if counts[name]}, {})

    def test_killed_while_its_command_runs(self):
        """The request has a second run; the first run's command does not live on."""
        self.command("if ! [ -e '%s/once' ]; then : >'%s/once'; exec sleep 60; fi; echo up"
                     % (self.directory, self.directory))
        with clients.connect(self.tcp) as sock:
            harness.wait_for(lambda: os.path.exists(self.directory + "/once"), what="the run")
            os.kill(self.runner().pid, signal.SIGKILL)
            self.assertEqual(clients.read_to_end(sock), b"up\n")
        self.only_the_runner_is_left()

    def test_stopped(self):
        """One that neither answers nor dies is replaced after its deadline and a grace."""
        stopped = self.runner()
        os.kill(stopped.pid, signal.SIGSTOP)
        start = time.monotonic()
        self.assertRegex(clients.ask_stream(self.tcp), ERROR_LINE)
        self.assertLess(time.monotonic() - start, 3 * harness.SLOW)
        self.assertEqual(clients.ask_stream(self.tcp), b"up\n")
        self.assertNotEqual(self.runner().pid, stopped.pid)

    def test_stopped_when_the_server_stops(self):
        os.kill(self.runner().pid, signal.SIGSTOP)
        self.assertEqual(self.daemon.stop(timeout=5), 0)

    def test_dies_with_the_server(self):
        self.command("sleep 60")
        with clients.connect(self.tcp):
            harness.wait_for(lambda: len(harness.descendants(self.daemon.pid)) >= 2,
                             what="the run")
            # The harness fails the test if anything outlives the server.
            self.daemon.signal(signal.SIGKILL)
            self.assertEqual(self.daemon.wait(2), -signal.SIGKILL)


if __name__ == "__main__":
    harness.main()
