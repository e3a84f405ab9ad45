# SPDX-License-Identifier: MIT
"""ruptime asks thousands, bad ones among them: who waits for whom, what is said, what it takes."""

import collections
import contextlib
import csv
import io
import json
import os
import pty
import random
import re
import resource
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import harness
import manyhosts
from fakes import LINE
from manyhosts import ManyHosts, need_json

RUPTIME = harness.program("ruptime")


def ruptime(*args, **options):
    return harness.run([RUPTIME, *args], **options)


class Thousands(unittest.TestCase):
    """Where a bad host costs others nothing, and memory and descriptors are bounded."""

    COUNT = 10000 if os.environ.get("RUPTIME_TEST_LONG") else 1000

    @classmethod
    def setUpClass(cls):
        need_json()

    def check(self, many, *args, timeout=120):
        hosts = "".join(many.host(i) + "\n" for i in range(self.COUNT))
        begun = time.monotonic()
        done = ruptime("-J", "-f", "-", *args, input=hosts, timeout=timeout)
        took = time.monotonic() - begun
        rows = [json.loads(text) for text in done.stdout.splitlines()]
        self.assertEqual(sorted(r["target"] for r in rows), sorted(hosts.split()))
        return done, {r["target"]: r for r in rows}, took

    def test_all_good(self):
        with ManyHosts(LINE) as many:
            for scheme in ("--udp", "--tcp"):
                done, rows, _took = self.check(many, scheme)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertTrue(all(r["line"] == LINE.rstrip("\n") for r in rows.values()))

    def rows_as_they_come(self, args, hosts):
        """What ruptime -J writes, each row with the time it came at; and (its end, its code)."""
        begun = time.monotonic()
        with tempfile.TemporaryFile("w+") as names, tempfile.TemporaryFile("w+") as said:
            names.write("".join(host + "\n" for host in hosts))
            names.seek(0)
            with subprocess.Popen([RUPTIME, "-J", "-f", "-", *args], stdin=names, stderr=said,
                                  stdout=subprocess.PIPE, text=True,
                                  env=harness.environment()) as client:
                rows = [(json.loads(text), time.monotonic() - begun) for text in client.stdout]
            said.seek(0)
            return rows, said.read(), client.returncode, time.monotonic() - begun

    def bad_ones(self, scheme, garbage):
        """GARBAGE is what is said of its four kinds; of the first one that is its line."""
        timeout = 3
        expected = {"dead": "timed out", "drip": "timed out"}
        wanted = collections.Counter()
        with ManyHosts(LINE, dead=10, drip=5, garbage=5) as many:
            # What is good among them, alone: how long that takes.
            good = [many.host(i) for i in range(self.COUNT) if many.kind(i) == "good"]
            rows, said, code, alone = self.rows_as_they_come([scheme], good)
            self.assertEqual((len(rows), said, code), (len(good), "", 0))
            hosts = [many.host(i) for i in range(self.COUNT)]
            rows, said, code, took = self.rows_as_they_come(
                [scheme, "--tries=1", "--timeout=%ds" % timeout], hosts)
            self.assertEqual(sorted(row["target"] for row, _at in rows), sorted(hosts))
            self.assertEqual(code, 1)
            result = {row["target"]: row for row, _at in rows}
            for i in range(self.COUNT):
                row, kind = result[many.host(i)], many.kind(i)
                if kind == "good":
                    self.assertEqual(row["line"], LINE.rstrip("\n"), row)
                    continue
                reason = expected.get(kind) or garbage[many.garbage(i)]
                self.assertEqual(row["reason"] or row["line"], reason, row)
                wanted[row["reason"]] += 1
        # The good ones wait for none of the bad.
        last_good = max(at for row, at in rows if row["line"] == LINE.rstrip("\n"))
        first_late = min(at for row, at in rows if row["reason"] == "timed out")
        self.assertLess(last_good, first_late)
        margin = 0.5 if os.environ.get("RUPTIME_TEST_LONG") else 4
        self.assertLess(took, alone + timeout + margin * harness.SLOW)
        del wanted[None]
        self.assertEqual(said, "ruptime: %d of %d hosts are down: %s\n" % (
            sum(wanted.values()), self.COUNT,
            ", ".join("%d %s" % (count, reason) for reason, count in
                      sorted(wanted.items(), key=lambda item: (-item[1], item[0])))))
        print("# %s: %d good of %d alone in %.2f s, the last one beside the bad after %.2f s, all "
              "after %.2f s" % (scheme, len(good), self.COUNT, alone, last_good, took))

    def test_bad_ones_over_tcp(self):
        self.bad_ones("--tcp", [manyhosts.ESCAPES, "line longer than 512 bytes",
                                "more than one line", "closed without an answer"])

    def test_bad_ones_over_udp(self):
        self.bad_ones("--udp", [manyhosts.ESCAPES] + 3 * ["timed out"])

    def test_garbage_on_a_terminal(self):
        with ManyHosts(LINE, garbage=100) as many:
            hosts = [many.host(i) for i in range(0, 800, 50)]
            for scheme, down in (("--tcp", 12), ("--udp", 12)):
                ours, theirs = pty.openpty()
                with subprocess.Popen([RUPTIME, "-a", "--tries=1", "--timeout=2s", scheme,
                                       *hosts], stdout=theirs, stderr=theirs,
                                      env=harness.environment()) as client:
                    os.close(theirs)
                    shown = b""
                    # A terminal that no process holds any more is an error to its reader.
                    with contextlib.suppress(OSError):
                        while piece := os.read(ours, 65536):
                            shown += piece
                os.close(ours)
                self.assertEqual(client.returncode, 1)
                self.assertEqual(shown.count(b"  down  "), down, shown)
                self.assertEqual(shown.count(b"  up  "), len(hosts) - down, shown)
                self.assertNotRegex(shown, rb"[^ -~\r\n]")

    def test_bad_network(self):
        """Requests and answers are lost, one in ten; answers come twice, late, and from others."""
        count = 100000 if os.environ.get("RUPTIME_TEST_LONG") else 2000
        seed = int(os.environ.get("RUPTIME_TEST_SEED") or 1)
        with ManyHosts(LINE, lost=10, doubled=10, late=20, forged=20, seed=seed) as many:
            hosts = "".join(many.host(i) + "\n" for i in range(count))
            done = ruptime("-J", "--udp", "-f", "-", input=hosts, timeout=120)
        rows = [json.loads(text) for text in done.stdout.splitlines()]
        self.assertEqual(sorted(r["target"] for r in rows), sorted(hosts.split()))
        lines = [r["line"] for r in rows if r["status"] == "up"]
        self.assertEqual(set(lines), {LINE.rstrip("\n")}, "seed %d" % seed)
        self.assertGreaterEqual(len(lines), 0.9999 * count, "seed %d" % seed)

    def test_few_descriptors(self):
        """Those that find no descriptor wait for those that have one."""
        with ManyHosts(LINE) as many:
            def lower():
                resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))

            hosts = "".join(many.host(i) + "\n" for i in range(300))
            done = ruptime("-J", "-f", "-", input=hosts, preexec_fn=lower)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 300)

    def test_few_at_a_time(self):
        with ManyHosts(LINE, dead=50) as many:
            hosts = "".join(many.host(i) + "\n" for i in range(20))
            begun = time.monotonic()
            done = ruptime("-j", "5", "-f", "-", "--tries=1", "--timeout=500ms", "--tcp", "-J",
                           input=hosts)
            took = time.monotonic() - begun
        # Four times five: hosts 0 to 19 are among the dead.
        self.assertEqual(done.stdout.count('"down"'), 20)
        self.assertGreaterEqual(took, 2)

    def test_interval(self):
        with ManyHosts(LINE) as many:
            hosts = "".join(many.host(i) + "\n" for i in range(21))
            begun = time.monotonic()
            done = ruptime("-i", "25ms", "--udp", "-f", "-", input=hosts)
            took = time.monotonic() - begun
        self.assertEqual(done.returncode, 0)
        self.assertGreaterEqual(took, 20 * 0.025)

    @unittest.skipIf(harness.SLOW > 1, "a sanitizer has memory of its own")
    def test_memory(self):
        """Flat: what ten times as many take more is what is known of each."""
        least = self.COUNT
        with ManyHosts(LINE) as many:
            for scheme in ("--udp", "--tcp"):
                peaks = [manyhosts.peak_bytes([RUPTIME, scheme, "-f", "-"],
                                              "".join(many.host(i) + "\n" for i in range(count)))
                         for count in (least, 10 * least)]
                print("# %s: %.1f MiB for %d, %.1f MiB for %d" % (
                    scheme, peaks[0] / 2**20, least, peaks[1] / 2**20, 10 * least))
                self.assertLess(peaks[1], 64 << 20, scheme)
                if least == 10000:
                    self.assertLess(peaks[1] - peaks[0], 9 * least * 400, scheme)

    @unittest.skipUnless(os.environ.get("RUPTIME_TEST_LONG"), "a part of make check-long")
    def test_a_hundred_thousand_with_few_descriptors(self):
        def lower():
            resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))

        with ManyHosts(LINE) as many:
            hosts = "".join(many.host(i) + "\n" for i in range(100000))
            for scheme in ("--udp", "--tcp"):
                done = ruptime("--csv", scheme, "-f", "-", input=hosts, timeout=120,
                               preexec_fn=lower)
                self.assertEqual((done.returncode, done.stderr), (0, ""), scheme)
                self.assertEqual(done.stdout.count(",up,"), 100000)


