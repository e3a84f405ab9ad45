# SPDX-License-Identifier: MIT
"""What needs many repeats to be known of ruptime-bench: make check-long, on a quiet machine."""

import statistics
import unittest

import harness
from clients import LONG
from oddserver import OddServer, bench, fixture

TRIES = 20


@unittest.skipUnless(LONG, "make check-long runs it")
class Comparison(unittest.TestCase):
    """Twenty comparisons; one of them may be wrong."""

    limit_s = 600

    def verdicts(self, *b_options):
        with OddServer("tcp://127.0.0.1:0", "--busy=200us") as a, \
                OddServer("tcp://127.0.0.1:0", *b_options) as b:
            return [bench("-c", "4", "-d", "5s", "--warmup=100ms", "--vs=" + b.address,
                          a.address)[1]["vs"]["verdict"] for _ in range(TRIES)]

    def test_same(self):
        verdicts = self.verdicts("--busy=200us")
        self.assertGreaterEqual(verdicts.count("no difference"), TRIES - 1, verdicts)

    def test_a_fifth_slower(self):
        # The busy time is most of what an answer costs here; 60 us make it a fifth of the whole.
        verdicts = self.verdicts("--busy=260us")
        self.assertGreaterEqual(verdicts.count("slower"), TRIES - 1, verdicts)


@unittest.skipUnless(LONG, "make check-long runs it")
class Agreement(unittest.TestCase):
    """As fast as the server goes, a simple loop and the bench agree within 15 %."""

    limit_s = 300

    def test_agreement(self):
        with harness.tempdir() as directory:
            for address in ("tcp://127.0.0.1:0", "udp://127.0.0.1:0", "unix://%s/u" % directory):
                with self.subTest(address=address), OddServer(address, "--busy=200us") as server:
                    ratios = []
                    for _ in range(9):
                        loop = harness.run([fixture("bare_loop"), server.address, "1", "4"])
                        _, got = bench("-c", "4", "-d", "1s", "--warmup=100ms", server.address)
                        ratios.append(got["throughput_rps"] / float(loop.stdout.split()[0]))
                    self.assertAlmostEqual(statistics.median(ratios), 1, delta=0.15)


@unittest.skipUnless(LONG, "make check-long runs it")
class Search(unittest.TestCase):
    limit_s = 600

    def test_find_max_comes_near_the_capacity(self):
        with OddServer("tcp://127.0.0.1:0", "--busy=1ms") as server:
            rates = [bench("--find-max=p99<50ms", "-d", "1s", server.address,
                           timeout=300)[1]["find_max"]["rate_rps"] for _ in range(3)]
        self.assertTrue(600 < statistics.median(rates) < 1000, rates)


if __name__ == "__main__":
    harness.main()
