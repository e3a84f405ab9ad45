# SPDX-License-Identifier: MIT
"""XSI message queues: requests, messages, and everything that others can do to a queue."""

import contextlib
import errno
import os
import random
import re
import signal
import tempfile
import threading
import time
import unittest

import clients
import harness
import local_clients as local
import namespaces
import refusal
from stalls import Stopwatch

ROUNDS = 200 if clients.LONG else 30
POISON = clients.some(20000, 100000)


def usual_bytes():
    """What the kernel lets a queue hold."""
    with open("/proc/sys/kernel/msgmnb", encoding="ascii") as limit:
        return int(limit.read())


class Queues(unittest.TestCase):
    count = 1

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(harness.tempdir())
        self.keys = self.stack.enter_context(local.keys(self.count))
        self.key = self.keys[0]

    def serve(self, *args, key=None, keys="", **options):
        return self.stack.enter_context(harness.Daemon(
            "-l", "msgq://%#x%s" % (key or self.key, keys), *args, **options))

    def gone(self):
        left = [key for key in self.keys if local.exists(key) or
                local.exists(key | local.REPLY_BIT)]
        self.assertEqual(left, [])

    def refused(self, *args, code=1):
        done = harness.run([harness.program("ruptimed"), *args])
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertRegex(done.stderr, r"\Aruptimed: [^\n]*\n\Z")
        return done.stderr


