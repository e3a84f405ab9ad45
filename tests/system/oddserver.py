# SPDX-License-Identifier: MIT
"""Running ruptime-bench against the servers of fixtures/, for the tests of the bench."""

import contextlib
import functools
import json
import os
import random
import select
import subprocess
import unittest

import harness

BENCH = harness.program("ruptime-bench")


def fixture(name):
    return os.path.join(harness.BUILD_DIR, "tests", "fixtures", name)


class OddServer:
    """An odd_server that serves ADDRESS (port 0 and fresh paths are fine) within a with block.

    Attributes: address, pid."""

    def __init__(self, address, *options):
        self._argv = [fixture("odd_server"), *options, address]

    def __enter__(self):
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        ready = select.select([self._process.stdout], [], [], 10 * harness.SLOW)[0]
        line = self._process.stdout.readline() if ready else ""
        if not line.startswith("listening "):
            self.__exit__()
            raise AssertionError("%s does not serve" % self._argv)
        self.address = line.split()[1]
        return self

    def _woken(self):
        with open("/proc/%d/status" % self.pid, encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields["voluntary_ctxt_switches"])

    def wait_for_load(self):
        """Until a hundred requests or so have come from now on: each wakes it, unless it is so busy
        that it never sleeps."""
        woken, cpu_s = self._woken(), harness.Process(self.pid).cpu_s
        harness.wait_for(lambda: self._woken() > woken + 100 or
                         harness.Process(self.pid).cpu_s > cpu_s + 0.05,
                         what="load on " + self.address)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(10 * harness.SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self._process.stdout.close()


def addresses(directory):
    """One address of each transport."""
    return ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "unix://%s/u" % directory,
            "unix-seqpacket://%s/q" % directory, "unix-dgram://%s/d" % directory,
            "fdpass://%s/f" % directory, queue_address()]


def queue_address():
    """A queue of no other process, most probably; the fixture refuses one that exists."""
    return "msgq://0x%x" % random.randrange(0x10000000, 0x3fffffff)


@functools.lru_cache(maxsize=None)
def has_json():
    """Without jansson -J is refused, whatever the address."""
    return "not built in" not in harness.run([BENCH, "-J", "nothing://"]).stderr


def start(*args, **kw):
    """A ruptime-bench with JSON on its stdout that runs while the test does something else."""
    if not has_json():
        raise unittest.SkipTest("ruptime-bench was built without jansson")
    return subprocess.Popen([BENCH, "-J", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=harness.environment(), **kw)


def finish(process, timeout=60):
    """Its exit status and its JSON."""
    try:
        out, err = process.communicate(timeout=timeout * harness.SLOW)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    if -process.returncode in harness.CRASHES or harness.SANITIZER_REPORT.search(err):
        raise AssertionError("%s crashed (%d):\n%s" % (process.args, process.returncode, err))
    return process.returncode, json.loads(out) if out else err


def bench(*args, timeout=60):
    return finish(start(*args), timeout)


def limit_is_the_generators(found):
    """What "generator_limit" of --find-max has to be: whether the last try at the rate that did
    not hold says nothing of the server."""
    tries = [t for t in found["tries"] if t["rate_rps"] == found["fails_rps"]]
    return bool(tries) and not tries[-1]["held"] and not tries[-1]["valid"]
