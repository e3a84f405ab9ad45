# SPDX-License-Identifier: MIT
"""What the system tests share: the built programs, a daemon with a guard around it, TAP.

A test module is a set of unittest cases that ends in

    if __name__ == "__main__":
        harness.main()

Environment: RUPTIME_BUILD_DIR (the build tree; default two directories above this file),
RUPTIME_TEST_SLOW (a factor for every deadline; sanitizer builds set it), RUPTIME_TEST_SANDBOX
and RUPTIME_TEST_START (the --sandbox and --start of each Daemon that is given none; default the
program's own).
"""

import atexit
import contextlib
import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from signal import SIGKILL, SIGTERM, SIGUSR1  # noqa: F401

from taprunner import main  # noqa: F401 (part of this module's interface)

SOURCE_DIR = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD_DIR = os.environ.get("RUPTIME_BUILD_DIR") or SOURCE_DIR
SLOW = float(os.environ.get("RUPTIME_TEST_SLOW") or 1)
SANDBOX = os.environ.get("RUPTIME_TEST_SANDBOX") or ""
START = os.environ.get("RUPTIME_TEST_START") or ""
NOBODY = 65534

POLL_S = 0.01
PR_SET_CHILD_SUBREAPER = 36
F_SETPIPE_SZ = 1031  # Python has it from 3.10 on
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE,
           signal.SIGSYS)
SANITIZER_REPORT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|: runtime error: ")


def program(name):
    """The path of a built program."""
    return os.path.join(BUILD_DIR, "src", name)


def is_built_with(symbol):
    """Does ruptimed refer to SYMBOL, such as one of a sanitizer's?"""
    with open(program("ruptimed"), "rb") as file:
        return symbol.encode() in file.read()


def deadline(timeout):
    """The moment (of time.monotonic) TIMEOUT seconds from now, scaled for slow builds."""
    return time.monotonic() + timeout * SLOW


def let_pass(seconds):
    """An interval to measure over, or between two requests; never to wait for an event."""
    select.select([], [], [], seconds)


def wait_for(predicate, timeout=5, what="the condition"):
    """Poll PREDICATE until it holds and return its value; AssertionError after TIMEOUT."""
    end = deadline(timeout)
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError("waited %g s in vain for %s" % (timeout * SLOW, what))
        select.select([], [], [], POLL_S)


@contextlib.contextmanager
def tempdir():
    """A directory that goes away again, with a short path (sun_path is 107 bytes)."""
    path = tempfile.mkdtemp(prefix="ruptime-", dir="/tmp")
    os.chmod(path, 0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def fake_command(directory, script, name="uptime"):
    """An executable sh SCRIPT (text without #!) in DIRECTORY, to stand in for uptime.

    It may take the place of another one while that is being executed."""
    path = os.path.join(directory, name)
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write("#!/bin/sh\n" + script.rstrip("\n") + "\n")
    os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)
    return path


def environment(env=None):
    """Ours, without what would change how a program talks, and with ENV on top (None: unset)."""
    result = dict(os.environ)
    changes = {"JOURNAL_STREAM": None, "NOTIFY_SOCKET": None, "RUPTIME_HOSTS": None,
               "LC_ALL": "C"}
    changes.update(env or {})
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def as_nobody(argv):
    """ARGV as an unprivileged user runs it; as it is if we are one already."""
    if os.geteuid() != 0:
        return list(argv)
    return ["setpriv", *_another_user(), "--inh-caps=-all", "--bounding-set=-all",
            within_reach(argv[0])] + list(argv[1:])


