# SPDX-License-Identifier: MIT
"""ruptime asks many: tables, JSON, CSV, exit codes, where hosts come from."""

import contextlib
import csv
import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import unittest

import fakes
import harness
from fakes import ANSWER, LINE, TcpServer, UdpServer, answer_extended
from manyhosts import ManyHosts, need_json

RUPTIME = harness.program("ruptime")
KEYS = ["target", "status", "line", "uptime_seconds", "users", "load1", "load5", "load15",
        "rtt_ms", "tries", "reason"]
UP = r"up 3\+04:05,  2 users,  load 0\.01, 0\.02, 0\.05"


def ruptime(*args, **options):
    return harness.run([RUPTIME, *args], **options)


def line(days, users, load):
    return " 12:34:56 up %d days,  4:05,  %d users,  load average: %.2f, 0.02, 0.05\n" % (
        days, users, load)


class Fleet(unittest.TestCase):
    def servers(self, *answers):
        """TCP servers, each with an answer."""
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        return [stack.enter_context(TcpServer(answer)) for answer in answers]

    def refusing(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        return stack.enter_context(fakes.refusing(socket.SOCK_STREAM))

    def tempfile(self, text):
        directory = harness.tempdir()
        path = os.path.join(directory.__enter__(), "hosts")
        self.addCleanup(directory.__exit__, None, None, None)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path


class Table(Fleet):
    def test_up_and_down(self):
        server, = self.servers(ANSWER)
        down = self.refusing()
        done = ruptime(server.authority, down)
        self.assertEqual(done.returncode, 1)
        rows = done.stdout.splitlines()
        self.assertRegex(rows[0], r"\A%s\s+%s\Z" % (re.escape(server.authority), UP))
        self.assertRegex(rows[1], r"\A%s\s+down  Connection refused\Z" % re.escape(down))
        self.assertEqual(len(rows), 2)
        self.assertEqual(done.stderr,
                         "ruptime: 1 of 2 hosts is down: 1 Connection refused\n")

    def test_all_up_and_all_down(self):
        one, two = self.servers(ANSWER, ANSWER)
        done = ruptime(one.url, two.url)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = ruptime("-q", self.refusing(), self.refusing())
        self.assertEqual((done.returncode, done.stderr), (2, ""))

    def order(self, servers, *flags):
        done = ruptime(*flags, *(s.authority for s in servers))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        names = [row.split()[0] for row in done.stdout.splitlines()]
        return [[s.authority for s in servers].index(name) for name in names]

    def test_sorting(self):
        servers = self.servers(line(1, 2, 0.5).encode(), line(3, 1, 0.1).encode(),
                               line(2, 3, 9.0).encode())
        self.assertEqual(self.order(servers, "-l"), [2, 0, 1])
        self.assertEqual(self.order(servers, "-lr"), [1, 0, 2])
        self.assertEqual(self.order(servers, "-t"), [1, 2, 0])
        self.assertEqual(self.order(servers, "-u"), [2, 0, 1])
        self.assertEqual(self.order(servers, "-r"), self.order(servers, "-a")[::-1])

    def test_single_host_in_a_table(self):
        server, = self.servers(ANSWER)
        row = r"\A%s  %s\n\Z" % (re.escape(server.authority), UP)
        self.assertRegex(ruptime("-a", server.authority).stdout, row)
        self.assertRegex(ruptime("-f", "-", input=server.authority + "\n").stdout, row)
        self.assertEqual(ruptime(server.authority).stdout, LINE)

    def test_line_of_an_unknown_kind(self):
        one, two = self.servers(b"fine, thanks\r\n", b"\033[2Jup \xff\n")
        done = ruptime(one.authority, two.authority)
        self.assertEqual(done.returncode, 0)
        self.assertIn("  up  fine, thanks\n", done.stdout)
        self.assertIn("  up  \\x1b[2Jup \\xff\n", done.stdout)

    def test_same_host_once(self):
        server, = self.servers(ANSWER)
        done = ruptime(server.authority, server.url, server.authority, "-a")
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertEqual(server.connections, 1)

    def test_min_up(self):
        up, = self.servers(ANSWER)
        down = self.refusing()
        for least, code in (("1", 0), ("2", 1), ("50%", 0), ("51%", 1), ("0", 0), ("100%", 1)):
            self.assertEqual(ruptime("--min-up=" + least, up.url, down).returncode, code, least)
        self.assertEqual(ruptime("--min-up=1", down).returncode, 2)
        for wrong in ("", "x", "-1", "101%", "1%%", "5 %", "1.5", "0x2", "1e3", "0x2%", "1e1%",
                      ".5%", "inf", "nan%"):
            done = ruptime("--min-up=" + wrong, up.url)
            self.assertEqual((done.returncode, done.stdout), (3, ""))
            self.assertIn("--min-up=" + wrong, done.stderr)

    def test_output_that_fails(self):
        """Said as what it is, in every form; no host is asked if there is none."""
        need_json()
        up, unasked = self.servers(ANSWER, ANSWER)
        for flags in ([], ["-a"], ["-J"], ["--csv"], ["-lJ"], ["-c1"], ["-w1"], ["-w1", "-J"],
                      ["--targets=prometheus"], ["--help"]):
            with open("/dev/full", "wb") as full:
                done = ruptime(*flags, up.url, stdout=full, stderr=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stderr),
                             (4, "ruptime: standard output: No space left on device\n"), flags)
            done = harness.run(["sh", "-c", 'exec "$0" "$@" >&-', RUPTIME, *flags, unasked.url])
            self.assertEqual((done.returncode, done.stderr),
                             (4, "ruptime: standard output: Bad file descriptor\n"), flags)
        # One that was asked before would have been accepted, and counted, before this one.
        self.assertEqual(ruptime(unasked.url).returncode, 0)
        self.assertEqual(unasked.connections, 1)

    def test_interrupted(self):
        need_json()
        up, = self.servers(ANSWER)
        hanging, = self.servers(fakes.hang)
        for flags, count in ((["-J"], 2), ([], 1)):
            targets = [up.url, hanging.url][2 - count:]
            begun = hanging.connections
            with subprocess.Popen([RUPTIME, "-a", "--timeout=60s", *flags, *targets],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=harness.environment()) as client:
                if count == 2:
                    self.assertIn(b'"up"', client.stdout.readline())
                harness.wait_for(lambda: hanging.connections == begun + 1, 10)
                client.send_signal(signal.SIGINT)
                stdout, stderr = client.communicate(timeout=20 * harness.SLOW)
            self.assertEqual(client.returncode, 130)
            self.assertIn(b"interrupted", stdout)
            self.assertIn(b"1 of %d hosts is down: 1 interrupted" % count, stderr)

