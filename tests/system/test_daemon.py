# SPDX-License-Identifier: MIT
"""Becoming a daemon, becoming another user, and telling those who wait: -D, -u, --ready-fd."""

import contextlib
import grp
import os
import pwd
import re
import signal
import socket
import subprocess
import unittest

import clients
import harness
import namespaces
import ports


def setUpModule():
    namespaces.enter()


def status_of(pid):
    """/proc/PID/status as {name: value}."""
    with open("/proc/%d/status" % pid, encoding="utf-8") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def target(pid, name):
    return os.readlink("/proc/%d/%s" % (pid, name))


class Detached(unittest.TestCase):
    """With -D. There is no harness.Daemon around it: the process that was started has ended."""

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())
        os.mkdir(self.directory + "/dev")
        namespaces.cover_dev(self.directory + "/dev")
        stack.callback(namespaces.uncover, self.directory + "/dev")
        stack.callback(namespaces.uncover, "/dev")
        self.syslog = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.syslog.bind("/dev/log")
        self.syslog.settimeout(5 * harness.SLOW)
        self.pid_file = self.directory + "/pid"
        self.address = "tcp://127.0.0.1:%d" % ports.free()
        # Orphans become our children, and can be waited for.
        harness.adopt_orphans()
        self.pid = None
        self.addCleanup(self.kill_it)

    def kill_it(self):
        if self.pid:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)

    def start(self, *args, **kw):
        """Returns what the process that was started said and with which code it ended."""
        done = harness.run([harness.program("ruptimed"), "-D", "-l", self.address,
                            "--pid-file=" + self.pid_file, *args], **kw)
        if done.returncode == 0:
            with open(self.pid_file, encoding="ascii") as pid_file:
                self.pid = int(pid_file.read())
        return done

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        ended = []

        def has_ended():
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                ended.append(os.waitstatus_to_exitcode(status))
            return pid

        harness.wait_for(has_ended, what="the daemon's end")
        self.pid = None
        return ended[0]

    def syslog_lines(self, last):
        """The lines until the one that LAST matches."""
        lines = []
        while not lines or not re.search(last, lines[-1]):
            lines.append(self.syslog.recv(4096).decode())
        return lines

    def test_serves_when_the_start_returns(self):
        done = self.start()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertRegex(clients.ask_stream(self.address), clients.UPTIME_LINE)
        self.assertEqual(self.stop(), 0)
        self.assertFalse(os.path.exists(self.pid_file))
        with self.assertRaises(ConnectionRefusedError):
            clients.connect(self.address)

    @staticmethod
    def targets(pid):
        found = []
        for fd in os.listdir("/proc/%d/fd" % pid):
            with contextlib.suppress(FileNotFoundError):
                found.append(target(pid, "fd/" + fd))
        return found

    def test_stands_on_its_own(self):
        with open(self.directory + "/inherited", "w", encoding="ascii") as inherited:
            os.set_inheritable(inherited.fileno(), True)
            done = self.start(pass_fds=[inherited.fileno()], cwd=self.directory)
        self.assertEqual(done.returncode, 0)
        process = harness.Process(self.pid)
        self.assertNotEqual(process.session, os.getsid(0))
        # Not the leader of its session either: it can never acquire a terminal.
        self.assertNotEqual(process.session, self.pid)
        self.assertEqual(target(self.pid, "cwd"), "/")
        self.assertEqual(status_of(self.pid)["Umask"], "0022")
        for fd in (0, 1, 2):
            self.assertEqual(target(self.pid, "fd/%d" % fd), "/dev/null")
        helpers = harness.helpers(self.pid)
        names = {helper.name for helper in helpers}
        self.assertTrue({"ruptimed-keeper", "ruptimed-runner"} <= names)
        for process in [harness.Process(self.pid)] + helpers:
            pid = process.pid
            if process.name != "ruptimed-runner":
                # The one that told the caller how it went is closed after that.
                harness.wait_for(lambda pid=pid: not [t for t in self.targets(pid)
                                                      if t.startswith("pipe:")],
                                 what="no pipe to be left")
            self.assertNotIn(self.directory + "/inherited", self.targets(pid))
            self.assertEqual(target(pid, "cwd"), "/")
        self.assertEqual(self.stop(), 0)

    def test_logs_to_syslog(self):
        self.assertEqual(self.start().returncode, 0)
        lines = self.syslog_lines("listening")
        # <30>: facility daemon, priority info.
        self.assertRegex(lines[-1], r"^<30>.* ruptimed\[%d\]: listening %s$" % (
            self.pid, re.escape(self.address)))
        os.kill(self.pid, signal.SIGUSR1)
        self.assertRegex(self.syslog_lines("state runs")[-1], r"^<30>")
        self.assertEqual(self.stop(), 0)
        self.assertRegex(self.syslog_lines("stopped")[-1], r"^<30>")

    def test_serves_without_syslog(self):
        os.unlink("/dev/log")
        self.assertEqual(self.start().returncode, 0)
        self.assertRegex(clients.ask_stream(self.address), clients.UPTIME_LINE)
        self.assertEqual(self.stop(), 0)

    def refused(self, code, shown, *args):
        done = self.start(*args)
        self.assertEqual(done.returncode, code)
        self.assertRegex(done.stderr, r"^ruptimed: [^\n]+\n$")
        self.assertIn(shown, done.stderr)
        self.assertFalse(os.path.exists(self.pid_file))

    def test_says_on_the_terminal_why_it_does_not_start(self):
        host, port = clients.split(self.address)
        with socket.create_server((host, port)):
            self.refused(1, self.address)
        self.refused(2, "/nonexistent", "--command=/nonexistent")
        self.refused(2, "nosuchuser", "-u", "nosuchuser")
        self.refused(1, "udp://192.0.2.1:7001", "-l", "udp://192.0.2.1:7001")

    def test_a_second_one_is_refused(self):
        self.assertEqual(self.start().returncode, 0)
        done = harness.run([harness.program("ruptimed"), "-D", "-l", "tcp://127.0.0.1:0",
                            "--pid-file=" + self.pid_file])
        self.assertEqual(done.returncode, 1)
        self.assertIn(self.pid_file, done.stderr)
        self.assertEqual(self.stop(), 0)

    def test_ready_fd(self):
        ready_fd, daemon_fd = os.pipe()
        done = self.start("--ready-fd=%d" % daemon_fd, pass_fds=[daemon_fd])
        os.close(daemon_fd)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(os.read(ready_fd, 10), b"\n")
        self.assertEqual(os.read(ready_fd, 10), b"")
        os.close(ready_fd)
        self.assertEqual(self.stop(), 0)

    def test_relative_paths_are_meant_from_where_it_was_started(self):
        harness.fake_command(self.directory, "echo up", "mine")
        done = harness.run([harness.program("ruptimed"), "-D", "-l", self.address,
                            "--pid-file=pid", "--command=mine"], cwd=self.directory)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with open(self.pid_file, encoding="ascii") as pid_file:
            self.pid = int(pid_file.read())
        self.assertEqual(clients.ask_stream(self.address), b"up\n")
        self.assertEqual(self.stop(), 0)

    def test_without_standard_descriptors(self):
        script = '"$@" <&- >&- 2>&-'
        done = harness.run(["sh", "-c", script, "sh", harness.program("ruptimed"), "-D", "-l",
                            self.address, "--pid-file=" + self.pid_file])
        self.assertEqual(done.returncode, 0)
        with open(self.pid_file, encoding="ascii") as pid_file:
            self.pid = int(pid_file.read())
        self.assertRegex(clients.ask_stream(self.address), clients.UPTIME_LINE)
        self.assertEqual(self.stop(), 0)