class Life(Queues):
    def test_removed_after_every_stop(self):
        for sig, code in ((signal.SIGTERM, 0), (signal.SIGINT, 0)):
            with harness.Daemon("-l", "msgq://%d" % self.key) as daemon:
                local.ask_msgq(self.key)
                self.assertEqual(daemon.stop(sig), code)
            self.gone()

    def test_removed_after_a_second_signal(self):
        slow = harness.fake_command(self.directory, "exec sleep 30")
        daemon = self.serve("--run-timeout=1m", command=slow, env=clients.LEAVES_THREADS)
        local.msgsnd(local.msgget(self.key), 1, b"uptime 1")
        harness.wait_for(lambda: any(p.name == "sleep" for p in harness.descendants(daemon.pid)),
                         what="a run")
        self.assertEqual(daemon.stop_at_once(), 1)
        self.gone()

    def test_removed_after_a_failed_start(self):
        path = os.path.join(self.directory, "file")
        with open(path, "w", encoding="ascii"):
            pass
        self.refused("-l", "msgq://%d" % self.key, "-l", "unix://" + path)
        self.gone()

    def test_given_twice(self):
        self.assertIn("twice", self.refused("-l", "msgq://%d" % self.key, "-l",
                                            "msgq://%#x?mode=0660" % self.key, code=2))

    def test_killed_by_force_and_started_again(self):
        with harness.Daemon("-l", "msgq://%d" % self.key) as daemon:
            queue = local.msgget(self.key)
            daemon.stop(signal.SIGKILL)
        # What was asked meanwhile is answered, and an old reply is not taken for a new one.
        local.msgsnd(local.msgget(self.key | local.REPLY_BIT), 77, b"old")
        local.msgsnd(queue, 1, b"uptime 77")
        with harness.Daemon("-l", "msgq://%d" % self.key):
            self.assertEqual(local.msgget(self.key), queue)
            self.assertRegex(local.fetch(local.msgget(self.key | local.REPLY_BIT), 77),
                             clients.UPTIME_LINE)

    def test_killed_after_it_had_shut_the_door(self):
        queue = local.msgget(self.key, local.IPC_CREAT | 0o600)
        shut = local.status(queue)
        shut.qbytes = 0
        local.set_status(queue, shut)
        self.serve()
        local.ask_msgq(self.key)
        self.assertEqual(local.status(queue).qbytes, usual_bytes() // 2)

    def test_requests_have_half_of_a_queue(self):
        self.serve()
        for key, part in ((self.key, 2), (self.key | local.REPLY_BIT, 1)):
            self.assertEqual(local.status(local.msgget(key)).qbytes, usual_bytes() // part)

    def test_senders_that_wait_are_told_of_the_stop(self):
        slow = harness.fake_command(self.directory, "sleep 0.2; exec uptime")
        daemon = self.serve("-q", "1", command=slow)
        queue = local.msgget(self.key)
        outcome = []

        def send():
            try:
                while True:
                    local.msgsnd(queue, 1, b"uptime 9" + bytes(7000))
            except OSError as error:
                outcome.append(error.errno)

        sender = threading.Thread(target=send)
        sender.start()
        harness.wait_for(lambda: local.status(queue).cbytes > 7000, what="a full queue")
        self.assertEqual(daemon.stop(), 0)
        sender.join(10)
        self.assertIn(outcome, ([errno.EIDRM], [errno.EINVAL]))
        self.gone()

    def test_what_waits_at_the_stop_is_answered(self):
        gate = os.path.join(self.directory, "open")
        slow = harness.fake_command(
            self.directory, "echo >'%s.started'; while ! [ -e '%s' ]; do sleep 0.01; done; "
            "exec uptime" % (gate, gate))
        daemon = self.serve("-q", "2", "--run-timeout=1m", command=slow)
        requests = local.msgget(self.key)
        replies = local.msgget(self.key | local.REPLY_BIT)
        # Two for each run, all of which have to be over within the time of a stop.
        waiting = 40
        for i in range(1, 1 + waiting):
            local.msgsnd(requests, 1, b"uptime %d" % i)
        harness.wait_for(lambda: os.path.exists(gate + ".started"), what="a run")
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("^stopping$")
        with open(gate, "w", encoding="ascii"):
            pass
        for i in range(1, 1 + waiting):
            self.assertRegex(local.fetch(replies, i), clients.UPTIME_LINE)
        self.assertEqual(daemon.wait(), 0)
        self.gone()


class Adoption(Queues):
    def test_same_is_adopted_and_stays(self):
        queue = local.msgget(self.key, local.IPC_CREAT | 0o640)
        with harness.Daemon("-l", "msgq://%d?mode=0640" % self.key):
            self.assertEqual(local.msgget(self.key), queue)
            local.ask_msgq(self.key)
        self.assertEqual(local.msgget(self.key), queue)
        self.assertFalse(local.exists(self.key | local.REPLY_BIT))

    def test_other_mode_is_refused(self):
        for key in (self.key, self.key | local.REPLY_BIT):
            queue = local.msgget(key, local.IPC_CREAT | 0o660)
            said = self.refused("-l", "msgq://%d" % self.key)
            self.assertIn("message queue %#x exists, with another owner or another mode" % key,
                          said)
            self.assertEqual(local.msgget(key), queue)
            local.remove(queue)
            self.gone()

    @unittest.skipIf(os.geteuid() != 0, "only root can be two users")
    def test_other_owner_is_refused(self):
        """Also one that its maker has given away: who makes a queue has its owner's rights."""
        for give_away in (False, True):
            with self.subTest(give_away=give_away):
                def make(give_away=give_away):
                    queue = local.msgget(self.key, local.IPC_CREAT | 0o600)
                    if give_away:
                        status = local.status(queue)
                        status.perm.uid = status.perm.gid = 0
                        local.set_status(queue, status)

                self.assertEqual(harness.end_of(harness.fork_as_nobody(make)), 0)
                self.assertEqual(local.status(local.msgget(self.key)).perm.uid,
                                 0 if give_away else harness.NOBODY)
                self.assertIn("another owner", self.refused("-l", "msgq://%d" % self.key))
                # A root without CAP_SYS_ADMIN may not.
                child = harness.fork_as_nobody(lambda: local.remove(local.msgget(self.key)))
                self.assertEqual(harness.end_of(child), 0)

    def test_no_queue_is_left_in_the_system(self):
        script = 'echo 0 >/proc/sys/kernel/msgmni && exec "$0" -l msgq://%d' % self.key
        done = harness.run(["unshare", "--user", "--map-root-user", "--ipc", "sh", "-c", script,
                            harness.program("ruptimed")])
        if "ruptimed" not in done.stderr:
            self.skipTest("no IPC namespace here: " + done.stderr.strip())
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("the system has all the message queues it may have: 0, see sysctl "
                      "kernel.msgmni", done.stderr)


class Messages(Queues):
    count = 3

    def test_printed_once_queue_by_queue(self):
        """What a program that only sends texts has always seen."""
        out = self.stack.enter_context(tempfile.TemporaryFile(dir="/tmp"))
        with harness.Daemon(*[arg for key in self.keys for arg in ("-l", "msgq://%d" % key)],
                            "--print-messages", stdout=out) as daemon:
            expected = []
            for key in self.keys:
                queue = local.msgget(key)
                texts = [b"hello, world", b"", b"x" * 8192, b"two\nlines", b"bell\x07 \xff\x00end",
                         b"with its NUL\0", b"uptime", b"uptime 0", b"uptime 2147483648"]
                for i, text in enumerate(texts + [b"%d" % n for n in range(300)]):
                    local.msgsnd(queue, 1 + i, text)
                    shown = text[:-1] if text.endswith(b"\0") else text
                    shown = re.sub(rb"[^ -~]", lambda m: b"\\x%02x" % m.group()[0], shown)
                    expected.append(b"queue id %d, message %s" % (queue, shown))
            for key in self.keys:
                local.ask_msgq(key)
            self.assertEqual(daemon.stop(), 0)
            self.assertIn("queue id %d, message hello, world\n" % queue, daemon.log)
        out.seek(0)
        lines = out.read().split(b"\n")[:-1]
        self.assertEqual(sorted(lines), sorted(expected))
        # Of each queue in the order in which they were sent.
        for start in {line.split(b",")[0] for line in expected}:
            self.assertEqual([line for line in lines if line.startswith(start + b",")],
                             [line for line in expected if line.startswith(start + b",")])

    def test_several_queues(self):
        with harness.Daemon(*[arg for key in self.keys for arg in ("-l", "msgq://%d" % key)]):
            for key in self.keys * 5:
                local.ask_msgq(key)
        self.gone()


class Limits(Queues):
    def ask_in_vain(self, daemon, limit):
        local.msgsnd(local.msgget(self.key), 1, b"uptime 5")
        daemon.wait_log("does not fit into a message queue: see sysctl.* kernel.%s" % limit)
        harness.wait_for(lambda: clients.state(daemon)["msgq"].get("send-failed") == 1,
                         what="the drop")

    def test_message_longer_than_the_system_allows(self):
        with namespaces.ipc():
            try:
                with open("/proc/sys/kernel/msgmax", "w", encoding="ascii") as limit:
                    limit.write("40")
            except OSError as error:
                self.skipTest("cannot set kernel.msgmax: %s" % error)
            with harness.Daemon("-l", "msgq://%d" % self.key) as daemon:
                self.ask_in_vain(daemon, "msgmax")
            self.gone()

    def test_message_longer_than_a_queue_may_be(self):
        daemon = self.serve()
        replies = local.msgget(self.key | local.REPLY_BIT)
        status = local.status(replies)
        status.qbytes = 40
        local.set_status(replies, status)
        self.ask_in_vain(daemon, "msgmax and kernel.msgmnb")
        self.assertEqual(daemon.stop(), 0)
        self.gone()


class Replies(Queues):
    def test_not_fetched(self):
        """Gone after 5 s and not before, while others get theirs."""
        self.serve()
        requests = local.msgget(self.key)
        replies = local.msgget(self.key | local.REPLY_BIT)
        sent = time.monotonic()
        for message_type in (5, 6, 7):
            local.msgsnd(requests, 1, b"uptime %d" % message_type)
        harness.wait_for(lambda: local.status(replies).qnum == 3, what="the replies")
        while time.monotonic() < sent + 4.8:
            local.ask_msgq(self.key)
            self.assertEqual(local.status(replies).qnum, 3)
            harness.let_pass(0.05)
        harness.wait_for(lambda: local.status(replies).qnum == 0, 3, "an empty queue")
        self.assertLess(time.monotonic() - sent, 7 * harness.SLOW)

    def test_who_never_fetches_fills_the_queue_for_nobody(self):
        """Not even who asks again and again."""
        daemon = self.serve()
        requests = local.msgget(self.key)
        replies = local.msgget(self.key | local.REPLY_BIT)
        # First as many as there is room for, and then one each now and then.
        for _ in range(400):
            local.msgsnd(requests, 1, b"uptime 5")
        harness.wait_for(lambda: clients.state(daemon).get("msgq", {}).get("queue-full"),
                         what="a full queue")
        end = harness.deadline(12)
        while local.status(replies).qnum > 100:
            self.assertLess(time.monotonic(), end, "still full")
            local.msgsnd(requests, 1, b"uptime 5")
            harness.let_pass(0.1)
        local.ask_msgq(self.key)

    def test_what_others_put_there(self):
        daemon = self.serve()
        replies = local.msgget(self.key | local.REPLY_BIT)
        with self.assertRaises(OSError):
            while True:
                local.msgsnd(replies, random.randrange(1, 2 ** 62), bytes(50), local.IPC_NOWAIT)
        local.ask_msgq(self.key, timeout=10)
        self.assertEqual(daemon.exit_code, None)


class Pressure(Queues):
    def test_senders_wait_and_nothing_is_lost(self):
        slow = harness.fake_command(self.directory, "sleep 0.2; exec uptime")
        daemon = self.serve("-q", "8", command=slow)
        requests = local.msgget(self.key)
        replies = local.msgget(self.key | local.REPLY_BIT)
        count = 1500
        # They fill the queue of requests, besides what the server holds: a burst of the receiver,
        # the socketpair, the pool. Their replies have room, however late we are.
        text, under_way = b"uptime %01000d", threading.Semaphore(120)
        waited = []

        def send():
            for i in range(1, count + 1):
                under_way.acquire()
                try:
                    local.msgsnd(requests, 1, text % i, local.IPC_NOWAIT)
                except OSError:
                    waited.append(i)
                    local.msgsnd(requests, 1, text % i)

        sender = threading.Thread(target=send)
        sender.start()
        harness.wait_for(lambda: waited, what="a full queue")
        harness.fake_command(self.directory, "exec uptime")
        for i in range(1, count + 1):
            self.assertRegex(local.fetch(replies, i, 20), clients.UPTIME_LINE)
            under_way.release()
        sender.join()
        counts = clients.state_at_rest(self, daemon, "msgq")
        self.assertEqual((counts["requests"], counts["replies"]), (count, count))


class Vandals(Queues):
    def test_removed_under_load(self):
        """Served again within a second each time, and the processor has its rest."""
        daemon = self.serve()
        stop = threading.Event()

        def load():
            while not stop.is_set():
                with contextlib.suppress(AssertionError):
                    local.ask_msgq(self.key, timeout=5)

        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for i in range(ROUNDS):
                with contextlib.suppress(OSError):
                    if i % 3 != 1:
                        local.remove(local.msgget(self.key))
                    if i % 3 != 0:
                        local.remove(local.msgget(self.key | local.REPLY_BIT))
                watch = Stopwatch()
                local.ask_msgq(self.key, timeout=5)
                # A client whose reply went away with its queue asks again after half a second.
                self.assertLess(watch.ran_s, (1 + 0.5) * harness.SLOW)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        used = harness.Process(daemon.pid).cpu_s
        local.remove(local.msgget(self.key))
        local.remove(local.msgget(self.key | local.REPLY_BIT))
        harness.let_pass(1)
        self.assertLess(harness.Process(daemon.pid).cpu_s - used, 0.2)
        local.ask_msgq(self.key)

    def test_taken_by_others(self):
        """Another user's queue with our key: not adopted, no spin, and back when it is gone."""
        daemon = self.serve()
        local.remove(local.msgget(self.key))
        with contextlib.suppress(OSError):
            local.msgget(self.key, local.IPC_CREAT | local.IPC_EXCL | 0o644)
        used = harness.Process(daemon.pid).cpu_s
        harness.let_pass(0.5)
        self.assertLess(harness.Process(daemon.pid).cpu_s - used, 0.2)
        local.remove(local.msgget(self.key))
        local.ask_msgq(self.key)

    def test_receiving_is_refused(self):
        """By a container's profile: the true reason is told, without a spin."""
        daemon = self.serve(preexec_fn=refusal.refuse("msgrcv", errno.EPERM))
        daemon.wait_log("receiving from message queue id %d fails: Operation not permitted" %
                        local.msgget(self.key))
        used = harness.Process(daemon.pid).cpu_s
        harness.let_pass(0.5)
        self.assertLess(harness.Process(daemon.pid).cpu_s - used, 0.2)

    def test_poison(self):
        """Random bytes, types and lengths, from another user, on a queue for all."""
        self.serve("--quiet", keys="?mode=0666")
        seed = random.SystemRandom().getrandbits(32)
        print("# seed", seed, flush=True)
        child = harness.fork_as_nobody(lambda: poison(self.key, POISON, random.Random(seed)))
        answered = 0
        try:
            while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                local.ask_msgq(self.key, timeout=2)
                answered += 1
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            status = harness.end_of(child)
        self.assertEqual(status, 0)
        self.assertGreater(answered, 3)
        local.ask_msgq(self.key, timeout=1)


def poison(key, count, dice):
    """COUNT messages that DICE make up."""
    queue = local.msgget(key)
    # The last type that a long holds, which is the server's own.
    last = local.WAKE_TYPE
    types = [number for number in (1, 2, 2 ** 31, 2 ** 62, last, last - 1) if number <= last]
    for _ in range(count):
        size = dice.choice((0, 0, 1, 7, 8, 9, 60, 60, 500, 8192))
        text = dice.choice((b"", b"uptime ", b"uptime 4294967296", b"\0")) + dice.randbytes(size)
        local.msgsnd(queue, dice.choice((*types, dice.randrange(1, last + 1))), text[:8192])


if __name__ == "__main__":
    harness.main()
