# SPDX-License-Identifier: MIT
"""ruptime asks over a wire that loses, doubles, delays and forges: all answer, each counts once."""

import collections
import json
import os
import unittest

import harness
import namespaces
from badwire import BadWire
from fakes import LINE
from manyhosts import ManyHosts, need_json

RUPTIME = harness.program("ruptime")
SEED = int(os.environ.get("RUPTIME_TEST_SEED") or 1)
IS_LONG = bool(os.environ.get("RUPTIME_TEST_LONG"))
NETWORK = 10


def setUpModule():
    need_json()
    namespaces.enter()


class BadNetwork(unittest.TestCase):
    limit_s = 300

    def rows(self, count, *args):
        with BadWire(SEED, lost=10, doubled=10, late=20, forged=20) as wire:
            with wire.there():
                many = ManyHosts(LINE)
                many.__enter__()
            try:
                hosts = [many.host(i, NETWORK) for i in range(count)]
                done = harness.run([RUPTIME, "-J", "-f", "-", *args], timeout=200,
                                   input="".join(host + "\n" for host in hosts))
            finally:
                many.__exit__()
        rows = [json.loads(text) for text in done.stdout.splitlines()]
        self.assertEqual(sorted(row["target"] for row in rows), sorted(hosts))
        return rows

    def check_answers(self, rows, least):
        lines = [row["line"] for row in rows if row["status"] == "up"]
        self.assertEqual(set(lines), {LINE.rstrip("\n")}, "seed %d" % SEED)
        print("# %d of %d answered, %s tries" % (
            len(lines), len(rows), dict(collections.Counter(row["tries"] for row in rows))))
        self.assertGreaterEqual(len(lines), least * len(rows), "seed %d" % SEED)

    def test_over_udp(self):
        self.check_answers(self.rows(100000 if IS_LONG else 1000, "--udp"), 0.9999)

    @unittest.skipUnless(IS_LONG, "a part of make check-long")
    def test_over_tcp(self):
        """What is lost, the kernel repeats after a second, and then after two."""
        self.check_answers(self.rows(10000, "--tcp", "--timeout=4s", "--tries=6"), 0.9999)

    def test_counts(self):
        """An answer that comes twice, or in a later round, is that of its own round alone."""
        rounds = 10 if IS_LONG else 3
        rows = self.rows(1000 if IS_LONG else 100, "--udp", "-c", str(rounds), "--timeout=1s")
        self.assertEqual({row["sent"] for row in rows}, {rounds})
        self.assertLessEqual(max(row["answered"] for row in rows), rounds)
        # One in ten requests is lost; of the others, one in ten comes twice and is answered twice;
        # one in ten answers is lost. Beside the first requests goes the one byte that old servers
        # know, until an answer shows that it is needless.
        once, known, expected = 0.9 * (0.9 * 0.9 + 0.1 * 0.99), 0, 0
        for _ in range(rounds):
            expected += (known * once + (1 - known) * (1 - (1 - once) ** 2)) / rounds
            known += (1 - known) * once
        share = sum(row["answered"] for row in rows) / (rounds * len(rows))
        print("# %.3f of the requests answered, %.3f expected" % (share, expected))
        self.assertLess(abs(share - expected), 0.02 if IS_LONG else 0.1)


if __name__ == "__main__":
    harness.main()