class Foreground(unittest.TestCase):
    def test_without_standard_descriptors(self):
        """Neither the log nor anything else may go to whatever took the numbers 0 to 2."""
        port = ports.free()
        process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", harness.program("ruptimed"), "-v",
             "-l", "tcp://127.0.0.1:%d" % port])
        try:
            address = "tcp://127.0.0.1:%d" % port

            def answer():
                with contextlib.suppress(ConnectionRefusedError):
                    return clients.ask_stream(address)

            self.assertRegex(harness.wait_for(answer), clients.UPTIME_LINE)
            for fd in (0, 1, 2):
                self.assertEqual(target(process.pid, "fd/%d" % fd), "/dev/null")
            process.send_signal(signal.SIGUSR1)
            self.assertRegex(clients.ask_stream(address), clients.UPTIME_LINE)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(5 * harness.SLOW), 0)
        finally:
            process.kill()
            process.wait()

    def test_ready_fd_may_be_a_standard_one(self):
        for name in ("stdout", "stderr"):
            with self.subTest(descriptor=name), subprocess.Popen(
                    [harness.program("ruptimed"), "--quiet", "--sandbox=off", "-l",
                     "tcp://127.0.0.1:0",
                     "--ready-fd=%d" % (1 if name == "stdout" else 2)],
                    **{name: subprocess.PIPE}) as process:
                try:
                    self.assertEqual(os.read(getattr(process, name).fileno(), 10), b"\n")
                    number = 1 if name == "stdout" else 2
                    self.assertRegex(target(process.pid, "fd/%d" % number), "^pipe:")
                    process.send_signal(signal.SIGTERM)
                    self.assertEqual(process.wait(5 * harness.SLOW), 0)
                finally:
                    process.kill()

    def test_notify_socket(self):
        for abstract in (False, True):
            with self.subTest(abstract=abstract), harness.tempdir() as directory, \
                    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                name = directory + "/notify"
                manager.bind("\0" + name if abstract else name)
                manager.settimeout(5 * harness.SLOW)
                with harness.Daemon("-l", "tcp://127.0.0.1:0", env={
                        "NOTIFY_SOCKET": "@" + name if abstract else name}) as daemon:
                    self.assertEqual(manager.recv(100), b"READY=1")
                    self.assertRegex(manager.recv(100), rb"^STATUS=0 requests: ")
                    self.assertEqual(daemon.stop(), 0)
                    self.assertEqual(manager.recv(100), b"STOPPING=1")

    def test_watchdog(self):
        """It hears of us in time, and of what we do; also while all workers are busy."""
        with harness.tempdir() as directory, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(directory + "/notify")
            manager.settimeout(5 * harness.SLOW)
            gate = clients.Gate(directory)
            with harness.Daemon("-l", "tcp://127.0.0.1:0", command=gate.path,
                                env={"NOTIFY_SOCKET": directory + "/notify",
                                     "WATCHDOG_USEC": "100000"}) as daemon:
                self.assertEqual(manager.recv(100), b"READY=1")
                with clients.connect(daemon.address("tcp")) as sock:
                    for _ in range(5):
                        self.assertEqual(manager.recv(100), b"WATCHDOG=1")
                        self.assertRegex(manager.recv(100), rb"^STATUS=[01] requests: 0 answered")
                    gate.open()
                    self.assertEqual(clients.read_to_end(sock), b"up\n")
                harness.wait_for(lambda: manager.recv(100) ==
                                 b"STATUS=1 requests: 1 answered, 0 dropped, 0 waiting")

    def test_notify_socket_that_is_not_there(self):
        for name in ("/nonexistent/notify", "", "relative", "@", "/" + "n" * 200):
            with harness.Daemon("-l", "tcp://127.0.0.1:0", env={"NOTIFY_SOCKET": name}):
                pass

    def test_terminal_signals_of_the_group(self):
        """^C reaches the runner too: it must leave the drain to the server."""
        with harness.tempdir() as directory:
            slow = harness.fake_command(directory, "sleep 0.5; echo up")
            with harness.Daemon("-l", "tcp://127.0.0.1:0", command=slow) as daemon:
                with clients.connect(daemon.address("tcp")) as sock:
                    harness.wait_for(daemon.commands, what="a run")
                    os.killpg(os.getpgid(daemon.pid), signal.SIGINT)
                    self.assertEqual(clients.read_to_end(sock), b"up\n")
                self.assertEqual(daemon.wait(), 0)


