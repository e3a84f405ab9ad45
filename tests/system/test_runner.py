# SPDX-License-Identifier: MIT
"""What the command may do to the server: nothing but cost one deadline and one clear error."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import unittest

import clients
import harness
import xsi
from stalls import Stopwatch

ERROR_LINE = rb"^error: [ -~]+\n$"

# How often each misbehaves when one client asks after the other.
ROUNDS = 50 if clients.LONG else 3

# What a run may take beyond its deadline: it is killed with all that it started, and reaped.
MARGIN_S = 0.2

# Runs that have to look the same to the command, however many descriptors come and go meanwhile.
RUNS = 10000 if clients.LONG else 300

# A client that waited for two runs is told how long the second one was given.
LATE = "did not finish within"

# What the command is, and what its clients get: the line itself, or an error that says this.
MISBEHAVIOURS = {
    "hangs": ("exec sleep 60", LATE),
    "ignores SIGTERM": ("trap '' TERM HUP INT; while :; do sleep 60; done", LATE),
    "floods": ("exec head -c 1000000000 /dev/zero", "more than 4096 bytes"),
    "prints no newline": ("printf up", "no complete line"),
    "prints a NUL": (r"printf 'u\000p\n'", "empty or not printable"),
    "is silent": (":", "printed nothing"),
    "fails": ("echo up; exit 1", "exited with status 1"),
    "crashes": ("kill -SEGV $$", "killed by signal 11"),
    "leaves a grandchild that holds its output": ("sleep 60 & echo up", b"up\n"),
    "hangs with its output closed": ("exec >&-; sleep 60", LATE),
    "drips": ("while :; do printf x; sleep 0.05; done", LATE),
    "is not executable": (None, "cannot be run: Permission denied"),
    "is missing": (None, "cannot be run: No such file"),
    "is being written to": (None, "cannot be run: Text file busy"),
    # Each waits for the test to open the other end: to execute a hundred would take too long.
    "forks 100": ("[ -p never ] || exit; i=0; while [ $i -lt 100 ]; do : <never & i=$((i+1)); done;"
                  " echo up", b"up\n"),
    "prints a comma if its locale has it": (
        "[ \"$LC_ALL\" = C ] && echo 'load 0.01' || echo 'load 0,01'", b"load 0.01\n"),
}

# More of the same, with nothing new in how it ends: once each, for several clients.
VARIANTS = {
    "hangs after its line": ("echo up; sleep 60", LATE),
    "hangs with children": ("sleep 60 & sleep 61 & wait", LATE),
    "aborts after its line": ("echo up; kill -ABRT $$", "killed by signal 6"),
    "floods with lines": ("while :; do echo flood flood flood flood; done", "more than 4096"),
    "prints an empty line": ("echo", "empty or not printable"),
    "prints an escape": (r"printf '\033[31mup\n'", "empty or not printable"),
    "prints high bytes": (r"printf 'up \303\244 \377\n'", "empty or not printable"),
    "prints garbage": ("head -c 2000 /dev/urandom | tr -d '\\n'; echo", "not printable"),
    "is no program": (None, "cannot be run: Exec format error"),
}

# Of fixtures/show_self: what it was started with.
GIVEN = ("uptime argc=1 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "
         "LC_ALL=C 0:null 1:pipe 2:null blocked=0 ignored=0 leads=1")


# What a runner has open: for its own, and for the command that is loaded ahead and waits.
OWN = ["/dev/null"] * 3 + ["anon_inode", "socket"]
OF_WARM = ["pipe", "socket", "socket"]


# Keeper and runner are not dumpable, so that only root may look into them.
MAY_LOOK = os.geteuid() == 0


def links(pid):
    """What the descriptors of PID are, by number; one that closes meanwhile is left out."""
    found = {}
    for fd in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(FileNotFoundError):
            found[int(fd)] = os.readlink("/proc/%d/fd/%s" % (pid, fd))
    return found


class RunnerCase(unittest.TestCase):
    """A daemon whose command is a script that the test may exchange."""
    start = ()
    # A command that does not hang is done by then, on a slow machine too.
    run_timeout_s = 5

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())
        os.mkfifo(self.directory + "/never")
        self.command("echo up")
        self.daemon = stack.enter_context(harness.Daemon(
            "-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0",
            "-l", "unix://%s/unix" % self.directory, "-l", "fdpass://%s/fdpass" % self.directory,
            "--run-timeout=%gs" % self.run_timeout_s, *self.start,
            command=self.directory + "/uptime",
            env={"LC_ALL": "de_DE.UTF-8"}, cwd=self.directory))
        self.tcp, self.udp = self.daemon.address("tcp"), self.daemon.address("udp")

    def command(self, script):
        harness.fake_command(self.directory, script)

    def runner(self):
        return self.daemon.helper("runner")

    def runner_has_nothing_else(self):
        """Where the sandbox ties it to one command, it is another one each time."""
        def kinds():
            return sorted(target.partition(":")[0] for target in links(self.runner().pid).values())

        if MAY_LOOK:
            harness.wait_for(lambda: kinds() in (OWN, sorted(OWN + OF_WARM)),
                             what="the runner to let go")

    def only_the_runner_is_left(self):
        harness.wait_for(lambda: not self.daemon.commands(),
                         what="the command's processes to be gone")


class MisbehavingCase(RunnerCase):
    limit_s = 900

    @contextlib.contextmanager
    def misbehaving(self, name, script):
        """The command is the one of that NAME; the ordinary one again at the end."""
        path = self.directory + "/uptime"
        with contextlib.ExitStack() as stack:
            if name == "is missing":
                os.unlink(path)
            elif name == "is not executable":
                os.chmod(path, 0o644)
            elif name == "is being written to":
                stack.enter_context(open(path, "ab"))
            elif name == "is no program":
                with open(self.directory + "/new", "wb") as out:
                    out.write(b"\x7fELF nonsense")
                os.chmod(self.directory + "/new", 0o755)
                os.rename(self.directory + "/new", path)
            else:
                self.command(script)
            yield
        self.command("echo up")

    def expect_line(self, line, expected):
        if isinstance(expected, bytes):
            self.assertEqual(line, expected)
        else:
            self.assertRegex(line, ERROR_LINE)
            self.assertIn(expected.encode(), line)

    def expect(self, expected):
        """Three clients, and two runs at most: two of them may have come during the first."""
        with clients.udp_client(self.udp) as datagram, clients.connect(self.tcp) as one, \
                clients.connect(self.tcp) as two:
            watch = Stopwatch()
            datagram.send(b"?")
            lines = [clients.read_to_end(one), clients.read_to_end(two)]
            self.assertLess(watch.ran_s, 2 * (self.run_timeout_s + MARGIN_S) * harness.SLOW)
            for line in lines:
                self.expect_line(line, expected)
            if isinstance(expected, bytes):
                self.assertEqual(datagram.recv(1000), expected)
            else:
                # The datagram may have come too late for the runs of the streams.
                self.udp_errors += 1
                harness.wait_for(
                    lambda: clients.state(self.daemon).get("udp", {}).get("run-failed") ==
                    self.udp_errors, what="the datagram to be dropped")
        self.only_the_runner_is_left()

    def expect_alone(self, expected):
        """One run. A client that has the answer finds nothing left of the run. A machine that is
        busy for a moment is asked again; returns how often it was asked."""
        for tries in range(1, 4):
            watch = Stopwatch()
            line = clients.ask_stream(self.tcp)
            took_s = watch.ran_s
            self.assertEqual([str(p) for p in self.daemon.commands()], [])
            self.expect_line(line, expected)
            self.runner_has_nothing_else()
            if took_s < self.run_timeout_s + MARGIN_S * harness.SLOW:
                return tries
        self.fail("it took %g s three times" % took_s)

    def misbehave(self, hangs):
        """Each that hangs, or each that does not, costs its line and no more: it leaves no process,
        no zombie, and no descriptor in either process."""
        self.assertEqual(clients.ask_stream(self.tcp), b"up\n")
        descriptors = self.daemon.descriptors()
        self.udp_errors = tcp_errors = tcp_lines = udp_lines = 0
        tcp_lines += 1
        for name, (script, expected) in {**MISBEHAVIOURS, **VARIANTS}.items():
            if (expected == LATE) != hangs:
                continue
            rounds = ROUNDS if name in MISBEHAVIOURS else 0
            asked = 2
            with self.subTest(command=name):
                with self.misbehaving(name, script):
                    self.expect(expected)
                    for _ in range(rounds):
                        asked += self.expect_alone(expected)
                watch = Stopwatch()
                self.assertEqual(clients.ask_stream(self.tcp), b"up\n")
                self.assertEqual(clients.ask_datagram(self.udp), b"up\n")
                self.assertLess(watch.ran_s, 0.5 * harness.SLOW)
            good = isinstance(expected, bytes)
            tcp_errors += 0 if good else asked
            tcp_lines += 1 + (asked if good else 0)
            udp_lines += 1 + good
        counts = clients.ledgers_at_rest(self, self.daemon)
        self.assertEqual(counts["tcp"].get("run-failed"), tcp_errors)
        self.assertEqual(counts["tcp"]["dropped"], tcp_errors)
        self.assertEqual(counts["udp"].get("run-failed"), self.udp_errors)
        self.assertEqual((counts["tcp"]["replies"], counts["udp"]["replies"]),
                         (tcp_lines, udp_lines))
        harness.wait_for(lambda: self.daemon.descriptors() <= descriptors, what="its descriptors")


class Hang(MisbehavingCase):
    run_timeout_s = clients.seconds(0.3, 1)

    def test_each_costs_a_deadline_and_no_more(self):
        self.misbehave(hangs=True)

    def test_is_over_within_the_deadline(self):
        self.command("sleep 60")
        watch = Stopwatch()
        self.assertRegex(clients.ask_stream(self.tcp), ERROR_LINE)
        self.assertGreaterEqual(watch.elapsed_s, self.run_timeout_s)
        self.assertLess(watch.ran_s, self.run_timeout_s + MARGIN_S * harness.SLOW)


class Misbehaviour(MisbehavingCase):
    def test_each_costs_an_error_and_no_more(self):
        self.misbehave(hangs=False)

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

    def test_failures_are_logged(self):
        """Once in a while: clients of datagrams are told nothing."""
        self.command("exit 3")
        with clients.udp_client(self.udp) as sock:
            sock.send(b"?")
            self.daemon.wait_log("^warning: a run failed: the command exited with status 3$")
        for _ in range(5):
            clients.ask_stream(self.tcp)
        self.assertEqual(self.daemon.log.count("a run failed"), 1)

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
    limit_s = 300

    def runner_has_only_its_own(self):
        """/dev/null, its end of the pair, and what the run under way needs; no other file."""
        # One that dies at this moment shows its files to root alone.
        with contextlib.suppress(FileNotFoundError, PermissionError, ProcessLookupError):
            ours = list(links(self.runner().pid).values())
            theirs = links(self.daemon.pid).values()
            sockets = [target for target in ours if target.startswith("socket:")]
            files = [target for target in ours if target.startswith("/") and
                     target != "/dev/null" and not target.startswith("/proc/")]
            return len(sockets) in (1, 3) and not files and not set(sockets).intersection(theirs)
        return False

    def test_each_run_has_only_what_it_needs(self):
        """Whatever the server opens and closes meanwhile, and whenever the runner was forked."""
        shutil.copy(clients.fixture("show_self"), self.directory + "/new")
        os.rename(self.directory + "/new", self.directory + "/uptime")
        streams = [a for a in self.daemon.addresses if not a.startswith("udp:")]
        runs = 0
        while runs < RUNS:
            benches = [subprocess.Popen(
                [harness.program("ruptime-bench"), "-c8", "-d1s", "--warmup=0",
                 "--expect=" + GIVEN, "--fail-if=failed>0", address],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                for address in streams]
            harness.wait_for(lambda: self.daemon.descriptors() > 24, what="connections")
            os.kill(self.runner().pid, signal.SIGKILL)
            while any(bench.poll() is None for bench in benches):
                # A new one has what came with the fork, for a moment.
                harness.wait_for(lambda: not MAY_LOOK or self.runner_has_only_its_own(),
                                 what="the runner to let go")
            for bench in benches:
                out, _ = bench.communicate()
                self.assertEqual(bench.returncode, 0, out)
            clients.ledgers_at_rest(self, self.daemon)
            runs = clients.state(self.daemon)["runs"]["ok"]
        self.daemon.wait_log("^warning: the runner process died and was started again")

    @unittest.skipUnless(MAY_LOOK, "only root may look into keeper and runner")
    def test_descriptors_of_server_and_runner(self):
        """All are close-on-exec but the three standard ones; keeper and runner have few others."""
        clients.ask_stream(self.tcp)
        for pid, most in ((self.daemon.pid, 100), (self.daemon.helper("keeper").pid, 6),
                          (self.runner().pid, 8)):
            # One more while the next run is made ready.
            fds = harness.wait_for(lambda pid=pid, most=most: [
                fds for fds in [os.listdir("/proc/%d/fd" % pid)] if len(fds) <= most],
                what="at most %d descriptors" % most)[0]
            for fd in fds:
                try:
                    target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
                    with open("/proc/%d/fdinfo/%s" % (pid, fd), encoding="ascii") as info:
                        flags = int(info.read().split("flags:")[1].split()[0], 8)
                except FileNotFoundError:
                    continue  # a connection that was closed meanwhile
                if int(fd) > 2:
                    self.assertTrue(flags & os.O_CLOEXEC, "%s of %d: %s" % (fd, pid, target))


class WithoutProc(harness.Daemon):
    """In a mount table of its own, in which /proc is empty."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._argv = [*self.MOUNTING, "mount -t tmpfs none /proc && exec \"$@\"", "sh",
                      *self._argv]

    MOUNTING = ["unshare", "--map-root-user", "--mount", "sh", "-c"]