def _another_user():
    """For setpriv(1). In a user namespace of its own root is alone, outside an ordinary user."""
    with open("/proc/self/uid_map", encoding="ascii") as mappings:
        for first, _, count in map(str.split, mappings):
            if int(first) <= NOBODY < int(first) + int(count):
                return ["--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]
    return []


def fork_as_nobody(what):
    """A child of ours that does WHAT as an unprivileged user, see end_of(). Not a program of its
    own: the tests, too, may lie where only root may enter."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            what()
            status = 0
        except Exception as error:
            print("#", repr(error), flush=True)
        finally:
            os._exit(status)
    return child


def end_of(child):
    """Wait for CHILD. Returns its exit code, negative if a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


_copies = {}


def within_reach(path):
    """What was built may lie in a directory that only root may enter: copy it out of there."""
    if not path.startswith(BUILD_DIR + os.sep):
        return path
    if path not in _copies:
        directory = tempfile.mkdtemp(prefix="ruptime-", dir="/tmp")
        os.chmod(directory, 0o755)
        atexit.register(shutil.rmtree, directory, True)
        _copies[path] = shutil.copy(path, directory)
    return _copies[path]


def run(argv, timeout=60, env=None, **kw):
    """subprocess.run with text output and a scaled timeout, after which it is taken for hung;
    fails if the program crashed."""
    if "stdout" not in kw and "stderr" not in kw:
        kw["capture_output"] = True
    if "input" not in kw:
        kw.setdefault("stdin", subprocess.DEVNULL)
    kw.setdefault("text", True)
    done = subprocess.run(argv, timeout=timeout * SLOW, env=environment(env), check=False, **kw)
    stderr = done.stderr or ""
    if isinstance(stderr, bytes):
        stderr = stderr.decode("utf-8", "replace")
    if -done.returncode in CRASHES or SANITIZER_REPORT.search(stderr):
        raise AssertionError("%s crashed (%d):\n%s" % (argv, done.returncode, stderr))
    return done


class Process:
    """One line of /proc/PID/stat. The start time tells a process from a later namesake."""

    def __init__(self, pid):
        with open("/proc/%d/stat" % pid, "rb", 0) as stat:
            text = stat.read().decode("utf-8", "replace")
        self.pid = pid
        self.name = text[text.index("(") + 1:text.rindex(")")]
        fields = text[text.rindex(")") + 2:].split()
        self.state, self.parent, self.session = fields[0], int(fields[1]), int(fields[3])
        self.cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        self.started = int(fields[19])
        self.key = (pid, self.started)

    def __str__(self):
        return "%d (%s, state %s)" % (self.pid, self.name, self.state)


def processes():
    """All processes of this machine."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                found.append(Process(int(entry)))
    return found


def descendants(pid):
    """The children of PID, their children and so on, zombies included."""
    found = processes()
    family = {pid}
    while True:
        more = {p.pid for p in found if p.parent in family} - family
        if not more:
            return [p for p in found if p.pid in family and p.pid != pid]
        family |= more


def may_be_loaded(pid):
    """Is this the command on its way into memory, to be forked from later? Without an environment
    it may be: not yet, or no more. It takes a name of its own before LD_PRELOAD goes."""
    with contextlib.suppress(OSError):
        with open("/proc/%d/environ" % pid, "rb") as environ:
            variables = environ.read()
            return not variables or b"LD_PRELOAD=" in variables or \
                Process(pid).name == "ruptimed-warm"
    return True


def adopt_orphans():
    """Orphans of those we start become our children instead of init's, so that we see them."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


HELPERS = ("ruptimed-keeper", "ruptimed-runner", "ruptimed-watch")


def helpers(pid):
    """The processes of the server PID that are there all the time. A child that was just forked
    from one of them, and bears its parent's name until it runs its command, is none."""
    family = descendants(pid)
    names = {p.pid: p.name for p in family}
    return [p for p in family if p.name in HELPERS and names.get(p.parent) != p.name]


class Daemon:
    """A ruptimed that is ready when the with block begins and gone when it ends.

    Leaving the block stops it and fails the test if it crashed, did not end in time, ended with
    something but 0 unless the test itself called stop() or wait(), left a process or a zombie
    behind, or if a sanitizer has reported something.

    Attributes: pid, exit_code (None while it runs), addresses (those of its "listening" lines),
    leaves_helpers (set by a test: its dead helpers and their children are left to this process).
    """

    def __init__(self, *args, env=None, command=None, ready_timeout=10, unprivileged=False,
                 ready=True, **popen):
        """COMMAND: a path for --command. READY=False: do not wait for it to be ready.
        Further keywords go to subprocess.Popen."""
        self._argv = [program("ruptimed")] + (["--sandbox=" + SANDBOX] if SANDBOX else [])
        self._argv += ["--start=" + START] if START else []
        self._argv += ["--command=" + command] if command else []
        self._argv += [str(arg) for arg in args]
        self._env, self._ready, self._ready_timeout = env, ready, ready_timeout
        self._unprivileged, self._popen_options = unprivileged, popen
        self._popen = self._stderr = None
        self._sent = set()
        self._family = {}
        self._judged = self.leaves_helpers = False

    def __enter__(self):
        adopt_orphans()
        self._stderr = tempfile.TemporaryFile(prefix="ruptime-log-", dir="/tmp")
        ready_fd, daemon_fd = os.pipe()
        argv = self._argv + ["--ready-fd=%d" % daemon_fd]
        if self._unprivileged:
            argv = as_nobody(argv)
        try:
            self._popen = subprocess.Popen(
                argv, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                         "stderr": self._stderr, "pass_fds": self._descriptors(daemon_fd),
                         "env": environment(self._env), "start_new_session": True,
                         **self._popen_options})
        finally:
            os.close(daemon_fd)
        try:
            if self._ready:
                self._wait_ready(ready_fd)
        except BaseException:
            self._kill_all()
            raise
        finally:
            os.close(ready_fd)
        return self

    def _descriptors(self, daemon_fd):
        """Those that it inherits besides the standard ones."""
        return [daemon_fd]

    def _wait_ready(self, ready_fd):
        # Unlike select(), it takes descriptors of any number.
        poll = select.poll()
        poll.register(ready_fd, select.POLLIN)
        if not poll.poll(self._ready_timeout * SLOW * 1000):
            raise AssertionError("ruptimed was not ready in time:\n" + self.log)
        if os.read(ready_fd, 1) != b"\n":
            self.exit_code_within(5)
            raise AssertionError("ruptimed ended with %s before it was ready:\n%s" %
                                 (self.exit_code, self.log))
        if "--quiet" not in self._argv:
            # Its log is written by a thread: on a busy machine it comes a little later.
            with contextlib.suppress(AssertionError):
                wait_for(lambda: len(self.addresses) >= self._argv.count("-l"), 1)

    def __exit__(self, kind, error, _traceback):
        faults = []
        try:
            if not self._judged:
                code = self.stop()
                if code != 0:
                    faults.append("it ended with %s" % code)
        except AssertionError as failed:
            faults.append(str(failed))
        finally:
            faults += self._left_behind()
            self._kill_all()
        faults += self._crashes()
        if (faults or kind) and self.log:
            faults.append("its log:\n" + self.log)
        self._stderr.close()
        if faults and kind is None:
            raise AssertionError("ruptimed: " + "\n".join(faults))
        if faults and isinstance(error, AssertionError):
            raise AssertionError("%s\nruptimed: %s" % (error, "\n".join(faults))) from error

    @property
    def pid(self):
        return self._popen.pid

    @property
    def exit_code(self):
        return self._popen.poll()

    @property
    def log(self):
        """All of its stderr until now."""
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode("utf-8", "replace")

    def wait_log(self, regex, timeout=5):
        """The first match of REGEX (multi-line) in its log, now or within TIMEOUT."""
        pattern = re.compile(regex, re.MULTILINE)
        try:
            return wait_for(lambda: pattern.search(self.log), timeout, "log line /%s/" % regex)
        except AssertionError as late:
            raise AssertionError("%s; the log:\n%s" % (late, self.log)) from None

    @property
    def addresses(self):
        return re.findall(r"^(?:<\d>)?listening (\S+)", self.log, re.MULTILINE)

    def address(self, scheme, index=0):
        """The INDEXth address of SCHEME that it listens at, e.g. tcp://127.0.0.1:41235."""
        mine = [a for a in self.addresses if a.startswith(scheme + "://")]
        if index >= len(mine):
            raise AssertionError("no listener %s %d; the log:\n%s" % (scheme, index, self.log))
        return mine[index]

    def port(self, scheme, index=0):
        return int(self.address(scheme, index).rpartition(":")[2])

    def descriptors(self):
        """How many descriptors it has open."""
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def helper(self, name):
        """Its "keeper" or "runner", the processes that are there all the time."""
        return wait_for(lambda: [p for p in self.helpers() if p.state != "Z" and
                                 p.name == "ruptimed-" + name], what="the " + name)[0]

    def commands(self):
        """What the runner has started for a run, and what that has. What is called as the server
        itself is a helper that was just forked."""
        own = HELPERS + ("ruptimed-warm", "ruptimed")
        cold = "--start=cold" in self._argv
        return [p for p in descendants(self.pid)
                if p.name not in own and (cold or not may_be_loaded(p.pid))]

    def helpers(self):
        """The processes that are there all the time."""
        return helpers(self.pid)

    def signal(self, sig):
        self._sent.add(sig)
        if sig != SIGUSR1:
            self._remember()
        self._popen.send_signal(sig)

    def exit_code_within(self, timeout):
        """Wait for its end. Returns the exit code, negative if a signal ended it."""
        try:
            return self._popen.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError("ruptimed still runs after %g s:\n%s" %
                                 (timeout * SLOW, self.log)) from None

    def wait(self, timeout=6):
        """exit_code_within for a test that judges the exit code itself."""
        self._judged = True
        return self.exit_code_within(timeout)

    def stop(self, sig=SIGTERM, timeout=6):
        """Send SIG, unless it has ended already, and return the exit code."""
        self._judged = True
        if self.exit_code is None:
            self._no_lasting_zombie()
            self.signal(sig)
        return self.exit_code_within(timeout)

    def stop_at_once(self, first=SIGTERM, second=SIGTERM, timeout=2):
        """FIRST, and SECOND when that is a new order. Returns the exit code."""
        self.signal(first)
        self.wait_log("^stopping$")
        # What comes within half a second is the same order, see test_signals.py.
        let_pass(0.6)
        self.signal(second)
        self.leaves_helpers = True  # It waits for nothing then.
        return self.wait(timeout)

    def _remember(self):
        for process in descendants(self.pid):
            self._family[process.key] = process

    def _no_lasting_zombie(self):
        """A zombie is normal for a moment; one that is not collected is a leak."""
        def zombies():
            return {p.key for p in descendants(self.pid) if p.state == "Z"}

        lasting = zombies()
        if not lasting:
            return
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not lasting.intersection(zombies()), 2)
            return
        raise AssertionError("a zombie stays: %s" % lasting)

    def _relatives(self):
        """What is left of its family, wherever it has been adopted since."""
        sessions = {self.pid} | {p.session for p in self._family.values()} - {os.getsid(0)}
        return [p for p in processes() if p.pid != self.pid and
                (p.key in self._family or p.session in sessions)]

    def _left_behind(self):
        """After its end: zombies it should have waited for, and processes that go on."""
        if self.exit_code is None:
            return []
        orderly = self.exit_code >= 0 and not self.leaves_helpers
        left = self._relatives()
        zombies = [p for p in left if p.state == "Z"]
        orphans = [p for p in left if p.state != "Z"]
        if orphans:
            with contextlib.suppress(AssertionError):
                wait_for(lambda: all(p.state == "Z" for p in self._relatives()), 1)
            orphans = [p for p in self._relatives() if p.state != "Z"]
        return (["it left a zombie: %s" % p for p in zombies if orderly] +
                ["it left a process: %s" % p for p in orphans])

    def _kill_all(self):
        """Whatever happened, nothing of it goes on; our adopted children are collected."""
        if self._popen is None:
            return
        if self.exit_code is None:
            self._remember()
            self._sent.add(SIGKILL)
            self._popen.kill()
            self._popen.wait()
        for process in self._relatives():
            with contextlib.suppress(OSError):
                os.kill(process.pid, SIGKILL)
            with contextlib.suppress(OSError):
                os.waitpid(process.pid, 0)

    def _crashes(self):
        faults = []
        code = self.exit_code
        if code < 0 and -code not in self._sent:
            faults.append("it was ended by signal %d" % -code)
        if SANITIZER_REPORT.search(self.log):
            faults.append("a sanitizer reported something")
        return faults