class Start(unittest.TestCase):
    """A start that waits for a name server."""

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())
        namespaces.cover("/etc/resolv.conf", "nameserver 127.0.0.1\n", self.directory)
        stack.callback(namespaces.uncover, "/etc/resolv.conf")
        self.name_server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.name_server.bind(("127.0.0.1", 53))
        self.name_server.settimeout(5 * harness.SLOW)

    def test_ends_at_once(self):
        if harness.is_built_with("__tsan_init"):
            self.skipTest("the thread sanitizer holds signals back during a look-up")
        path, pid_file = self.directory + "/socket", self.directory + "/pid"
        for order in (signal.SIGTERM, signal.SIGINT):
            for prepare in (None, lambda: (signal.signal(signal.SIGTERM, signal.SIG_IGN),
                                           signal.signal(signal.SIGINT, signal.SIG_IGN),
                                           signal.pthread_sigmask(signal.SIG_BLOCK,
                                                                  signal.valid_signals()))):
                with self.subTest(order=order), harness.Daemon(
                        "-l", "unix://" + path, "--pid-file=" + pid_file,
                        "-l", "tcp://host.example:7", preexec_fn=prepare, ready=False) as daemon:
                    self.name_server.recv(512)
                    self.assertTrue(os.path.exists(path))
                    daemon.signal(order)
                    self.assertEqual(daemon.wait(1), -order)
                    self.assertFalse(os.path.exists(path))
                    self.assertFalse(os.path.exists(pid_file))
                    self.name_server.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            self.name_server.recv(512)
                    self.name_server.settimeout(5 * harness.SLOW)


