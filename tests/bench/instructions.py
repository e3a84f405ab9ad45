#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an answer costs in instructions and system calls: figures that need no quiet machine.

Instructions are those of user space, counted by callgrind; less what a server executes that
starts and stops without having been asked. System calls are counted by strace. Both slow a server
down, so that it is always behind its clients, and callgrind lets one thread run at a time. So how
many answers share a run is not what it is in life, nor the same twice: the instructions of a run
and those of an answer without its part in a run are what repeats, within a per cent or three.
Medians over the repeats; the spread is that of the answers.

No sandbox: valgrind needs more than it allows. The source is procps: what a command executes is not
the server's.
"""

import argparse
import glob
import json
import operator
import os
import re
import shutil
import statistics
import sys
import tempfile

import load
import report
import servers

READY_S = 60
WORKERS = 2
# A thread is known by the function that it begins with.
ROLES = ("acceptor_main", "receiver_main", "dispatcher_main", "worker_main")
RUN = "uptime_measure"
CALLS_SHOWN = 8
TITLE = ", instructions and system calls"

COLUMNS = (("in flight", "in_flight", "{:d}"), ("server", "server", None),
           ("an answer", "answer", "{:.0f}"), ("spread", "spread", "{:.1%}"),
           ("a run", "run", "{:.0f}"), ("runs/1000", "runs_per_1000", "{:.0f}"),
           ("by thread", "roles_text", None), ("system calls", "calls", "{:.2f}"),
           ("of which", "calls_text", None))
AGAINST = (("transport", "transport", None), ("in flight", "in_flight", "{:d}"),
           ("server", "server", None), ("what", "what", None),
           ("before", "before", "{:.0f}"), ("now", "now", "{:.0f}"),
           ("change", "change", "{:+.1%}"))


def lineup(transport, directory, wrapper):
    options = {"wrapper": wrapper, "ready_s": READY_S}
    return {"floor": servers.floor(transport, directory, **options),
            "ruptimed procps": servers.ruptimed("procps", transport, directory,
                                                "-w", str(WORKERS), "--sandbox=off",
                                                **options)}


def role_of(profile):
    """The thread that the callgrind PROFILE is of."""
    for role in ROLES:
        if re.search(r"^c?fn=\(\d+\) %s$" % role, profile, re.MULTILINE):
            return role[:-len("_main")]
    return "main"


def runs_in(profile):
    """How many runs were made in the callgrind PROFILE, and their instructions."""
    number = re.search(r"\((\d+)\) %s$" % RUN, profile, re.MULTILINE)
    calls = re.findall(r"^cfn=\(%s\).*\ncalls=(\d+) .*\n\S+ (\d+)" % number.group(1), profile,
                       re.MULTILINE) if number else []
    return sum(int(count) for count, _ in calls), sum(int(cost) for _, cost in calls)


def read_profiles(directory):
    """Instructions by role, of all threads whose profiles are in DIRECTORY; those of runs and
    their number by themselves."""
    found = {"runs": 0, "run": 0}
    for path in glob.glob(os.path.join(directory, "callgrind.*")):
        with open(path, encoding="utf-8", errors="replace") as text:
            profile = text.read()
        total = re.search(r"^totals: (\d+)", profile, re.MULTILINE)
        if total:
            role = role_of(profile)
            runs, cost = runs_in(profile)
            found[role] = found.get(role, 0) + int(total.group(1)) - cost
            found["run"] += cost
            found["runs"] += runs
    return found


def read_calls(directory):
    """System calls by name, of the summary that strace has left in DIRECTORY."""
    found = {}
    with open(os.path.join(directory, "calls"), encoding="utf-8") as summary:
        for line in summary:
            fields = line.split()
            if len(fields) >= 5 and re.fullmatch(r"[\d.]+", fields[0]) and fields[-1] != "total":
                found[fields[-1]] = int(fields[3])
    return found


def live(name, transport, in_flight, duration_s, wrapper_of, read):
    """A life of the server NAME: what READ makes of its traces, and how often it has answered.

    IN_FLIGHT 0: it is not asked at all.
    """
    with tempfile.TemporaryDirectory(prefix="ruptime-bench-") as directory:
        with lineup(transport, directory, wrapper_of(directory))[name] as server:
            results = load.run(server.address, in_flight, 1, duration_s) if in_flight else []
            if results is None:
                raise RuntimeError("%s does not answer:\n%s" % (name, server.text()))
            server.stop()
        return read(directory), load.answers(results)


def callgrind(directory):
    return ["valgrind", "-q", "--tool=callgrind", "--fair-sched=yes", "--separate-threads=yes",
            "--callgrind-out-file=%s/callgrind.%%p" % directory]


def strace(directory):
    return ["strace", "-f", "-c", "-o", directory + "/calls"]


def per_answer(busy, answered, idle):
    return {name: (count - idle.get(name, 0)) / answered for name, count in busy.items()}


def top(costs, form, count=CALLS_SHOWN):
    """The COUNT highest of COSTS in words, without what rounds to nothing."""
    shown = sorted(costs.items(), key=lambda item: -item[1])[:count]
    return ", ".join("%s %s" % (name, form.format(cost)) for name, cost in shown
                     if float(form.format(cost)) > 0)


def summarize(repeats):
    """The medians of REPEATS, each of them costs by role for one answer."""
    runs = [each.pop("runs") for each in repeats]
    of_runs = [each.pop("run") for each in repeats]
    totals = [sum(roles.values()) for roles in repeats]
    middle = statistics.median(totals)
    roles = {role: statistics.median(each.get(role, 0) for each in repeats)
             for role in repeats[0]}
    return {"answer": middle, "spread": (max(totals) - min(totals)) / middle, "roles": roles,
            "roles_text": top(roles, "{:.0f}") if len(roles) > 1 else "",
            "run": statistics.median(map(operator.truediv, of_runs, runs)) if all(runs) else None,
            "runs_per_1000": 1000 * statistics.median(runs) if all(runs) else None}


def measure(name, transport, in_flight, idle, options):
    repeats = []
    for _ in range(options.repeats):
        report.progress("%s %s, %d in flight, callgrind" % (transport, name, in_flight))
        repeats.append(per_answer(*live(name, transport, in_flight, options.duration, callgrind,
                                        read_profiles), idle["instructions"]))
    report.progress("%s %s, %d in flight, strace" % (transport, name, in_flight))
    calls = per_answer(*live(name, transport, in_flight, options.duration, strace, read_calls),
                       idle["calls"])
    return {"transport": transport, "in_flight": in_flight, "server": name, **summarize(repeats),
            "calls": sum(calls.values()), "calls_by_name": calls,
            "calls_text": top(calls, "{:.2f}")}


def run_transport(transport, options):
    rows = []
    for name in ("floor", "ruptimed procps"):
        report.progress("%s %s, idle" % (transport, name))
        idle = {"instructions": live(name, transport, 0, 0, callgrind, read_profiles)[0],
                "calls": live(name, transport, 0, 0, strace, read_calls)[0]}
        rows += [measure(name, transport, in_flight, idle, options)
                 for in_flight in options.in_flight]
    report.progress("")
    rows.sort(key=lambda row: row["in_flight"])
    return report.Table(transport + TITLE, COLUMNS, rows, ("in_flight",))


def compare(tables, path, tolerance):
    """A table of what has changed since the report at PATH was written, and whether anything is
    worse by more than TOLERANCE."""
    def key_of(row):
        return row["transport"], row["in_flight"], row["server"]

    with open(path, encoding="utf-8") as text:
        before = {key_of(row): row for title, rows in json.load(text)["tables"].items()
                  for row in rows if title.endswith(TITLE)}
    rows = []
    for row in (row for table in tables for row in table.rows):
        old = before.get(key_of(row), {})
        rows += [{**row, "what": what, "before": old[what], "now": row[what],
                  "change": row[what] / old[what] - 1}
                 for what in ("answer", "run") if old.get(what) and row[what]]
    worse = any(row["change"] > tolerance for row in rows)
    return report.Table("Against " + path, AGAINST, rows, ("transport",)), worse


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--duration", type=float, default=2, help="seconds of each life (2)")
    parser.add_argument("--transports", default=",".join(servers.TRANSPORTS))
    parser.add_argument("--in-flight", type=lambda text: [int(n) for n in text.split(",")],
                        default=[1, 64])
    parser.add_argument("--against", metavar="JSON", help="compare with an earlier report")
    parser.add_argument("--tolerance", type=float, default=0.08,
                        help="with --against: fail if anything is worse by more (0.08)")
    report.add_arguments(parser)
    options = parser.parse_args()
    for program in ("valgrind", "strace"):
        if shutil.which(program) is None:
            raise SystemExit("%s is not installed" % program)
    if not servers.sources("procps"):
        raise SystemExit("this needs the source procps")
    environment = report.describe_machine()
    print(report.text_of(environment, []), flush=True)
    tables = []
    for transport in options.transports.split(","):
        tables.append(run_transport(transport, options))
        print(tables[-1].text(), flush=True)
    worse = False
    if options.against:
        table, worse = compare(tables, options.against, options.tolerance)
        print(table.text())
        tables.append(table)
    report.publish("instructions", environment, tables, options)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
