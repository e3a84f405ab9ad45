# SPDX-License-Identifier: MIT
"""What ruptime-bench says of a server whose law is known, over each transport, from little to more
than it can serve. The server says what truly happened; theory says what may happen."""

import concurrent.futures
import sys
import unittest

import clients
import harness
import law
from oddserver import addresses, bench
from stalls import undisturbed

SERVICE_US = 10000
CAPACITY_RPS = 1e6 / SERVICE_US
DURATION_S = 20 if clients.LONG else 3
LOADS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9) if clients.LONG else (0.3, 0.8)
OVERLOADS = (1.0, 1.2) if clients.LONG else (1.2,)
# From the due time to the server and back, on a machine that others use, too.
WIRE_US = 400
TOO_BUSY = "the machine is too busy to judge"

HEAD = ("transport", "law", "load", "answers/s", "true", "p50 ms", "true", "p99 ms", "true",
        "lost", "refused")


def measure(address, kind, load, *options):
    with law.Server(address, SERVICE_US, kind, *options) as server:
        _, got = bench("-r", "%d" % round(load * CAPACITY_RPS), "-d", "%ds" % DURATION_S,
                       "--warmup=0", "--timeout=%ds" % (DURATION_S + 10), server.address,
                       timeout=2 * DURATION_S + 60)
    return got, server.record


def faults(got, record, kind, load):
    """What is not as it truly was, or as the law allows; of a system without a bound."""
    found = []
    if not got["valid"]:
        return [TOO_BUSY]

    def expect(what, is_so):
        if not is_so:
            found.append("%s: %s %s" % (what, got, record))

    # Datagram servers are asked once or twice before, to learn what requests they know.
    asked_before = 3 if "dgram" in got["target"] or "udp" in got["target"] else 0
    expect("answered", got["answered"] == got["sent"] and got["lost"] == 0 and
           0 <= record.served - got["answered"] <= asked_before)
    for share, figure in ((0.5, "p50"), (0.99, "p99")):
        true = getattr(record, figure)
        expect(figure, abs(got["latency_us"][figure] - true) <= 0.03 * true + WIRE_US)
        if load < 1:
            low, high = law.band(kind, SERVICE_US, load, record.served, share)
            expect(figure + " by the law", low <= true <= high + WIRE_US)
    if load < 1:
        # Those that are in the system at the end are answered, but not in the window.
        left = 3 * load * law.mean_us(kind, SERVICE_US, load) / SERVICE_US
        answered = got["throughput_rps"] * DURATION_S
        expect("throughput", 0.99 * record.served - left <= answered <= 1.01 * record.served)
    return found


class Law(unittest.TestCase):
    limit_s = 3000

    def each_transport(self, attempt):
        """ATTEMPT (address, returning faults) on all transports at a time, until none has any."""
        with harness.tempdir() as directory, \
                concurrent.futures.ThreadPoolExecutor() as pool:
            left = dict.fromkeys(addresses(directory))

            def ask():
                for address, found in list(zip(left, pool.map(attempt, left))):
                    left[address] = found
                    if not found:
                        del left[address]
                return left

            if undisturbed(ask, lambda left: not left):
                if all(found == [TOO_BUSY] for found in left.values()):
                    self.skipTest(TOO_BUSY)
                self.fail("\n".join("%s: %s" % pair for pair in left.items()))

    def table(self, address, kind, load, got, record):
        row = (address.split(":")[0], kind, "%.1f" % load, "%.1f" % got["throughput_rps"],
               "%.1f" % (record.served / DURATION_S),
               "%.2f" % (got["latency_us"]["p50"] / 1e3), "%.2f" % (record.p50 / 1e3),
               "%.2f" % (got["latency_us"]["p99"] / 1e3), "%.2f" % (record.p99 / 1e3),
               str(got["lost"]), str(record.refused))
        print("# | " + " | ".join(row) + " |", flush=True)

    def test_waiting(self):
        print("# | " + " | ".join(HEAD) + " |")
        for kind in (law.FIXED, law.EXPONENTIAL):
            for load in LOADS:
                with self.subTest(law=kind, load=load):
                    def attempt(address, kind=kind, load=load):
                        got, record = measure(address, kind, load)
                        self.table(address, kind, load, got, record)
                        return faults(got, record, kind, load)

                    self.each_transport(attempt)

    def test_more_than_it_can(self):
        """Its capacity is all that is ever reported, and nothing is lost: it only takes longer."""
        for load in OVERLOADS:
            with self.subTest(load=load):
                def attempt(address, load=load):
                    got, record = measure(address, law.FIXED, load)
                    self.table(address, law.FIXED, load, got, record)
                    low = 0.97 if load > 1 else 0.85
                    found = faults(got, record, law.FIXED, load)
                    part = got["throughput_rps"] / CAPACITY_RPS
                    # A busy machine makes it less, and never more.
                    if part > 1.01 or (part < low and not found):
                        return ["throughput: %s" % got]
                    return found

                self.each_transport(attempt)

    def test_lost_is_what_was_refused(self):
        """A bounded system: over datagrams what finds it full is lost, exactly that."""
        with harness.tempdir() as directory:
            for address in ("udp://127.0.0.1:0", "unix-dgram://%s/d" % directory):
                with self.subTest(address=address), \
                        law.Server(address, SERVICE_US, law.EXPONENTIAL, "--room=4") as server:
                    _, got = bench("-r", "%d" % round(0.9 * CAPACITY_RPS),
                                   "-d", "%ds" % DURATION_S, "--warmup=0", "--timeout=1s",
                                   server.address, timeout=2 * DURATION_S + 60)
                self.assertEqual(got["lost"], server.record.refused, got)
                self.assertIn(server.record.served - got["answered"], range(4), got)
                share = server.record.refused / (server.record.refused + server.record.served)
                self.assertAlmostEqual(share, law.lost_share(0.9, 4),
                                       delta=0.03 if clients.LONG else 0.12)


if __name__ == "__main__":
    sys.exit(harness.main())
