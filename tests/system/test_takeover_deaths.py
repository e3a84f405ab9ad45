# SPDX-License-Identifier: MIT
"""kill -9 of either side at each step of a takeover leaves one server, which serves all.

strace stops the victim for good in front of a system call: one of those by which the two talk, or
by which the new one makes its sockets and the old one ends. A takeover that nothing disturbs says
which there are.
"""

import os
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
OLD, NEW = "old", "new"
KINDS = ("", "HELLO", "OFFER", "LISTENER", "TAKEN", "SERVING", "RELEASED", "COUNTERS")
SENT = re.compile(r'^(\d+) +(sendmsg|recvmsg)\(.*"RUto\\1\\0\\([1-7])\\0')
RESUMED = re.compile(r'^(\d+) +<\.\.\. (recvmsg) resumed>.*"RUto\\1\\0\\([1-7])\\0')
CALL = re.compile(r"^(\d+) +(sendmsg|recvmsg)\(")


class Traced(harness.Daemon):
    """One under strace, which kills it in front of its call number WHEN of CALL, if that is given."""

    def __init__(self, trace, *args, call=None, when=0):
        super().__init__(*args)
        inject = ["-e", "inject=%s:signal=KILL:when=%d" % (call, when)] if call else []
        # Beside the tracer's parent and not below it: the server is our own child.
        self._argv = ["strace", "-D", "-f", "-o", trace, "-s", "8", "-e", "signal=none", "-e",
                      "trace=sendmsg,recvmsg", *inject] + self._argv


class Step:
    """What one side does in a takeover; the victim is killed just before."""

    def __init__(self, side, call, when, kind):
        self.side, self.call, self.when, self.kind = side, call, when, kind

    def __str__(self):
        return "%s, before it %ss %s (%s %d)" % (
            self.side, "send" if self.call == "sendmsg" else "receive", self.kind, self.call,
            self.when)


def steps_of(side, trace):
    """Those of the thread that talks to the other server, in their order."""
    with open(trace, encoding="ascii", errors="replace") as text:
        lines = text.read().splitlines()
    counts, steps = {}, []
    for line in lines:
        call = CALL.match(line)
        if call:
            counts[call.groups()] = counts.get(call.groups(), 0) + 1
        said = SENT.match(line) or RESUMED.match(line)
        if said:
            thread, name, kind = said.groups()
            steps.append(Step(side, name, counts[thread, name], KINDS[int(kind)]))
    return steps


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
@unittest.skipIf(harness.SLOW != 1, "sanitizers and strace do not go together")
class Deaths(local.Sockets):
    limit_s = 300 * (clients.LONG or 1)

    def setUp(self):
        super().setUp()
        self.key, = self.stack.enter_context(local.keys())
        self.round = 0

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
        with Traced(self.trace(OLD), *args) as old, Traced(self.trace(NEW), *args) as new:
            self.assertEqual(old.wait(8), 0)
            new.wait_log("the server before has drained")
            self.assertEqual(new.stop(), 0)
        return steps_of(OLD, self.trace(OLD)) + steps_of(NEW, self.trace(NEW))

    def killed_at(self, step):
        args = self.begin()
        kill = {"call": step.call, "when": step.when}
        with Traced(self.trace(OLD), *args, **(kill if step.side == OLD else {})) as old:
            address = old.address("tcp")
            new = Traced(self.trace(NEW), *args, **(kill if step.side == NEW else {}))
            new.ready = False
            with new.unready() as new:
                victim, survivor = (old, new) if step.side == OLD else (new, old)
                self.assertEqual(victim.wait(10), -signal.SIGKILL, "the fault must fire")
                self.has_survived(step, survivor, address)

    def has_survived(self, step, survivor, address):
        """It serves within a second, all of the addresses, and its ledger balances."""
        harness.wait_for(lambda: self.is_up(survivor), 1, "the survivor to serve")


if __name__ == "__main__":
    harness.main()
