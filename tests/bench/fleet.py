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
from manyhosts import ManyHosts, peak_bytes  # noqa: E402

LINE = " 12:34:56 up 3 days,  4:05,  2 users,  load average: 0.01, 0.02, 0.05\n"
BARE = os.path.join(harness.BUILD_DIR, "tests", "fixtures", "bare_fleet")


def ask(many, count, *args):
    """(seconds, seconds of CPU) of one run of ruptime."""
    with tempfile.NamedTemporaryFile("w", suffix=".hosts") as hosts:
        hosts.writelines(many.host(i) + "\n" for i in range(count))
        hosts.flush()
        begun = time.monotonic()
        process = subprocess.Popen([harness.program("ruptime"), "-q", "-f", hosts.name, *args],
                                   stdout=subprocess.DEVNULL)
        _pid, _status, used = os.wait4(process.pid, 0)
        process.returncode = 0
        took = time.monotonic() - begun
    return took, used.ru_utime + used.ru_stime


def memory(many, count, *args):
    """The most memory that one more run of ruptime has used; of a short one it cannot be seen."""
    if count < 1000:
        return ""
    return "%.1f MiB" % (peak_bytes([harness.program("ruptime"), "-q", "-f", "-", *args],
                                    "".join(many.host(i) + "\n" for i in range(count))) / 2**20)


def bare(many, count, scheme):
    done = subprocess.run([BARE, scheme, many.port, str(count)], capture_output=True, text=True,
                          check=True)
    answered, took = done.stdout.split()
    assert int(answered) == count, "the bare loop has lost %d" % (count - int(answered))
    return float(took)


def measure(many, what, count, rounds, *args):
    """One row of the table: the best of ROUNDS. Returns (seconds, its text but for the end)."""
    took, cpu = min(ask(many, count, *args) for _ in range(rounds))
    return took, "| %s | %.3f s | %.3f s | %s | " % (what, took, cpu, memory(many, count, *args))


def compare(count, rounds):
    with ManyHosts(LINE) as many:
        for scheme in ("udp", "tcp"):
            least = min(bare(many, count, scheme) for _ in range(rounds))
            took, text = measure(many, "%d over %s" % (count, scheme.upper()), count, rounds,
                                 "--" + scheme)
            print("%s%.2f times the bare loop's %.2f s |" % (text, took / least, least))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--output", help="ignored")
    options = parser.parse_args()
    few = min(options.rounds, 3)
    print("| hosts | time | CPU | memory | |\n|---|---|---|---|---|")
    with ManyHosts(LINE) as many:
        for scheme in ("udp", "tcp"):
            print(measure(many, "10 over " + scheme.upper(), 10, options.rounds,
                          "--" + scheme)[1] + "|")
    compare(10000, options.rounds)
    bad = {"dead": 10, "drip": 5, "garbage": 5}
    with ManyHosts(LINE, **bad) as many:
        for scheme in ("udp", "tcp"):
            print(measure(many, "10000 over %s, a fifth of them bad" % scheme.upper(), 10000, few,
                          "--" + scheme, "--tries=1")[1] + "one try of 2 s |")
    with ManyHosts(LINE) as many:
        for scheme in ("udp", "tcp"):
            print(measure(many, "100000 over " + scheme.upper(), 100000, few, "--" + scheme)[1] +
                  "|")
        print(measure(many, "1000000 over UDP", 1000000, 1, "--udp")[1] + "|")
    with ManyHosts(LINE, lost=10, doubled=10, late=20, forged=20) as many:
        print(measure(many, "100000 over UDP, bad network", 100000, few, "--udp")[1] +
              "10 % lost each way, 10 % doubled, 20 % late, 20 % forged |")


if __name__ == "__main__":
    main()