class Machines(Fleet):
    def setUp(self):
        need_json()

    def test_json(self):
        up, = self.servers(ANSWER)
        down = self.refusing()
        done = ruptime("-J", up.url, down)
        self.assertEqual(done.returncode, 1)
        objects = {o["target"]: o for o in map(json.loads, done.stdout.splitlines())}
        self.assertEqual(set(objects), {up.url, down})
        good, bad = objects[up.url], objects[down]
        self.assertEqual((list(good), list(bad)), (KEYS, KEYS))
        self.assertEqual({k: good[k] for k in KEYS if k != "rtt_ms"}, {
            "target": up.url, "status": "up", "line": LINE.rstrip("\n"),
            "uptime_seconds": 3 * 86400 + 4 * 3600 + 5 * 60, "users": 2, "load1": 0.01,
            "load5": 0.02, "load15": 0.05, "tries": 1, "reason": None})
        self.assertGreater(good["rtt_ms"], 0)
        self.assertEqual(bad, dict.fromkeys(KEYS, None) | {
            "target": down, "status": "down", "tries": 3, "reason": "Connection refused"})

    def test_json_of_a_single_host(self):
        up, = self.servers(b"fine\n")
        good = json.loads(ruptime("--json", up.url).stdout)
        self.assertEqual((good["status"], good["line"], good["uptime_seconds"]),
                         ("up", "fine", None))
        done = ruptime("--json", self.refusing())
        self.assertEqual((done.returncode, json.loads(done.stdout)["status"]), (2, "down"))

    def test_json_follows_the_schema(self):
        path = os.path.join(harness.SOURCE_DIR, "doc", "ruptime.schema.json")
        with open(path, encoding="utf-8") as text:
            schema = json.load(text)
        self.assertEqual(schema["required"], KEYS)
        up, = self.servers(ANSWER)
        for args in ((), ("-c", "1")):
            for text in ruptime("-J", *args, up.url, self.refusing()).stdout.splitlines():
                for key, value in json.loads(text).items():
                    kinds = schema["properties"][key]["type"]
                    kind = {int: "integer", float: "number", str: "string",
                            type(None): "null"}[type(value)]
                    self.assertTrue(kind in kinds or (kind == "integer" and "number" in kinds),
                                    (key, value))

    def test_json_of_bytes_that_are_no_text(self):
        path = os.fsencode("/tmp") + b"/no\xff\xfesuch\x9b"
        done = harness.run([RUPTIME, "-J", b"unix://" + path], text=False)
        self.assertEqual(json.loads(done.stdout)["target"],
                         "unix:///tmp/no\\xff\\xfesuch\\x9b")

    def test_csv(self):
        up, = self.servers(ANSWER)
        down = self.refusing()
        done = ruptime("--csv", "-r", up.url, down)
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        self.assertEqual([r["status"] for r in rows], ["up", "down"])
        self.assertEqual(rows[0]["line"], LINE.rstrip("\n"))
        self.assertEqual(rows[0]["uptime_seconds"], "273900")
        self.assertEqual((rows[1]["reason"], rows[1]["rtt_ms"]), ("Connection refused", ""))

    def test_results_while_others_are_awaited(self):
        up, = self.servers(ANSWER)
        hanging, = self.servers(fakes.hang)
        with subprocess.Popen([RUPTIME, "-J", "--timeout=60s", up.url, hanging.url],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=harness.environment()) as client:
            self.assertEqual(json.loads(client.stdout.readline())["target"], up.url)
            client.kill()

    def test_count(self):
        seen = []

        def every_second(server, datagram, source):
            seen.append(datagram)
            if len(datagram) > 1 and len(seen) % 4 == 1:
                answer_extended(server, datagram, source)

        with UdpServer(every_second) as server:
            done = ruptime("-c", "2", "--timeout=300ms", server.url, "-J")
        self.assertEqual(done.returncode, 0)
        counted = json.loads(done.stdout)
        self.assertEqual((counted["sent"], counted["answered"]), (2, 1))
        self.assertLessEqual(counted["rtt_min_ms"], counted["rtt_max_ms"])
        # Nothing is repeated: what is lost is to be seen.
        # The one byte, for old servers, is left out where a nonce has come back.
        self.assertEqual([len(d) for d in seen], [512, 1, 512])

    def test_count_of_an_old_server(self):
        """A late answer to the one byte of an earlier round is none to that of a later one."""
        seen = []

        def late(server, datagram, source):
            if len(datagram) == 1:
                seen.append(source)
                if len(seen) == 2:
                    server.sock.sendto(LINE.encode(), seen[0])

        with UdpServer(late) as server:
            done = ruptime("-c", "2", "--timeout=300ms", server.url, "-J")
        counted = json.loads(done.stdout)
        self.assertEqual((done.returncode, counted["sent"], counted["answered"], len(seen)),
                         (2, 2, 0, 2))

    def test_count_table(self):
        up, = self.servers(ANSWER)
        down = self.refusing()
        done = ruptime("-c", "2", up.url, down)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"(?m)^%s\s* : sent/answered/%%loss = 2/2/0%%, "
                         r"min/avg/max = [\d.]+/[\d.]+/[\d.]+ ms$" % re.escape(up.url))
        self.assertRegex(done.stdout, r"(?m)^%s\s* : sent/answered/%%loss = 2/0/100%%$" %
                         re.escape(down))


