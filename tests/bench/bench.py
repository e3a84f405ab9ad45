#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast is ruptimed, beside the floor and beside its peers: everything in one run.

All servers are up at the same time and are measured in turn, one short round after the other, so
that whatever else the machine does meets all of them alike. The table has medians over the
rounds, and the ratio of each server to the floor of its transport: a server that does nothing but
answer with a constant.
"""

import argparse
import contextlib
import statistics
import tempfile

import load
import report
import servers

# A server that runs uptime for each connection gets so many of the rounds, and so many clients:
# thousands at a time would only time out.
SLOW_ROUNDS = 3
SLOW_IN_FLIGHT = 256

COLUMNS = (("in flight", "in_flight", "{:d}"), ("generators", "generators", "{:d}"),
           ("server", "server", None), ("answers/s", "answers_per_s", "{:.0f}"),
           ("ratio", "ratio", "{:.2f}"), ("CPU us", "cpu_us", "{:.1f}"),
           ("p50 us", "p50_us", "{:.0f}"), ("p99 us", "p99_us", "{:.0f}"),
           ("p99.9 us", "p999_us", "{:.0f}"), ("runs/1000", "runs_per_1000", "{:.1f}"),
           ("failed", "failed", "{:.0f}"))


def lineup(transport, directory, options):
    found = [servers.floor(transport, directory)]
    found += [servers.ruptimed(source, transport, directory) for source in options.sources]
    if transport == "tcp" and options.peers:
        found += servers.peers(directory)
    return found


def is_left_out(server, in_flight, number):
    return server.slow and (in_flight > SLOW_IN_FLIGHT or number >= SLOW_ROUNDS)


def run_rounds(running, settings, options):
    """{setting: {server: [figures of each round, None where there are none]}}"""
    rounds = {setting: {server.name: [] for server in running} for setting in settings}
    for number in range(options.rounds):
        for in_flight, generators in settings:
            for server in running:
                if is_left_out(server, in_flight, number):
                    continue
                report.progress("round %d of %d, %d in flight, %s, %s" % (
                    number + 1, options.rounds, in_flight, server.name, server.address))
                rounds[in_flight, generators][server.name].append(
                    load.measure(server, in_flight, generators, options.duration))
    report.progress("")
    return rounds


def summarize(found, floor):
    """The medians of FOUND, and that of the ratios to FLOOR, round by round."""
    row = {}
    valid = [figures for figures in found if figures]
    for key in valid[0] if valid else ():
        values = [figures[key] for figures in valid if figures[key] is not None]
        row[key] = statistics.median(values) if values else None
    ratios = [a["answers_per_s"] / b["answers_per_s"] for a, b in zip(found, floor)
              if a and b and b["answers_per_s"]]
    row["ratio"] = statistics.median(ratios) if ratios else None
    if valid:
        row["failed"] = sum(figures["failed"] for figures in valid)
    return row


def notes_on(rounds):
    """What the reader of the medians has to know besides."""
    lost = {}
    for (in_flight, _), found in rounds.items():
        for name, figures in found.items():
            drops = sum(each["kernel_drops"] for each in figures if each)
            if drops:
                lost[name, in_flight] = lost.get((name, in_flight), 0) + drops
    return ["%s, %d in flight: the kernel dropped %d in all" % (*key, drops)
            for key, drops in lost.items()]


def run_transport(transport, options):
    with tempfile.TemporaryDirectory(prefix="ruptime-bench-") as directory, \
            contextlib.ExitStack() as stack:
        running = [stack.enter_context(s) for s in lineup(transport, directory, options)]
        most = load.generators_max(transport)
        settings = [(c, g) for c in options.in_flight for g in options.generators
                    if g <= min(c, most)]
        rounds = run_rounds(running, settings, options)
    rows = [{"in_flight": in_flight, "generators": generators, "server": name,
             **summarize(figures, found["floor"])}
            for (in_flight, generators), found in rounds.items()
            for name, figures in found.items() if figures]
    title = "%s, medians of %d rounds of %g s" % (transport, options.rounds, options.duration)
    return report.Table(title, COLUMNS, rows, ("in_flight", "generators"), notes_on(rounds))


def numbers(text):
    return [int(number) for number in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--duration", type=float, default=0.3,
                        help="seconds for each measurement (0.3)")
    parser.add_argument("--transports", default=",".join(servers.TRANSPORTS))
    parser.add_argument("--sources", default="procps,exec,exec cold")
    parser.add_argument("--in-flight", type=numbers, default=[1, 16, 256, 4096])
    parser.add_argument("--generators", type=numbers, default=[1, 2],
                        help="how many processes share what is in flight (1,2)")
    parser.add_argument("--peers", action="store_true", help="also servers that others wrote")
    report.add_arguments(parser)
    options = parser.parse_args()
    servers.raise_descriptor_limit()
    options.sources = servers.sources(*options.sources.split(","))
    environment = report.describe_machine()
    print(report.text_of(environment, []), flush=True)
    tables = []
    for transport in options.transports.split(","):
        tables.append(run_transport(transport, options))
        print(tables[-1].text(), flush=True)
    report.publish("bench", environment, tables, options)


if __name__ == "__main__":
    main()
