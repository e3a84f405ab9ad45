# SPDX-License-Identifier: MIT
"""The EXAMPLES of the manual pages do what they show, as printed.

Each runs in a shell, in a network of its own where the hosts that the pages speak of exist, and in
a directory that has the files. Their /etc and /run are in that directory. ruptime-bench measures
for a shorter time than it would by itself, but in the long tier.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import fakeprometheus
import harness
import namespaces

PAGES = ("ruptimed.8", "ruptimed.conf.5", "ruptime.1", "ruptime-bench.1")
PROGRAMS = ("ruptimed", "ruptime", "ruptime-bench")
WEB = 300
# They go on until they are told to end.
SERVES = re.compile(r"^(ruptimed (?!.*(-D|-config\b))|tcpserver |systemd-socket-activate |"
                    r"socat TCP-L|ruptime -w|ruptime .*--watch)")
OTHERS = ("jq", "nc", "pidof", "tcpserver", "systemd-socket-activate", "socat", "curl")
# Before it becomes the root of users of its own.
ROOT = os.geteuid() == 0
DEAD, DEAD_PORT = "2001:db8::7", 9000
HOSTS_FILE = """@web: web[001-300].example
@rack7: web[001-004].example
@rack8: web[005-008].example
"""
BAD_CONFIG = "# here\n\nworkers = many\n"
GOOD_CONFIG = "# here\n" + 5 * "\n" + "run-timeout = 500ms\n"


def setUpModule():
    namespaces.enter()


def unescaped(text):
    for escape, plain in (("\\e", "\\"), ("\\(aq", "'"), ("\\-", "-"), ("\\&", "")):
        text = text.replace(escape, plain)
    return text


def examples(page):
    """Each command under EXAMPLES and what it is shown to print."""
    with open(os.path.join(harness.SOURCE_DIR, "doc", page), encoding="utf-8") as file:
        section = file.read().partition("\n.Sh EXAMPLES\n")[2].partition("\n.Sh ")[0]
    literal, found = False, []
    for line in section.split("\n"):
        if line.startswith((".Bd", ".Ed")):
            literal = line.startswith(".Bd")
        line = line[4:] if line.startswith(".Dl ") else line if literal else ""
        if re.match(r"[$#] ", line):
            found.append([unescaped(line[2:]), ""])
        elif found and found[-1][0].endswith("\\"):
            found[-1][0] = found[-1][0][:-1].rstrip() + " " + unescaped(line).strip()
        elif literal and not line.startswith("."):
            found[-1][1] += unescaped(line) + "\n"
    return found


class Example:
    """One command in a world of its own."""

    def __init__(self, test, directory, command, shown):
        self.test, self.directory, self.shown = test, directory, shown
        self.command = re.sub(r"/(etc|run)/", r"%s/\1/" % directory, command)
        self.env = {"PATH": directory + "/bin:" + os.environ["PATH"], "HOME": directory,
                    "MORE": "" if os.environ.get("RUPTIME_TEST_LONG") else "-d 50ms --warmup=20ms"}

    def settle(self):
        """The files that the pages speak of."""
        for folder in ("/bin", "/etc/prometheus", "/run", "/.config/ruptime"):
            os.makedirs(self.directory + folder)
        os.chmod(self.directory + "/run", 0o777)
        for program in PROGRAMS:
            os.symlink(harness.program(program), self.directory + "/bin/" + program)
        self.script("bin/pidof", 'cat "$HOME/run/$1.test"')
        os.remove(self.directory + "/bin/ruptime-bench")
        self.script("bin/ruptime-bench",
                    "exec '%s' \"$@\" $MORE" % harness.program("ruptime-bench"))
        self.script("tell", 'echo "$RUPTIME_HOST"')
        self.script("deploy", "true")
        self.write("racks", "@rack7\n@rack8\n")
        self.write(".config/ruptime/hosts", HOSTS_FILE)
        self.write("etc/ruptimed.conf",
                   BAD_CONFIG if "--check-config" in self.command else GOOD_CONFIG)

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as out:
            out.write(text)

    def script(self, name, text):
        self.write(name, "#!/bin/sh\n" + text + "\n")
        os.chmod(os.path.join(self.directory, name), 0o755)

    def makes_a_server(self):
        return SERVES.match(self.command) and not self.command.startswith("ruptime ") or \
            re.match(r"ruptimed .*-D", self.command)

    def base(self):
        """The server that the example asks; beside one of the example's own, another transport."""
        urls = ["fdpass://%s/run/ruptime.sock" % self.directory]
        if not self.makes_a_server():
            urls += ["tcp://*", "udp://*"]
            urls += ["unix://%s/run/%s" % (self.directory, name) for name in ("old", "new")]
        return harness.Daemon(*("--listen=" + url for url in urls))

    def run(self):
        self.settle()
        with self.base() as daemon:
            self.write("run/ruptimed.test", "%d\n" % daemon.pid)
            if SERVES.match(self.command):
                self.run_until_it_serves()
            else:
                self.run_to_its_end()
            if os.path.exists(self.directory + "/run/ruptimed.pid"):
                self.end_daemon()

    def run_to_its_end(self):
        done = harness.run(["sh", "-c", self.command], timeout=600, env=self.env,
                           cwd=self.directory)
        said = done.stdout + done.stderr
        fails = re.match(r"(%s): " % "|".join(PROGRAMS), self.shown)
        # Whether a condition holds depends on the machine.
        judges = "--fail-if" in self.command or "--find-max" in self.command
        allowed = (1, 2) if fails else (0, 1) if judges else (0,)
        self.test.assertIn(done.returncode, allowed, said)
        for line in self.shown.replace("/etc/", self.directory + "/etc/").splitlines():
            self.test.assertIn(line, said)
        if ">" not in self.command and \
                not self.command.startswith(("ruptimed", "ruptime -q", "if ")):
            self.test.assertNotEqual(said, "")

    def run_until_it_serves(self):
        with tempfile.TemporaryFile("w+", encoding="utf-8") as log, subprocess.Popen(
                ["sh", "-c", "exec " + self.command], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env=harness.environment(self.env), cwd=self.directory,
                start_new_session=True) as process:
            def said():
                log.seek(0)
                return log.read()

            try:
                harness.wait_for(lambda: process.poll() is not None or self.serves(said()),
                                 what="the example to serve: " + self.command)
                self.test.assertIsNone(process.poll(), said())
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10 * harness.SLOW)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def serves(self, said):
        if self.command.startswith("ruptime "):
            return re.search(r"web\d+\.example +up ", said)
        targets = re.findall(r"^listening (\S+)", said, re.MULTILINE) or ["localhost"]
        return harness.run([harness.program("ruptime"), "--tries=1", *targets]).returncode == 0

    def end_daemon(self):
        """The one that the example left running, as it should."""
        with open(self.directory + "/run/ruptimed.pid", encoding="ascii") as file:
            pid = int(file.read())
        self.test.assertTrue(self.serves(""))
        os.kill(pid, signal.SIGTERM)
        harness.wait_for(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, what="the daemon's end")


