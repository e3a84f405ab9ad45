# SPDX-License-Identifier: MIT
"""The promise: a line was measured after it was asked for, and one run serves many requests."""

import contextlib
import itertools
import os
import time
import unittest

import clients
import harness
import local_clients as local
import xsi

REPLIES = clients.some(20000)

# The settings of tests/bench/bench.py.
IN_FLIGHT = (1, 16, 256, 4096)
GENERATORS = (1, 2)


class Freshness(unittest.TestCase):
    def setUp(self):
        context = harness.tempdir()
        self.directory = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.command = clients.StampCommand(self.directory)

    def daemon(self, *args):
        return harness.Daemon("-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0", *args,
                              command=self.command.path)

    def expect_fresh(self, daemon, *crowd_args):
        """REPLIES over both transports at once, half of them each."""
        runs_before = self.command.runs
        half = REPLIES // 2
        loads = [clients.start_crowd(daemon.address(scheme), "-s", "-n", 32, "-k", half,
                                     *crowd_args) for scheme in ("tcp", "udp")]
        counts = [clients.finish_crowd(load, 100) for load in loads]
        for each in counts:
            clients.expect_all_answered(self, each)
            self.assertEqual(each["ok"], half)
        runs = self.command.runs - runs_before
        print("# %d replies, %d runs" % (REPLIES, runs), flush=True)
        return counts, runs

    def test_every_line_is_younger_than_its_request(self):
        with self.daemon() as daemon:
            counts, runs = self.expect_fresh(daemon)
            for each in counts:
                self.assertEqual((each["stale"], each["reused"]), (0, 0))
            self.assertEqual(clients.state(daemon)["runs"], {"ok": runs, "failed": 0})

    def test_one_run_serves_all_that_wait(self):
        gate = clients.Gate(self.directory)
        with contextlib.ExitStack() as stack:
            daemon = stack.enter_context(harness.Daemon("-l", "tcp://127.0.0.1:0",
                                                        command=gate.path))
            socks = [stack.enter_context(clients.connect(daemon.address("tcp")))]
            gate.wait_started()
            socks += [stack.enter_context(clients.connect(daemon.address("tcp")))
                      for _ in range(64)]
            harness.wait_for(lambda: clients.state(daemon)["tcp"]["requests"] == len(socks),
                             what="all to wait")
            gate.open()
            for sock in socks:
                self.assertEqual(clients.read_to_end(sock), b"up\n")
            self.assertEqual(clients.state(daemon)["runs"], {"ok": 2, "failed": 0})

    def test_with_many_workers(self):
        with self.daemon("-w", 16) as daemon:
            counts, _ = self.expect_fresh(daemon)
            for each in counts:
                self.assertEqual((each["stale"], each["reused"]), (0, 0))

    def test_max_age_reuses_but_never_what_is_older(self):
        with self.daemon("--max-age=20ms") as daemon:
            counts, runs = self.expect_fresh(daemon, "-a", 20)
            self.assertGreater(sum(each["reused"] for each in counts), REPLIES / 10)
            self.assertEqual(sum(each["stale"] for each in counts), 0)
            self.assertEqual(clients.state(daemon)["runs"], {"ok": runs, "failed": 0})

    def test_max_age_of_a_single_client(self):
        with self.daemon("--max-age=1h") as daemon:
            first = clients.ask_stream(daemon.address("tcp"))
            for _ in range(10):
                self.assertEqual(clients.ask_stream(daemon.address("tcp")), first)
                self.assertEqual(clients.ask_datagram(daemon.address("udp")), first)
            self.assertEqual(self.command.runs, 1)

    def test_a_single_client_has_a_run_for_each_request(self):
        with self.daemon() as daemon:
            stamps = [int(clients.ask_stream(daemon.address("tcp"))) for _ in range(50)]
            self.assertEqual(sorted(set(stamps)), stamps)
            self.assertEqual(self.command.runs, 50)


