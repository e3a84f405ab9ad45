# SPDX-License-Identifier: MIT
"""The promise: a line was measured after it was asked for, and one run serves many requests."""

import unittest

import clients
import harness

REPLIES = 20000


class Freshness(unittest.TestCase):
    limit_s = 120

    def setUp(self):
        context = harness.tempdir()
        directory = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.command = clients.StampCommand(directory)

    def daemon(self, *args):
        return harness.Daemon("-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0", *args,
                              command=self.command.path)

    def expect_fresh(self, daemon, *crowd_args):
        """20,000 replies over both transports at once, half of them each."""
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
            self.assertLess(runs, REPLIES / 8)
            self.assertEqual(clients.state(daemon)["runs"], {"ok": runs, "failed": 0})

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


if __name__ == "__main__":
    harness.main()
