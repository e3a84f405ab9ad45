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
import html
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE_DIR = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD_DIR = os.environ.get("RUPTIME_BUILD_DIR") or SOURCE_DIR
RUPTIMED = os.path.join(BUILD_DIR, "src", "ruptimed")
BENCH = os.path.join(BUILD_DIR, "src", "ruptime-bench")
FLOOR = os.path.join(BUILD_DIR, "tests", "bench", "floor")
LINE = " 12:34:56 up 12 days,  3:45,  2 users,  load average: 0.12, 0.34, 0.56"
WARMUP_S = 0.1
READY_S = 10
MSGQ_KEY = 0x0b000000 | os.getpid()

COLUMNS = ("answers/s", "ratio", "CPU us", "p50 us", "p99 us", "p99.9 us", "runs/1000")


class Server:
    """A server that runs as long as the with block, and knows its address and process number."""

    def __init__(self, name, argv, address=None):
        self.name, self.argv, self.address = name, argv, address
        self.process = self.log = None

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL, stderr=self.log,
                                        start_new_session=True)
        end = time.monotonic() + READY_S
        while not self.is_up():
            if time.monotonic() > end or self.process.poll() is not None:
                self.__exit__()
                raise RuntimeError("%s does not start:\n%s" % (self.name, self.text()))
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
        return self

    def is_up(self):
        if self.address is None:
            found = re.search(r"listening (\S+)", self.text())
            self.address = found and found.group(1)
            return self.address is not None
        host, port = self.address[len("tcp://"):].rsplit(":", 1)
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return True
        return False

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(6)
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def text(self):
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size, 0).decode("utf-8", "replace")

    def runs(self):
        """How often it has measured, if it can tell."""
        if os.path.basename(self.argv[0]) != "ruptimed":
            return None
        before = self.text().count("state runs")
        os.kill(self.process.pid, signal.SIGUSR1)
        end = time.monotonic() + 2
        while self.text().count("state runs") == before and time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.005)
        found = re.findall(r"state runs ok=(\d+)", self.text())
        return int(found[-1]) if found else None


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def peers(directory):
    """Servers that people would use instead, as far as they are installed."""
    def with_port(name, program, argv_of):
        path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
        if not path:
            print("%s is not installed and left out" % program, file=sys.stderr)
            return None
        port = free_port()
        return Server(name, argv_of(path, port), "tcp://127.0.0.1:%d" % port)

    def nginx(path, port):
        module = "/usr/lib/nginx/modules/ngx_stream_module.so"
        load = "load_module %s;\n" % module if os.path.exists(module) else ""
        conf = write(os.path.join(directory, "nginx.conf"), load + """
            worker_processes 1; daemon off; pid %s/nginx.pid; error_log stderr crit;
            events { worker_connections 8192; }
            stream { access_log off;
                     server { listen 127.0.0.1:%d backlog=4096; return "%s\\n"; } }
            """ % (directory, port, LINE))
        return [path, "-c", conf, "-p", directory]

    def xinetd(path, port):
        conf = write(os.path.join(directory, "xinetd.conf"), """
            defaults { instances = UNLIMITED
                       per_source = UNLIMITED
                       cps = 1000000 1 }
            service ruptime { type = UNLISTED
                              socket_type = stream
                              protocol = tcp
                              port = %d
                              bind = 127.0.0.1
                              wait = no
                              user = %s
                              server = /usr/bin/uptime }
            """ % (port, os.environ.get("USER") or "root"))
        return [path, "-dontfork", "-f", conf, "-pidfile", directory + "/xinetd.pid"]

    return [peer for peer in (
        with_port("nginx return", "nginx", nginx),
        with_port("xinetd", "xinetd", xinetd),
        with_port("tcpserver", "tcpserver", lambda path, port: [
            path, "-q", "-H", "-R", "-l0", "-c", "512", "-b", "4096", "127.0.0.1", str(port),
            "/usr/bin/uptime"]),
        with_port("socat", "socat", lambda path, port: [
            path, "TCP-LISTEN:%d,bind=127.0.0.1,fork,reuseaddr,backlog=4096" % port,
            "EXEC:/usr/bin/uptime"]),
    ) if peer]


def listeners(directory):
    """Where the floor and both kinds of ruptimed listen, for each transport."""
    def unix(name):
        return "unix://%s/%s" % (directory, name)

    def msgq(number):
        return "msgq://0x%x" % (MSGQ_KEY + number)

    return {"tcp": ["tcp://127.0.0.1:0"] * 3, "udp": ["udp://127.0.0.1:0"] * 3,
            "unix": [unix("floor"), unix("procps"), unix("exec")],
            "msgq": [msgq(0), msgq(0x100000), msgq(0x200000)]}


def servers(transport, directory, options):
    floor, procps, command = listeners(directory)[transport]
    found = [Server("floor", [FLOOR, floor]),
             Server("ruptimed procps", [RUPTIMED, "-s", "procps", "-l", procps]),
             Server("ruptimed exec", [RUPTIMED, "-s", "exec", "-l", command])]
    if transport == "tcp" and options.peers:
        found.append(Server("book (popen)", [FLOOR, "--popen", floor]))
        found += peers(directory)
    return found


def is_slow(server):
    """Does it run uptime for each connection? Then thousands at a time only time out."""
    return server.name in ("book (popen)", "xinetd", "tcpserver", "socat")


