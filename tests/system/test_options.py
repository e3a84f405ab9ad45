# SPDX-License-Identifier: MIT
"""Bad input: one line on stderr that names the thing, the documented exit code, nothing left."""

import contextlib
import os
import resource
import socket
import stat
import subprocess
import unittest

import clients
import harness

EXIT_FAILED, EXIT_USAGE, EXIT_NOT_PERMITTED = 1, 2, 4
ANY = "tcp://127.0.0.1:0"

# Arguments, and what the line must show. All are wrong usage.
USAGE = [
    (["--nonsense"], "--nonsense"),
    (["-x"], "-x"),
    (["-vx"], "-x"),
    (["--r=1"], "--r"),
    (["--quiet=1"], "--quiet"),
    (["-l"], "-l"),
    (["--listen"], "--listen"),
    (["--workers"], "--workers"),
    (["operand"], "operand"),
    (["-l", ANY, "--", "-v"], "-v"),
    (["-l", ""], "address"),
    (["-l", "127.0.0.1:80"], "127.0.0.1:80"),
    (["-l", "http://127.0.0.1"], "http://127.0.0.1"),
    (["-l", "TCP:127.0.0.1:80"], "TCP:127.0.0.1:80"),
    (["-l", "tcp://127.0.0.1:65536"], "tcp://127.0.0.1:65536"),
    (["-l", "tcp://127.0.0.1:-1"], "tcp://127.0.0.1:-1"),
    (["-l", "tcp://127.0.0.1:"], "tcp://127.0.0.1:"),
    (["-l", "tcp://127.0.0.1:80x"], "tcp://127.0.0.1:80x"),
    (["-l", "tcp://127.0.0.1:nosuchservice"], "nosuchservice"),
    (["-l", "udp://127.0.0.1:99999999999999999999"], "99999999999999999999"),
    (["-l", "tcp://"], "tcp://"),
    (["-l", "tcp://[::1"], "tcp://[::1"),
    (["-l", "tcp://::1:80"], "tcp://::1:80"),
    (["-l", "tcp://127.0.0.1:0?mode=0600"], "mode=0600"),
    (["-l", "tcp://" + "h" * 256 + ":1"], "hhh"),
    (["-l", "unix:///" + "p" * 107], "/ppp"),
    (["-l", "unix-dgram:///" + "p" * 107], "/ppp"),
    (["-l", "fdpass:///" + "p" * 107], "/ppp"),
    (["-l", "unix://relative"], "unix://relative"),
    (["-l", "msgq://0x40000000"], "msgq://0x40000000"),
    (["-l", "tcp://127.0.0.1:7001", "-l", "tcp://127.0.0.1:7001"], "tcp://127.0.0.1:7001"),
    (["-l", "tcp://127.0.0.1:7001", "-l", "tcp://127.0.0.1:07001"], "tcp://127.0.0.1:07001"),
    (["-l", "udp://*:7001", "-l", "udp://*:7001"], "udp://*:7001"),
    (["-w", "0"], "0"),
    (["-w", "-1"], "-1"),
    (["-w", "257"], "257"),
    (["-w", "two"], "two"),
    (["-w", ""], "workers"),
    (["-q", "0"], "0"),
    (["-q", "99G"], "99G"),
    (["-q", "99M"], "99M"),
    (["-q", "18446744073709551617"], "18446744073709551617"),
    (["-q", "4.5"], "4.5"),
    (["-q", " 4"], " 4"),
    (["-s", "magic"], "magic"),
    (["--run-timeout=0"], "run-timeout=0"),
    (["--run-timeout=1day"], "1day"),
    (["--run-timeout=-1s"], "-1s"),
    (["--run-timeout=1e3"], "1e3"),
    (["--run-timeout=2h"], "2h"),
    (["--run-timeout="], "run-timeout"),
    (["--max-age=soon"], "soon"),
    (["--max-age=99999999999999999999h"], "99999999999999999999h"),
    (["--command="], "command"),
    (["--command=/nonexistent/uptime"], "/nonexistent/uptime"),
    (["--command=/tmp"], "/tmp"),
    (["--command=/etc/passwd"], "/etc/passwd"),
    (["--command=/dev/null"], "/dev/null"),
    (["--command=/" + "c" * 5000], "/ccc"),
    (["--command=/tmp/two\nlines"], "lines"),
    (["--pid-file="], "pid-file"),
    (["--pid-file=/" + "p" * 5000], "/ppp"),
    (["-u", "nosuchuser"], "nosuchuser"),
    (["-u", ""], "user"),
    (["-l", "unix:///tmp/no?user=nosuchuser"], "user=nosuchuser"),
    (["-l", "unix-dgram:///tmp/no?group=nosuchgroup"], "group=nosuchgroup"),
    (["-u", "two\nlines"], "lines"),
    (["-u", "4294967296"], "4294967296"),
    (["--sandbox=on"], "on"),
    (["--sandbox="], "sandbox"),
    (["--ready-fd=99"], "99"),
    (["--ready-fd=-1"], "-1"),
    (["--ready-fd=x"], "x"),
    (["--ready-fd=99999999999"], "99999999999"),
]