class AnyBytes(unittest.TestCase):
    """Hosts that send lines of any bytes: records stay records, and no line acts on a terminal."""

    COUNT = 3000 if os.environ.get("RUPTIME_TEST_LONG") else 300
    SEED = os.environ.get("RUPTIME_TEST_SEED") or "1"
    SPECIAL = (0x22, 0x2c, 0x5c, 0x80, 0x9b, 0xad, 0xe9, 0x200b, 0x2028, 0x202e, 0x4e2d, 0xfeff,
               0x1f600)
    # Controls, and what has no width or turns the direction of what is beside it.
    UNPRINTABLE = "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"

    def line(self, host):
        chance = random.Random(self.SEED + host)
        kind = chance.randrange(4)
        if kind == 0:
            return bytes(chance.randrange(256) for _ in range(chance.randrange(1, 60))) + b"\n"
        if kind == 1:
            return bytes(chance.choice(b'",\\\'[]{}: \t=') for _ in range(40)) + b"x\n"
        if kind == 2:
            return "".join(chr(chance.choice(self.SPECIAL)) for _ in range(40)).encode() + b"\n"
        return b" 12:34:56 up %d days, %d:%02d,  %d users,  load average: %s, 1,5, nan\n" % (
            chance.randrange(10 ** 14), chance.randrange(99), chance.randrange(99),
            chance.randrange(-9, 10 ** 14), chance.choice((b"1e9", b"-1", b"0x1", b"9" * 20)))

    def serve(self, listener):
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = listener.accept()
                with connection:
                    connection.sendall(self.line(connection.getsockname()[0]))

    def test_any_bytes(self):
        need_json()
        print("# RUPTIME_TEST_SEED=%s" % self.SEED)
        with socket.create_server(("", 0), backlog=self.COUNT) as listener:
            port = listener.getsockname()[1]
            thread = threading.Thread(target=self.serve, args=(listener,))
            thread.start()
            hosts = "".join("127.9.%d.%d:%d\n" % (i >> 8, i & 255, port)
                            for i in range(self.COUNT))
            try:
                for flags in (["-J"], ["--csv"], ["-a"], ["-lr"]):
                    self.check(flags, hosts)
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()

    def check(self, flags, hosts):
        done = harness.run([RUPTIME, *flags, "--tries=1", "-f", "-"], input=hosts.encode(),
                           text=False)
        text = done.stdout.decode("utf-8")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertNotRegex(text + done.stderr.decode("utf-8"), self.UNPRINTABLE)
        rows = text.rstrip("\n").split("\n")
        if flags == ["-J"]:
            rows = [json.loads(row) for row in rows]
            for row in rows:
                sent = self.line(row["target"].split(":")[0]).rstrip(b"\n")
                if row["line"] is not None and re.fullmatch(rb"[ -~]*", sent):
                    self.assertEqual(row["line"].encode(), sent)
        elif flags == ["--csv"]:
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
            self.assertTrue(all(None not in row and None not in row.values() for row in rows))
        self.assertEqual(len(rows), self.COUNT)


