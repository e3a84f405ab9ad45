# SPDX-License-Identifier: MIT
"""A command that hangs: clients that wait are told in time, and none waits once it is well."""

import contextlib
import selectors
import time
import unittest

import clients
import harness
from stalls import Stopwatch

RUN_TIMEOUT_S = 1
# Among other tests on a busy machine it may take longer, but not two whole runs.
TOLD_WITHIN_S = RUN_TIMEOUT_S + (0.2 if clients.LONG else 0.5)
EVERY_S = 0.04


class Hang(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(harness.tempdir())
        self.command("exec sleep 60")
        self.daemon = stack.enter_context(harness.Daemon(
            "-l", "tcp://127.0.0.1:0", "--run-timeout=%gs" % RUN_TIMEOUT_S,
            command=self.directory + "/uptime"))
        self.tcp = self.daemon.address("tcp")

    def command(self, script):
        harness.fake_command(self.directory, script)

    def ask_all_along(self, spell_s):
        """A client every EVERY_S. Returns what each was told, after how long, and how long of that
        the machine ran."""
        told = []
        waiting = selectors.DefaultSelector()
        end = time.monotonic() + spell_s
        next_one = time.monotonic()
        while time.monotonic() < end or waiting.get_map():
            now = time.monotonic()
            if now < end and now >= next_one:
                watch = Stopwatch()
                waiting.register(clients.connect(self.tcp), selectors.EVENT_READ, watch)
                next_one += EVERY_S
            until = next_one if now < end else now + 60 * harness.SLOW
            ready = waiting.select(max(0, until - time.monotonic()))
            self.assertTrue(ready or now < end, "no client is told any more")
            for key, _ in ready:
                waiting.unregister(key.fileobj)
                with key.fileobj as sock:
                    told.append((clients.read_to_end(sock), key.data.elapsed_s, key.data.ran_s))
        return told

    def test_everybody_is_told_in_time(self):
        told = self.ask_all_along(clients.seconds(2.5, 30))
        self.assertGreater(len(told), 20)
        print("# told after %.3f s at most" % max(ran_s for _, _, ran_s in told))
        for line, _, ran_s in told:
            self.assertRegex(line, rb"^error: the command did not finish within \d+ ms\n$")
            self.assertLess(ran_s, TOLD_WITHIN_S * harness.SLOW)
        # Most came when a run was under way, so two hung for them.
        self.assertGreater(max(took_s for _, took_s, _ in told), RUN_TIMEOUT_S)
        counters = clients.state_at_rest(self, self.daemon, "tcp")
        self.assertEqual(counters["run-failed"], len(told))

    def wait_through_one_that_hangs(self):
        """What those are told who came when half of it was over, and how many runs they took."""
        self.command("exec sleep 60")
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(clients.connect(self.tcp))
            harness.wait_for(lambda: [p for p in harness.descendants(self.daemon.pid)
                                      if p.name == "sleep"], what="the first run")
            harness.let_pass(RUN_TIMEOUT_S / 2)
            waiting = [stack.enter_context(clients.connect(self.tcp)) for _ in range(20)]
            self.command("echo up")
            self.assertRegex(clients.read_to_end(first), rb"^error: ")
            told = {clients.read_to_end(sock) for sock in waiting}
            return told, clients.state(self.daemon)["runs"]

    def test_the_next_healthy_run_serves_all(self):
        """It has 0.6 s left: a machine that stands still may take these once, not three times."""
        for times in range(1, 4):
            told, runs = self.wait_through_one_that_hangs()
            if told == {b"up\n"}:
                break
        self.assertEqual(told, {b"up\n"})
        self.assertEqual((runs["ok"], runs["failed"]), (1, 2 * times - 1), runs)


if __name__ == "__main__":
    harness.main()
