#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The figures behind doc/decisions: each question's variants in turn, round after round.

Whatever else the machine does meets all variants alike. The tables have medians over the rounds;
the ratio is that of each round to the first variant of the same load, its median and quartiles.
What is rare is added up instead. A measurement in which others had much of the CPUs is made again.
"""

import argparse
import collections
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import load
import report
import servers

HERE = os.path.join(servers.BUILD_DIR, "tests", "bench")

# Half of what a socket has without asking: the kernel doubles it.
DEFAULT_BUFFER = 212992 // 2

# More of the CPUs than this, in per cent, is not for others while we measure.
OTHERS_MAX = 8
TRIES = 4

# A question: its page, how to measure a variant, what varies, and what is done to each variant.
Question = collections.namedtuple("Question", "page measure variants loads columns")
QUESTIONS = {}

# Added up over the rounds: one in a hundred thousand is no median's business.
TOTALS = ("started", "ok", "reset", "lost", "asked", "dropped", "valid")


def program(name):
    return os.path.join(HERE, name)


def parse_figures(text):
    return {name: float(value) for name, value in (
        pair.split("=") for pair in text.split() if "=" in pair)}


def run_program(argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True)
    return parse_figures(done.stdout)


def segments():
    """TCP segments that this machine has sent: over loopback those of both sides."""
    with open("/proc/net/snmp", encoding="utf-8") as table:
        names, values = [line.split() for line in table if line.startswith("Tcp:")]
    return int(values[names.index("OutSegs")])


def drops(address):
    """Datagrams that found no room in the buffer of the socket at ADDRESS."""
    if not address.startswith("udp"):
        return None
    port = ":%04X" % int(address.rsplit(":", 1)[1])
    with open("/proc/net/udp", encoding="utf-8") as table:
        return sum(int(line.split()[-1]) for line in table if line.split()[1].endswith(port))


def run_bench(server, arguments, duration):
    done = subprocess.run(
        [load.BENCH, "-J", "-d", "%gs" % duration, "--warmup=100ms", "--timeout=1s",
         "--pid=%d" % server.process.pid, *arguments, server.address],
        stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)


def measure_server(argv, arguments, duration):
    """Start a server, load it, end it: what ruptime-bench saw, and what the server printed."""
    with servers.Server(os.path.basename(argv[0]), argv) as server:
        before = segments()
        result = run_bench(server, arguments, duration)
        sent = segments() - before
        dropped = drops(server.address)
        server.process.terminate()
        server.process.wait(6)
        printed = parse_figures(server.text())
    answered = max(result["answered"], 1)
    figures = {
        "answers/s": result["throughput_rps"], "CPU us": result["server_cpu_us_per_reply"],
        "p50 us": result["latency_us"]["p50"], "p99 us": result["latency_us"]["p99"],
        # The warm-up's connections count, too.
        "segments": sent / (answered * (1 + 0.1 / duration)),
        "valid": 1.0 if result["valid"] else 0.0, "asked": result["sent"], "dropped": dropped,
    }
    if printed.get("sleeps"):
        figures["wakes/1000"] = 1000 * printed["wakes"] / printed["received"]
        figures["sleeps/1000"] = 1000 * printed["sleeps"] / printed["received"]
    return figures


def with_settings(name):
    def measure(variant, load, duration):
        return measure_server([program(name), *variant.split()], load.split(), duration)
    return measure


def talk(variant, load, duration):
    """Clients that say something before they read."""
    del duration
    with servers.Server("streams", [program("streams"), *variant.split()]) as server:
        return run_program([program("talkers"), "port=" + server.address.rsplit(":", 1)[1],
                            *load.split()])


def run_queues(variant, load, duration):
    return run_program([program("queues"), "ms=%d" % (1000 * duration), *variant.split(),
                        *load.split()])


def run_spawning(variant, load, duration):
    figures = run_program([program("spawning"), "ms=%d" % (1000 * duration), *variant.split(),
                           *load.split()])
    return dict(figures, **{"runs/s": figures["runs"] / duration,
                            "ends/s": figures["ends"] / duration})


def run_starting(variant, load, duration):
    return run_program([program("starting"), "ms=%d" % (1000 * duration),
                        "preload=" + os.path.join(servers.BUILD_DIR, "src", "warm.so"),
                        *variant.split(), *load.split()])


def run_floor_or_server(variant, load, duration):
    transport, *load = load.split()
    name, *arguments = variant.split()
    path = servers.FLOOR if name == "floor" else servers.RUPTIMED if name == "ruptimed" else name
    listen = [transport + "://127.0.0.1:0"]
    if name != "floor":
        listen.insert(0, "-l")
    return measure_server([path, *arguments, *listen], load, duration)


def ask(name, *question):
    QUESTIONS[name] = Question(*question)


UDP = "listen=udp://127.0.0.1:0 aside=1 "
CLOSED = ["-c 16", "-c 256"]
# They wait alike. The second is the first again, behind the same calls as those that follow.
QUEUES = ["queue=ours"] + ["queue=%s spin=100 yield=1" % kind for kind in (
    "lfs", "wfcq", "wfcq-blocking", "mutex")]
SPEED = ["answers/s", "CPU us", "p50 us", "p99 us"]

ask("queue", "0002", run_queues, QUEUES,
    ["producers=3 takers=1", "producers=3 takers=2"], ["taken", "p50", "p99.9"])
ask("queue-tail", "0002", run_queues, QUEUES,
    ["producers=8 takers=2 every=200 nodes=64 idle=1 busy=2",
     "producers=8 takers=2 every=200 nodes=64 idle=0 busy=0"],
    ["p50", "p99", "p99.9", "p99.99", "max", "taken"])
ask("runner", "0003", run_spawning, ["way=runner", "way=spawn", "way=fork"],
    ["sockets=0", "sockets=5000", "sockets=15000"],
    ["runs_p50", "runs_p99", "runs/s", "ends/s", "ends_p50", "ends_p99", "ends_p999", "ends_max"])
ask("start", "0015", run_starting, ["way=ahead", "way=forked", "way=cold"],
    ["rest=0", "rest=1000"], ["p50", "p99", "cpu", "load", "loaded_kib", "waiting_kib"])
ask("close", "0004", with_settings("streams"),
    ["worker=0 close=%s" % way for way in ("kept", "merged", "skip", "plain")],
    CLOSED, ["answers/s", "CPU us", "segments", "p50 us", "p99 us"])
ask("close-talk", "0004", talk,
    ["close=%s" % way for way in ("kept", "merged", "skip", "plain")],
    ["count=625 say=8192", "count=625 say=65536", "count=625 say=8192 lose=1"],
    ["started", "ok", "reset", "lost"])
ask("accept", "0005", with_settings("streams"),
    ["aside=1", "rest=200", "aside=0", "accept=epoll", "accept=blocking"],
    ["-c 1"] + CLOSED, SPEED)
ask("turn", "0010", with_settings("streams"),
    ["aside=1 turn=%d" % turn for turn in (64, 1, 4, 16, 256, 1024)], CLOSED, SPEED)
ask("receive", "0006", with_settings("datagrams"),
    [UDP + "batch=%d" % size for size in (64, 1, 8, 16, 32, 128)] + [
        UDP + "batch=64 wait=waitforone"], CLOSED, SPEED)
ask("loss", "0006", with_settings("datagrams"),
    [UDP + "batch=%d rcvbuf=%d" % (size, buffer) for size in (64, 1)
     for buffer in (DEFAULT_BUFFER, 4 << 20)],
    ["-r %d" % rate for rate in (20000, 40000, 60000)] + ["-c 256", "-c 1024", "-c 4096"],
    ["asked", "dropped", "valid"])
ask("copies", "0007", with_settings("datagrams"),
    [UDP + "travels=requests", UDP + "travels=copies", UDP + "travels=object",
     UDP + "travels=requests worker=0", UDP + "travels=object worker=0"], CLOSED, SPEED)
ask("wake", "0008", with_settings("datagrams"),
    [UDP + "queue=ours"] + [UDP + "queue=lfs " + how for how in (
        "wake=asleep", "wake=was-empty", "wake=each", "spin=10", "spin=50", "spin=100 yield=1")],
    ["-c 1"] + CLOSED, ["answers/s", "p50 us", "p99 us", "CPU us", "wakes/1000", "sleeps/1000"])
for kind in ("procps", "exec"):
    for protocol in ("tcp", "udp"):
        ask("workers-%s-%s" % (protocol, kind), "0009", run_floor_or_server,
            ["ruptimed -s %s -w %d" % (kind, count) for count in (2, 1, 3, 4)] + ["floor"],
            [protocol + " " + load for load in CLOSED], SPEED)


def cpu_times():
    """Seconds: when it is, what all CPUs have worked, and what was work of ours."""
    with open("/proc/stat", encoding="utf-8") as stat:
        ticks = [int(number) for number in stat.readline().split()[1:9]]
    own = sum(sum(resource.getrusage(who)[:2])
              for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    busy = sum(ticks) - ticks[3] - ticks[4]
    return time.monotonic(), busy / os.sysconf("SC_CLK_TCK"), own


def measure(question, variant, load, duration):
    """Until nothing disturbs, but only so often: then the least disturbed one."""
    tries = []
    while len(tries) < TRIES and not (tries and tries[-1]["others %"] < OTHERS_MAX):
        before = cpu_times()
        figures = question.measure(variant, load, duration)
        passed, busy, own = (b - a for a, b in zip(before, cpu_times()))
        tries.append(dict(figures, **{
            "others %": 100 * max(busy - own, 0) / passed / os.cpu_count()}))
    return min(tries, key=lambda figures: figures["others %"])


def summarize(rounds, name):
    values = [figures[name] for figures in rounds if figures.get(name) is not None]
    if not values:
        return None
    return sum(values) if name in TOTALS else statistics.median(values)


def cell(value):
    if value is None:
        return "-"
    if value == int(value):
        return "%d" % value
    return "%.2f" % value if abs(value) < 10 else "%.1f" % value if value < 100 else "%.0f" % value


def ratio(rounds, base, name):
    """Median and quartiles of the ratios of each round."""
    ratios = [a[name] / b[name] for a, b in zip(rounds, base) if b.get(name)]
    if len(ratios) < 2:
        return "-"
    low, middle, high = statistics.quantiles(ratios, n=4)
    return "%.2f (%.2f-%.2f)" % (middle, low, high)


def print_table(question, results):
    columns = ["load", "variant"] + list(question.columns) + ["ratio (quartiles)"]
    print("\n| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for load in question.loads:
        base = results[load, question.variants[0]]
        for variant in question.variants:
            rounds = results[load, variant]
            cells = [load, variant.replace(UDP, "")]
            cells += [cell(summarize(rounds, name)) for name in question.columns]
            print("| " + " | ".join(cells + [ratio(rounds, base, question.columns[0])]) + " |")


def answer(name, options):
    question = QUESTIONS[name]
    results = collections.defaultdict(list)
    if options.servers:
        question = question._replace(variants=options.servers)
    for number in range(options.rounds):
        for load in question.loads:
            # The first one is another one each time.
            turned = question.variants[number % len(question.variants):]
            turned += question.variants[:number % len(question.variants)]
            for variant in turned:
                report.progress("%s round %d of %d: %s, %s" % (
                    name, number + 1, options.rounds, load, variant))
                results[load, variant].append(measure(question, variant, load, options.duration))
    report.progress("")
    others = [figures["others %"] for rounds in results.values() for figures in rounds]
    print("\n%s, doc/decisions/%s, medians of %d rounds of %g s; others had %.1f %% of the CPUs, "
          "at most %.1f %%" % (name, question.page, options.rounds, options.duration,
                               statistics.median(others), max(others)))
    print_table(question, results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("questions", nargs="*", metavar="QUESTION",
                        help="of: " + ", ".join(QUESTIONS))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--duration", type=float, default=0.5)
    parser.add_argument("--servers", action="append", metavar="PROGRAM",
                        help="workers-*: compare these, with their arguments")
    options = parser.parse_args()
    for name in options.questions:
        if name not in QUESTIONS:
            parser.error("no such question: " + name)
    print("; ".join("%s %s" % item for item in report.describe_machine().items()))
    for name in options.questions or QUESTIONS:
        answer(name, options)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
