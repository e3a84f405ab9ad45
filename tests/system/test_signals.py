# SPDX-License-Identifier: MIT
"""Signals that do not stop it, the state lines, and what the log shows at which level."""

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import unittest

import clients
import harness
from stalls import Stopwatch

BOTH = ("-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0")


class Harmless(unittest.TestCase):
    def test_under_load(self):
        with harness.Daemon(*BOTH) as daemon:
            load = clients.start_crowd(daemon.address("tcp"), "-n", 64, "-d", 1)
            while load.poll() is None:
                for sig in (signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1):
                    daemon.signal(sig)
                self.assertIsNone(daemon.exit_code)
            clients.expect_all_answered(self, clients.finish_crowd(load))

    def test_to_its_group(self):
        """As a terminal's ^C: it ends no command, not even one that has just been forked."""
        with harness.Daemon(*BOTH) as daemon:
            load = clients.start_crowd(daemon.address("tcp"), "-n", 4, "-d", 2)
            while load.poll() is None:
                os.killpg(daemon.pid, signal.SIGPIPE)
            clients.expect_all_answered(self, clients.finish_crowd(load))
            self.assertEqual(clients.state(daemon)["runs"]["failed"], 0)

    def test_to_its_helpers(self):
        with harness.Daemon(*BOTH) as daemon:
            self.assertIn(daemon.helper("keeper").pid, [p.pid for p in daemon.helpers()])
            helpers = [p.pid for p in daemon.helpers()]
            for sig in (signal.SIGHUP, signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
                for pid in helpers:
                    os.kill(pid, sig)
            self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
            self.assertEqual([p.pid for p in daemon.helpers()], helpers)

    def test_stop_of_all_processes(self):
        """As a service manager does it: the run that the signal ends is made up for, even twice."""
        with harness.tempdir() as directory:
            slow = harness.fake_command(directory, "echo >>%s/runs; sleep 0.3; echo up" % directory)

            def runs():
                with contextlib.suppress(FileNotFoundError):
                    return os.path.getsize(directory + "/runs")

            for sig in (signal.SIGTERM, signal.SIGINT):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(directory + "/runs")
                with harness.Daemon("-l", "tcp://127.0.0.1:0", command=slow) as daemon:
                    with clients.connect(daemon.address("tcp")) as sock:
                        for times in (1, 2):
                            harness.wait_for(lambda times=times: runs() == times, what="a run")
                            for process in harness.descendants(daemon.pid):
                                with contextlib.suppress(ProcessLookupError):
                                    os.kill(process.pid, sig)
                        daemon.signal(sig)
                        self.assertEqual(clients.read_to_end(sock), b"up\n")
                    self.assertEqual(daemon.wait(), 0)

    def test_hup_says_that_there_is_nothing_to_reload(self):
        with harness.Daemon(*BOTH) as daemon:
            daemon.signal(signal.SIGHUP)
            daemon.wait_log("reload")

    def test_stop_and_continue(self):
        with harness.Daemon(*BOTH) as daemon:
            with clients.connect(daemon.address("tcp")) as sock:
                daemon.signal(signal.SIGSTOP)
                daemon.signal(signal.SIGCONT)
                self.assertRegex(clients.read_to_end(sock), clients.UPTIME_LINE)


class Stop(unittest.TestCase):
    """A stop is one order, however often it comes within half a second."""

    def stop_while_one_waits(self, *orders, seconds=1):
        """Send ORDERS, each (after so many seconds, signal), during a run of SECONDS.
        Returns what the client got, the exit code, and how long after the last order it ended."""
        with harness.tempdir() as directory:
            slow = harness.fake_command(directory, "sleep %g; echo up" % seconds)
            with harness.Daemon("-l", "tcp://127.0.0.1:0", "--run-timeout=20s", command=slow,
                                env=clients.LEAVES_THREADS) as daemon, \
                    clients.connect(daemon.address("tcp")) as sock:
                harness.wait_for(lambda: len(harness.descendants(daemon.pid)) > 1, what="a run")
                for after, order in orders:
                    harness.let_pass(after)
                    daemon.signal(order)
                watch = Stopwatch()
                code = daemon.wait()
                took = watch.ran_s
                try:
                    return clients.read_to_end(sock), code, took
                except ConnectionResetError:
                    return None, code, took

    def test_that_comes_twice_is_one(self):
        for orders in ([(0, signal.SIGTERM), (.01, signal.SIGTERM)],
                       [(0, signal.SIGINT), (.01, signal.SIGINT), (.01, signal.SIGINT)],
                       [(0, signal.SIGTERM), (.2, signal.SIGINT)]):
            with self.subTest(orders=orders):
                line, code, _ = self.stop_while_one_waits(*orders)
                self.assertEqual((line, code), (b"up\n", 0))

    def test_that_comes_again_later_ends_it_at_once(self):
        for order in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(order=order):
                line, code, took = self.stop_while_one_waits(
                    (0, signal.SIGTERM), (.01, order), (.8, order), seconds=10)
                self.assertNotEqual(line, b"up\n")
                self.assertEqual(code, 1)
                self.assertLess(took, .7 * harness.SLOW)

    def test_quit_and_abort_end_it_as_they_end_any_program(self):
        for order in (signal.SIGQUIT, signal.SIGABRT):
            with self.subTest(order=order), harness.Daemon(*BOTH, preexec_fn=no_core) as daemon:
                self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
                daemon.signal(order)
                self.assertEqual(daemon.wait(), -order)


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Inherited(unittest.TestCase):
    """The program that started it may have left it with odd dispositions and a full signal mask."""

    def start_with(self, prepare):
        with harness.Daemon(*BOTH, preexec_fn=prepare) as daemon:
            self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
            os.kill(daemon.helper("runner").pid, signal.SIGKILL)
            self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
            self.assertEqual(daemon.stop(), 0)

    def test_ignored_children(self):
        self.start_with(lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))

    def test_ignored_stop(self):
        self.start_with(lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))

    def test_blocked(self):
        self.start_with(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))