class NoProc(unittest.TestCase):
    @unittest.skipIf(harness.SLOW > 1, "a sanitizer needs /proc")
    def test_is_said_once(self):
        if harness.run([*WithoutProc.MOUNTING, "mount -t tmpfs none /proc"]).returncode != 0:
            self.skipTest("no namespaces here")
        with harness.tempdir() as directory:
            command = harness.fake_command(directory, "echo up")
            with WithoutProc("-l", "tcp://127.0.0.1:0", "-l", "msgq://%d" % xsi.free_key(),
                             command=command) as daemon:
                for _ in range(3):
                    self.assertEqual(clients.ask_stream(daemon.address("tcp")), b"up\n")
                daemon.wait_log("^warning: no /proc/thread-self/children: what a command "
                                "leaves behind is not killed$")
                self.assertEqual(daemon.log.count("/proc"), 1)


class ColdHang(Hang):
    """However it is started."""
    start = ("--start=cold",)


class ColdMisbehaviour(Misbehaviour):
    start = ("--start=cold",)


class ColdConfinement(Confinement):
    start = ("--start=cold",)


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

    def test_stopped_when_the_server_stops(self):
        os.kill(self.runner().pid, signal.SIGSTOP)
        self.assertEqual(self.daemon.stop(timeout=5), 0)

    def test_without_a_keeper(self):
        """Nothing can start the next runner: the server ends, and waiting clients are served."""
        started = self.directory + "/started"
        self.command("echo >'%s'; sleep 0.15; echo up" % started)
        runner = self.runner()
        with clients.connect(self.tcp) as sock:
            harness.wait_for(lambda: os.path.exists(started), what="the run")
            self.daemon.leaves_helpers = True
            os.kill(self.daemon.helper("keeper").pid, signal.SIGKILL)
            self.assertEqual(clients.read_to_end(sock), b"up\n")
        self.assertEqual(self.daemon.wait(), 1)
        self.daemon.wait_log("^error: the keeper process has died")
        # It was left to us.
        os.waitpid(runner.pid, 0)

    def test_keeper_stopped_when_the_server_stops(self):
        helpers = [self.daemon.helper("keeper").pid, self.runner().pid]
        self.daemon.leaves_helpers = True
        os.kill(helpers[0], signal.SIGSTOP)
        self.assertEqual(self.daemon.stop(timeout=5), 0)
        # They were left to us: dead, or about to die.
        for pid in helpers:
            os.waitpid(pid, 0)

    def test_dies_with_the_server(self):
        self.command("sleep 60")
        with clients.connect(self.tcp):
            harness.wait_for(self.daemon.commands, what="the run")
            # The harness fails the test if anything outlives the server.
            self.daemon.signal(signal.SIGKILL)
            self.assertEqual(self.daemon.wait(2), -signal.SIGKILL)


class RunnerStops(RunnerCase):
    run_timeout_s = 0.3

    def test_is_replaced(self):
        """One that neither answers nor dies, after its deadline and a grace."""
        stopped = self.runner()
        os.kill(stopped.pid, signal.SIGSTOP)
        watch = Stopwatch()
        self.assertRegex(clients.ask_stream(self.tcp), ERROR_LINE)
        self.assertLess(watch.ran_s, 3 * harness.SLOW)
        self.assertEqual(clients.ask_stream(self.tcp), b"up\n")
        self.assertNotEqual(self.runner().pid, stopped.pid)


if __name__ == "__main__":
    harness.main()
