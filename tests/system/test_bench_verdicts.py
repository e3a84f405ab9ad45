# SPDX-License-Identifier: MIT
"""What ruptime-bench concludes: of both sides, of validity, of what it was kept from measuring."""

import json
import os
import re
import shutil
import signal
import subprocess
import unittest

import fakes
import harness
import ports
import xsi
from oddserver import BENCH, OddServer, bench, finish, queue_address, start
from stalls import undisturbed

SHORT = ("-d", "400ms", "--warmup=50ms")


def half(conn, server):
    if server.connections % 2:
        conn.sendall(fakes.ANSWER)


class BothSides(unittest.TestCase):
    def test_conditions_look_at_either(self):
        """A B that is at fault fails the gate as an A does, unless the other side is meant."""
        with OddServer("tcp://127.0.0.1:0", "--delay=1ms") as good, \
                OddServer("tcp://127.0.0.1:0", "--delay=4ms") as slow:
            for a, b, held in ((good, slow, [True, True, False, True]),
                               (slow, good, [True, False, True, True])):
                status, got = bench("-c", "1", *SHORT, "--vs=" + b.address, "--fail-if=p50>3ms",
                                    "--fail-if=B.p50>3ms", "--fail-if=A.p50>3ms",
                                    "--fail-if=throughput<400", a.address)
                self.assertEqual(status, 1)
                self.assertEqual([condition["held"] for condition in got["fail_if"]], held)
            done = harness.run([BENCH, "-c", "1", *SHORT, "--vs=" + slow.address,
                                "--fail-if=A.p50>3ms", good.address])
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_failing_more_is_a_verdict(self):
        """A B that leaves out half of the answers is not faster, nor "no difference"."""
        with fakes.TcpServer(fakes.ANSWER) as a, fakes.TcpServer(half) as b, \
                harness.tempdir() as directory:
            page = directory + "/page.html"
            args = ("-c", "1", *SHORT, "--report=" + page, "--vs=" + b.url)
            status, got = bench(*args, "--fail-if=fails-more", "--fail-if=slower",
                                "--fail-if=failed>5%", a.url)
            versus = got["vs"]
            self.assertEqual((status, versus["verdict"]), (1, "fails more"))
            self.assertEqual(versus["failures"]["b_fails"], "more")
            self.assertAlmostEqual(versus["failures"]["b_share"], 0.5, delta=0.15)
            more, slower, failed = got["fail_if"]
            self.assertTrue(more["held"])
            self.assertEqual((slower["held"], slower["judged"]), (False, False))
            self.assertEqual((failed["a"], failed["b"]), ("does not hold", "holds"))
            with open(page, encoding="utf-8") as text:
                written = text.read()
            self.assertIn("B fails more", written)
            self.assertEqual(written.count("Without a good answer"), 2)
            done = harness.run([BENCH, *args, "--fail-if=failed>5%", a.url])
            self.assertIn("--fail-if failed>5%: holds for B", done.stdout)
            self.assertEqual(bench("-c", "1", *SHORT, "--vs=" + a.url, b.url)[1]["vs"]["verdict"],
                             "fails less")

    def test_what_was_not_measured_fails_the_gate(self):
        with OddServer("tcp://127.0.0.1:0", "--delay=1ms") as a, ports.refusing() as port:
            unserved = "tcp://127.0.0.1:%d" % port
            _, got = bench("-c", "1", *SHORT, "--vs=" + unserved, "--fail-if=p99>10s",
                           "--fail-if=A.p99>10s", a.address)
        judged = [condition["judged"] for condition in got["fail_if"]]
        self.assertEqual(judged, [False, True])
        self.assertEqual(got["fail_if"][0]["b"], "not judged")

    def test_stalls_of_whole_rounds_count(self):
        """Stalls of 300 ms, and rounds of 25: some begin while a round settles."""
        stalls = ("--delay=1ms", "--stall=300ms", "--every=1500ms")
        with OddServer("tcp://127.0.0.1:0", *stalls) as a, \
                OddServer("tcp://127.0.0.1:0", "--delay=1ms") as b:
            status, got = bench("-c", "2", *SHORT, "--vs=" + b.address, a.address)
        self.assertEqual((status, got["lost"], got["vs"]["lost"]), (0, 0, 0))
        self.assertGreater(got["latency_us"]["max"], 200e3)
        self.assertEqual(got["sent"], got["answered"])
        self.assertNotEqual(got["vs"]["verdict"], "not judged")


