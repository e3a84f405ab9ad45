# SPDX-License-Identifier: MIT
"""A server whose law is known (odd_server --service), and what queueing theory says of it.

One server, first come, first served, Poisson arrivals. Closed forms: Kleinrock, "Queueing Systems",
volume 1, 1975, for M/M/1 and M/M/1/K; Erlang 1909 for the waiting time of M/D/1. What a run of N
requests may show is spread around them: the band comes from as many runs of the law itself."""

import collections
import decimal
import math
import random

import oddserver

FIXED, EXPONENTIAL = "fixed", "exponential"

Record = collections.namedtuple("Record", "served refused mean p50 p90 p99 p999")


class Server(oddserver.OddServer):
    """Within a with block; the record of what truly happened is there afterwards. Times in us."""

    def __init__(self, address, service_us, law, *options):
        super().__init__(address, "--service=%dus" % service_us, "--law=" + law, *options)
        self.record = None

    def __exit__(self, *exception):
        self._process.terminate()
        words = self._process.stdout.read().split()
        super().__exit__(*exception)
        if words[:1] == ["served"]:
            self.record = Record(int(words[1]), int(words[3]), *map(float, words[4:]))


def quantile(ordered, share):
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def sojourns_us(law, service_us, load, count, rng):
    """How long COUNT requests stay at LOAD, a share of the capacity; the system begins empty."""
    now = free = 0.0
    found = []
    for _ in range(count):
        now += rng.expovariate(load / service_us)
        free = max(now, free) + (service_us if law == FIXED else rng.expovariate(1 / service_us))
        found.append(free - now)
    return found


def band(law, service_us, load, count, share, runs=200, seed=1):
    """Between what quantiles SHARE of a run of COUNT requests lie, in 99.5 of 100 runs."""
    rng = random.Random(seed)
    found = sorted(quantile(sorted(sojourns_us(law, service_us, load, count, rng)), share)
                   for _ in range(runs))
    # The outermost of 200, and a little: they are 99 of 100.
    return found[0] * 0.98, found[-1] * 1.02


def mean_us(law, service_us, load):
    """Pollaczek and Khinchine: of the time in the system, in the long run."""
    factor = 0.5 if law == FIXED else 1
    return service_us * (1 + factor * load / (1 - load))


def quantile_us(law, service_us, load, share):
    """The quantile of the time in the system, in the long run."""
    if law == EXPONENTIAL:
        return service_us * -math.log(1 - share) / (1 - load)
    low, high = 0.0, 200.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _erlang(load, middle) < share else (low, middle)
    return service_us * (1 + high)


def _erlang(load, time):
    """P(wait <= TIME) in M/D/1, TIME in services. The terms alternate and cancel: many digits."""
    with decimal.localcontext() as context:
        context.prec = 120
        load, time = decimal.Decimal(load), decimal.Decimal(time)
        total = decimal.Decimal(0)
        for j in range(int(time) + 1):
            total += (load * (j - time)) ** j / math.factorial(j) * (load * (time - j)).exp()
        return float((1 - load) * total)


def lost_share(load, room):
    """M/M/1/K: the share of arrivals that find K = ROOM in the system."""
    if load == 1:
        return 1 / (room + 1)
    return (1 - load) * load ** room / (1 - load ** (room + 1))
