#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How cost grows: with what is in flight, with what waits, and where the time of an answer goes.

Four tables: throughput and CPU time from 1 to 10,000 in flight; memory for each connection that
waits, behind a command that hangs; the start and the rest; the CPU time of an answer by thread.
"""

import argparse
import contextlib
import os
import re
import socket
import statistics
import subprocess
import tempfile
import time

import bench
import load
import report
import servers

# More than are ever in flight here, so that the server is never the one who refuses.
QUEUE = ["-q", "16384"]
STARTS = 20
FILL_S = 30
THREADS_IN_FLIGHT = 256
SLABS = ("TCP", "sock_inode_cache", "filp", "dentry", "request_sock_TCP", "eventpoll_epi")

LOAD = (("in flight", "in_flight", "{:d}"), ("server", "server", None),
        ("answers/s", "answers_per_s", "{:.0f}"), ("ratio", "ratio", "{:.2f}"),
        ("CPU us", "cpu_us", "{:.1f}"), ("p50 us", "p50_us", "{:.0f}"),
        ("p99 us", "p99_us", "{:.0f}"), ("runs/1000", "runs_per_1000", "{:.1f}"),
        ("failed", "failed", "{:.0f}"))
MEMORY = (("waiting", "waiting", "{:d}"), ("resident KiB", "rss_kib", "{:.0f}"),
          ("bytes each, server", "user_bytes", "{:.0f}"),
          ("bytes each, kernel", "kernel_bytes", "{:.0f}"))
REST = (("server", "server", None), ("ready after ms", "ready_ms", "{:.1f}"),
        ("slowest ms", "slowest_ms", "{:.1f}"), ("threads", "threads", "{:d}"),
        ("resident KiB", "rss_kib", "{:.0f}"), ("its own KiB", "own_kib", "{:.0f}"),
        ("runner, its own KiB", "runner_kib", "{:.0f}"))
THREADS = (("transport", "transport", None), ("server", "server", None),
           ("answers/s", "answers_per_s", "{:.0f}"), ("runs/1000", "runs_per_1000", "{:.1f}"),
           ("CPU us", "cpu_us", "{:.2f}"), ("acceptor or receiver", "ingress_us", "{:.2f}"),
           ("dispatcher", "dispatcher_us", "{:.2f}"), ("workers", "worker_us", "{:.2f}"),
           ("runner and uptime", "others_us", "{:.2f}"))


def memory_kib(pid, name):
    """NAME is Rss, or Anonymous: what is no part of a file."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as text:
        return int(re.search(r"^%s: +(\d+) kB" % name, text.read(), re.MULTILINE).group(1))


def kernel_bytes():
    """What sockets take of the kernel's memory on this machine; None if it does not tell."""
    with contextlib.suppress(OSError), open("/proc/slabinfo", encoding="ascii") as slabs:
        rows = [line.split() for line in slabs]
        return sum(int(row[1]) * int(row[3]) for row in rows if row[0] in SLABS)
    return None


def fill(server, clients, count):
    """Connect until COUNT clients wait in the server; returns whether they do."""
    host, port = server.address[len("tcp://"):].rsplit(":", 1)
    while len(clients) < count:
        clients.append(socket.create_connection((host, int(port))))
    end = time.monotonic() + FILL_S
    while time.monotonic() < end:
        if "waiting=%d" % count in server.state():
            return True
        server.pause()
    return False


def measure_memory(options):
    """Behind a run that does not end every connection waits."""
    with tempfile.TemporaryDirectory(prefix="ruptime-bench-") as directory, \
            contextlib.ExitStack() as stack:
        clients = []
        stack.callback(lambda: [client.close() for client in clients])
        command = servers.write(os.path.join(directory, "uptime"),
                                "#!/bin/sh\nexec sleep 1000\n")
        os.chmod(command, 0o755)
        server = stack.enter_context(servers.ruptimed(
            "exec", "tcp", directory, "--command=" + command, "--run-timeout=1h", *QUEUE))
        rest_kib, rest_kernel = memory_kib(server.pid, "Rss"), kernel_bytes()
        rows = [{"waiting": 0, "rss_kib": rest_kib}]
        for count in options.waiting:
            report.progress("%d waiting" % count)
            if not fill(server, clients, count):
                raise RuntimeError("%d do not get to wait:\n%s" % (count, server.text()))
            rss_kib, kernel = memory_kib(server.pid, "Rss"), kernel_bytes()
            rows.append({"waiting": count, "rss_kib": rss_kib,
                         "user_bytes": (rss_kib - rest_kib) * 1024 / count,
                         # Half of them are those of the clients.
                         "kernel_bytes": kernel and (kernel - rest_kernel) / count / 2})
    report.progress("")
    notes = ["the kernel's part: sockets, files and names in /proc/slabinfo, without the clients'"]
    return report.Table("Memory of connections that wait for a run", MEMORY, rows, (), notes)