class Validity(unittest.TestCase):
    def hold_up(self, process, times, seconds):
        for _ in range(times):
            harness.let_pass(0.3)
            process.send_signal(signal.SIGSTOP)
            harness.let_pass(seconds)
            process.send_signal(signal.SIGCONT)

    def test_some_late_requests_of_short_rounds(self):
        """Three times 4 ms out of 4 s are less than one request in a hundred, in all rounds."""
        with OddServer("tcp://127.0.0.1:0") as a, OddServer("tcp://127.0.0.1:0") as b:
            for _ in range(3):
                process = start("-r", "500", "--constant", "-d", "2s", "--warmup=100ms",
                                "--vs=" + b.address, a.address)
                self.hold_up(process, 3, 0.004)
                _, got = finish(process)
                lags = [side["send_lag_us"]["p99"] for side in (got, got["vs"])]
                unsent = got["unsent"] + got["vs"]["unsent"]
                if max(lags) < 950 and unsent == 0:
                    break
            else:
                self.skipTest("the machine is too busy: late by %s us, %d were not sent" %
                              (lags, unsent))
        self.assertEqual((got["valid"], got["vs"]["valid"]), (True, True))

    @unittest.skipUnless(shutil.which("strace"), "needs strace, to make it slow")
    @unittest.skipIf(harness.SLOW > 1, "sanitizers and strace do not go together")
    def test_setting_up_is_not_measured(self):
        """Two lanes whose epolls take 150 ms each: nothing is late, not even without warm-up."""
        with OddServer("tcp://127.0.0.1:0") as server, harness.tempdir() as directory:
            log = directory + "/log"

            def ask():
                done = harness.run(
                    ["strace", "-f", "-o", log, "-e", "trace=epoll_create1", "-e",
                     "inject=epoll_create1:delay_enter=150ms", BENCH, "-J", "-t", "2", "-r", "200",
                     "--constant", "-d", "400ms", "--warmup=0", server.address])
                self.assertEqual(done.returncode, 0, done.stderr)
                with open(log, encoding="utf-8") as calls:
                    self.assertEqual(calls.read().count("(DELAYED)"), 2)
                return json.loads(done.stdout)["send_lag_us"]["max"]

            self.assertLess(undisturbed(ask, lambda lag_us: lag_us < 100e3), 100e3)

    def test_many_late_requests_are_seen(self):
        with OddServer("tcp://127.0.0.1:0") as server:
            process = start("-r", "500", "-d", "1s", "--warmup=0", "--fail-if=invalid",
                            server.address)
            self.hold_up(process, 2, 0.1)
            status, got = finish(process)
        self.assertEqual((status, got["valid"]), (1, False))
        self.assertIn("late", got["invalid_reason"])

    def test_more_than_any_generator_sends_ends_in_time(self):
        with OddServer("udp://127.0.0.1:0") as server:
            _, got = bench("-r", "100M", "-d", "400ms", "--warmup=100ms", "--timeout=300ms",
                           server.address, timeout=4)
        self.assertFalse(got["valid"])
        self.assertGreater(got["unsent"], 10e6)


