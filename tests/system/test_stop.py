# SPDX-License-Identifier: MIT
"""What strangers do shall neither hold up a stop nor cost the clients that are there their line."""

import contextlib
import ctypes
import os
import signal
import socket
import struct
import threading
import unittest

import clients
import harness
import local_clients as local
from stalls import Stopwatch

SO_ATTACH_FILTER = 26
QUICK_S = 2


def half_open(stack, port):
    """A client whose kernel throws away all that the server sends: its handshake never ends."""
    sock = stack.enter_context(socket.socket())
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                        struct.pack("HL", 1, ctypes.addressof(drop_all)))
    except PermissionError:
        raise unittest.SkipTest("no filter may be attached here") from None
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sock.connect(("127.0.0.1", port))


def count_half_open(ports):
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[3] == "03" and int(row[1].split(":")[1], 16) in ports for row in rows)


class Stop(local.Sockets):
    def stops_quickly(self, daemon):
        watch = Stopwatch()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(watch.ran_s, QUICK_S * harness.SLOW)
        self.assertNotIn("not answered", daemon.log)

    def test_half_open_handshakes_at_many_listeners(self):
        count = 12
        daemon = self.serve(*["tcp://127.0.0.1:0"] * count, "udp://127.0.0.1:0")
        ports = [daemon.port("tcp", i) for i in range(count)]
        for port in ports:
            half_open(self.stack, port)
        harness.wait_for(lambda: count_half_open(ports) == count, what="half-open handshakes")
        self.stops_quickly(daemon)

    def keep_asking(self, path, over, seen):
        while not over.is_set():
            try:
                with local.connect("unix", path) as sock:
                    seen.append(clients.read_to_end(sock))
            except ConnectionRefusedError:
                over.wait(0.005)
            except OSError as error:
                seen.append(error)

    def while_they_ask(self, daemon, path):
        """Stop DAEMON under clients that come by PATH: each has its line, or is refused."""
        over, seen = threading.Event(), []
        threads = [threading.Thread(target=self.keep_asking, args=(path, over, seen))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            harness.wait_for(lambda: len(seen) > 500 or any(
                not isinstance(s, bytes) for s in seen), 20, "clients")
            self.stops_quickly(daemon)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        bad = [s for s in seen if not isinstance(s, bytes) or not clients.UPTIME_LINE.fullmatch(s)]
        self.assertEqual(bad, [])

    def test_clients_come_by_another_name(self):
        daemon = self.serve(self.url("unix", keys="?mode=0666"))
        os.link(self.path(), self.path("other"))
        self.while_they_ask(daemon, self.path("other"))

    def test_a_name_that_cannot_be_removed(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to become another user")
        daemon = self.serve(self.url("unix", keys="?mode=0666"), args=["-u", "nobody"])
        self.while_they_ask(daemon, self.path())

    def test_datagrams_by_another_name_are_refused(self):
        daemon = self.serve(self.url("unix-dgram"))
        os.link(self.path(), self.path("other"))
        with local.connect("unix-dgram", self.path("other")) as sock:
            sock.send(b"?")
            self.assertRegex(sock.recv(100), clients.UPTIME_LINE)
            self.stops_quickly(daemon)
            with self.assertRaises(OSError):
                sock.send(b"?")

    def test_thieves_at_a_message_queue(self):
        """Other readers stand before the server in the queue's line: what is sent goes to them."""
        key, = self.stack.enter_context(local.keys())
        daemon = self.serve("msgq://%d?mode=0666" % key)
        queue = local.msgget(key)
        thieves = [self.start_thief(queue) for _ in range(3)]
        try:
            self.go_behind(daemon, queue)
            self.stops_quickly(daemon)
            # Nor does it leave a queue that they could wait at.
            for thief in thieves:
                harness.wait_for(lambda: harness.Process(thief).state == "Z", what="its end")
        finally:
            for thief in thieves:
                os.kill(thief, signal.SIGKILL)
                harness.end_of(thief)
        self.assertFalse(local.exists(key) or local.exists(key | local.REPLY_BIT))

    def go_behind(self, daemon, queue):
        """Each reader takes a message and joins the line again: once the server has taken one, it
        stands behind the thieves. They may be before it from the beginning."""
        def has_taken():
            if not local.status(queue).qnum:
                local.msgsnd(queue, 1, b"hello")
            return "message hello" in daemon.log
        harness.wait_for(has_taken, what="the message")

    def start_thief(self, queue):
        """A process that receives from QUEUE until there is none; it waits already."""
        read_fd, write_fd = os.pipe()

        def steal():
            os.write(write_fd, b"?")
            with contextlib.suppress(OSError):
                while True:
                    local.msgrcv(queue)

        thief = harness.fork_as_nobody(steal)
        os.close(write_fd)
        with os.fdopen(read_fd, "rb") as ready:
            self.assertEqual(ready.read(1), b"?")
        harness.wait_for(lambda: harness.Process(thief).state == "S", what="a reader that waits")
        return thief


if __name__ == "__main__":
    harness.main()