class Cost(unittest.TestCase):
    """Beside a loop that does nothing but the system calls; see also bench/fleet.py."""

    COUNT = 10000
    ROUNDS = 8

    def bare(self, many, scheme):
        done = harness.run([os.path.join(harness.BUILD_DIR, "tests", "fixtures", "bare_fleet"),
                            scheme, many.port, str(self.COUNT)])
        answered, took = done.stdout.split()
        self.assertEqual(int(answered), self.COUNT)
        return float(took)

    def ours(self, many, scheme, hosts):
        begun = time.monotonic()
        done = ruptime("--" + scheme, "-f", "-", input=hosts, stdout=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0)
        return time.monotonic() - begun

    @unittest.skipUnless(os.environ.get("RUPTIME_TEST_LONG"), "a part of make check-long")
    def test_at_most_twice_a_bare_loop(self):
        for scheme in ("udp", "tcp"):
            with ManyHosts(LINE) as many:
                hosts = "".join(many.host(i) + "\n" for i in range(self.COUNT))
                rounds = [(self.bare(many, scheme), self.ours(many, scheme, hosts))
                          for _ in range(self.ROUNDS)]
            # What others do on the machine only adds to it.
            bare, ours = (min(column) for column in zip(*rounds))
            self.assertLessEqual(ours, 2 * bare, scheme)


if __name__ == "__main__":
    harness.main()
