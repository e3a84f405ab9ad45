# SPDX-License-Identifier: MIT
"""Clients of ruptimed for the system tests: one at a time in Python, many with fixtures/crowd."""

import json
import os
import re
import shutil
import socket
import subprocess
import uuid

import harness

# What procps prints, with or without a blank in front.
UPTIME_LINE = re.compile(rb" ?\d\d:\d\d:\d\d up .*load average: \d+\.\d\d, \d+\.\d\d, \d+\.\d\d\n")

# How many times as much as `make check-long` does; 0: `make check`.
LONG = int(os.environ.get("RUPTIME_TEST_LONG") or 0)

# What crowd counts besides what was started, answered well, or answered with an error line.
FAULTS = ("empty", "partial", "garbage", "reset", "refused", "timeout", "unsaid", "stale")


def seconds(short, long=10):
    """How long to put load on: a taste in `make check`, in earnest in `make check-long`."""
    return long if LONG else short


def some(count, long=None):
    """How many of what costs processor time. A sanitizer makes each of them slow, and reports it
    if something is wrong with any: fewer do."""
    if LONG:
        return long or count
    return count if harness.SLOW == 1 else count // 5


def fixture(name):
    return os.path.join(harness.BUILD_DIR, "tests", "fixtures", name)

# For a server that is told to leave at once: the threads that it leaves are no leak.
LEAVES_THREADS = {"TSAN_OPTIONS": "report_thread_leaks=0"}


class StampCommand:
    """A command in DIRECTORY that prints CLOCK_MONOTONIC in ns and counts its runs."""

    def __init__(self, directory):
        self.path = shutil.copy(fixture("stamp"), directory)
        self._runs = os.path.join(directory, "runs")
        with open(self._runs, "w", encoding="ascii"):
            pass
        os.chmod(self._runs, 0o666)

    @property
    def runs(self):
        return os.path.getsize(self._runs)


class Gate:
    """A command that waits in DIRECTORY until it is opened, once and for all."""

    def __init__(self, directory):
        self.path = harness.fake_command(directory, """
            echo >'%s/started'
            while ! [ -e '%s/open' ]; do sleep 0.01; done
            echo up""" % (directory, directory))
        self._directory = directory

    def wait_started(self):
        harness.wait_for(lambda: os.path.exists(self._directory + "/started"), what="a run")

    def open(self):
        with open(self._directory + "/open", "w", encoding="ascii"):
            pass


def split(address):
    """(host, port) of an address such as tcp://[::1]:4711; any local one for '*'."""
    host, _, port = address.partition("://")[2].rpartition(":")
    host = host.strip("[]")
    return ("127.0.0.1" if host == "*" else host, int(port))


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def connect(address, timeout=10):
    return socket.create_connection(split(address), timeout * harness.SLOW)


def read_to_end(sock):
    """All that comes until the clean end of the stream."""
    parts = []
    while True:
        part = sock.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def ask_stream(address, timeout=10):
    with connect(address, timeout) as sock:
        return read_to_end(sock)


def udp_client(address, timeout=5, bind=None):
    """A connected socket: it takes replies from no other address."""
    host, port = split(address)
    sock = socket.socket(family_of(host), socket.SOCK_DGRAM)
    sock.settimeout(timeout * harness.SLOW)
    if bind:
        sock.bind(bind)
    sock.connect((host, port))
    return sock


def ask_datagram(address, request=b"?", timeout=5):
    with udp_client(address, timeout) as sock:
        sock.send(request)
        return sock.recv(65536)


def start_crowd(address, *args):
    """Start fixtures/crowd with ARGS on ADDRESS; finish_crowd() waits for it."""
    scheme, _, path = address.partition("://")
    argv = [fixture("crowd"), *(str(arg) for arg in args), scheme]
    argv += [path] if scheme == "unix" else [str(part) for part in split(address)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def finish_crowd(process, timeout=60):
    """Its counts, by name."""
    try:
        out, _ = process.communicate(timeout=timeout * harness.SLOW)
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise AssertionError("crowd ended with %d" % process.returncode)
    return json.loads(out)


def crowd(address, *args, timeout=60):
    return finish_crowd(start_crowd(address, *args), timeout)


def expect_all_answered(test, counts, *, but=(), least=1):
    """Every request got a whole line and a clean end; BUT: names of faults that may be."""
    faults = {name: counts[name] for name in FAULTS if name not in but and counts[name]}
    test.assertEqual(faults, {}, counts)
    test.assertEqual(counts["error_lines"], 0, counts)
    test.assertGreaterEqual(counts["ok"], least, counts)


STATE = re.compile(r"^(?:<\d>)?state (\S+) requests=(\d+) replies=(\d+) dropped=(\d+) "
                   r"waiting=(\d+)(?: \((.*)\))?$", re.MULTILINE)


def state(daemon):
    """What SIGUSR1 makes it log: {transport: {counter: value}}, "runs" and "datagrams"."""
    seen = daemon.log.count("state runs ")
    daemon.signal(harness.SIGUSR1)
    harness.wait_for(lambda: daemon.log.count("state runs ") > seen, what="the state lines")
    block = daemon.log[:daemon.log.rindex("state runs ")].rpartition("state runs ")[2]
    result = {}
    for name, *numbers, reasons in STATE.findall(block):
        counters = dict(zip(("requests", "replies", "dropped", "waiting"), map(int, numbers)))
        for reason in reasons.split():
            key, _, value = reason.partition("=")
            counters[key] = int(value)
        result[name] = counters
    ok, failed = re.findall(r"state runs ok=(\d+) failed=(\d+)", daemon.log)[-1]
    result["runs"] = {"ok": int(ok), "failed": int(failed)}
    udp = re.search(r"state kernel-dropped=(\d+) rate-exceeded=(\d+)", block)
    result["datagrams"] = dict(zip(("kernel-dropped", "rate-exceeded"),
                                   map(int, udp.groups() if udp else (0, 0))))
    return result


def ledgers_at_rest(test, daemon, transports=None, timeout=5):
    """The counters by transport once nothing waits at any, or at any of TRANSPORTS; they balance.

    A transport that is named must have been used."""
    found = {}

    def quiet():
        found.clear()
        found.update((name, counts) for name, counts in state(daemon).items()
                     if isinstance(counts, dict) and "waiting" in counts and
                     (transports is None or name in transports))
        return len(found) == len(transports or found) and \
            all(counts["waiting"] == 0 for counts in found.values())

    harness.wait_for(quiet, timeout, "nothing to wait")
    for name, counts in found.items():
        reasons = {key: value for key, value in counts.items()
                   if key not in ("requests", "replies", "dropped", "waiting")}
        test.assertEqual(counts["requests"], counts["replies"] + counts["dropped"], (name, counts))
        test.assertEqual(counts["dropped"], sum(reasons.values()), (name, counts))
    return found


def state_at_rest(test, daemon, transport, timeout=5):
    """The counters of TRANSPORT once nothing waits; the ledger balances."""
    return ledgers_at_rest(test, daemon, [transport], timeout)[transport]


def extended_request(size, padding=0):
    """An extended request of SIZE bytes and its nonce."""
    nonce = uuid.uuid4().bytes[:8]
    return b"RUq1" + nonce + bytes([padding]) * (size - 12), nonce
