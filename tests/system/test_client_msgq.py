# SPDX-License-Identifier: MIT
"""ruptime through XSI message queues: the real server, bad ones, full queues, none at all."""

import os
import re
import resource
import subprocess
import time
import unittest

import harness
import xsi
from fakes import ANSWER, LINE
from stalls import Stopwatch

RUPTIME = harness.program("ruptime")
UPTIME_LINE = r"\A [0-9:]+ up .*load average: [0-9., ]+\n\Z"


def start(*args):
    return subprocess.Popen([RUPTIME, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=harness.environment())


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Msgq(unittest.TestCase):
    def setUp(self):
        self.key = xsi.free_key()
        self.url = "msgq://0x%x" % self.key

    def ruptime(self, *args):
        return harness.run([RUPTIME, *args, self.url])

    def failed(self, done, reason):
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (2, "", "ruptime: %s: %s\n" % (self.url, reason)))

    def finish(self, client):
        """What a client that start() has begun has come to."""
        with client:
            stdout, stderr = client.communicate(timeout=20 * harness.SLOW)
        return client.returncode, stdout, stderr


class Server(Msgq):
    def test_answers(self):
        with harness.Daemon("--listen=" + self.url):
            for url in (self.url, "msgq://%d" % self.key):
                done = harness.run([RUPTIME, url])
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertRegex(done.stdout, UPTIME_LINE)
        self.assertFalse(xsi.exists(self.key))
        self.assertFalse(xsi.exists(self.key | xsi.REPLY_BIT))

    def test_many_clients(self):
        with harness.Daemon("--listen=" + self.url):
            clients = [start(self.url) for _ in range(32)]
            for client in clients:
                code, stdout, stderr = self.finish(client)
                self.assertEqual((code, stderr), (0, ""))
                self.assertRegex(stdout, UPTIME_LINE)

    def test_comes_up_meanwhile(self):
        client = start("--wait", self.url)
        with harness.Daemon("--listen=" + self.url):
            code, stdout, stderr = self.finish(client)
        self.assertEqual((code, stderr), (0, ""))
        self.assertRegex(stdout, UPTIME_LINE)


class NoServer(Msgq):
    def test_no_such_queue(self):
        self.failed(self.ruptime(), "no such queue")
        with xsi.Queue(self.key) as requests:
            # Without a reply queue nothing is asked.
            self.failed(self.ruptime(), "no such queue")
            self.assertIsNone(requests.receive())

    @unittest.skipUnless(os.geteuid() == 0, "root is needed to become another user")
    def test_not_permitted(self):
        for modes in ((0o600, 0o666), (0o666, 0o600)):
            with xsi.Queue(self.key, modes[0]) as requests, \
                    xsi.Queue(self.key | xsi.REPLY_BIT, modes[1]):
                done = harness.run(harness.as_nobody([RUPTIME, self.url]))
                self.failed(done, "not permitted to use the queue")
                self.assertIsNone(requests.receive())


