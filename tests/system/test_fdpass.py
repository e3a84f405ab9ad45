# SPDX-License-Identifier: MIT
"""Passed descriptors: every kind of them, and clients that do everything wrong."""

import contextlib
import os
import pty
import random
import select
import socket
import time

import clients
import harness
import local_clients as local
import userfault
from stalls import Stopwatch

HOSTILE = clients.some(1500, 10000)


class Fdpass(local.Sockets):
    def setUp(self):
        super().setUp()
        self.daemon = self.serve(self.url("fdpass"), self.url("unix", "plain"),
                                 args=["-w", "1"])

    def pass_fd(self, fd):
        return local.pass_fd(self.path(), fd)

    def fails_at_once(self, fd, reason):
        """The status comes at once, and no other client waits for it."""
        watch = Stopwatch()
        self.assertEqual(self.pass_fd(fd), b"error: " + reason + b"\n")
        local.ask("unix", self.path("plain"), timeout=1)
        self.assertLess(watch.ran_s, 1 * harness.SLOW)


NOW = b"the descriptor cannot take the line now"
GONE = b"nobody reads from the descriptor any more"


class Kinds(Fdpass):
    def test_file(self):
        with open(self.path("file"), "w+b") as out:
            for _ in range(3):
                self.assertEqual(self.pass_fd(out.fileno()), b"")
            out.seek(0)
            lines = out.readlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertRegex(line, clients.UPTIME_LINE)

    def test_pipe_and_socket(self):
        local.ask_fdpass(self.path())
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.assertEqual(self.pass_fd(theirs.fileno()), b"")
            self.assertRegex(ours.recv(4096), clients.UPTIME_LINE)

    def test_terminal(self):
        ours, theirs = pty.openpty()
        self.stack.callback(os.close, ours)
        self.stack.callback(os.close, theirs)
        self.assertEqual(self.pass_fd(theirs), b"")
        self.assertRegex(os.read(ours, 4096).replace(b"\r", b""), clients.UPTIME_LINE)

    def test_pipe_whose_reader_sleeps(self):
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb"), os.fdopen(writer, "wb", 0):
            os.set_blocking(writer, False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(writer, bytes(4096))
            os.set_blocking(writer, True)
            for _ in range(20):
                self.fails_at_once(writer, NOW)
            self.assertTrue(os.get_blocking(writer))

    def test_pipe_whose_reader_is_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb", 0):
            self.fails_at_once(writer, GONE)

    def test_socket_whose_reader_sleeps(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    theirs.send(bytes(4096))
            theirs.setblocking(True)
            self.fails_at_once(theirs.fileno(), NOW)

    def test_what_cannot_be_written(self):
        with open("/dev/full", "wb", 0) as full:
            self.fails_at_once(full.fileno(), b"no space left")
        with open("/dev/null", "rb", 0) as read_only:
            self.fails_at_once(read_only.fileno(), b"the descriptor is not open for writing")
        for flags in (os.O_PATH, os.O_RDONLY | os.O_DIRECTORY):
            fd = os.open(self.directory, flags)
            self.fails_at_once(fd, b"the descriptor is not open for writing")
            os.close(fd)
        with select.epoll() as epoll:
            self.fails_at_once(epoll.fileno(),
                               b"the descriptor is no file, pipe, socket or terminal")
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.fails_at_once(listening.fileno(), GONE)

    def test_the_connection_itself(self):
        with local.connect("fdpass", self.path()) as sock:
            local.send_fds(sock, [sock.fileno()])
            self.assertEqual(clients.read_to_end(sock), b"\0")

    def test_socket_that_lingers(self):
        for _ in range(3):
            sock, peer = local.lingering()
            with peer:
                with local.connect("fdpass", self.path()) as conn:
                    local.send_fds(conn, [sock.fileno()])
                    sock.close()
                local.ask("unix", self.path("plain"), timeout=2)


class HeldUp(Fdpass):
    """Descriptors whose locks their giver has, for as long as he likes: others do not wait."""

    def check(self, fd):
        with userfault.Held() as held:
            stat = held.write_to(fd)
            harness.wait_for(lambda: userfault.is_waiting(stat), what="the locks to be taken")
            clients_held = [self.stack.enter_context(local.connect("fdpass", self.path()))
                            for _ in range(8)]
            for sock in clients_held:
                local.send_fds(sock, [fd])
            harness.wait_for(lambda: self.writer_state() == "D",
                             what="the fdpass writer to be held up")
            for _ in range(20):
                local.ask("unix", self.path("plain"), timeout=1)
            self.assertEqual(select.select(clients_held, [], [], 0)[0], [])
            held.let_go()
            # Where that took more than two seconds, some are not answered any more.
            for sock in clients_held:
                self.assertIn(clients.read_to_end(sock), (b"\0", b""))
            local.ask_fdpass(self.path(), timeout=2)
        clients.state_at_rest(self, self.daemon, "fdpass")

    def writer_state(self):
        """Of its thread, in the letters of proc(5); None as long as there is none."""
        for task in os.listdir("/proc/%d/task" % self.daemon.pid):
            with contextlib.suppress(OSError):
                with open("/proc/%d/task/%s/stat" % (self.daemon.pid, task),
                          encoding="ascii") as stat:
                    name, _, rest = stat.read().rpartition(")")
                if name.endswith("(fdpass-writer"):
                    return rest.split()[0]
        return None

    def test_file(self):
        with open(self.path("file"), "w+b", 0) as out:
            self.check(out.fileno())

    def test_pipe(self):
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb"), os.fdopen(writer, "wb", 0):
            self.check(writer)

    def test_tcp(self):
        with socket.create_server(("127.0.0.1", 0)) as listener, \
                socket.create_connection(listener.getsockname()) as sock:
            self.check(sock.fileno())


class Messages(Fdpass):
    def test_none(self):
        with local.connect("fdpass", self.path()) as sock:
            sock.send(b"x" * 5000)
            self.assertEqual(clients.read_to_end(sock),
                             b"error: no descriptor came with the first byte\n")

    def test_several(self):
        for count in (2, 3, 5, 253):
            with local.connect("fdpass", self.path()) as sock:
                local.send_fds(sock, [1] * count)
                self.assertEqual(clients.read_to_end(sock),
                                 b"error: more came than one descriptor\n")

    def test_nothing_in_time(self):
        with contextlib.ExitStack() as stack:
            began = time.monotonic()
            silent = [stack.enter_context(local.connect("fdpass", self.path()))
                      for _ in range(20)]
            local.ask_fdpass(self.path(), timeout=1)
            for sock in silent:
                self.assertEqual(clients.read_to_end(sock),
                                 b"error: no descriptor came in time\n")
            self.assertGreaterEqual(time.monotonic() - began, 1.9)
        counts = clients.state_at_rest(self, self.daemon, "fdpass")
        self.assertEqual(counts["expired"], 20)

    def test_a_crowd_that_is_silent_keeps_nobody_out(self):
        with contextlib.ExitStack() as stack:
            for _ in range(400):
                stack.enter_context(local.connect("fdpass", self.path()))
            for _ in range(20):
                local.ask_fdpass(self.path(), timeout=2)

    def test_urgent_byte(self):
        """Readable, and yet there is nothing to receive: no reason to spin."""
        with local.connect("fdpass", self.path()) as sock:
            sock.send(b"x", socket.MSG_OOB)
            self.assertRegex(clients.read_to_end(sock), b"^error: ")
        local.ask_fdpass(self.path())

    def test_descriptor_in_the_second_message(self):
        before = self.daemon.descriptors()
        for _ in range(50):
            with local.connect("fdpass", self.path()) as sock:
                with contextlib.suppress(OSError):
                    sock.send(b"x")
                    local.send_fds(sock, [0])
        harness.wait_for(lambda: self.daemon.descriptors() <= before, what="the descriptors")


class Hostile(Fdpass):
    limit_s = 300

    def one(self, dice):
        """A client that does something at random, and may leave after every step."""
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(local.connect("fdpass", self.path()))
            if dice.random() < 0.1:
                return
            kind = dice.randrange(8)
            if kind == 0:
                ends = os.pipe()
                for end in ends:
                    stack.callback(os.close, end)
                fds = [ends[dice.randrange(2)]]
            elif kind == 1:
                ours, theirs = socket.socketpair()
                stack.enter_context(theirs)
                ours.close()
                fds = [theirs.fileno()]
            elif kind == 2:
                fds = [stack.enter_context(select.epoll()).fileno()]
            elif kind == 3:
                fds = [stack.enter_context(socket.create_server(("127.0.0.1", 0))).fileno()]
            elif kind == 4:
                fds = [sock.fileno()]
            else:
                fds = [os.open(os.devnull, dice.choice((os.O_RDONLY, os.O_WRONLY, os.O_PATH)))]
                stack.callback(os.close, fds[0])
            count = dice.choice((0, 1, 1, 1, 2, 5, 253))
            for _ in range(dice.choice((1, 1, 1, 2, 3))):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    local.send_fds(sock, (fds * 253)[:count], b"x" * dice.choice((1, 1, 64, 5000)))
            if dice.random() < 0.2:
                sock.shutdown(socket.SHUT_WR)
            if dice.random() < 0.5:
                with contextlib.suppress(ConnectionResetError):
                    answer = clients.read_to_end(sock)
                    self.assertRegex(answer, rb"\A(.*\n)?(\0|error: [a-z ,]+\n)\Z")

    def test_nothing_leaks_and_service_goes_on(self):
        seed = int(os.environ.get("RUPTIME_TEST_SEED") or random.SystemRandom().getrandbits(32))
        print("# seed", seed, flush=True)
        dice = random.Random(seed)
        before = self.daemon.descriptors()
        for i in range(HOSTILE):
            self.one(dice)
            if i % 500 == 0:
                local.ask_fdpass(self.path(), timeout=2)
                local.ask("unix", self.path("plain"), timeout=2)
        counts = local.settled(self, self.daemon, "fdpass", HOSTILE)
        self.assertGreaterEqual(counts["requests"], HOSTILE)
        harness.wait_for(lambda: self.daemon.descriptors() <= before, what="the descriptors")


if __name__ == "__main__":
    harness.main()
