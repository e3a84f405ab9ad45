# SPDX-License-Identifier: MIT
"""One measurement: generators on a server for a moment, and what both of them say."""

import contextlib
import json
import os
import subprocess

import servers

BENCH = os.path.join(servers.BUILD_DIR, "src", "ruptime-bench")
WARMUP_S = 0.1
TIMEOUT_S = 2
LOSSES = ("ListenOverflows", "TCPReqQFullDrop", "UdpRcvbufErrors", "SoftnetDropped")


def shares(total, count):
    return [total // count + (number < total % count) for number in range(count)]


def generators_max(transport):
    """A generator on an XSI queue takes all types of answers for itself."""
    return 1 if transport == "msgq" else 2


def start(address, in_flight, duration_s):
    return subprocess.Popen(
        [BENCH, "-J", "-c", str(in_flight), "-d", "%gs" % duration_s,
         "--warmup=%gs" % WARMUP_S, "--timeout=%gs" % TIMEOUT_S, address],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def finish(process):
    """Its result, or None if it has none."""
    out, _ = process.communicate()
    with contextlib.suppress(ValueError):
        return json.loads(out)
    return None


def run(address, in_flight, generators=1, duration_s=1):
    """The results of GENERATORS processes that share IN_FLIGHT; None if one of them fails."""
    running = [start(address, share, duration_s) for share in shares(in_flight, generators)]
    results = [finish(process) for process in running]
    return results if all(results) else None


def answers(results):
    """All that the server has answered, in the warm-up, too."""
    return sum(each["answered"] + each["warmup"]["answered"] for each in results)


def failures(results):
    return sum(each["bad"] + each["lost"] + sum(each["errors"].values()) for each in results)


def latency(results, name):
    """Of two generators with the same load: their mean, by how much each of them saw."""
    seen = [each for each in results if each["answered"]]
    total = sum(each["answered"] for each in seen)
    return sum(each["latency_us"][name] * each["answered"] for each in seen) / total \
        if seen else None


def measure(server, in_flight, generators=1, duration_s=1):
    """The figures of one round, or None."""
    runs, cpu_s = server.runs(), servers.cpu_s(server.pid)
    results = run(server.address, in_flight, generators, duration_s)
    if not results:
        return None
    # The server's part counts for all of the load, so nothing has to begin at the same moment.
    cpu_s = servers.cpu_s(server.pid) - cpu_s
    answered = max(answers(results), 1)
    # The counters are the machine's, so each generator has seen the same.
    drops = max(sum(each["kernel_drops"][name] for name in LOSSES) for each in results)
    return {"answers_per_s": sum(each["throughput_rps"] for each in results),
            "cpu_us": cpu_s * 1e6 / answered,
            "p50_us": latency(results, "p50"), "p99_us": latency(results, "p99"),
            "p999_us": latency(results, "p999"),
            "runs_per_1000": None if runs is None else 1000 * (server.runs() - runs) / answered,
            "failed": failures(results), "kernel_drops": drops}