class Fake(Msgq):
    """The queues exist, and the test is their server."""

    def setUp(self):
        super().setUp()
        self.requests = xsi.Queue(self.key)
        self.replies = xsi.Queue(self.key | xsi.REPLY_BIT)
        for queue in (self.requests, self.replies):
            self.addCleanup(queue.__exit__, None, None, None)
            queue.__enter__()

    def request(self):
        """The type that the next request wants its reply to have."""
        kind, text = harness.wait_for(self.requests.receive, what="a request")
        self.assertGreaterEqual(kind, 1)
        match = re.fullmatch(rb"uptime ([1-9][0-9]*)", text)
        self.assertTrue(match, text)
        self.assertLess(int(match[1]), 2**31)
        return int(match[1])

    def wait_until_it_waits(self, client):
        """A client that waits for the queue looks at it twice, at least."""
        def switches():
            with open("/proc/%d/status" % client.pid, encoding="utf-8") as status:
                return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read(),
                                     re.MULTILINE)[1])

        harness.wait_for(lambda: os.readlink("/proc/%d/exe" % client.pid).endswith("ruptime"), 10,
                         "the program to be loaded")
        first = switches()
        harness.wait_for(lambda: switches() > first + 10, 10, "the client to wait")

    def test_answer(self):
        kinds = set()
        for line in (ANSWER, b"x\n", b"x" * 511 + b"\n"):
            client = start("--tries=1", self.url)
            kind = self.request()
            kinds.add(kind)
            self.replies.send(kind, line)
            self.assertEqual(self.finish(client), (0, line.decode(), ""))
        self.assertEqual(len(kinds), 3)

    def test_bad_answers(self):
        for text, reason in ((b"", "empty answer"),
                             (b"\n", "empty line"),
                             (ANSWER[:-1], "incomplete line"),
                             (b"x" * 512 + b"\n", "line longer than 512 bytes"),
                             (b"x" * 8192, "line longer than 512 bytes"),
                             (ANSWER + ANSWER, "more than one line"),
                             (bytes(range(256)), "more than one line"),
                             (b"error: \033[2J\n", "\\x1b[2J"),
                             (b"error: no luck\n", "no luck")):
            with self.subTest(text=text[:20]):
                client = start("--tries=1", self.url)
                self.replies.send(self.request(), text)
                self.assertEqual(self.finish(client),
                                 (2, "", "ruptime: %s: %s\n" % (self.url, reason)))

    def test_answers_of_others_stay(self):
        client = start("--tries=1", self.url)
        kind = self.request()
        other = kind % (2**31 - 1) + 1
        self.replies.send(other, b"not yours\n")
        self.replies.send(kind, ANSWER)
        self.assertEqual(self.finish(client), (0, LINE, ""))
        self.assertEqual(self.replies.receive(), (other, b"not yours\n"))
        self.assertIsNone(self.replies.receive())

    def test_late_answer_to_the_first_try(self):
        client = start("--tries=2", "--timeout=300ms", self.url)
        kind = self.request()
        self.assertEqual(self.request(), kind)
        self.replies.send(kind, ANSWER)
        self.assertEqual(self.finish(client), (0, LINE, ""))

    def test_answer_after_the_end_is_left_to_the_server(self):
        self.failed(self.ruptime("--tries=1", "--timeout=100ms"), "timed out")
        late = self.request()
        self.replies.send(late, b"late\n")
        client = start("--tries=1", self.url)
        self.replies.send(self.request(), ANSWER)
        self.assertEqual(self.finish(client), (0, LINE, ""))
        self.assertEqual(self.replies.receive(), (late, b"late\n"))

    def test_silence(self):
        before = cpu_seconds()
        watch = Stopwatch()
        self.failed(self.ruptime("--tries=2", "--timeout=1s"), "timed out")
        self.assertGreaterEqual(watch.elapsed_s, 2)
        self.assertLess(watch.ran_s, 2.2 + 1 * harness.SLOW)
        self.assertLess(cpu_seconds() - before, 0.2 * harness.SLOW)
        self.assertEqual(len({self.request(), self.request()}), 1)
        self.assertIsNone(self.requests.receive())

    def test_full_queue(self):
        self.requests.fill()
        begun = time.monotonic()
        self.failed(self.ruptime("--tries=1", "--timeout=300ms"), "the queue is full")
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)

    def test_queue_that_is_full_for_a_while(self):
        self.requests.fill()
        client = start("--tries=1", "--timeout=10s", self.url)
        self.wait_until_it_waits(client)

        def request():
            message = self.requests.receive()
            while message and not message[1].startswith(b"uptime"):
                message = self.requests.receive()
            return message

        _kind, text = harness.wait_for(request, 10, "the request behind the others")
        self.replies.send(int(text.split()[1]), ANSWER)
        self.assertEqual(self.finish(client), (0, LINE, ""))

    def test_reply_queue_removed(self):
        client = start("--tries=1", "--timeout=10s", self.url)
        self.request()
        self.replies.remove()
        self.assertEqual(self.finish(client),
                         (2, "", "ruptime: %s: the queue has been removed\n" % self.url))

    def test_full_queue_removed(self):
        self.requests.fill()
        client = start("--tries=1", "--timeout=10s", self.url)
        self.wait_until_it_waits(client)
        self.requests.remove()
        self.assertEqual(self.finish(client),
                         (2, "", "ruptime: %s: the queue has been removed\n" % self.url))


if __name__ == "__main__":
    harness.main()