class Sources(Fleet):
    @classmethod
    def setUpClass(cls):
        need_json()

    def names(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return sorted(json.loads(text)["target"] for text in done.stdout.splitlines())

    def setUp(self):
        self.many = ManyHosts(LINE)
        self.many.__enter__()
        self.addCleanup(self.many.__exit__, None, None, None)
        self.port = self.many.port
        home = harness.tempdir()
        self.home = home.__enter__()
        self.addCleanup(home.__exit__, None, None, None)
        self.env = {"HOME": self.home}

    def expected(self, *lasts):
        return sorted("127.0.0.%d:%s" % (last, self.port) for last in lasts)

    def run_with(self, *args, **options):
        env = self.env | options.pop("env", {})
        return ruptime("-J", *args, env=env, **options)

    def test_range(self):
        word = "127.0.0.[1-3,5]:%s" % self.port
        self.assertEqual(self.names(self.run_with(word)), self.expected(1, 2, 3, 5))

    def test_files_and_standard_input(self):
        path = self.tempfile("# racks\n127.0.0.[1-2]:%s\n" % self.port)
        done = self.run_with("-f", path, "--file=-", input="127.0.0.3:%s\n" % self.port)
        self.assertEqual(self.names(done), self.expected(1, 2, 3))

    def test_groups(self):
        path = self.tempfile("@all: @web @db\n@web: 127.0.0.[1-2]:%s\n@db: 127.0.0.3:%s\n@db\n" %
                             (self.port, self.port))
        self.assertEqual(self.names(self.run_with("-f", path)), self.expected(3))
        self.assertEqual(self.names(self.run_with("-f", path, "@all")), self.expected(1, 2, 3))

    def test_groups_of_a_file_of_groups(self):
        """It stands for all of them, unless some are chosen."""
        path = self.tempfile("@web: 127.0.0.[1-2]:%s\n@db: 127.0.0.3:%s\n" %
                             (self.port, self.port))
        self.assertEqual(self.names(self.run_with("-f", path)), self.expected(1, 2, 3))
        self.assertEqual(self.names(self.run_with("-f", path, "@db")), self.expected(3))
        self.assertEqual(self.names(self.run_with("-f", path, "127.0.0.4:" + self.port)),
                         self.expected(1, 2, 3, 4))

    def test_environment(self):
        words = "127.0.0.1:%s 127.0.0.[2-3]:%s" % (self.port, self.port)
        done = self.run_with(env={"RUPTIME_HOSTS": words})
        self.assertEqual(self.names(done), self.expected(1, 2, 3))

    def test_users_file(self):
        os.makedirs(os.path.join(self.home, ".config/ruptime"))
        with open(os.path.join(self.home, ".config/ruptime/hosts"), "w", encoding="ascii") as out:
            out.write("@web: 127.0.0.[1-2]:%s\n127.0.0.7:%s\n" % (self.port, self.port))
        self.assertEqual(self.names(self.run_with()), self.expected(7))
        self.assertEqual(self.names(self.run_with("@web")), self.expected(1, 2))

    def test_mistakes(self):
        path = self.tempfile("ok\n\n@web\n")
        for args, reason in ((("-f", path), path + ":3: @web: no hosts file defines such a group"),
                             (("@db",), "@db: no hosts file defines such a group"),
                             (("web[1-",), "web[1-: a bracket is not closed"),
                             (("-f", "/nowhere"), "/nowhere: No such file or directory"),
                             (("-f", "/dev/null"), "no host is named"),
                             (("a", "b:99999"),
                              "b:99999: the port is not a number from 0 to 65535")):
            done = self.run_with(*args)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (3, "", "ruptime: %s\n" % reason))


