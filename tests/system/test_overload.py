# SPDX-License-Identifier: MIT
"""More requests than can be answered, over five transports at once: it goes on answering as ever.

A flood has to be paid for by who sends it, and on one machine that costs more than to answer. So
the server has a part of one CPU, beside a process that would like all of it, and the clients have
the other CPUs. What it does with its part at its best is measured before and after each flood, by a
closed loop over all transports, with the same company.

Answers over one transport cost more than over another, and a flood has another mixture of them than
its neighbours, so they are not simply added up: each counts for the CPU time that it takes when its
transport is the only one. How much of that comes out of a second of the server's CPU time is its
yield, which a flood must not lower.
"""

import contextlib
import json
import os
import re
import subprocess
import time
import unittest

import clients
import harness
import local_clients as local
from stalls import Stopwatch, undisturbed

SCHEMES = ("tcp", "udp", "unix", "unix-dgram", "msgq")
STREAMS = ("tcp", "unix")
IN_FLIGHT = 64
PRICE_S = clients.seconds(0.3, 1)
PRICE_ROUNDS = 5 if clients.LONG else 1
PEAK_S = clients.seconds(0.7, 10)
FLOOD_S = clients.seconds(2, 60)
# Until a crowd is there.
START_S = clients.seconds(0.2, 1)
CALM_S = clients.seconds(0.5, 5)

# So that clients that are measured do not wait for those that flood.
FLOOD_NICE = 19

# Clients of streams that stay until then have given up; as many as one process has descriptors for.
PATIENCE_S = 0.25
CLIENTS_MAX = 12000

# Those that are measured beside it, over each transport in a second. Over UDP the kernel drops most
# of them, so that it takes more to know their share.
PROBE_RATE = {"tcp": 50, "udp": 250, "unix": 50, "unix-dgram": 50, "msgq": 50}
# The kernel repeats a handshake that it could not deliver after a second: those count as lost.
PROBE_TIMEOUT = "900ms"

# What holds, see doc/reliability.md. A short run beside other work says no more than that
# nothing collapses.
LEAST_YIELD = 0.85 if clients.LONG else 0.5
GROWTH = 1.1
CALM_MS = 50 if clients.LONG else 300
P99_MS = 250 if clients.LONG else 900
# How many of them are answered. Over UDP the kernel drops what a socket has no room for, and knows
# no client: each fares as the flood does, whose demand alone decides how well. Over TCP it drops
# handshakes once a backlog is full, and to serve a full one may take longer than clients wait: then
# nothing can be said. Over the others a client waits for room.
LEAST_ANSWERED = 0.1
LEAST_OF_FLOOD = 0.5
# Less would be no flood.
LEAST_DEMAND = 3

# With one other process on its CPU it has half of it, unless this machine has more to do.
LEAST_SHARE = 0.45


def placed(cpus, nice=0):
    """For preexec_fn."""
    def place():
        os.sched_setaffinity(0, cpus)
        os.nice(nice)
    return place


def status_kib(pid, name):
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        return int(re.search(r"^%s:\s+(\d+)" % name, status.read(), re.MULTILINE)[1])


def backlog_overflows():
    """Handshakes for which there was no room in any backlog of this machine."""
    with open("/proc/net/netstat", encoding="ascii") as netstat:
        names, values = [line.split() for line in netstat if line.startswith("TcpExt:")]
    return int(dict(zip(names, values))["ListenOverflows"])


def p99_ms(result):
    return result["latency_us"]["p99"] / 1e3 if result["answered"] else float("inf")


class Moment:
    """What the server has done until now."""

    def __init__(self, daemon):
        self.state = clients.state(daemon)
        self.at_s = time.monotonic()
        # The CPU time of all its threads, see clock_getcpuclockid(3).
        self.cpu_s = time.clock_gettime(~daemon.pid << 3 | 2)

    def counted(self, scheme, name):
        return self.state.get(scheme, {}).get(name, 0)


class Span:
    """What it did between two moments."""

    def __init__(self, start, end):
        self._start, self._end = start, end
        self.took_s = end.at_s - start.at_s
        self.cpu_s = end.cpu_s - start.cpu_s
        self.replies = {scheme: self.counted(scheme, "replies") for scheme in SCHEMES}

    def counted(self, scheme, name):
        return self._end.counted(scheme, name) - self._start.counted(scheme, name)

    def dropped(self, scheme):
        """By reason."""
        counters = ("requests", "replies", "dropped", "waiting")
        return {name: self.counted(scheme, name) for name in self._end.state.get(scheme, {})
                if name not in counters and self.counted(scheme, name)}

    def rate(self, scheme):
        return self.replies[scheme] / self.took_s

    def yielded(self, prices):
        """The CPU time that its answers take at best, for each second that they took."""
        return sum(self.replies[scheme] * prices[scheme] for scheme in SCHEMES) / self.cpu_s

    def __str__(self):
        return "%s; %.0f %% of a CPU" % (
            ", ".join("%s %d/s" % (scheme, self.rate(scheme)) for scheme in SCHEMES
                      if self.replies[scheme]), 100 * self.cpu_s / self.took_s)


