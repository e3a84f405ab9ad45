# SPDX-License-Identifier: MIT
"""No figure of ruptime-bench is more than the server did, or the generator's own doing.

The servers of these tests answer one request after the other, CAPACITY a second and never more."""

import contextlib
import json
import os
import re
import subprocess
import unittest

import fakes
import harness
from oddserver import BENCH, OddServer, bench, limit_is_the_generators, queue_address
from stalls import undisturbed

CAPACITY = 500
SERVICE = "--service=2ms"
UNITS_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1, "s": 1e3}


def servers(directory):
    return ("tcp://127.0.0.1:0", "udp://127.0.0.1:0", "unix://%s/u" % directory,
            "unix-seqpacket://%s/q" % directory, "unix-dgram://%s/d" % directory,
            "fdpass://%s/f" % directory, queue_address())


class Throughput(unittest.TestCase):
    def measure(self, load, server):
        def ask():
            _, got = bench(*load, "-d", "600ms", "--warmup=0", "--timeout=10s", server.address)
            self.assertLessEqual(got["throughput_rps"], 1.03 * CAPACITY)
            self.assertEqual(got["lost"], 0)
            self.assertAlmostEqual(got["throughput_rps"] * got["duration_s"],
                                   got["answered_in_window"], delta=1)
            return got["throughput_rps"]

        self.assertGreater(undisturbed(ask, lambda rate: rate > 0.6 * CAPACITY), 0.6 * CAPACITY)

    def test_no_more_than_the_server_can(self):
        with harness.tempdir() as directory:
            for address in servers(directory):
                for load in (("-r", "1000"), ("-c", "64"), ("-r", "1500", "-c", "40")):
                    with self.subTest(address=address, load=load), \
                            OddServer(address, SERVICE) as server:
                        self.measure(load, server)

    def test_all_reports_and_conditions_say_the_same(self):
        with harness.tempdir() as directory, OddServer("tcp://127.0.0.1:0", SERVICE) as server:
            page = directory + "/report.html"
            done = harness.run([BENCH, "-r", "2k", "-d", "500ms", "--warmup=0",
                                "--report=" + page, "--fail-if=throughput>0.52k",
                                server.address])
            self.assertEqual(done.returncode, 0, done.stdout)
            text = int(re.search(r"throughput +([\d,]+)", done.stdout)[1].replace(",", ""))
            with open(page, encoding="utf-8") as written:
                card = re.search(r"Throughput</dt><dd>([\d,]+)", written.read())[1]
        self.assertLess(text, 1.03 * CAPACITY)
        self.assertEqual(int(card.replace(",", "")), text)

    def test_answers_to_the_warm_up_count_where_they_come(self):
        """80 ms on the way, whatever the load: what was asked for before the window comes in it."""
        with OddServer("tcp://127.0.0.1:0", "--delay=80ms") as server:
            rate = undisturbed(
                lambda: bench("-r", "200", "--constant", "-d", "400ms", "--warmup=300ms",
                              server.address)[1]["throughput_rps"],
                lambda rate: abs(rate - 200) <= 12)
        self.assertAlmostEqual(rate, 200, delta=12)


