# SPDX-License-Identifier: MIT
"""ruptime-bench finds in servers with known faults those faults, and nothing else."""

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import unittest

import harness
import ports
from oddserver import BENCH, OddServer, addresses, bench, finish, queue_address, start

QUICK = ("-d", "400ms", "--warmup=50ms")


class Transports(unittest.TestCase):
    def check(self, address, *options, dialect=None):
        with self.subTest(address=address, options=options), \
                OddServer(address, *options) as server:
            status, got = bench("-c", "16", *QUICK, "--expect=load average", server.address)
            self.assertEqual((status, got["target"]), (0, server.address))
            self.assertGreater(got["answered"], 50)
            self.assertEqual(got["answered"], got["sent"])
            for nothing in ("lost", "late", "duplicate", "bad"):
                self.assertEqual(got[nothing], 0, nothing)
            self.assertEqual(got["errors"], {})
            if dialect:
                self.assertEqual(got["dialect"], dialect)

    def test_all_transports(self):
        with harness.tempdir() as directory:
            for address in addresses(directory):
                self.check(address)

    def test_one_byte_servers(self):
        with harness.tempdir() as directory:
            self.check("udp://127.0.0.1:0", "--plain", dialect="requests of one byte")
            self.check("unix-dgram://%s/d" % directory, "--plain", dialect="requests of one byte")
            self.check("udp://[::1]:0", dialect="extended requests")

    def test_threads_share_the_load(self):
        with OddServer("tcp://127.0.0.1:0", "--delay=5ms") as server:
            status, got = bench("-c", "7", "-t", "3", *QUICK, server.address)
            self.assertEqual((status, got["threads"], got["in_flight"]), (0, 3, 7))
            status, got = bench("-r", "1000", "-t", "3", *QUICK, server.address)
            self.assertEqual(status, 0)
            self.assertAlmostEqual(got["sent"], 400, delta=120)

    def test_sources_are_spread(self):
        seen = set()
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            def serve():
                with listener:
                    while True:
                        try:
                            conn, peer = listener.accept()
                        except OSError:
                            return
                        with conn:
                            seen.add(peer[0])
                            conn.sendall(b"line\n")
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            status, got = bench("-c", "2", *QUICK, "127.0.0.1:%d" % listener.getsockname()[1])
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
        self.assertEqual((status, got["errors"]), (0, {}))
        self.assertGreater(len(seen), 20)


class Latency(unittest.TestCase):
    """The first test of a load generator: can it see a stall?"""

    def test_stalls(self):
        stalling = ("tcp://127.0.0.1:0", "--delay=1ms", "--stall=1s", "--every=5s")
        # So long that what the stall held back is sent before the end.
        common = ("-r", "200", "-d", "7s", "--warmup=0")
        with OddServer(*stalling) as first, OddServer(*stalling) as second:
            free, limited = start(*common, first.address), \
                start(*common, "-c", "4", second.address)
            status, got = finish(free)
            self.assertEqual((status, got["mode"]), (0, "open"))
            self.assertGreaterEqual(got["latency_us"]["p99"], 800e3)
            status, got = finish(limited)
            self.assertGreaterEqual(got["latency_us"]["p99"], 800e3)
            self.assertLess(got["service_us"]["p99"], 400e3)
            self.assertGreaterEqual(got["service_us"]["max"], 900e3)

    def test_closed_loop_says_what_it_cannot_see(self):
        with OddServer("tcp://127.0.0.1:0", "--delay=1ms") as server:
            done = harness.run([BENCH, "-c", "1", *QUICK, server.address])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("cannot see stalls", " ".join(done.stdout.split()))