class Errors(unittest.TestCase):
    def test_an_error_is_no_answer_whatever_is_expected(self):
        with harness.tempdir() as directory:
            for address in ("tcp://127.0.0.1:0", "udp://127.0.0.1:0", queue_address(),
                            "fdpass://%s/f" % directory):
                for expect in ("command", "error", "load"):
                    with self.subTest(address=address, expect=expect), \
                            OddServer(address, "--say=error") as server:
                        status, got = bench("-n", "20", "--expect=" + expect, server.address)
                        self.assertEqual((status, got["errors"]), (2, {"server-error": 20}))

    def test_a_server_that_is_started_again_is_asked_again(self):
        with harness.tempdir() as directory:
            for address in ("msgq://%d" % xsi.free_key(), "unix-dgram://%s/d" % directory,
                            "unix://%s/u" % directory):
                with self.subTest(address=address):
                    self.check_restart(address)
            with self.subTest("plain"):
                self.check_restart("unix-dgram://%s/p" % directory, "--plain")

    def check_restart(self, address, *options):
        with OddServer(address, *options) as first:
            process = start("-c", "4", "-d", "60s", "--warmup=0", "--timeout=300ms", address)
            first.wait_for_load()
        with OddServer(address, *options) as second:
            second.wait_for_load()
            process.send_signal(signal.SIGINT)
            _, got = finish(process)
        self.assertGreater(got["answered"], 100)
        self.assertLess(got["sent"] - got["answered"], got["sent"] // 2)

    def test_one_datagram_that_is_refused_ends_one_request(self):
        """The first two of a lot are refused, and those on the way to the server are not."""
        with fakes.UdpServer(fakes.answer_extended) as server:
            _, got = bench("-r", "500", "-n", "100", "--timeout=500ms", server.url)
            self.assertEqual(got["answered"], 100)
        with fakes.UdpServer(fakes.answer_extended) as server, ports.refusing() as port:
            refused = "udp://127.0.0.1:%d" % port
            _, got = bench("-c", "10", "-n", "100", "--timeout=500ms", server.url, refused)
        self.assertEqual((got["answered"], got["lost"]), (50, 0), got)
        self.assertEqual(got["errors"], {"refused": 50})


class Interrupts(unittest.TestCase):
    def test_interrupted_is_no_success(self):
        with OddServer("tcp://127.0.0.1:0", "--delay=1ms") as a, \
                OddServer("tcp://127.0.0.1:0", "--delay=1ms") as b, harness.tempdir() as directory:
            page = directory + "/page.html"
            for load in (("-c", "2", "-d", "60s", "--warmup=0"), ("-c", "2", "--vs=" + b.address),
                         ("--find-max=p99<10s", "-d", "100ms", "--warmup=0"),
                         ("-n", "1M", "--fail-if=p50<10s")):
                for number, wanted in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
                    with self.subTest(load=load, number=number):
                        process = start(*load, "--report=" + page, a.address)
                        a.wait_for_load()
                        harness.let_pass(0.3)
                        process.send_signal(number)
                        status, got = finish(process)
                        self.assertEqual((status, got["interrupted"]), (wanted, True))
                        with open(page, encoding="utf-8") as text:
                            self.assertIn("Interrupted", text.read())

    def test_a_try_that_was_cut_short_counts_for_nothing(self):
        with OddServer("tcp://127.0.0.1:0", "--delay=1ms") as server:
            process = start("--find-max=p99<10s", "-d", "60s", "--warmup=0", server.address)
            server.wait_for_load()
            process.send_signal(signal.SIGINT)
            _, got = finish(process)
        self.assertEqual((got["find_max"]["tries"], got["find_max"]["rate_rps"]), ([], 0))
        self.assertTrue(got["find_max"]["interrupted"])

    def test_the_second_one_ends_at_once(self):
        with OddServer("tcp://127.0.0.1:0", "--say=nothing") as server:
            for number, wanted in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
                process = subprocess.Popen([BENCH, "-c", "2", "-d", "60s", "--timeout=50s",
                                            server.address], stdout=subprocess.PIPE)
                harness.wait_for(lambda p=process: len(os.listdir("/proc/%d/task" % p.pid)) > 1)
                process.send_signal(number)
                # It has taken it when the thread waits no longer for more to send.
                harness.wait_for(lambda p=process: not _pending(p.pid))
                harness.let_pass(0.15)
                process.send_signal(number)
                self.assertEqual(process.wait(5 * harness.SLOW), wanted)
                process.stdout.close()

    def test_one_order_delivered_twice_is_one(self):
        """As timeout(1) does: to its command, and to the group that its command is in."""
        with OddServer("tcp://127.0.0.1:0", "--delay=1ms") as server:
            done = harness.run(["timeout", "-s", "INT", "1", BENCH, "-c", "2", "-d", "60s",
                                "--warmup=0", server.address])
        self.assertIn("Interrupted", done.stdout)


def _pending(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        return any(int(mask, 16) for mask in re.findall(r"S[hi][dg]Pnd:\s+([0-9a-f]+)",
                                                        status.read()))


class Usage(unittest.TestCase):
    def test_errors_name_the_option_and_the_range(self):
        for args, words in ((("-c", "0"), ("-c, --concurrency", "1 to 60000")),
                            (("-t", "65"), ("-t, --threads", "1 to 64")),
                            (("-r", "0"), ("-r, --rate", "0.001", "100000000")),
                            (("-d", "0"), ("-d, --duration", "1ms")),
                            (("-n", "x"), ("-n, --requests", "from 1")),
                            (("--pid=1,",), ("--pid",)),
                            (("--percentiles=50,101",), ("--percentiles", "0 to 100")),
                            (("--fail-if=p101<1s",), ("--fail-if", "p100")),
                            (("--fail-if=B.p99<1s",), ("--fail-if", "--vs")),
                            (("-J", "--hgrm=-"), ("-J", "standard output"))):
            done = harness.run([BENCH, *args, "h"])
            self.assertEqual((done.returncode, done.stdout), (3, ""), args)
            for word in words:
                self.assertIn(word, done.stderr)

    def test_rates_and_times_as_people_write_them(self):
        with OddServer("tcp://127.0.0.1:0") as server:
            for rate, wanted in (("0.5", 0.5), ("1.5k", 1500), ("2K", 2000)):
                _, got = bench("-r", rate, "-d", "60ms", "--warmup=0", "--timeout=0.001min",
                               server.address)
                self.assertEqual((got["requested_rps"], got["timeout_s"]), (wanted, 0.06))


if __name__ == "__main__":
    harness.main()
