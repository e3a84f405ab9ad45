# SPDX-License-Identifier: MIT
"""What asking many hosts costs, beside a bare loop that does nothing else: make bench-fleet.

The hosts are addresses of 127.0.0.0/8, one program answers for all of them. Bare loop and ruptime
take turns; the best round of each counts, as what others do on the machine only adds to it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

import harness  # noqa: E402
from manyhosts import ManyHosts  # noqa: E402

LINE = " 12:34:56 up 3 days,  4:05,  2 users,  load average: 0.01, 0.02, 0.05\n"
BARE = os.path.join(harness.BUILD_DIR, "tests", "fixtures", "bare_fleet")


def ask(many, count, *args):
    """(seconds, seconds of CPU, bytes of memory at most) of one run of ruptime."""
    with tempfile.NamedTemporaryFile("w", suffix=".hosts") as hosts:
        hosts.writelines(many.host(i) + "\n" for i in range(count))
        hosts.flush()
        begun = time.monotonic()
        process = subprocess.Popen([harness.program("ruptime"), "-q", "-f", hosts.name, *args],
                                   stdout=subprocess.DEVNULL)
        _pid, _status, used = os.wait4(process.pid, 0)
        process.returncode = 0
        took = time.monotonic() - begun
    return took, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def bare(many, count, scheme):
    done = subprocess.run([BARE, scheme, many.port, str(count)], capture_output=True, text=True,
                          check=True)
    answered, took = done.stdout.split()
    assert int(answered) == count, "the bare loop has lost %d" % (count - int(answered))
    return float(took)


def row(what, took, cpu, memory, beside=""):
    print("| %s | %.2f s | %.2f s | %.1f MiB | %s |" % (what, took, cpu, memory / 2**20, beside))


def compare(count, rounds):
    with ManyHosts(LINE) as many:
        for scheme in ("udp", "tcp"):
            least = min(bare(many, count, scheme) for _ in range(rounds))
            ours = min(ask(many, count, "--" + scheme) for _ in range(rounds))
            row("%d over %s" % (count, scheme.upper()), *ours,
                "%.2f times the bare loop's %.2f s" % (ours[0] / least, least))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--output", help="ignored")
    options = parser.parse_args()
    print("| hosts | time | CPU | memory | |\n|---|---|---|---|---|")
    compare(10000, options.rounds)
    bad = {"dead": 10, "drip": 5, "garbage": 5}
    with ManyHosts(LINE, **bad) as many:
        for scheme in ("udp", "tcp"):
            row("10000 over %s, a fifth of them bad" % scheme.upper(),
                *min(ask(many, 10000, "--" + scheme, "--tries=1") for _ in range(3)),
                "one try of 2 s")
    with ManyHosts(LINE) as many:
        for scheme in ("udp", "tcp"):
            row("100000 over " + scheme.upper(), *ask(many, 100000, "--" + scheme))
    with ManyHosts(LINE, lost=10, doubled=10, late=20, forged=20) as many:
        row("100000 over UDP, bad network", *ask(many, 100000, "--udp"),
            "10 % lost each way, 10 % doubled, 20 % late, 20 % forged")


if __name__ == "__main__":
    main()