class Faults(unittest.TestCase):
    LOAD = ("-c", "4", "-d", "300ms", "--warmup=0")

    def run_against(self, address, say, timeout="3s"):
        with OddServer(address, "--say=" + say) as server:
            began = time.monotonic()
            status, got = bench(*self.LOAD, "--timeout=" + timeout, server.address)
            self.assertLess(time.monotonic() - began, 5 * harness.SLOW)
        self.assertEqual(got["sent"], got["answered"] + got["lost"] + got["bad"] +
                         sum(got["errors"].values()))
        return status, got

    def test_each_fault_has_its_name(self):
        with harness.tempdir() as directory:
            for address in addresses(directory):
                for say, where, name in (("garbage", "bad_reasons", "not-text"),
                                         ("error", "errors", "server-error")):
                    with self.subTest(address=address, say=say):
                        status, got = self.run_against(address, say)
                        self.assertEqual((status, got["answered"]), (2, 0))
                        self.assertEqual(got[where], {name: got["sent"]})

    def test_never_answering(self):
        with harness.tempdir() as directory:
            for address in addresses(directory):
                with self.subTest(address=address):
                    status, got = self.run_against(address, "nothing", "300ms")
                    self.assertEqual((status, got["answered"]), (2, 0))
                    self.assertEqual((got["lost"], got["latency_us"]), (got["sent"], None))

    def test_answering_twice(self):
        with harness.tempdir() as directory:
            for address in addresses(directory):
                with self.subTest(address=address):
                    status, got = self.run_against(address, "twice")
                    self.assertEqual((status, got["answered"]), (0, got["sent"]))
                    self.assertAlmostEqual(got["duplicate"], got["sent"], delta=5)

    def test_unfinished_and_empty(self):
        for say, where, name in (("partial", "bad_reasons", "unfinished"),
                                 ("close", "errors", "closed")):
            status, got = self.run_against("tcp://127.0.0.1:0", say)
            self.assertEqual((status, got[where]), (2, {name: got["sent"]}))

    def test_nobody_there(self):
        with ports.refusing() as port:
            for address, name in (("tcp://127.0.0.1:%d" % port, "refused"),
                                  ("udp://127.0.0.1:%d" % port, "refused"),
                                  ("unix:///nonexistent/socket", "not-there"),
                                  ("fdpass:///nonexistent/socket", "not-there"),
                                  ("unix-dgram:///nonexistent/socket", "not-there"),
                                  (queue_address(), "not-there")):
                with self.subTest(address=address):
                    status, got = bench(*self.LOAD, address)
                    self.assertEqual((status, got["errors"]), (2, {name: got["sent"]}))

    def test_late_answers(self):
        for options in ((), ("--plain",)):
            with self.subTest(options=options), \
                    OddServer("udp://127.0.0.1:0", "--delay=500ms", *options) as server:
                status, got = bench("-r", "100", "-d", "1500ms", "--warmup=0", "--timeout=50ms",
                                    server.address)
                self.assertEqual((status, got["answered"]), (2, 0))
                self.assertEqual(got["lost"], got["sent"])
                self.assertGreater(got["late"], got["sent"] // 2)

    def test_unexpected_text(self):
        with OddServer("tcp://127.0.0.1:0") as server:
            status, got = bench(*self.LOAD, "--expect=something else", server.address)
        self.assertEqual((status, got["bad_reasons"]), (2, {"unexpected": got["sent"]}))

    def test_server_killed_in_mid_run(self):
        for address in ("tcp://127.0.0.1:0", "udp://127.0.0.1:0"):
            with self.subTest(address=address), OddServer(address) as server:
                began = time.monotonic()
                process = start("-r", "500", "-d", "2s", "--warmup=0", server.address)
                server.wait_for_load()
                server.kill()
                status, got = finish(process)
                self.assertLess(time.monotonic() - began, 8 * harness.SLOW)
                self.assertEqual(status, 0)
                self.assertGreater(got["answered"], 0)
                self.assertGreater(got["errors"].get("refused", 0), 0)


class Decisions(unittest.TestCase):
    def test_exit_codes_of_conditions(self):
        with OddServer("tcp://127.0.0.1:0", "--delay=5ms") as server:
            for condition, wanted in (("p50>1ms", 1), ("p50>1s", 0), ("lost>0", 0),
                                      ("throughput<1M", 1), ("answered", 3)):
                status, _ = bench("-c", "2", "-d", "200ms", "--warmup=0",
                                  "--fail-if=" + condition, server.address)
                self.assertEqual(status, wanted, condition)

    def test_usage(self):
        for args in ((), ("--nonsense", "h"), ("-c", "0", "h"), ("-c", "x", "h"),
                     ("-r", "0", "h"), ("-d", "5", "ftp://h"), ("-d", "0", "h"), ("h:99999",),
                     ("--fail-if=p99", "h"), ("--find-max=p99<1ms", "-r", "5", "h"),
                     ("--find-max=p99<1ms", "--vs=g", "h"), ("--fail-if=slower", "h"),
                     ("--constant", "h"), ("-c", "2", "-t", "3", "h"), ("--pid=999999999", "h"),
                     ("tcp://*:1",), ("-t", "2", "msgq://5")):
            done = harness.run([BENCH, *args])
            self.assertEqual((done.returncode, done.stdout), (3, ""), args)
            self.assertRegex(done.stderr, r"\Aruptime-bench: [^\n]+\n\Z")

    def test_cpu_of_the_server(self):
        with OddServer("tcp://127.0.0.1:0", "--busy=1ms") as server:
            status, got = bench("-c", "2", "-d", "1s", "--warmup=50ms", "--pid=%d" % server.pid,
                                server.address)
        self.assertEqual(status, 0)
        self.assertTrue(300 < got["server_cpu_us_per_reply"] < 2000, got)


class Terminal(unittest.TestCase):
    def show(self, until, *args, term="xterm", columns=80):
        """What a terminal gets to see of a run that is interrupted once it shows UNTIL."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        with OddServer("tcp://127.0.0.1:0", "--delay=5ms") as server:
            args = [arg.replace("SERVER", server.address) for arg in args]
            process = subprocess.Popen(
                [BENCH, "-c", "2", "--warmup=0", "-d", "60s", *args, server.address],
                stdout=subprocess.DEVNULL, stderr=theirs, env=harness.environment({"TERM": term}))
            os.close(theirs)
            shown = ""
            while not re.search(until, shown):
                self.assertTrue(select.select([ours], [], [], 20 * harness.SLOW)[0], shown)
                shown += os.read(ours, 65536).decode()
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(5 * harness.SLOW), 130)
        while select.select([ours], [], [], 0)[0]:
            try:
                shown += os.read(ours, 65536).decode()
            except OSError:
                break  # Linux says EIO where all have closed the other end
        return shown

    def test_progress_on_a_terminal_only(self):
        shown = self.show(r"measuring, \d+ s left: [0-9.,]+ answers/s")
        self.assertTrue(shown.endswith("\033[K"), "the line is not wiped")

    def test_progress_over_all_rounds(self):
        self.show(r"[AB], round \d+ of 40, \d+ s left: ", "--vs=SERVER")

    def test_progress_fits_a_narrow_terminal(self):
        shown = self.show("measuring.*measuring", columns=30)
        lines = [line for line in shown.split("\r\033[K") if line]
        self.assertTrue(lines)
        self.assertLess(max(len(line) for line in lines), 30)

    def test_a_dumb_terminal_gets_no_control_sequences(self):
        shown = self.show("\n", term="dumb")
        self.assertNotIn("\033", shown)
        self.assertRegex(shown, r"\A(measuring, \d+ s left: [^\n]+ failed\r?\n)+\Z")

    def test_interrupt_reports_what_was_measured(self):
        with OddServer("tcp://127.0.0.1:0", "--delay=5ms") as server:
            process = start("-r", "100", "-d", "60s", "--warmup=0", server.address)
            server.wait_for_load()
            process.send_signal(signal.SIGINT)
            status, got = finish(process, timeout=5)
        self.assertEqual((status, got["interrupted"]), (130, True))
        self.assertLess(got["duration_s"], 30)
        self.assertEqual(got["lost"], 0)
        self.assertGreater(got["answered"], 0)


if __name__ == "__main__":
    harness.main()