class Latency(unittest.TestCase):
    def read_row(self, text, name):
        row = re.search(r"^ *%s +(.*)$" % name, text, re.MULTILINE)
        return [float(n) * UNITS_MS[u] for n, u in re.findall(r"([\d.]+) (ns|us|ms|s)\b", row[1])]

    def test_one_word_one_figure(self):
        """64 in flight at 500/s: each takes 128 ms, by Little's law."""
        with harness.tempdir() as directory, \
                OddServer("unix-dgram://%s/d" % directory, SERVICE) as server:
            hgrm, page = directory + "/latency.hgrm", directory + "/page.html"
            done = harness.run([BENCH, "-c", "64", "-d", "1s", "--warmup=300ms", "--hgrm=" + hgrm,
                                "--report=" + page, "--fail-if=p50>90ms", server.address])
            self.assertEqual(done.returncode, 1)
            with open(hgrm, encoding="utf-8") as lines:
                rows = [line.split() for line in lines if re.match(r" +\d+\.\d+ +\d\.\d+ ", line)]
            with open(page, encoding="utf-8") as written:
                card = re.search(r"Median latency</dt><dd>([\d.]+) ms", written.read())[1]
        median = self.read_row(done.stdout, "latency")[2]
        self.assertGreater(median, 90)
        self.assertAlmostEqual(float(card), median, delta=1)
        self.assertAlmostEqual(min((abs(float(r[1]) - 0.5), float(r[0])) for r in rows)[1],
                               median, delta=1)

    def test_first_come_first_served_on_retry(self):
        """Where there is no room, requests stand in line: all wait about as long."""
        def serve(conn, _server):
            harness.let_pass(0.002)
            conn.sendall(fakes.ANSWER)

        with harness.tempdir() as directory:
            with fakes.UnixServer(directory + "/s", serve) as server:
                self.check_line(server.url)
            for address in ("unix-dgram://%s/d" % directory, queue_address()):
                with OddServer(address, SERVICE) as server:
                    self.check_line(server.address)
            with OddServer("unix-dgram://%s/p" % directory, SERVICE, "--plain") as server:
                self.check_line(server.address)

    def check_line(self, address):
        def ask():
            _, got = bench("-c", "200", "-d", "1500ms", "--warmup=800ms", address)
            self.assertEqual(got["lost"], 0)
            return got["latency_us"]["p99"] / got["latency_us"]["p50"]

        with self.subTest(address=address):
            self.assertLess(undisturbed(ask, lambda spread: spread < 1.5), 1.5)

    def test_in_flight_at_the_end_is_waited_for(self):
        for load in (("-r", "2000", "-c", "50", "-d", "500ms"), ("-r", "1500", "-d", "300ms"),
                     ("-c", "100", "-d", "300ms")):
            with self.subTest(load=load), OddServer("tcp://127.0.0.1:0", SERVICE) as server:
                _, got = bench(*load, "--warmup=0", "--timeout=5s", server.address)
                self.assertEqual((got["lost"], got["answered"]), (0, got["sent"]))

    def test_what_fills_the_whole_window_is_not_absent(self):
        """A closed loop whose requests of the warm-up are never answered sends no other one."""
        with OddServer("tcp://127.0.0.1:0", "--say=nothing") as server:
            status, got = bench("-c", "3", "-d", "200ms", "--warmup=100ms", "--timeout=600ms",
                                "--fail-if=failed>0", server.address)
        self.assertEqual((status, got["sent"], got["lost"]), (2, 3, 3))
        self.assertTrue(got["fail_if"][0]["held"])


class Percentiles(unittest.TestCase):
    def test_the_maximum_in_conditions(self):
        slow = iter(range(10 ** 9))

        def serve(conn, _server):
            if next(slow) % 20 == 10:
                harness.let_pass(0.06)
            conn.sendall(fakes.ANSWER)

        with fakes.TcpServer(serve) as server:
            for condition, wanted in (("p100>40ms", 1), ("p100.0>40ms", 1), ("p1000>40ms", 3),
                                      ("p101>40ms", 3), ("p100>10s", 0)):
                done = harness.run([BENCH, "-c", "1", "-d", "300ms", "--warmup=0",
                                    "--fail-if=" + condition, server.url])
                self.assertEqual(done.returncode, wanted, condition + done.stdout)

    def test_list(self):
        with OddServer("tcp://127.0.0.1:0") as server:
            args = ("-n", "200", "--percentiles=50,p75,99.99", server.address)
            done = harness.run([BENCH, *args])
            _, got = bench(*args)
        self.assertIn("p75", done.stdout)
        self.assertIn("p99.99", done.stdout)
        self.assertNotIn("p90", done.stdout)
        self.assertLessEqual(got["latency_us"]["p50"], got["latency_us"]["p75"])
        self.assertLessEqual(got["latency_us"]["p99"], got["latency_us"]["p99.99"])