class Overload(unittest.TestCase):
    limit_s = 600

    def setUp(self):
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            self.skipTest("one CPU is not enough for a server and a flood")
        self.theirs = set(cpus[1:])
        if harness.run([harness.program("ruptimed"), "--check-config",
                        "--source=procps"]).returncode != 0:
            self.skipTest("this program is built without libproc2")
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        directory = stack.enter_context(harness.tempdir())
        key = stack.enter_context(local.keys(1))[0]
        urls = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "msgq://%#x" % key]
        urls += ["%s://%s/%s" % (scheme, directory, scheme) for scheme in ("unix", "unix-dgram")]
        self.daemon = stack.enter_context(harness.Daemon(
            *[arg for url in urls for arg in ("-l", url)], "--source=procps",
            preexec_fn=placed(set(cpus[:1]))))
        self.addresses = {scheme: self.daemon.address(scheme) for scheme in SCHEMES}
        # Its company, which ends with us, whatever happens.
        self.start(["sh", "-c", "while kill -0 $PPID; do :; done"], set(cpus[:1]))

    def start(self, argv, cpus, nice=0):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True,
                                   preexec_fn=placed(cpus, nice))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def start_bench(self, scheme, duration_s, *args):
        return self.start([harness.program("ruptime-bench"), "-J", "--warmup=0", "-d",
                           "%gs" % duration_s, *args, self.addresses[scheme]], self.theirs)

    def start_crowd(self, scheme, duration_s, in_flight):
        return self.start_bench(scheme, duration_s, "-c", str(in_flight), "--timeout=500ms")

    def span(self, duration_s):
        start = Moment(self.daemon)
        harness.let_pass(duration_s)
        return Span(start, Moment(self.daemon))

    def busy(self, schemes, duration_s):
        """What it does while over each of SCHEMES so many ask, each again once it is answered."""
        span = undisturbed(lambda: self.busy_once(schemes, duration_s),
                           lambda span: all(span.replies[scheme] for scheme in schemes))
        for scheme in schemes:
            self.assertGreater(span.replies[scheme], 0, scheme)
        return span

    def busy_once(self, schemes, duration_s):
        crowds = [self.start_crowd(scheme, duration_s + 2 * START_S, IN_FLIGHT)
                  for scheme in schemes]
        harness.let_pass(START_S)
        span = self.span(duration_s)
        for crowd in crowds:
            crowd.communicate()
        return span

    def prices(self):
        """The server's CPU time for an answer over each transport, if that is all it does: the
        median of rounds, because they have to be true to each other and the machine is not."""
        spans = {scheme: [] for scheme in SCHEMES}
        for _ in range(PRICE_ROUNDS):
            for scheme in SCHEMES:
                spans[scheme].append(self.busy([scheme], PRICE_S))
        prices = {}
        for scheme in SCHEMES:
            found = sorted(span.cpu_s / span.replies[scheme] for span in spans[scheme])
            prices[scheme] = found[PRICE_ROUNDS // 2]
            print("# alone: %s, %.1f us each (%.1f to %.1f)" %
                  (spans[scheme][0], 1e6 * prices[scheme], 1e6 * found[0], 1e6 * found[-1]),
                  flush=True)
        return prices

    def peak(self, prices):
        span = self.busy(SCHEMES, PEAK_S)
        print("# peak: %s; yield %.2f; RSS %d KiB" %
              (span, span.yielded(prices), status_kib(self.daemon.pid, "VmRSS")), flush=True)
        return span

    def start_flood(self, scheme, rate):
        args = ["-d", "%g" % (FLOOD_S + 1)]
        if scheme in STREAMS:
            count = max(1, int(min(CLIENTS_MAX, rate * PATIENCE_S)))
            args += ["-n", str(count), "-h", "%g" % (count / rate)]
        else:
            args += ["-r", "%g" % rate]
        if scheme == "tcp":
            # From many addresses, so that ports do not run out.
            args += ["-s", "127.1.0.1,60000"]
        return self.start([clients.fixture("flood"), *args, self.addresses[scheme]], self.theirs,
                          FLOOD_NICE)

    def probe(self, duration_s, *args):
        """Start clients that come now and then, over each transport."""
        return {scheme: self.start_bench(scheme, duration_s, "-r", str(PROBE_RATE[scheme]),
                                         "--timeout=" + PROBE_TIMEOUT, *args)
                for scheme in SCHEMES}

    def finish(self, processes):
        """Their results, by transport."""
        results = {}
        for scheme, process in processes.items():
            # Not communicate(): that knows nothing of what has been read ahead of a line.
            results[scheme] = json.loads(process.stdout.read())
        return results

    def latency(self, name):
        """The p99 of clients that come now and then when no other comes, by transport."""
        found = {scheme: p99_ms(result)
                 for scheme, result in self.finish(self.probe(CALM_S)).items()}
        print("# %s: p99 %s ms" % (name, ", ".join("%s %.1f" % each for each in found.items())),
              flush=True)
        return found

    def flood(self, times, peak, prices):
        """Ask for so many TIMES of what PEAK answered. Returns its span, and what others got."""
        overflows = backlog_overflows()
        floods = {}
        # The clients of streams take a while until all are there, the others none.
        for some in (STREAMS, [scheme for scheme in SCHEMES if scheme not in STREAMS]):
            for scheme in some:
                floods[scheme] = self.start_flood(scheme, times * peak.rate(scheme))
            for scheme in some:
                self.assertEqual(floods[scheme].stdout.readline(), "full\n")
        probes = self.probe(FLOOD_S)
        span = self.span(FLOOD_S)
        counts, others = self.finish(floods), self.finish(probes)
        self.turned_away = backlog_overflows() - overflows
        asked = {scheme: each["offered"] / each["seconds"] for scheme, each in counts.items()}
        print("# %d times: %s; yield %.2f; backlogs overflowed %d times" %
              (times, span, span.yielded(prices), self.turned_away))
        for scheme, each in counts.items():
            print("#   %s: %d/s asked, %.1f times the peak, %d/s refused by the kernel, %d/s "
                  "answered, dropped %s; others: %d of %d answered, p99 %.1f ms" %
                  (scheme, asked[scheme], asked[scheme] / peak.rate(scheme),
                   each["refused"] / each["seconds"], span.rate(scheme), span.dropped(scheme),
                   others[scheme]["answered"], others[scheme]["sent"], p99_ms(others[scheme])),
                  flush=True)
        self.demand = sum(asked[scheme] * prices[scheme] for scheme in SCHEMES) * \
            span.took_s / span.cpu_s
        self.answered = min(1, span.rate("udp") / asked["udp"])
        print("#   in all %.1f times what it can answer; over UDP %.3f of it answered" %
              (self.demand, self.answered), flush=True)
        return span, others

    def fill(self):
        """Let the queue be full once: memory that was never used does not count as used."""
        crowds = [self.start_crowd(scheme, START_S, 4096) for scheme in ("tcp", "udp", "msgq")]
        for crowd in crowds:
            crowd.communicate()

    def expect_share(self, span, what):
        if span.cpu_s < LEAST_SHARE * span.took_s:
            self.skipTest("too busy a machine: the server had %.0f %% of a CPU %s" %
                          (100 * span.cpu_s / span.took_s, what))

    def judge_others(self, scheme, result, standstill_ms):
        """Clients that asked now and then beside the flood."""
        if scheme == "tcp" and self.turned_away:
            return
        least = LEAST_OF_FLOOD * self.answered if scheme == "udp" else LEAST_ANSWERED
        self.assertGreater(result["answered"], least * result["sent"], scheme)
        self.assertLess(p99_ms(result), P99_MS * harness.SLOW + standstill_ms, scheme)

    def check(self, times):
        self.fill()
        before = self.latency("before")
        prices = self.prices()
        peak = self.peak(prices)
        self.expect_share(peak, "at its peak")
        rss_kib = status_kib(self.daemon.pid, "VmRSS")
        watch = Stopwatch()
        span, others = self.flood(times, peak, prices)
        self.expect_share(span, "in the flood")
        harness.let_pass(1)
        after = self.latency("a second after")
        standstill_ms = 1e3 * watch.standstill_s
        again = self.peak(prices)
        ledgers = clients.ledgers_at_rest(self, self.daemon, SCHEMES, 20)
        hwm_kib = status_kib(self.daemon.pid, "VmHWM")
        part = 2 * span.yielded(prices) / (peak.yielded(prices) + again.yielded(prices))
        print("# yield %.2f of what it was before and after; RSS %d KiB before, %d at most; %s" %
              (part, rss_kib, hwm_kib, ", ".join(
                  "%s %d requests, %d replies" % (scheme, each["requests"], each["replies"])
                  for scheme, each in ledgers.items())), flush=True)
        self.assertGreater(self.demand, LEAST_DEMAND)
        self.assertGreater(part, LEAST_YIELD / harness.SLOW)
        for scheme in SCHEMES:
            self.judge_others(scheme, others[scheme], standstill_ms)
            self.assertLess(after[scheme], max(CALM_MS * harness.SLOW, 2 * before[scheme]) +
                            standstill_ms, scheme)
        # Sanitizers keep what was freed.
        if harness.SLOW == 1:
            self.assertLess(hwm_kib, GROWTH * rss_kib)

    @unittest.skipUnless(clients.LONG, "in a short run more times than that are enough")
    def test_ten_times(self):
        self.check(10)

    def test_fifty_times(self):
        self.check(50)


if __name__ == "__main__":
    harness.main()
