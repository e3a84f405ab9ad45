# SPDX-License-Identifier: MIT
"""kill -9 of either side at each step of a takeover leaves one server, which serves all.

strace stops the victim for good in front of a system call: one of those by which the two talk, or
by which the new one makes its sockets and the old one ends. A takeover that nothing disturbs says
which there are.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import unittest

import clients
import harness
import local_clients as local

ROUNDS = 20 * clients.LONG or 1
# In `make check`: so many of all.
STEPS = None if clients.LONG else 6
# What is promised of a machine that does nothing else.
SURVIVES_S = 1 if clients.LONG else 10
OLD, NEW = "old", "new"
KINDS = ("", "HELLO", "OFFER", "LISTENER", "TAKEN", "SERVING", "RELEASED", "COUNTERS", "WITHDRAWN",
         "CONFIRMED")
# The name of the call stands in front of its arguments, or of "resumed" where it took a while.
CALL = re.compile(r"^(?:(\d+) +)?(sendmsg|recvmsg)\(")
SAID = re.compile(r'^(?:(\d+) +)?(?:<\.\.\. )?(sendmsg|recvmsg)\b.*'
                  r'"RUto\\[0-9]\\0(?:\\([0-9])|\\t)')


def options(trace, step=None):
    """What strace is to write to TRACE, and in front of which call it kills."""
    inject = ["-e", "inject=%s:signal=KILL:when=%d" % (step.call, step.when)] if step else []
    return ["-o", trace, "-s", "8", "-e", "signal=none", "-e", "trace=sendmsg,recvmsg", *inject]


class Traced(harness.Daemon):
    """One whose main thread is under strace from its start."""

    def __init__(self, trace, *args, step=None, **popen):
        super().__init__(*args, **popen)
        # Beside the tracer's parent and not below it: the server is our own child.
        self._argv = ["strace", "-D", *options(trace, step)] + self._argv
        if step:
            self._sent.add(signal.SIGKILL)

    def __exit__(self, *error):
        harness.wait_for(lambda: self.exit_code is None or not self.tracers(), what="strace's end")
        super().__exit__(*error)

    def tracers(self):
        """Those of this server: adopted by this process, which collects them."""
        tracers = [p for p in super()._relatives() if p.name == "strace"]
        for process in tracers:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)
        return tracers

    def _relatives(self):
        return [p for p in super()._relatives() if p.name != "strace"]


class Attached(harness.Daemon):
    """One whose threads NAMES, as the kernel calls them, are under strace once it serves."""

    def __init__(self, trace, *args, names, step=None):
        super().__init__(*args)
        self.trace, self.names, self.step = trace, names, step
        if step:
            self._sent.add(signal.SIGKILL)

    def __enter__(self):
        super().__enter__()
        threads = [arg for name in self.names for arg in ("-p", harness.wait_for(
            lambda name=name: self.thread(name), what="the thread " + name))]
        self.tracer = subprocess.Popen(["strace", *threads, *options(self.trace, self.step)],
                                       stderr=subprocess.PIPE, text=True)
        for _ in self.names:
            assert "attached" in self.tracer.stderr.readline()
        return self

    def __exit__(self, *error):
        try:
            super().__exit__(*error)
        finally:
            self.tracer.communicate()

    def thread(self, name):
        for tid in os.listdir("/proc/%d/task" % self.pid):
            with open("/proc/%d/task/%s/comm" % (self.pid, tid), encoding="ascii") as comm:
                if comm.read() == name + "\n":
                    return tid
        return None


class Step:
    """What one side does in a takeover; the victim is killed just before."""

    def __init__(self, side, call, when, kind):
        self.side, self.call, self.when, self.kind = side, call, when, kind

    def __str__(self):
        return "%s, before it %ss %s (%s %d)" % (
            self.side, "send" if self.call == "sendmsg" else "receive", self.kind, self.call,
            self.when)


def steps_of(side, trace):
    """Those of the threads that talk to the other server, in their order."""
    with open(trace, encoding="ascii", errors="replace") as text:
        lines = text.read().splitlines()
    counts, steps = {}, []
    for line in lines:
        call = CALL.match(line)
        if call:
            counts[call.groups()] = counts.get(call.groups(), 0) + 1
        said = SAID.match(line)
        if said:
            thread, name, kind = said.groups()
            steps.append(Step(side, name, counts[thread, name], KINDS[int(kind or 9)]))
    return steps


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
@unittest.skipIf(harness.SLOW != 1, "sanitizers and strace do not go together")
class Deaths(local.Sockets):
    limit_s = 300 * (clients.LONG or 1)

    def setUp(self):
        super().setUp()
        self.round, self.key = 0, local.free_key()

    def begin(self):
        """Names of its own for a takeover, and the options of both sides."""
        self.round += 1
        os.mkdir(self.path("%d" % self.round))
        self.urls = ["tcp://127.0.0.1:0", "unix://" + self.path("%d/unix" % self.round),
                     "msgq://%#x" % self.key]
        return [*(arg for url in self.urls for arg in ("-l", url)),
                "--takeover=" + self.path("%d/takeover" % self.round)]

    def trace(self, side):
        return self.path("%d/%s.trace" % (self.round, side))

    def serves(self, address):
        self.assertRegex(clients.ask_stream(address), clients.UPTIME_LINE)
        local.ask("unix", self.path("%d/unix" % self.round))
        local.ask_msgq(self.key)

    def undisturbed(self):
        """All steps of a takeover, each of which is one of the handshake."""
        args = self.begin()
        with Attached(self.trace(OLD), *args, names=("takeover", "ruptimed")) as old, \
                Traced(self.trace(NEW), *args) as new:
            self.assertEqual(old.wait(8), 0)
            new.wait_log("the server before has drained")
            self.assertEqual(new.stop(), 0)
        return steps_of(OLD, self.trace(OLD)) + steps_of(NEW, self.trace(NEW))

    def old(self, args, step):
        """The victim alone is traced, so that the other one is as quick as ever."""
        if step.side == NEW:
            return harness.Daemon(*args)
        name = "ruptimed" if step.kind == "COUNTERS" else "takeover"
        return Attached(self.trace(OLD), *args, names=(name,), step=step)

    def new(self, args, step):
        if step.side == OLD:
            return harness.Daemon(*args, ready=False)
        return Traced(self.trace(NEW), *args, step=step, ready=False)

    def kill_at(self, step):
        with local.keys() as (self.key,):
            self.kill_one_at(step)

    def kill_one_at(self, step):
        args = self.begin()
        with self.old(args, step) as old, self.new(args, step) as new:
            victim, survivor = (old, new) if step.side == OLD else (new, old)
            self.assertEqual(victim.wait(20), -signal.SIGKILL, "the fault must fire")
            harness.wait_for(lambda: self.is_up(survivor), SURVIVES_S, "the survivor to serve")
            state = clients.ledgers_at_rest(self, survivor)
            for scheme in ("tcp", "unix", "msgq"):
                self.assertEqual(state[scheme]["dropped"], 0, state)
            self.assertEqual(survivor.stop(), 0)
        names = os.listdir(self.path("%d" % self.round))
        self.assertEqual([name for name in names if not name.endswith(".trace")], [])
        # The queues of a server that was killed are adopted, and stay.
        if step.side == NEW:
            self.assertFalse(local.exists(self.key) or local.exists(self.key | local.REPLY_BIT))

    def is_up(self, server):
        """It answers at each address, and is the only one that could."""
        self.assertIsNone(server.exit_code, server.log)
        if len(server.addresses) < len(self.urls):
            return False
        try:
            self.serves(server.address("tcp"))
        except OSError:
            return False
        return True

    def test_at_each_step(self):
        seed = int(os.environ.get("RUPTIME_TEST_SEED") or random.randrange(1 << 30))
        steps = self.undisturbed()
        # The last word of the old one comes when it is none any more.
        steps = [step for step in steps if str(step) != str(steps[-1])]
        print("# %d steps, seed %d" % (len(steps), seed), flush=True)
        self.assertGreaterEqual(len(steps), 15, "\n".join(map(str, steps)))
        if STEPS:
            steps = random.Random(seed).sample(steps, STEPS)
        for _ in range(ROUNDS):
            for step in steps:
                with self.subTest(str(step)):
                    self.kill_at(step)


if __name__ == "__main__":
    harness.main()