class State(unittest.TestCase):
    def test_ledger_balances_after_mixed_load(self):
        with harness.Daemon(*BOTH) as daemon:
            tcp, udp = daemon.address("tcp"), daemon.address("udp")
            loads = [clients.start_crowd(tcp, "-n", 32, "-d", 1, "-t", 100),
                     clients.start_crowd(udp, "-n", 32, "-d", 1),
                     clients.start_crowd(udp, "-n", 8, "-e", "-d", 1)]
            # In mid-load it never shows less than nothing waiting.
            for _ in range(20):
                for counters in clients.state(daemon).values():
                    self.assertLess(counters.get("waiting", 0), 1 << 32)
            counts = [clients.finish_crowd(load) for load in loads]
            self.assertEqual(clients.state_at_rest(self, daemon, "tcp")["replies"],
                             counts[0]["ok"])
            self.assertEqual(clients.state_at_rest(self, daemon, "udp")["replies"],
                             counts[1]["ok"] + counts[2]["ok"])

    def test_before_any_request(self):
        with harness.Daemon(*BOTH) as daemon:
            self.assertEqual(clients.state(daemon), {
                "runs": {"ok": 0, "failed": 0},
                "datagrams": {"kernel-dropped": 0, "rate-exceeded": 0}})


class Levels(unittest.TestCase):
    """Without the sandbox: on some machines there is a warning of what it has to do without."""

    def test_quiet(self):
        with harness.Daemon(*BOTH, "--quiet", "--sandbox=off") as daemon:
            daemon.signal(signal.SIGHUP)
            daemon.signal(signal.SIGUSR1)
            self.assertEqual(daemon.stop(), 0)
            self.assertEqual(daemon.log, "")

    def test_ordinary(self):
        with harness.Daemon(*BOTH, "--sandbox=off") as daemon:
            addresses = [daemon.address("tcp"), daemon.address("udp")]
            self.assertEqual(daemon.stop(), 0)
            lines = daemon.log.splitlines()
            self.assertRegex(lines.pop(2), r"^receive buffer of %s: \d+ bytes$" % addresses[1])
            self.assertEqual(lines, ["listening " + a for a in addresses] +
                             ["stopping", "stopped"])

    def test_verbose_has_the_ordinary_lines_too(self):
        with harness.Daemon(*BOTH, "-v") as daemon:
            self.assertEqual(len(daemon.addresses), 2)

    def test_journal(self):
        """When stderr is the journal's, each line has its priority in front."""
        with tempfile.TemporaryFile() as stream:
            st = os.fstat(stream.fileno())
            env = harness.environment({"JOURNAL_STREAM": "%d:%d" % (st.st_dev, st.st_ino)})
            with subprocess.Popen([harness.program("ruptimed"), *BOTH, "--sandbox=off"],
                                  env=env,
                                  stderr=stream) as process:
                def log():
                    return os.pread(stream.fileno(), 65536, 0).decode()

                try:
                    harness.wait_for(lambda: log().count("listening") == 2, what="its log")
                    process.send_signal(signal.SIGTERM)
                    self.assertEqual(process.wait(5 * harness.SLOW), 0)
                finally:
                    process.kill()
                for line in log().splitlines():
                    self.assertRegex(line, r"^<6>\w")
            # Another stream is not the journal.
            env["JOURNAL_STREAM"] = "%d:%d" % (st.st_dev, st.st_ino + 1)
        with harness.Daemon(*BOTH, "--sandbox=off",
                            env={"JOURNAL_STREAM": env["JOURNAL_STREAM"]}) as daemon:
            daemon.wait_log(r"\Alistening")


if __name__ == "__main__":
    harness.main()