def measure(server, in_flight, generators, duration):
    runs = server.runs()
    done = subprocess.run(
        [BENCH, "-J", "-c", str(in_flight), "-t", str(generators), "-d", "%gs" % duration,
         "--warmup=%gs" % WARMUP_S, "--timeout=5s", "--pid=%d" % server.process.pid,
         server.address], stdout=subprocess.PIPE, check=False)
    try:
        result = json.loads(done.stdout)
    except ValueError:
        return None
    if runs is not None:
        total = result["answered"] * (1 + WARMUP_S / duration)
        result["runs_per_1000"] = 1000 * (server.runs() - runs) / max(total, 1)
    return result


def figures(result):
    latency = result["latency_us"]
    return {"answers/s": result["throughput_rps"], "CPU us": result["server_cpu_us_per_reply"],
            "p50 us": latency["p50"], "p99 us": latency["p99"], "p99.9 us": latency["p999"],
            "runs/1000": result.get("runs_per_1000"),
            "bad": result["bad"] + result["lost"] + sum(result["errors"].values())}


def run_transport(transport, options):
    """Rows of (in flight, generators, server, medians), the floor of each setting first."""
    rounds = {}
    with tempfile.TemporaryDirectory(prefix="ruptime-bench-") as directory, \
            contextlib.ExitStack() as stack:
        running = [stack.enter_context(s) for s in servers(transport, directory, options)]
        settings = [(c, g) for c in options.in_flight for g in options.generators if g <= c]
        for number in range(options.rounds):
            for in_flight, generators in settings:
                for server in running:
                    if is_slow(server) and (in_flight > 256 or number >= 3):
                        continue
                    progress("%s round %d of %d, %d in flight, %s" % (
                        transport, number + 1, options.rounds, in_flight, server.name))
                    result = measure(server, in_flight, generators, options.duration)
                    if result:
                        rounds.setdefault((in_flight, generators, server.name), []).append(
                            figures(result))
    progress("")
    return [summarize(key, found, rounds) for key, found in sorted(
        rounds.items(), key=lambda item: (item[0][:2], item[0][2] != "floor"))]


def summarize(key, found, rounds):
    def median(name):
        values = [f[name] for f in found if f[name] is not None]
        return statistics.median(values) if values else None

    row = {name: median(name) for name in found[0]}
    # A ratio in each round, then the median: both were measured within the same seconds.
    floor = rounds[key[0], key[1], "floor"]
    ratios = [a["answers/s"] / b["answers/s"] for a, b in zip(found, floor) if b["answers/s"]]
    row["ratio"] = statistics.median(ratios) if ratios else None
    row.update({"in flight": key[0], "generators": key[1], "server": key[2]})
    return row


def progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def cell(row, name):
    value = row[name]
    if value is None:
        return "-"
    return "%.2f" % value if name == "ratio" else "%.1f" % value if value < 100 else "%.0f" % value


def print_table(transport, rows):
    print("\n%s\n%9s %4s  %-16s" % (transport, "in flight", "gen", "server") +
          "".join("%11s" % name for name in COLUMNS))
    last = None
    for row in rows:
        if last not in (None, (row["in flight"], row["generators"])):
            print()
        last = (row["in flight"], row["generators"])
        print("%9d %4d  %-16s" % (*last, row["server"]) +
              "".join("%11s" % cell(row, name) for name in COLUMNS) +
              ("  %d bad" % row["bad"] if row["bad"] else ""))


def html_report(results, environment):
    style = ("body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;"
             "padding:0 1rem;color-scheme:light dark}table{border-collapse:collapse;width:100%}"
             "td,th{padding:.2rem .6rem;text-align:right;font-variant-numeric:tabular-nums}"
             "th{border-bottom:1px solid}td:nth-child(3),th:nth-child(3){text-align:left}"
             "div{overflow-x:auto}.floor{opacity:.65}")
    parts = ["<!doctype html><html lang=en><meta charset=utf-8>"
             "<meta name=viewport content='width=device-width'><title>ruptimed benchmark</title>"
             "<style>%s</style><h1>ruptimed beside the floor</h1><p>%s</p>" % (
                 style, html.escape(environment))]
    for transport, rows in results.items():
        parts.append("<h2>%s</h2><div><table><tr><th>in flight<th>generators<th>server%s</tr>" % (
            transport, "".join("<th>" + name for name in COLUMNS)))
        for row in rows:
            parts.append("<tr class='%s'><td>%d<td>%d<td>%s%s</tr>" % (
                "floor" if row["server"] == "floor" else "", row["in flight"], row["generators"],
                html.escape(row["server"]), "".join("<td>" + cell(row, n) for n in COLUMNS)))
        parts.append("</table></div>")
    return "".join(parts) + "</html>\n"


def describe_machine():
    uname = os.uname()
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = re.findall(r"^model name\s*:\s*(.*)$", info.read(), re.MULTILINE)
    return "%s %s, %d CPUs (%s), load average before %.2f" % (
        uname.sysname, uname.release, os.cpu_count(), models[0] if models else uname.machine,
        os.getloadavg()[0])


def numbers(text):
    return [int(number) for number in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--duration", type=float, default=1, help="seconds for each measurement")
    parser.add_argument("--transports", default="tcp,udp,unix,msgq")
    parser.add_argument("--in-flight", type=numbers, default=[1, 16, 256, 4096])
    parser.add_argument("--generators", type=numbers, default=[1, 2])
    parser.add_argument("--peers", action="store_true", help="also servers that others wrote")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--html", metavar="FILE")
    options = parser.parse_args()
    environment = describe_machine()
    print(environment)
    results = {}
    for transport in options.transports.split(","):
        results[transport] = run_transport(transport, options)
        print_table(transport, results[transport])
    if options.json:
        write(options.json, json.dumps({"environment": environment, "results": results}, indent=1))
    if options.html:
        write(options.html, html_report(results, environment))


if __name__ == "__main__":
    main()