class Counted(unittest.TestCase):
    """-n: just so many requests."""

    def test_just_so_many(self):
        with harness.tempdir() as directory:
            for address in servers(directory):
                for load in (("-c", "7"), ("-r", "800")):
                    with self.subTest(address=address, load=load), OddServer(address) as server:
                        status, got = bench(*load, "-n", "123", server.address)
                        self.assertEqual((status, got["sent"], got["answered"]), (0, 123, 123))
                        self.assertEqual((got["warmup"]["sent"], got["unsent"]), (0, 0))

    def test_threads_and_time(self):
        with OddServer("tcp://127.0.0.1:0", SERVICE) as server:
            def ask():
                _, got = bench("-c", "8", "-t", "3", "-n", "100", server.address)
                self.assertEqual(got["answered"], 100)
                return got["throughput_rps"]

            # The time until the last answer came.
            rate = undisturbed(ask, lambda rate: rate > 0.75 * CAPACITY)
            self.assertAlmostEqual(rate, CAPACITY, delta=0.25 * CAPACITY)
            duration_s = undisturbed(lambda: bench(
                "-c", "4", "-n", "1M", "-d", "300ms", server.address)[1]["duration_s"],
                lambda duration_s: duration_s < 0.31)
            self.assertAlmostEqual(duration_s, 0.3, delta=0.01)


class FindMax(unittest.TestCase):
    def test_a_queue_that_has_no_time_to_grow(self):
        """200 ms are not reached in a try of 400 ms: only that the answers fall behind tells."""
        with OddServer("tcp://127.0.0.1:0", SERVICE) as server:
            _, got = bench("--find-max=p99<200ms", "-d", "400ms", "--warmup=0", "--timeout=1s",
                           "--constant", server.address, timeout=100)
        found = got["find_max"]
        self.assertTrue(0.9 * CAPACITY < found["rate_rps"] < 1.05 * CAPACITY, found)
        self.assertEqual(found["generator_limit"], limit_is_the_generators(found), found)

    def test_answers_that_take_longer_than_a_try(self):
        """64 in flight that take 250 ms: 256/s, though none is answered within 50 ms."""
        with OddServer("tcp://127.0.0.1:0", "--delay=250ms") as server:
            status, got = bench("--find-max=p99<1ms", "-d", "50ms", "--warmup=0", "--timeout=10s",
                                server.address, timeout=100)
        self.assertEqual(status, 1)
        tries = got["find_max"]["tries"]
        self.assertTrue(100 < tries[0]["rate_rps"] < 260, tries)


class Ramp(unittest.TestCase):
    def test_the_knee(self):
        with OddServer("tcp://127.0.0.1:0", SERVICE) as server, harness.tempdir() as directory:
            page = directory + "/page.html"
            args = ("--constant", "-d", "600ms", "--report=" + page, server.address)
            status, got = undisturbed(lambda: bench("--ramp=200:700:100", *args, timeout=60),
                                      lambda found: found[1]["ramp"]["knee_rps"] >= 400)
            ramp = got["ramp"]
            self.assertEqual([t["rate_rps"] for t in ramp["tries"]],
                             [200, 300, 400, 500, 600, 700])
            self.assertEqual((status, ramp["knee_reached"]), (0, True))
            self.assertIn(ramp["knee_rps"], (400, 500))
            self.assertEqual(got["requested_rps"], ramp["knee_rps"])
            with open(page, encoding="utf-8") as text:
                self.assertIn('id="ramp"', text.read())
            report = undisturbed(
                lambda: harness.run([BENCH, "--ramp=100:200:100", *args]).stdout,
                lambda report: "kept up" in report)
            self.assertIn("kept up with all rates", report)

    def test_ranges(self):
        for wrong in ("1:2", "1:2:3:4", "5:1:1", "1:5:0", "a:b:c", "1:1000:1", ""):
            done = harness.run([BENCH, "--ramp=" + wrong, "h"])
            self.assertEqual(done.returncode, 3, wrong)
            self.assertIn("--ramp", done.stderr)