class Progress(unittest.TestCase):
    def shown(self, *args):
        """What comes to the terminal that is standard error, until that ends."""
        ours, theirs = pty.openpty()
        try:
            with fakes.TcpServer(fakes.hang) as server:
                with subprocess.Popen([RUPTIME, "--tries=1", "--timeout=1600ms", *args, server.url],
                                      stdout=subprocess.PIPE, stderr=theirs,
                                      env=harness.environment()) as client:
                    client.stdout.read()
            # The kernel hands on later what the client wrote; then comes the terminal's end.
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):
                while part := os.read(ours, 65536):
                    shown += part
            return shown
        finally:
            os.close(ours)

    def test_progress_on_a_terminal(self):
        shown = self.shown("-a")
        self.assertIn(b"\r0 of 1 done, 0 up, 0 down ", shown)
        # It is wiped away before anything else is said.
        self.assertRegex(shown, rb"\r +\rruptime: 1 of 1 hosts is down: 1 timed out\r\n\Z")
        self.assertEqual(self.shown("-aq"), b"")


class MixedFleet(Fleet):
    def test_every_transport(self):
        need_json()
        with harness.tempdir() as directory:
            paths = [scheme + "://" + os.path.join(directory, scheme)
                     for scheme in ("unix", "unix-seqpacket", "unix-dgram", "fdpass")]
            key = "msgq://0x%x" % (0x2c000000 + os.getpid() % 0xffff)
            listen = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", key] + paths
            with harness.Daemon(*("--listen=" + address for address in listen)) as daemon:
                done = ruptime("-J", *daemon.addresses)
        rows = [json.loads(text) for text in done.stdout.splitlines()]
        self.assertEqual((done.returncode, len(rows)), (0, 7), done.stderr)
        for row in rows:
            self.assertRegex(row["line"], r"load average")
            self.assertGreaterEqual(row["uptime_seconds"], 0)


if __name__ == "__main__":
    harness.main()
