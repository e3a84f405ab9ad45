# SPDX-License-Identifier: MIT
"""Clients that connect and neither read nor close, and garbage beside them: others are served."""

import json
import os
import resource
import subprocess
import unittest

import clients
import harness
import namespaces
from stalls import Stopwatch

SOURCES, SERVER, FIRST = "198.18.0.0/15", "198.18.0.1", "198.18.1.0"
CLIENTS = 15000 if clients.LONG else 2000
HOLD_S = clients.seconds(1, 10)
SPELL_S = clients.seconds(2, 60)
GARBAGE = 150000 if clients.LONG else 10000
RATE = 1000 if clients.LONG else 300
P99_MS = 50 if clients.LONG else 400


def stolen_s():
    """The time for which this machine would have run, but another had its CPUs."""
    with open("/proc/stat", encoding="ascii") as stat:
        return int(stat.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


def setUpModule():
    namespaces.enter()
    namespaces.any_address(SOURCES)


class Siege(unittest.TestCase):
    limit_s = 600

    def setUp(self):
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < CLIENTS + 100:
            self.skipTest("too few descriptors for %d clients" % CLIENTS)

    def flood(self, address, *args):
        """Start it, for as long as the siege may last."""
        flood = subprocess.Popen(
            [clients.fixture("flood"), "-d", str(SPELL_S + 2), *args, address],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(flood.stdout.close)
        self.addCleanup(flood.wait)
        self.addCleanup(flood.kill)
        return flood

    def besiege(self, daemon, sources, garbage):
        """Start what there is of a siege, and wait until all are there."""
        floods = [self.flood("tcp://%s:%d" % (SERVER, daemon.port("tcp")), "-n", str(CLIENTS),
                             "-h", str(HOLD_S * harness.SLOW), "-s", "%s,%d" % (FIRST, sources))]
        self.assertEqual(floods[0].stdout.readline(), "full\n")
        if garbage:
            floods.append(self.flood("udp://%s:%d" % (SERVER, daemon.port("udp")), "-b", "2",
                                     "-r", str(garbage / harness.SLOW)))
            self.assertEqual(floods[1].stdout.readline(), "full\n")
        return floods

    def serve_others(self, daemon):
        """What came of so many requests a second over the same listener."""
        done = harness.run(
            [harness.program("ruptime-bench"), "-J", "-r", str(int(RATE / harness.SLOW)),
             "--warmup=0", "-d", "%gs" % SPELL_S, "tcp://%s:%d" % (SERVER, daemon.port("tcp"))],
            timeout=SPELL_S + 60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def check(self, name, sources, garbage=0, *, per_source):
        with harness.Daemon("-l", "tcp://*:0", "-l", "udp://*:0", unprivileged=True) as daemon:
            floods = self.besiege(daemon, sources, garbage)
            stolen = -stolen_s()
            watch = Stopwatch()
            result = self.serve_others(daemon)
            standstill_s = watch.standstill_s
            stolen += stolen_s()
            counts, sent = [json.loads(flood.communicate(timeout=60 * harness.SLOW)[0])
                            for flood in floods] + [{"offered": 0}] * (not garbage)
            state = clients.state_at_rest(self, daemon, "tcp", 20)
            udp = clients.state_at_rest(self, daemon, "udp", 20) if garbage else {}
            with open("/proc/%d/status" % daemon.pid, encoding="ascii") as status:
                rss = [line.split()[1] for line in status if line.startswith("VmHWM")][0]
        latency = result["latency_us"]
        print("# %s: %d clients opened (line %d, reset %d, nothing %d), %d of garbage (%d seen); "
              "others: %d answered, p50 %.1f ms, p99 %.1f ms, max %.1f ms; RSS at most %s KiB; "
              "%.0f %% of the CPUs stolen, %.1f ms of standstill" %
              (name, counts["offered"], counts["line"], counts["reset"], counts["nothing"],
               sent["offered"], udp.get("malformed", 0), result["answered"],
               latency["p50"] / 1e3, latency["p99"] / 1e3, latency["max"] / 1e3, rss,
               100 * stolen / SPELL_S / os.cpu_count(), 1e3 * standstill_s),
              flush=True)
        self.assertGreater(counts["offered"], CLIENTS)
        self.assertEqual({name: result[name] for name in ("lost", "late", "bad", "duplicate")},
                         dict.fromkeys(("lost", "late", "bad", "duplicate"), 0), result)
        self.assertEqual(result["errors"], {})
        self.assertEqual(result["answered"], result["sent"])
        self.assertLess(latency["p99"] / 1e3, P99_MS * harness.SLOW + 1e3 * standstill_s)
        self.assertEqual(bool(state.get("max-per-source")), per_source, state)
        self.assertNotIn("max-connections", state)

    @unittest.skipUnless(clients.LONG, "in a short run the one beside garbage is enough")
    def test_from_many_addresses(self):
        self.check("from many", CLIENTS, per_source=False)

    def test_from_one_address(self):
        self.check("from one", 1, per_source=True)

    def test_from_many_addresses_beside_garbage(self):
        self.check("from many, beside garbage", CLIENTS, GARBAGE, per_source=False)


if __name__ == "__main__":
    harness.main()