class Case(unittest.TestCase):
    def ruptimed(self, *args, unprivileged=False, **kw):
        argv = [harness.program("ruptimed"), *args]
        return harness.run(harness.as_nobody(argv) if unprivileged else argv, timeout=10, **kw)

    def expect_refusal(self, code, shown, *args, **kw):
        done = self.ruptimed(*args, **kw)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertRegex(done.stderr, r"^ruptimed: [^\n]+\n$")
        self.assertIn(shown, done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr


class Usage(Case):
    def test_each_is_refused_with_one_line(self):
        for args, shown in USAGE:
            with self.subTest(args=args):
                complaint = self.expect_refusal(EXIT_USAGE, shown, *args)
                # The reason is there, however long the thing is.
                self.assertRegex(complaint.replace(shown, ""), r"[a-z]+ [a-z]+")

    def test_schemes_that_are_not_served(self):
        """Until this program serves them, it says so; then this test has nothing to try."""
        for address in ("unix:///nonexistent/s", "unix-seqpacket:///nonexistent/s",
                        "unix-dgram:///nonexistent/s", "msgq://0", "fdpass:///nonexistent/s"):
            with self.subTest(address=address):
                done = self.ruptimed("-l", address)
                self.assertIn(done.returncode, (EXIT_FAILED, EXIT_USAGE))
                self.assertRegex(done.stderr, r"^ruptimed: [^\n]+\n$")
                self.assertIn(address, done.stderr)

    def test_too_many_addresses(self):
        args = [word for _ in range(65) for word in ("-l", ANY)]
        self.expect_refusal(EXIT_USAGE, ANY, *args)

    def test_ready_fd_that_cannot_be_written(self):
        read_fd, write_fd = os.pipe()
        try:
            self.expect_refusal(EXIT_USAGE, str(read_fd), "--ready-fd=%d" % read_fd, "-l", ANY,
                                pass_fds=[read_fd])
        finally:
            os.close(read_fd)
            os.close(write_fd)

    def test_help_and_version(self):
        usage = self.ruptimed("--help")
        self.assertEqual((usage.returncode, usage.stderr), (0, ""))
        self.assertRegex(usage.stdout, r"^Usage: ruptimed ")
        self.assertEqual(self.ruptimed("-h").stdout, usage.stdout)
        version = self.ruptimed("-V")
        self.assertEqual((version.returncode, version.stderr), (0, ""))
        self.assertRegex(version.stdout, r"^ruptimed \(ruptime\) \d+\.\d+\.\d+\n$")
        self.assertEqual(self.ruptimed("--version").stdout, version.stdout)

    def test_help_to_a_full_disk(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = self.ruptimed("--help", stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, EXIT_FAILED)

    def test_good_values_are_taken(self):
        with harness.Daemon("-l", ANY, "-w", "1", "-q", "1M", "-s", "exec", "--run-timeout=1h",
                            "--max-age=0"):
            pass
        with harness.Daemon("-l", ANY, "-w", "256", "-q", "1k", "--run-timeout=1.5s",
                            "--max-age=250us"):
            pass


class Network(Case):
    def test_port_in_use(self):
        for scheme, kind in (("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)):
            with self.subTest(scheme=scheme), socket.socket(socket.AF_INET, kind) as taken:
                taken.bind(("127.0.0.1", 0))
                if scheme == "tcp":
                    taken.listen()
                address = "%s://127.0.0.1:%d" % (scheme, taken.getsockname()[1])
                complaint = self.expect_refusal(EXIT_FAILED, address, "-l", ANY, "-l", address)
                self.assertIn("in use", complaint)

    def test_host_that_cannot_be_resolved(self):
        self.expect_refusal(EXIT_FAILED, "tcp://no.such.host.invalid:1", "-l",
                            "tcp://no.such.host.invalid:1")

    def test_address_that_is_not_ours(self):
        self.expect_refusal(EXIT_FAILED, "tcp://192.0.2.1:7001", "-l", "tcp://192.0.2.1:7001")


    def test_address_of_all_hosts(self):
        """Also where no route leads to it."""
        alone = ["unshare", "--map-root-user", "--net"]
        if harness.run([*alone, "true"]).returncode != 0:
            self.skipTest("no namespaces here")
        done = harness.run([*alone, harness.program("ruptimed"), "-l", "udp://255.255.255.255:0"])
        self.assertEqual(done.returncode, EXIT_FAILED, done.stderr)
        self.assertIn("udp://255.255.255.255:0: Cannot assign", done.stderr)


class NotPermitted(Case):
    def test_privileged_port(self):
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as limit:
            if int(limit.read()) <= 1:
                self.skipTest("this system lets every user have every port")
        for scheme in ("tcp", "udp"):
            address = scheme + "://127.0.0.1:1"
            self.expect_refusal(EXIT_NOT_PERMITTED, address, "-l", address, unprivileged=True)

    def test_to_become_another_user(self):
        self.expect_refusal(EXIT_NOT_PERMITTED, "root", "-l", ANY, "-u", "root", unprivileged=True)

    def test_to_become_another_user_as_root(self):
        """A container's root may lack what it takes."""
        if os.geteuid() != 0:
            self.skipTest("it takes root to be root without its rights")
        done = harness.run(["setpriv", "--bounding-set=-setuid", "--inh-caps=-setuid",
                            harness.program("ruptimed"), "-l", ANY, "-u", "nobody"])
        self.assertEqual(done.returncode, EXIT_NOT_PERMITTED, done.stderr)
        self.assertEqual(done.stderr,
                         "ruptimed: cannot become nobody: Operation not permitted\n")

    def test_to_start_threads(self):
        """Each has a stack of a MiB, and there is no room for so many."""
        if harness.SLOW != 1:
            self.skipTest("a sanitizer needs more than this room for itself")
        done = self.ruptimed("-l", ANY, "-w", "256", preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_AS, (160 << 20, 160 << 20)))
        self.assertEqual(done.returncode, EXIT_FAILED, done.stderr)
        self.assertRegex(done.stderr, r"(?m)^ruptimed: cannot start a thread: \w")

    def test_to_write_the_pid_file(self):
        with harness.tempdir() as directory:
            path = directory + "/pid"
            os.chmod(directory, 0o555)
            self.expect_refusal(EXIT_NOT_PERMITTED, path, "-l", ANY, "--pid-file=" + path,
                                unprivileged=True)

    def test_to_run_the_command(self):
        with harness.tempdir() as directory:
            command = harness.fake_command(directory, "echo up")
            os.chmod(command, 0o600)
            self.expect_refusal(EXIT_USAGE, command, "-l", ANY, "--command=" + command,
                                unprivileged=True)


class PidFile(Case):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.path = stack.enter_context(harness.tempdir()) + "/pid"

    def test_is_written_and_removed(self):
        with harness.Daemon("-l", ANY, "--pid-file=" + self.path) as daemon:
            with open(self.path, encoding="ascii") as pid_file:
                self.assertEqual(pid_file.read(), "%d\n" % daemon.pid)
            self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode) & 0o022, 0)
        self.assertFalse(os.path.exists(self.path))

    def test_is_removed_by_a_second_signal(self):
        with harness.tempdir() as directory:
            hung = harness.fake_command(directory, "sleep 60")
            with harness.Daemon("-l", ANY, "--pid-file=" + self.path, "--run-timeout=1m",
                                command=hung, env=clients.LEAVES_THREADS) as daemon:
                with clients.connect(daemon.address("tcp")):
                    harness.wait_for(daemon.commands, what="a run")
                    self.assertEqual(daemon.stop_at_once(), EXIT_FAILED)
        self.assertFalse(os.path.exists(self.path))

    def test_held_by_another(self):
        with harness.Daemon("-l", ANY, "--pid-file=" + self.path) as daemon:
            complaint = self.expect_refusal(EXIT_FAILED, self.path, "-l", ANY,
                                            "--pid-file=" + self.path)
            self.assertIn("another ruptimed", complaint)
            with open(self.path, encoding="ascii") as pid_file:
                self.assertEqual(pid_file.read(), "%d\n" % daemon.pid)

    def test_left_by_one_that_was_killed(self):
        with open(self.path, "w", encoding="ascii") as old:
            old.write("4194304000 and more that is longer\n")
        with harness.Daemon("-l", ANY, "--pid-file=" + self.path) as daemon:
            with open(self.path, encoding="ascii") as pid_file:
                self.assertEqual(pid_file.read(), "%d\n" % daemon.pid)

    def test_is_no_ordinary_file(self):
        os.mkfifo(self.path)
        self.expect_refusal(EXIT_FAILED, self.path, "-l", ANY, "--pid-file=" + self.path)
        os.unlink(self.path)
        os.mkdir(self.path)
        self.expect_refusal(EXIT_FAILED, self.path, "-l", ANY, "--pid-file=" + self.path)
        self.expect_refusal(EXIT_FAILED, "/dev/null", "-l", ANY, "--pid-file=/dev/null")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_symbolic_link_is_not_followed(self):
        target = self.path + ".target"
        with open(target, "w", encoding="ascii") as out:
            out.write("precious\n")
        os.symlink(target, self.path)
        self.expect_refusal(EXIT_FAILED, self.path, "-l", ANY, "--pid-file=" + self.path)
        with open(target, encoding="ascii") as kept:
            self.assertEqual(kept.read(), "precious\n")

    def test_is_removed_when_the_start_fails(self):
        self.expect_refusal(EXIT_FAILED, "192.0.2.1", "-l", "tcp://192.0.2.1:7001",
                            "--pid-file=" + self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_in_a_directory_that_does_not_exist(self):
        self.expect_refusal(EXIT_FAILED, "/nonexistent/pid", "-l", ANY,
                            "--pid-file=/nonexistent/pid")

    def test_relative(self):
        directory, name = os.path.split(self.path)
        with harness.Daemon("-l", ANY, "--pid-file=" + name, cwd=directory):
            self.assertTrue(os.path.exists(self.path))
        self.assertFalse(os.path.exists(self.path))


if __name__ == "__main__":
    harness.main()