class Baseline(unittest.TestCase):
    def test_a_saved_run(self):
        with harness.tempdir() as directory, \
                OddServer("tcp://127.0.0.1:0", "--delay=30ms") as a, \
                OddServer("tcp://127.0.0.1:0", "--delay=300ms") as b:
            for load, condition in ((("-c", "2"), "ratio<0.4"), (("-r", "200"), "ratio>2.5")):
                with self.subTest(load=load):
                    saved = directory + "/saved.json"
                    _, first = bench(*load, "-d", "1500ms", "--warmup=0", a.address)
                    with open(saved, "w", encoding="utf-8") as out:
                        json.dump(first, out)
                    args = (*load, "-d", "1500ms", "--warmup=0", "--baseline=" + saved,
                            "--fail-if=" + condition)
                    status, got = bench(*args, b.address)
                    self.assertEqual(status, 1, got["baseline"])
                    self.assertIn("Machines drift", got["baseline"]["warning"])
                    self.assertEqual(bench(*args, a.address)[0], 0)
            done = harness.run([BENCH, "-c", "2", "-n", "50", "--baseline=" + saved,
                                "--fail-if=ratio<0.01", a.address])
        # A closed loop and an open one: not compared, and a gate does not pass.
        self.assertEqual(done.returncode, 1)
        self.assertIn("not compared", done.stdout)

    def test_what_is_no_saved_run(self):
        with harness.tempdir() as directory:
            for text in ("", "{", "{}", "[1]", '{"mode": 1}'):
                path = directory + "/saved.json"
                with open(path, "w", encoding="utf-8") as out:
                    out.write(text)
                done = harness.run([BENCH, "--baseline=" + path, "h"])
                self.assertEqual(done.returncode, 3, text)
                self.assertIn("--baseline", done.stderr)


