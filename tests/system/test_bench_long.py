# SPDX-License-Identifier: MIT
"""What needs many repeats to be known of ruptime-bench: make check-long, on a quiet machine."""

import concurrent.futures
import statistics
import unittest

import harness
import law
from clients import LONG
from oddserver import OddServer, addresses, bench, fixture

TRIES = 20

# Servers that sleep for the most of a service leave the CPUs to so many runs at a time.
AT_A_TIME = 10
SERVICE_US = 5000
TWENTIETH_SLOWER_US = SERVICE_US + SERVICE_US // 20
SEARCH_US = 2000


def repeat(times, attempt):
    """The results of ATTEMPT, made so many TIMES."""
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(lambda _: attempt(), range(times)))


@unittest.skipUnless(LONG, "make check-long runs it")
class Verdicts(unittest.TestCase):
    """Of servers that differ by nothing, and by a twentieth, measured for as long as usual."""

    limit_s = 1500

    def verdict(self, kind, b_us):
        a, b = "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"
        with law.Server(a, SERVICE_US, kind) as a, law.Server(b, b_us, kind) as b:
            return bench("-c", "4", "--vs=" + b.address, a.address, timeout=120)[1]["vs"]["verdict"]

    def test_same(self):
        for kind in (law.FIXED, law.EXPONENTIAL):
            with self.subTest(law=kind):
                verdicts = repeat(100, lambda kind=kind: self.verdict(kind, SERVICE_US))
                print("# %s: %d of 100 found no difference" %
                      (kind, verdicts.count("no difference")), flush=True)
                self.assertGreaterEqual(verdicts.count("no difference"), 99, verdicts)

    def test_a_twentieth_slower(self):
        verdicts = repeat(TRIES, lambda: self.verdict(law.FIXED, TWENTIETH_SLOWER_US))
        self.assertGreaterEqual(verdicts.count("slower"), TRIES - 1, verdicts)


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
    limit_s = 1200

    def rate(self, address):
        with law.Server(address, SEARCH_US, law.FIXED) as server:
            return bench("--find-max=p99<200ms", server.address,
                         timeout=300)[1]["find_max"]["rate_rps"]

    def test_find_max_comes_near_the_capacity(self):
        capacity_rps = 1e6 / SEARCH_US
        for number, scheme in enumerate(address.split(":")[0] for address in addresses("/")):
            with self.subTest(scheme=scheme):
                def attempt(number=number):
                    with harness.tempdir() as directory:
                        return self.rate(addresses(directory)[number])

                rates = sorted(repeat(TRIES, attempt))
                print("# %s: %.1f to %.1f" % (scheme, rates[0], rates[-1]), flush=True)
                near = [rate for rate in rates if abs(rate / capacity_rps - 1) <= 0.03]
                self.assertGreaterEqual(len(near), TRIES - 1, rates)


if __name__ == "__main__":
    harness.main()
