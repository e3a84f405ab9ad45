# SPDX-License-Identifier: MIT
"""--start=warm: the same as a cold start but for the time; and cold where it cannot be that."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import clients
import harness
import namespaces
from stalls import Stopwatch

TCP = ("-l", "tcp://127.0.0.1:0")
# Waits for no request, so each round of a test may need some before the command is loaded.
TRIES = 200


def compiler():
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def setUpModule():
    namespaces.enter()
    if not os.path.exists(harness.program("warm.so")):
        raise unittest.SkipTest("built without the library that is loaded ahead")


def start_of(daemon):
    """How the last run was started, as the state line says."""
    clients.state(daemon)
    found = re.findall(r"^state runs .* start=(\w+)$", daemon.log, re.MULTILINE)
    return found[-1] if found else None


def ask(daemon):
    return clients.ask_stream(daemon.address("tcp")).decode()


def becomes_warm(daemon):
    for _ in range(TRIES):
        line = ask(daemon)
        if start_of(daemon) == "warm":
            return line
        harness.let_pass(0.01)
    raise AssertionError("it is never started warm")


def stays_cold(daemon):
    for _ in range(20):
        ask(daemon)
        if start_of(daemon) != "cold":
            raise AssertionError("it was started warm")
        harness.let_pass(0.01)


def signal_and_wait(process, sig):
    """Send SIG to PROCESS, which blocks all signals that can be blocked: they are pending at once.
    The others have to stop or end it first."""
    def took_effect():
        try:
            now = harness.Process(process.pid)
        except (FileNotFoundError, ProcessLookupError):
            return True
        return now.key != process.key or now.state in "TZX"

    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, sig)
        if sig not in (signal.SIGKILL, signal.SIGSTOP):
            return
        harness.wait_for(took_effect, what="the effect of signal %d on %s" % (sig, process))


class Case(unittest.TestCase):
    def setUp(self):
        directory = harness.tempdir()
        self.directory = directory.__enter__()
        self.addCleanup(directory.__exit__, None, None, None)
        self.path = self.directory + "/uptime"

    def install(self, source):
        """As a package does: another file in the place of the one that may be running."""
        shutil.copy(source, self.directory + "/new")
        os.rename(self.directory + "/new", self.path)

    def compiled(self, name, source, *flags):
        if not compiler():
            self.skipTest("no C compiler")
        path = "%s/%s" % (self.directory, name)
        subprocess.run([compiler(), "-w", "-o", path, "-xc", "-", "-xnone", *flags], check=True,
                       input=source, text=True, capture_output=True)
        return path

    def serve(self, *args, **kw):
        return harness.Daemon(*TCP, "--start=warm", *args, **{"command": self.path, **kw})


class Same(Case):
    def test_what_the_command_can_see(self):
        """Arguments, environment, descriptors, signals, group: to the byte."""
        self.install(clients.fixture("show_self"))
        with self.serve("--start=cold") as daemon:
            cold = ask(daemon)
        with self.serve() as daemon:
            for _ in range(5):
                self.assertEqual(becomes_warm(daemon), cold)

    def test_what_the_kernel_tells_of_it(self):
        harness.fake_command(self.directory, "exec 3</proc/$$/status; while read -r key value <&3; "
                             "do case $key in Name:|SigBlk:|SigIgn:|SigCgt:|SigPnd:|CapEff:|"
                             "NoNewPrivs:|Seccomp:|Threads:|Umask:) printf '%s' \"$key$value \";; "
                             "esac; done; cat /proc/$$/limits | cksum; "
                             "tr -d '\\000' </proc/$$/environ; tr '\\000' ' ' </proc/$$/cmdline; "
                             "readlink /proc/$$/cwd /proc/$$/exe", "one")
        harness.fake_command(self.directory, "%s/one | tr '\\n' ' '; echo" % self.directory)
        with self.serve("--start=cold") as daemon:
            cold = ask(daemon)
        with self.serve() as daemon:
            self.assertEqual(becomes_warm(daemon), cold)

    def test_the_environment_has_no_trace(self):
        harness.fake_command(self.directory, "tr '\\000' ' ' </proc/$$/environ; env | tr '\\n' ' '"
                             "; echo")
        with self.serve() as daemon:
            self.assertNotIn("LD_", becomes_warm(daemon))

    def test_exit_and_signals(self):
        harness.fake_command(self.directory, "echo up")
        with self.serve() as daemon:
            becomes_warm(daemon)
            for script, error in (("exit 3", "exited with status 3"),
                                  ("kill -SEGV $$", "killed by signal 11"),
                                  ("echo a; kill -KILL $$", "killed by signal 9"),
                                  ("kill -KILL $$", "killed by signal 9")):
                harness.fake_command(self.directory, script)
                for _ in range(3):
                    self.assertIn(error, ask(daemon))


class Fresh(Case):
    def replaced(self, daemon, expected):
        """The very next run is the new one."""
        self.assertEqual(ask(daemon), expected)
        self.assertEqual(becomes_warm(daemon), expected)

    def test_another_file(self):
        for text in ("one", "two"):
            self.compiled(text, '#include <stdio.h>\nint main(void) { puts("%s"); }' % text)
        self.install(self.directory + "/one")
        with self.serve() as daemon:
            self.assertEqual(becomes_warm(daemon), "one\n")
            for text in ("two", "one") * 3:
                self.install("%s/%s" % (self.directory, text))
                self.replaced(daemon, text + "\n")

    def test_a_link_that_moves(self):
        for text in ("one", "two"):
            self.compiled(text, '#include <stdio.h>\nint main(void) { puts("%s"); }' % text)
        os.symlink("one", self.path)
        with self.serve() as daemon:
            self.assertEqual(becomes_warm(daemon), "one\n")
            for text in ("two", "one") * 2:
                os.symlink(text, self.directory + "/next")
                os.rename(self.directory + "/next", self.path)
                self.replaced(daemon, text + "\n")

    def test_another_library(self):
        source = "const char *text(void) { return \"%s\"; }"
        library = self.compiled("libtext.so", source % "one", "-shared", "-fPIC")
        self.compiled("uptime", "#include <stdio.h>\nconst char *text(void);\n"
                      "int main(void) { puts(text()); }", library)
        with self.serve() as daemon:
            self.assertEqual(becomes_warm(daemon), "one\n")
            self.compiled("next.so", source % "two", "-shared", "-fPIC")
            os.rename(self.directory + "/next.so", library)
            self.replaced(daemon, "two\n")

    def test_a_mount(self):
        for text in ("one", "two"):
            self.compiled(text, '#include <stdio.h>\nint main(void) { puts("%s"); }' % text)
        self.install(self.directory + "/one")
        with self.serve() as daemon:
            self.assertEqual(becomes_warm(daemon), "one\n")
            subprocess.run(["mount", "--bind", self.directory + "/two", self.path], check=True)
            try:
                self.replaced(daemon, "two\n")
            finally:
                namespaces.uncover(self.path)
            self.replaced(daemon, "one\n")

    def test_a_script_is_read_anew(self):
        for i in range(5):
            harness.fake_command(self.directory, "echo %d" % i)
            if i == 0:
                daemon = self.serve()
                daemon.__enter__()
                self.addCleanup(daemon.__exit__, None, None, None)
            self.replaced(daemon, "%d\n" % i)

    def test_what_stands_before_main_is_run_each_time(self):
        """A program that looks at the clock in a constructor of its own."""
        self.compiled("uptime", "#include <stdio.h>\n#include <time.h>\nstatic long at;\n"
                      "__attribute__((constructor)) static void look(void)\n"
                      "{ struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);\n"
                      "at = t.tv_sec * 1000 + t.tv_nsec / 1000000; }\n"
                      "int main(void) { printf(\"%ld\\n\", at); }")
        with self.serve() as daemon:
            becomes_warm(daemon)
            for _ in range(20):
                before = int(time.monotonic() * 1000)
                self.assertGreaterEqual(int(ask(daemon)), before)


class NeverWorse(Case):
    def test_linked_statically(self):
        try:
            self.compiled("uptime", '#include <stdio.h>\nint main(void) { puts("up"); }',
                          "-static")
        except subprocess.CalledProcessError:
            self.skipTest("no static C library")
        with self.serve("-v") as daemon:
            stays_cold(daemon)
            daemon.wait_log("^debug: the command is started cold: it is linked statically")
            self.assertEqual(daemon.log.count("is started cold"), 1)

    @unittest.skipIf(os.geteuid() != 0, "only root makes such a file")
    def test_rights_of_its_file(self):
        self.install(shutil.which("uptime"))
        os.chmod(self.path, 0o4755)
        with self.serve("-v") as daemon:
            stays_cold(daemon)
            daemon.wait_log("^debug: the command is started cold: its file gives it rights")

    def test_threads_of_a_library(self):
        """A child has one thread: those that were there already would be missed."""
        library = self.compiled(
            "libthread.so", "#include <pthread.h>\n#include <unistd.h>\n"
            "static void *wait(void *a) { pause(); return a; }\n"
            "__attribute__((constructor)) static void begin(void)\n"
            "{ pthread_t t; pthread_create(&t, 0, wait, 0); }", "-shared", "-fPIC", "-pthread")
        self.compiled("uptime", '#include <stdio.h>\nint main(void) { puts("up"); }',
                      "-Wl,--no-as-needed", library)
        with self.serve() as daemon:
            stays_cold(daemon)
            self.assertEqual(ask(daemon), "up\n")

    def only_helpers(self, daemon):
        """They may not bear their names yet."""
        harness.wait_for(lambda: not [p for p in harness.descendants(daemon.pid)
                                      if p.name not in harness.HELPERS], what="helpers alone")

    def test_cold_when_told_so(self):
        harness.fake_command(self.directory, "echo up")
        with harness.Daemon(*TCP, "--start=cold", command=self.path) as daemon:
            stays_cold(daemon)
            self.only_helpers(daemon)

    def test_nothing_is_loaded_for_procps(self):
        harness.fake_command(self.directory, "echo up; touch %s/ran" % self.directory)
        done = harness.run([harness.program("ruptimed"), "-s", "procps", "-l", "nonsense://"])
        if "without libproc2" in done.stderr:
            self.skipTest("built without libproc2")
        with self.serve("-s", "procps") as daemon:
            ask(daemon)
            self.only_helpers(daemon)
        self.assertFalse(os.path.exists(self.directory + "/ran"))

    def warm_processes(self, daemon):
        return [p for p in harness.descendants(daemon.pid) if p.name == "ruptimed-warm"]

    def test_one_that_dies_or_is_stopped(self):
        """The next request is answered with a line all the same, and soon it is warm again."""
        harness.fake_command(self.directory, "echo up")
        for sig in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=sig), self.serve() as daemon:
                for victims in (slice(0, 1), slice(1, 2), slice(0, 2)):
                    becomes_warm(daemon)
                    for process in self.warm_processes(daemon)[victims]:
                        signal_and_wait(process, sig)
                    watch = Stopwatch()
                    self.assertEqual(ask(daemon), "up\n")
                    self.assertLess(watch.ran_s, 0.5 * harness.SLOW)
                becomes_warm(daemon)

    def test_usage(self):
        done = harness.run([harness.program("ruptimed"), "--start=hot", *TCP])
        self.assertEqual(done.returncode, 2)
        self.assertIn("--start=hot: the ways to start are warm and cold", done.stderr)


class Confined(Case):
    def test_the_memory_that_is_forked_from(self):
        """Neither the command of a run nor another process of the user gets at it."""
        self.compiled("uptime", r"""
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>
int main(void)
{
	DIR *proc = opendir("/proc"); struct dirent *d; int tried = 0, got = 0;
	while ((d = readdir(proc))) {
		char path[300], name[32] = ""; int fd; FILE *f;
		snprintf(path, sizeof path, "/proc/%s/comm", d->d_name);
		if (atoi(d->d_name) == getpid() || !(f = fopen(path, "r"))) continue;
		fgets(name, sizeof name, f); fclose(f);
		if (strncmp(name, "ruptimed-", 9)) continue;
		tried++;
		snprintf(path, sizeof path, "/proc/%s/mem", d->d_name);
		if ((fd = open(path, O_RDWR)) >= 0) got++, close(fd);
		snprintf(path, sizeof path, "/proc/%s/fd/3", d->d_name);
		if (readlink(path, name, sizeof name) > 0) got++;
		if (ptrace(PTRACE_SEIZE, atoi(d->d_name), 0, 0) == 0) got++;
	}
	printf("tried %d, got %d\n", tried >= 3, got);
}
""")
        done = harness.run([harness.program("ruptimed"), "--sandbox=strict", "-l", "nonsense://"])
        for level in ("basic",) if "--sandbox" in done.stderr else ("basic", "strict"):
            with self.serve("--sandbox=" + level) as daemon:
                if "do without" in daemon.log:
                    self.skipTest("this machine or build has no whole sandbox")
                self.assertEqual(becomes_warm(daemon), "tried 1, got 0\n")


if __name__ == "__main__":
    harness.main()