@unittest.skipIf(os.geteuid() != 0, "only root becomes another user")
class User(unittest.TestCase):
    IDS = r'echo "$(id -u) $(id -ru) $(id -g) $(id -rg) groups $(id -G)"'

    def expect_user(self, daemon, uid, gid, groups):
        # An answer first: only then has the runner become what it is to be.
        line = clients.ask_stream(daemon.address("tcp")).decode()
        # What is loaded for the next run comes and goes; each run says of itself who it is.
        pids = [daemon.pid] + [p.pid for p in daemon.helpers()]
        self.assertGreaterEqual(len(pids), 3)
        for pid in pids:
            status = status_of(pid)
            self.assertEqual(status["Uid"].split(), [str(uid)] * 4, status["Name"])
            self.assertEqual(status["Gid"].split(), [str(gid)] * 4, status["Name"])
            self.assertEqual(set(map(int, status["Groups"].split())), groups, status["Name"])
            self.assertEqual(status["NoNewPrivs"], "1", status["Name"])
            for caps in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
                self.assertEqual(int(status[caps], 16), 0, "%s: %s" % (status["Name"], caps))
        for task in os.listdir("/proc/%d/task" % daemon.pid):
            with open("/proc/%d/task/%s/status" % (daemon.pid, task), encoding="ascii") as text:
                self.assertIn("Uid:\t%d\t%d\t%d\t%d\n" % (uid, uid, uid, uid), text.read())
        self.assertEqual(line.split(" groups ")[0], "%d %d %d %d" % (uid, uid, gid, gid))
        self.assertEqual(set(map(int, line.split(" groups ")[1].split())), groups | {gid})

    def test_is_dropped_to_by_all(self):
        nobody = pwd.getpwnam("nobody")
        groups = set(os.getgrouplist("nobody", nobody.pw_gid))
        with harness.tempdir() as directory:
            command = harness.fake_command(directory, self.IDS)
            for user in ("nobody", str(nobody.pw_uid)):
                with self.subTest(user=user), harness.Daemon(
                        "-l", "tcp://127.0.0.1:1", "-u", user, command=command) as daemon:
                    self.expect_user(daemon, nobody.pw_uid, nobody.pw_gid, groups)

    def test_may_be_a_number_that_the_system_does_not_know(self):
        uid = 123456
        with self.assertRaises(KeyError):
            pwd.getpwuid(uid)
        with harness.tempdir() as directory:
            command = harness.fake_command(directory, self.IDS)
            with harness.Daemon("-l", "tcp://127.0.0.1:0", "-u", str(uid),
                                command=command) as daemon:
                self.expect_user(daemon, uid, uid, set())

    def test_has_its_supplementary_groups(self):
        with harness.tempdir() as directory:
            with open("/etc/group", encoding="utf-8") as text:
                content = text.read()
            extra = 54321
            with self.assertRaises(KeyError):
                grp.getgrgid(extra)
            namespaces.cover("/etc/group", content + "extra:x:%d:nobody\n" % extra, directory)
            try:
                nobody = pwd.getpwnam("nobody")
                command = harness.fake_command(directory, self.IDS)
                with harness.Daemon("-l", "tcp://127.0.0.1:0", "-u", "nobody",
                                    command=command) as daemon:
                    self.expect_user(daemon, nobody.pw_uid, nobody.pw_gid,
                                     {nobody.pw_gid, extra})
            finally:
                namespaces.uncover("/etc/group")

    def test_a_runner_that_was_replaced_has_it_too(self):
        nobody = pwd.getpwnam("nobody")
        with harness.tempdir() as directory:
            command = harness.fake_command(directory, self.IDS)
            with harness.Daemon("-l", "tcp://127.0.0.1:0", "-u", "nobody",
                                command=command) as daemon:
                os.kill(daemon.helper("runner").pid, signal.SIGKILL)
                clients.ask_stream(daemon.address("tcp"))
                self.expect_user(daemon, nobody.pw_uid, nobody.pw_gid,
                                 set(os.getgrouplist("nobody", nobody.pw_gid)))

    def test_nobody_may_name_itself(self):
        with harness.Daemon("-l", "tcp://127.0.0.1:0", "-u", "nobody",
                            unprivileged=True) as daemon:
            self.assertEqual(status_of(daemon.pid)["Uid"].split(), [str(harness.NOBODY)] * 4)

    def test_pid_file_where_it_may_not_remove_it(self):
        with harness.tempdir() as directory:
            path = directory + "/pid"
            with harness.Daemon("-l", "tcp://127.0.0.1:0", "-u", "nobody",
                                "--pid-file=" + path) as daemon:
                with open(path, encoding="ascii") as pid_file:
                    self.assertEqual(int(pid_file.read()), daemon.pid)
            self.assertEqual(os.path.getsize(path), 0)
            with harness.Daemon("-l", "tcp://127.0.0.1:0", "--pid-file=" + path):
                pass

    def test_a_command_that_it_may_not_run(self):
        with harness.tempdir() as directory:
            command = harness.fake_command(directory, "echo up")
            os.chmod(command, 0o700)
            done = harness.run([harness.program("ruptimed"), "-l", "tcp://127.0.0.1:0", "-u",
                                "nobody", "--command=" + command])
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, r"^ruptimed: [^\n]+\n$")
            self.assertIn(command, done.stderr)


if __name__ == "__main__":
    harness.main()