class ServerCpu(unittest.TestCase):
    def test_each_side_has_its_own(self):
        quick = ("-c", "1", "-d", "1s", "--warmup=100ms")
        with OddServer("tcp://127.0.0.1:0", "--busy=1ms") as a, \
                OddServer("tcp://127.0.0.1:0", "--busy=3ms") as b:
            _, got = bench(*quick, "--pid=%d" % a.pid, "--vs=" + b.address, a.address)
            self.assertIsNone(got["vs"]["server_cpu_us_per_reply"])
            self.assertTrue(400 < got["server_cpu_us_per_reply"] < 2000, got)
            status, got = bench(*quick, "--pid=%d,%d" % (a.pid, b.pid), "--vs=" + b.address,
                                "--fail-if=B.server-cpu>2ms", "--fail-if=A.server-cpu>2ms",
                                a.address)
        self.assertEqual((status, [c["held"] for c in got["fail_if"]]), (1, [True, False]))
        self.assertTrue(400 < got["server_cpu_us_per_reply"] < 2000, got)
        self.assertTrue(2000 < got["vs"]["server_cpu_us_per_reply"] < 4500, got["vs"])

    def test_time_that_no_parent_was_charged_with_is_unknown(self):
        """The server's process has forgotten its child, which has used 300 ms before."""
        script = ("import os, signal, time\n"
                  "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
                  "if not os.fork():\n"
                  "    while time.process_time() < .3: pass\n"
                  "    print(flush=True)\n"
                  "    os.read(0, 1)\n"
                  "    os._exit(0)\n"
                  "signal.pause()\n")
        with subprocess.Popen(["python3", "-c", script], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process, \
                OddServer("tcp://127.0.0.1:0", "--delay=5ms") as server:
            with contextlib.ExitStack() as stack:
                stack.callback(process.kill)
                process.stdout.readline()
                child = os.popen("ps -o pid= --ppid %d" % process.pid).read().split()
                running = subprocess.Popen(
                    [BENCH, "-c", "1", "-d", "3s", "--warmup=0", "--pid=%d" % process.pid,
                     "--fail-if=server-cpu>1s", server.address], stdout=subprocess.PIPE, text=True)
                server.wait_for_load()
                process.stdin.write(b"x")
                process.stdin.flush()
                self.assertTrue(child)
                text, _ = running.communicate(timeout=20 * harness.SLOW)
        self.assertEqual(running.returncode, 1, text)
        self.assertRegex(text, r"server +CPU unknown")
        self.assertIn("--fail-if server-cpu>1s: not judged", text)


class Csv(unittest.TestCase):
    def test_a_line_for_each_request(self):
        with harness.tempdir() as directory, \
                OddServer("udp://127.0.0.1:0", "--drop=10") as server:
            path = directory + "/requests.csv"
            _, got = bench("-r", "1000", "-n", "500", "--timeout=200ms", "--csv=" + path,
                           server.address)
            with open(path, encoding="ascii") as lines:
                rows = [line.rstrip("\n").split(",") for line in lines]
        self.assertEqual(rows[0], ["side", "due_s", "sent_s", "latency_us", "outcome"])
        outcomes = [row[4] for row in rows[1:]]
        self.assertEqual(outcomes.count("answered"), got["answered"])
        self.assertEqual(outcomes.count("lost"), got["lost"])
        due = [float(row[1]) for row in rows[1:]]
        self.assertEqual(due, sorted(due))
        slowest = max(float(row[3]) for row in rows[1:] if row[4] == "answered")
        self.assertAlmostEqual(slowest, got["latency_us"]["max"], delta=0.01)

    def test_both_sides(self):
        with harness.tempdir() as directory, OddServer("tcp://127.0.0.1:0", "--delay=1ms") as a, \
                OddServer("tcp://127.0.0.1:0", "--delay=1ms") as b:
            csv, hgrm = directory + "/requests.csv", directory + "/latency.hgrm"
            _, got = bench("-c", "2", "-d", "400ms", "--warmup=50ms", "--csv=" + csv,
                           "--hgrm=" + hgrm, "--vs=" + b.address, a.address)
            with open(csv, encoding="ascii") as lines:
                sides = [line[0] for line in lines][1:]
            self.assertEqual((sides.count("A"), sides.count("B")),
                             (got["sent"], got["vs"]["sent"]))
            for path, answered in ((hgrm, got["answered"]),
                                   (directory + "/latency.b.hgrm", got["vs"]["answered"])):
                with open(path, encoding="ascii") as lines:
                    self.assertRegex(lines.read(), r"Total count += +%d\]" % answered)


class Several(unittest.TestCase):
    def test_each_in_turn(self):
        """Three servers of 2 ms and 4 ms: the answers are those of all of them."""
        with OddServer("tcp://127.0.0.1:0", SERVICE) as a, \
                OddServer("tcp://127.0.0.1:0", SERVICE) as b, \
                OddServer("tcp://127.0.0.1:0", SERVICE) as c:
            status, got = undisturbed(
                lambda: bench("-r", "900", "-d", "500ms", "--warmup=0", a.address, b.address,
                              c.address), lambda found: found[1]["latency_us"]["p50"] < 50e3)
            self.assertEqual((status, got["addresses"]), (0, [a.address, b.address, c.address]))
            self.assertEqual(got["answered"], got["sent"])
            self.assertLess(got["latency_us"]["p50"], 50e3)
        with harness.tempdir() as directory:
            for scheme in ("unix", "unix-dgram", "fdpass", "unix-seqpacket"):
                with self.subTest(scheme=scheme), \
                        OddServer("%s://%s/%s-a" % (scheme, directory, scheme)) as a, \
                        OddServer("%s://%s/%s-b" % (scheme, directory, scheme)) as b:
                    status, got = bench("-c", "4", "-n", "100", a.address, b.address)
                    self.assertEqual((status, got["answered"]), (0, 100))

    def test_one_transport_only(self):
        done = harness.run([BENCH, "tcp://127.0.0.1:1", "udp://127.0.0.1:1"])
        self.assertEqual(done.returncode, 3)
        self.assertIn("udp://127.0.0.1:1", done.stderr)


if __name__ == "__main__":
    harness.main()
