# SPDX-License-Identifier: MIT
"""How long the machine kept what wanted to run from running: others' load, another guest."""

import os
import threading
import time

INTERVAL_S = 0.01
# More than what processes that take turns cost each other.
STALL_S = 0.05
ATTEMPTS = 20


class Stalls:
    """Measures while it is entered, on each CPU, how late a sleeper wakes up: LONGEST_S."""

    def __init__(self):
        self.longest_s = 0.0
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.watch, args=(cpu,), daemon=True)
                        for cpu in os.sched_getaffinity(0)]

    def watch(self, cpu):
        os.sched_setaffinity(threading.get_native_id(), {cpu})
        while not self.over.is_set():
            due = time.monotonic() + INTERVAL_S
            self.over.wait(INTERVAL_S)
            with self.lock:
                self.longest_s = max(self.longest_s, time.monotonic() - due)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def undisturbed(ask, is_good):
    """What ASK() gives. It is asked again where IS_GOOD() denies it and the machine stood still
    meanwhile, which can only make it worse; at rest it has three chances."""
    chances = 3
    for _ in range(ATTEMPTS):
        with Stalls() as stalls:
            got = ask()
        chances -= stalls.longest_s < STALL_S
        if is_good(got) or not chances:
            break
        print("# asked again: %.3f s of standstill" % stalls.longest_s, flush=True)
    return got
