# SPDX-License-Identifier: MIT
"""The time for which the machine stood still: others' load, another guest that had its CPUs.

A bound that holds at rest says nothing where what should come within 0.5 s was not run for 0.7."""

import functools
import os
import threading
import time

import harness

INTERVAL_S = 0.02
# What processes that take turns cost each other is no standstill.
TURN_S = 0.02
ATTEMPTS = 20


class Monitor:
    """A sleeper on each CPU: what it wakes up too late is standstill of the machine."""

    def __init__(self):
        self.lock = threading.Lock()
        self.total_s = 0.0
        self.counted_until = 0.0
        self.due = {cpu: time.monotonic() + INTERVAL_S for cpu in os.sched_getaffinity(0)}
        for cpu in self.due:
            threading.Thread(target=self.watch, args=(cpu,), daemon=True).start()

    def watch(self, cpu):
        os.sched_setaffinity(threading.get_native_id(), {cpu})
        while True:
            harness.let_pass(INTERVAL_S)
            with self.lock:
                self.count(cpu)
                self.due[cpu] = time.monotonic() + INTERVAL_S

    def count(self, cpu):
        """Where CPUs stood still together it counts once."""
        now = time.monotonic()
        if now - self.due[cpu] > TURN_S:
            self.total_s += now - max(self.due[cpu], self.counted_until)
            self.counted_until = now

    def standstill_s(self):
        """Until now, what still goes on included."""
        with self.lock:
            for cpu in self.due:
                self.count(cpu)
            return self.total_s


@functools.cache
def monitor():
    """Of this process, from its first use on."""
    return Monitor()


# Its threads do not go with a fork.
os.register_at_fork(after_in_child=monitor.cache_clear)


class Stopwatch:
    """Runs from its birth on."""

    def __init__(self):
        self._before_s = monitor().standstill_s()
        self._start = time.monotonic()

    @property
    def elapsed_s(self):
        return time.monotonic() - self._start

    @property
    def standstill_s(self):
        return monitor().standstill_s() - self._before_s

    @property
    def ran_s(self):
        """For how long the machine ran: what to judge that something came in time by."""
        return self.elapsed_s - self.standstill_s


def undisturbed(ask, is_good):
    """What ASK() gives. It is asked again where IS_GOOD() denies it and the machine stood still
    meanwhile, which can only make it worse; at rest it has three chances."""
    chances = 3
    for _ in range(ATTEMPTS):
        watch = Stopwatch()
        got = ask()
        lost_s = watch.standstill_s
        chances -= lost_s < TURN_S
        if is_good(got) or not chances:
            break
        print("# asked again: %.3f s of standstill" % lost_s, flush=True)
    return got