def start_ms(source):
    """From the start of the program to its word that it serves."""
    ready_fd, its_fd = os.pipe()
    began = time.monotonic()
    with subprocess.Popen([servers.RUPTIMED, "-s", source, "-l", "tcp://127.0.0.1:0", "--quiet",
                           "--ready-fd=%d" % its_fd], pass_fds=[its_fd]) as process:
        os.close(its_fd)
        ready = os.read(ready_fd, 1)
        took = time.monotonic() - began
        os.close(ready_fd)
        process.terminate()
    if ready != b"\n":
        raise RuntimeError("ruptimed %s does not start" % source)
    return took * 1000


def measure_rest(options):
    rows = []
    for source in options.sources:
        report.progress("starting, " + source)
        starts = [start_ms(source) for _ in range(STARTS)]
        with tempfile.TemporaryDirectory(prefix="ruptime-bench-") as directory, \
                servers.ruptimed(source, "tcp", directory) as server:
            load.run(server.address, 1, 1, 0.1)
            runner = max(servers.family_of(server.pid) - {server.pid})
            rows.append({"server": server.name, "ready_ms": statistics.median(starts),
                         "slowest_ms": max(starts),
                         "threads": len(os.listdir("/proc/%d/task" % server.pid)),
                         "rss_kib": memory_kib(server.pid, "Rss"),
                         "own_kib": memory_kib(server.pid, "Anonymous"),
                         "runner_kib": memory_kib(runner, "Anonymous")})
    report.progress("")
    return report.Table("Start and rest, medians of %d starts, after a first answer" % STARTS,
                        REST, rows, (), ["its own: without pages of files, shared or not"])


def threads_of_load(server, options):
    """The row of SERVER: who used how much CPU time for each answer."""
    runs, all_s, before = server.runs(), servers.cpu_s(server.pid), \
        servers.thread_cpu_s(server.pid)
    results = load.run(server.address, THREADS_IN_FLIGHT,
                       load.generators_max(server.address.split(":")[0]),
                       options.rounds * options.duration)
    after, all_s = servers.thread_cpu_s(server.pid), servers.cpu_s(server.pid) - all_s
    answered = max(load.answers(results), 1)
    used = {name: (after[name] - before.get(name, 0)) * 1e6 / answered for name in after}
    return {"server": server.name, "cpu_us": all_s * 1e6 / answered,
            "answers_per_s": sum(each["throughput_rps"] for each in results),
            "runs_per_1000": 1000 * (server.runs() - runs) / answered,
            "ingress_us": sum(used.get(name, 0) for name in ("acceptor", "udp-receiver", "msgq")),
            "dispatcher_us": used.get("dispatcher"), "worker_us": used.get("worker"),
            "others_us": max(all_s * 1e6 / answered - sum(used.values()), 0)}


def measure_threads(options):
    rows = []
    for transport in servers.TRANSPORTS:
        for source in options.sources:
            report.progress("%s %s, by thread" % (transport, source))
            with tempfile.TemporaryDirectory(prefix="ruptime-bench-") as directory, \
                    servers.ruptimed(source, transport, directory) as server:
                rows.append({"transport": transport, **threads_of_load(server, options)})
    report.progress("")
    return report.Table("CPU time of an answer by thread, us, %d in flight" % THREADS_IN_FLIGHT,
                        THREADS, rows, ("transport",))


def measure_load(options):
    with tempfile.TemporaryDirectory(prefix="ruptime-bench-") as directory, \
            contextlib.ExitStack() as stack:
        running = [servers.floor("tcp", directory)]
        running += [servers.ruptimed(source, "tcp", directory, *QUEUE)
                    for source in options.sources]
        for server in running:
            stack.enter_context(server)
        rounds = bench.run_rounds(running, [(c, min(c, 2)) for c in options.in_flight], options)
    rows = [{"in_flight": in_flight, "server": name, **bench.summarize(figures, found["floor"])}
            for (in_flight, _), found in rounds.items() for name, figures in found.items()]
    return report.Table("tcp by what is in flight, medians of %d rounds of %g s, %s" % (
        options.rounds, options.duration, " ".join(QUEUE)), LOAD, rows, ("in_flight",),
        bench.notes_on(rounds))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=0.5,
                        help="seconds for each measurement (0.5)")
    parser.add_argument("--sources", default="procps,exec")
    parser.add_argument("--in-flight", type=bench.numbers,
                        default=[1, 4, 16, 64, 256, 1024, 4096, 10000])
    parser.add_argument("--waiting", type=bench.numbers, default=[1000, 4096, 10000],
                        help="how many connections wait, ascending")
    report.add_arguments(parser)
    options = parser.parse_args()
    servers.raise_descriptor_limit()
    options.sources = servers.sources(*options.sources.split(","))
    environment = report.describe_machine()
    print(report.text_of(environment, []), flush=True)
    tables = []
    for measure in (measure_load, measure_memory, measure_rest, measure_threads):
        tables.append(measure(options))
        print(tables[-1].text(), flush=True)
    report.publish("growth", environment, tables, options)


if __name__ == "__main__":
    main()
