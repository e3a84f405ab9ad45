# SPDX-License-Identifier: MIT
"""A flood over one transport leaves all the others answering: each against each."""

import contextlib
import os
import signal
import subprocess
import time
import unittest

import clients
import harness
import local_clients as local
from stalls import Stopwatch

SCHEMES = ("tcp", "udp", *local.TYPES, "msgq")
FLOOD_S = clients.seconds(1, 10)
# A machine that runs other tests, too, is slow at times; no client may be shut out.
WORST_S = 0.25 if clients.LONG else 1.5
RUN_S = 0.2
TRIES = 2 if clients.LONG else 3


class Fairness(unittest.TestCase):
    limit_s = 400

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(harness.tempdir())
        self.key = self.stack.enter_context(local.keys(1))[0]

    def path(self, scheme):
        return os.path.join(self.directory, scheme)

    def daemon(self, *args):
        urls = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "msgq://%#x" % self.key]
        urls += ["%s://%s" % (scheme, self.path(scheme)) for scheme in local.TYPES]
        return harness.Daemon(*[arg for url in urls for arg in ("-l", url)], *args)

    def ask(self, daemon, scheme):
        if scheme == "tcp":
            self.assertRegex(clients.ask_stream(daemon.address(scheme)), clients.UPTIME_LINE)
        elif scheme == "udp":
            self.assertRegex(clients.ask_datagram(daemon.address(scheme)), clients.UPTIME_LINE)
        elif scheme == "msgq":
            local.ask_msgq(self.key)
        elif scheme == "fdpass":
            local.ask_fdpass(self.path(scheme))
        else:
            local.ask(scheme, self.path(scheme))

    @contextlib.contextmanager
    def flood(self, address, in_flight):
        flood = subprocess.Popen(
            [harness.program("ruptime-bench"), "-c", str(in_flight), "--warmup=0", "-d", "10m",
             address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
            self.assertIsNone(flood.poll(), "the flood has ebbed away")
            # It waits for its last answers, so that nothing of it is left for others.
            flood.send_signal(signal.SIGINT)
            flood.wait(30 * harness.SLOW)
        finally:
            flood.kill()
            flood.wait()

    def probe(self, daemon, flooded, rounds, at_end=lambda: None):
        """Ask over all other transports, ROUNDS times at least, while FLOODED is. Returns the times
        by transport. AT_END is called before the flood goes."""
        took = {scheme: [] for scheme in SCHEMES if scheme != flooded}
        # What one process can have in flight: UNIX datagrams wait in their socket's short queue.
        with self.flood(daemon.address(flooded), 1000):
            end, done = time.monotonic() + FLOOD_S, 0
            while done < rounds or time.monotonic() < end:
                done += 1
                for scheme, times in took.items():
                    watch = Stopwatch()
                    self.ask(daemon, scheme)
                    times.append(watch.ran_s)
            at_end()
        return took

    def test_each_against_each(self):
        with self.daemon("-q", "256") as daemon:
            for flooded in SCHEMES:
                before = clients.state(daemon).get(flooded, {}).get("requests", 0)
                took = self.probe(daemon, flooded, TRIES, lambda: harness.wait_for(
                    lambda: clients.state(daemon).get(flooded, {}).get("requests", 0) >
                    before + 500, what="a flood"))
                for scheme, times in took.items():
                    times.sort()
                    print("# %s under a flood over %s: %d asked, median %.1f ms, worst %.1f ms" %
                          (scheme, flooded, len(times), 1e3 * times[len(times) // 2],
                           1e3 * times[-1]), flush=True)
                    self.assertLess(times[-1], WORST_S * harness.SLOW, (flooded, scheme))
            for scheme in SCHEMES:
                clients.state_at_rest(self, daemon, scheme)

    def test_a_slow_command(self):
        """Pools that are always empty: each run serves as many as they hold, and all transports."""
        for flooded in ("tcp", "unix", "udp", "msgq"):
            command = harness.fake_command(self.directory, "sleep %g; exec uptime" % RUN_S)
            with self.daemon("-q", "16", "--command=" + command) as daemon:
                # Those that are left in a backlog in the end need not wait so long.
                took = self.probe(daemon, flooded, 1, lambda: harness.fake_command(
                    self.directory, "exec uptime"))
            for scheme, times in took.items():
                # The run under way, its own, and some for the turns of others.
                self.assertLess(max(times), (5 * RUN_S + 0.5) * harness.SLOW,
                                (flooded, scheme))


if __name__ == "__main__":
    harness.main()