class Examples(unittest.TestCase):
    limit_s = 300

    @classmethod
    def setUpClass(cls):
        directory = harness.tempdir()
        cls.addClassCleanup(directory.__exit__, None, None, None)
        path = directory.__enter__()
        hosts = "127.0.0.1 localhost\n127.0.0.2 db1.example.net\n" + "".join(
            "127.1.%d.%d web%03d.example\n" % (i // 250, 1 + i % 250, i)
            for i in range(1, WEB + 1))
        for name, text in (("/etc/hosts", hosts), ("/etc/nsswitch.conf", "hosts: files\n"),
                           ("/etc/resolv.conf", "")):
            namespaces.cover(name, text, path)
            cls.addClassCleanup(namespaces.uncover, name)
        harness.adopt_orphans()

    def run_page(self, page):
        found = examples(page)
        self.assertGreater(len(found), 1)
        for command, shown in found:
            lacking = [name for name in OTHERS if re.search(r"(^|[|(] *)%s " % name, command) and
                       not shutil.which(name)]
            lacking += ["root"] if " -u " in command and not ROOT else []
            if "--prometheus=" in command and not fakeprometheus.is_built():
                lacking.append("libcurl")
            with self.subTest(command), harness.tempdir() as directory:
                if lacking:
                    self.skipTest("no %s here: %s" % (lacking[0], command))
                Example(self, directory, command, shown).run()

    def test_ruptimed(self):
        self.run_page("ruptimed.8")

    def test_configuration(self):
        self.run_page("ruptimed.conf.5")

    def test_ruptime(self):
        hosts = fakeprometheus.host("web1:9784", 273930, 2, 0.01, 0.02, 0.05)
        with self.full_listener(), fakeprometheus.serving(hosts, port=9090):
            self.run_page("ruptime.1")

    def test_ruptime_bench(self):
        self.run_page("ruptime-bench.1")

    @contextlib.contextmanager
    def full_listener(self):
        """At one address connections are never accepted, and there is no room for another one."""
        if shutil.which("ip") is None:
            self.skipTest("no ip(8) here")
        subprocess.run(["ip", "address", "add", DEAD + "/128", "dev", "lo"], check=True)
        with socket.socket(socket.AF_INET6) as listener, \
                socket.socket(socket.AF_INET6) as filler:
            listener.setsockopt(socket.IPPROTO_IPV6, namespaces.IPV6_FREEBIND, 1)
            listener.bind((DEAD, DEAD_PORT))
            listener.listen(0)
            filler.connect((DEAD, DEAD_PORT))
            yield


if __name__ == "__main__":
    harness.main()