class BenchSettings(unittest.TestCase):
    """The promise holds wherever the benchmark measures."""

    limit_s = 400

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(harness.tempdir())

    def serve(self, *args, **options):
        return harness.Daemon("-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0", "-l",
                              "unix://" + os.path.join(self.directory, "socket"), *args,
                              **options)

    def expect_fresh_at_all_settings(self, daemon, judge, duration_s):
        for scheme in ("tcp", "udp", "unix"):
            answered = 0
            for in_flight in IN_FLIGHT:
                for generators in GENERATORS if in_flight > 1 else (1,):
                    with self.subTest(scheme=scheme, in_flight=in_flight, generators=generators):
                        loads = [clients.start_crowd(daemon.address(scheme), judge, "-n",
                                                     in_flight // generators, "-d", duration_s)
                                 for _ in range(generators)]
                        found = [clients.finish_crowd(load) for load in loads]
                        for counts in found:
                            # Datagrams may get lost on the way, which is no news about age. One
                            # of two generators may have had no CPU in so short a time.
                            clients.expect_all_answered(
                                self, counts, but=("timeout",) if scheme == "udp" else (), least=0)
                            self.assertEqual(counts["reused"], 0, counts)
                        fresh = sum(counts["ok"] for counts in found)
                        self.assertGreater(fresh, 0, found)
                        answered += fresh
            print("# %s: %d fresh answers" % (scheme, answered), flush=True)

    def test_command(self):
        command = clients.StampCommand(self.directory)
        with self.serve(command=command.path) as daemon:
            self.expect_fresh_at_all_settings(daemon, "-s", clients.seconds(0.1, 4))

    def test_line_of_uptime(self):
        """Its second is not older than the request's; only a change of second can tell."""
        done = harness.run([harness.program("ruptimed"), "-s", "procps", "-l", "tcp://::x"])
        for source in ("exec",) if "without libproc2" in done.stderr else ("exec", "procps"):
            with self.subTest(source=source), self.serve("-s", source) as daemon:
                self.expect_fresh_at_all_settings(daemon, "-u", clients.seconds(0.1, 4))

    def test_that_an_old_line_would_show(self):
        """The same crowds find lines that are given out again."""
        command = clients.StampCommand(self.directory)
        with self.serve("--max-age=1h", command=command.path) as daemon:
            clients.ask_stream(daemon.address("tcp"))
            for scheme in ("tcp", "udp", "unix"):
                counts = clients.crowd(daemon.address(scheme), "-s", "-n", 16, "-k", 100)
                self.assertEqual(counts["stale"], 100, counts)
        with self.serve("--max-age=1h") as daemon:
            second = int(time.time())
            clients.ask_stream(daemon.address("tcp"))
            # The line may be of the next second already.
            harness.wait_for(lambda: int(time.time()) > second + 1, what="another second")
            counts = clients.crowd(daemon.address("tcp"), "-u", "-n", 16, "-k", 100)
            self.assertEqual(counts["stale"], 100, counts)

    def test_message_queues(self):
        command = clients.StampCommand(self.directory)
        key, = self.stack.enter_context(local.keys())
        numbers = itertools.count(1)
        with harness.Daemon("-l", "msgq://%#x" % key, command=command.path):
            queues = xsi.msgget(key), xsi.msgget(key | xsi.REPLY_BIT)
            for in_flight in IN_FLIGHT:
                with self.subTest(in_flight=in_flight):
                    answered, stale = ask_queues(*queues, in_flight, numbers,
                                                 clients.seconds(0.1, 4))
                    print("# msgq, %d in flight: %d fresh answers" % (in_flight, answered),
                          flush=True)
                    self.assertEqual(stale, 0)


def ask_queues(requests, replies, in_flight, numbers, duration_s):
    """IN_FLIGHT requests at a time, as far as they have room, each with one of the NUMBERS, which
    never come again, for DURATION_S and until there is an answer; (answers, of these too old ones).

    A reply for which the queue has no room is lost, so then there are fewer in flight.
    """
    sent_ns, answered, stale = {}, 0, 0
    end, late = time.monotonic() + duration_s * harness.SLOW, harness.deadline(10)
    while time.monotonic() < end or not answered:
        if time.monotonic() > late:
            raise AssertionError("no answer from the queues")
        with contextlib.suppress(BlockingIOError):
            while len(sent_ns) < in_flight:
                number, now_ns = next(numbers), time.monotonic_ns()
                xsi.msgsnd(requests, 1, b"uptime %d" % number, xsi.IPC_NOWAIT)
                sent_ns[number] = now_ns
        before = answered
        with contextlib.suppress(OSError):
            while True:
                number, line = xsi.msgrcv(replies, 0, xsi.IPC_NOWAIT)
                if number in sent_ns: # else it is of the setting before
                    answered += 1
                    stale += int(line) < sent_ns.pop(number)
        if answered == before:
            harness.let_pass(0.0002)
    return answered, stale


if __name__ == "__main__":
    harness.main()
