# SPDX-License-Identifier: MIT
"""Attempts to aim the server at another host: forged sources, loops, floods.

Campaigns of doc/reliability.md, section "UDP"; each prints its figures. `make check-long` runs them
at ten times the length.
"""

import contextlib
import os
import random
import select
import socket
import threading
import time
import unittest

import clients
import harness
import namespaces

OUTSIDE = None
SCALE = 10 if clients.LONG else 1
PLAIN = b"?"
EXTENDED = b"RUq1" + bytes(508)


def setUpModule():
    global OUTSIDE  # pylint: disable=global-statement
    namespaces.enter()
    OUTSIDE = namespaces.Outside()


def public_sources(count):
    """COUNT addresses that no host has here: of 203.0.113.0/24 and, then, 198.18.0.0/15."""
    for i in range(count):
        yield bytes((203, 0, 113, i)) if i < 256 else bytes((198, 18 + (i >> 16), i >> 8 & 255,
                                                              i & 255))


class Tap:
    """Counts what comes back over the wire, while in the with block."""

    def __init__(self):
        self.packets = self.payload = self.longest = 0
        self._sock = OUTSIDE.tap()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._count)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._sock.close()

    def _count(self):
        # What was sent before it is told to stop is in its buffer by then.
        while self._take() or not self._stop.is_set():
            select.select([self._sock], [], [], 0.01)

    def _take(self):
        got = False
        with contextlib.suppress(BlockingIOError):
            while True:
                size = len(self._sock.recv(2000)) - 28
                self.packets += 1
                self.payload += size
                self.longest = max(self.longest, size)
                got = True
        return got


class Campaign(unittest.TestCase):
    limit_s = 60 * SCALE

    def start(self, *args):
        context = harness.Daemon("-l", "udp://*:0", *args)
        self.daemon = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.port = self.daemon.port("udp")

    def forge(self, sources, count, payload):
        """COUNT datagrams from SOURCES in turn. Returns how long it took."""
        me = socket.inet_aton(OUTSIDE.HERE)
        packets = [namespaces.udp_packet(source, 40000, me, self.port, payload)
                   for source in sources]
        begun = time.monotonic()
        with OUTSIDE.forger() as forger:
            for i in range(count):
                forger.sendto(packets[i % len(packets)], (OUTSIDE.HERE, 0))
        return time.monotonic() - begun

    def account(self, count):
        """The ledger, once all of COUNT datagrams are in it or were lost in the kernel."""
        def arrived():
            state = clients.state(self.daemon)
            ledger = state.get("udp", {"requests": 0})
            return ledger["requests"] + state["datagrams"]["kernel-dropped"] >= count and state

        state = harness.wait_for(arrived, 20, "all datagrams")
        self.assertEqual(state["udp"]["requests"] + state["datagrams"]["kernel-dropped"], count)
        return clients.state_at_rest(self, self.daemon, "udp"), state["datagrams"]["kernel-dropped"]

    def memory_kb(self):
        with open("/proc/%d/status" % self.daemon.pid, encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


class Reflection(Campaign):
    def test_one_byte_from_afar(self):
        """Nothing comes back, whatever the source is said to be."""
        self.start()
        self.forge(public_sources(1000), 1000, PLAIN)
        before_kb = self.memory_kb()
        with Tap() as tap:
            took = self.forge(public_sources(10000 * SCALE), 100000 * SCALE, PLAIN)
            ledger, lost = self.account(1000 + 100000 * SCALE)
        grown_kb = self.memory_kb() - before_kb
        print("# %d datagrams in %.1f s, %d lost in the kernel, %d bytes back, memory +%d kB" %
              (100000 * SCALE, took, lost, tap.payload, grown_kb))
        self.assertEqual((tap.packets, tap.payload), (0, 0))
        self.assertEqual(ledger["not-local"], ledger["requests"])
        # What a sanitizer keeps of each access is no memory of ours.
        if harness.SLOW == 1:
            self.assertLessEqual(grown_kb, 1024)

    def test_extended_from_afar(self):
        """Never more than was sent, and 1,000 a second in all."""
        for size in (100, 512):
            with self.subTest(size):
                self.start()
                count = 20000 * SCALE
                begun = time.monotonic()
                with Tap() as tap:
                    took = self.forge(public_sources(10000 * SCALE), count, EXTENDED[:size])
                    ledger, lost = self.account(count)
                    elapsed = time.monotonic() - begun
                print("# %d datagrams of %d bytes in %.1f s, %d lost in the kernel: "
                      "%d answers, %.4f times the bytes" %
                      (count, size, took, lost, tap.packets, tap.payload / (count * size)))
                self.assertEqual(tap.packets, ledger["replies"])
                self.assertGreater(tap.packets, 0)
                self.assertLessEqual(tap.longest, size)
                self.assertLessEqual(tap.payload, count * size)
                self.assertLessEqual(tap.packets, 1000 + 1000 * elapsed + 1)
                self.assertGreater(ledger["off-net-limited"], 0)

    def test_a_victim_nearby(self):
        """One byte in its name: its rate, and one in eight of the rest."""
        self.start()
        count = 20000 * SCALE
        begun = time.monotonic()
        with Tap() as tap:
            took = self.forge([socket.inet_aton("10.88.1.1")], count, PLAIN)
            ledger, lost = self.account(count)
            elapsed = time.monotonic() - begun
        print("# %d datagrams in %.1f s, %d lost in the kernel: %d answers" %
              (count, took, lost, tap.packets))
        self.assertEqual(tap.packets, ledger["replies"])
        self.assertLessEqual(tap.packets, 125 + 50 * elapsed + count / 8 * 1.1)

    def test_no_room(self):
        """What is too short for its answer gets none."""
        self.start()
        with Tap() as tap:
            self.forge(public_sources(256), 1000, EXTENDED[:32])
            ledger, _ = self.account(1000)
        self.assertEqual(tap.packets, 0)
        self.assertEqual(ledger["no-room"], 1000)


class Echo:
    """A peer on the other side that answers whatever it gets, as the small services did."""

    def __init__(self, port, answer):
        self._sock = OUTSIDE.udp(OUTSIDE.THERE, port)
        self._sock.setblocking(False)
        self._answer = answer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.port = self._sock.getsockname()[1]
        self.got = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._sock.close()

    def _serve(self):
        while not self._stop.is_set():
            select.select([self._sock], [], [], 0.01)
            with contextlib.suppress(BlockingIOError):
                while True:
                    datagram, source = self._sock.recvfrom(2000)
                    self.got += 1
                    self._sock.sendto(self._answer(datagram), source)


class Loops(Campaign):
    PEERS = {
        "echo": (7, lambda got: got),
        "daytime": (13, lambda got: b"Thu Jan  1 00:00:00 1970\r\n"),
        "qotd": (17, lambda got: b"I know that I know nothing.\r\n"),
        "chargen": (19, lambda got: bytes(range(32, 104)) + b"\r\n"),
        "time": (37, lambda got: b"\x83\xaa\x7e\x80"),
        "tftp": (69, lambda got: b"\0\5\0\4illegal operation\0"),
    }
    COUNT = 200 * SCALE

    def exchange(self, port, request, peer=None):
        """Answers of the server to COUNT requests in the name of the peer at PORT: PEER, if it is
        to get them all."""
        before = clients.state(self.daemon).get("udp", {"requests": 0, "replies": 0})
        me, there = socket.inet_aton(OUTSIDE.HERE), socket.inet_aton(OUTSIDE.THERE)
        packet = namespaces.udp_packet(there, port, me, self.port, request)
        with OUTSIDE.forger() as forger:
            for i in range(1, self.COUNT + 1):
                forger.sendto(packet, (OUTSIDE.HERE, 0))
                # A peer has only so much room for answers.
                if i % 100 == 0:
                    self.wait_for_packets(before["requests"] + i, peer)
        # Whatever goes round would do so for ever, so that the counters would not rest.
        last = {}

        def at_rest():
            now = clients.state(self.daemon)["udp"]
            rests = now == last and now["waiting"] == 0
            last.update(now)
            harness.let_pass(0.02)
            return rests

        harness.wait_for(at_rest, 10, "an end of it")
        return last["replies"] - before["replies"]

    def wait_for_packets(self, count, peer):
        def arrived():
            ledger = clients.state(self.daemon).get("udp", {"requests": 0})
            return ledger["requests"] >= count and not ledger["waiting"] and \
                (not peer or peer.got >= ledger["replies"])

        harness.wait_for(arrived, what="all packets")

    def test_small_services(self):
        for name, (port, answer) in self.PEERS.items():
            with self.subTest(name):
                self.start("--rate=0")
                with Echo(port, answer) as peer:
                    for request in (PLAIN, EXTENDED):
                        self.assertEqual(self.exchange(peer.port, request), 0)
                    self.assertEqual(peer.got, 0)

    def test_small_services_on_other_ports(self):
        for name, (_, answer) in self.PEERS.items():
            with self.subTest(name):
                self.start("--rate=0")
                with Echo(0, answer) as peer:
                    for request in (PLAIN, EXTENDED):
                        answers = self.exchange(peer.port, request, peer)
                        self.assertEqual(answers, self.COUNT)
                    self.assertEqual(peer.got, 2 * self.COUNT)

    def test_another_server(self):
        """The two of them have ports that differ, so that each takes the other for a client."""
        self.start("--rate=0")
        with contextlib.ExitStack() as stack:
            with OUTSIDE.entered():
                other = stack.enter_context(harness.Daemon("-l", "udp://*:0", "--rate=0"))
            port = other.port("udp")
            self.assertNotEqual(port, self.port)
            self.assertEqual(self.exchange(port, PLAIN), self.COUNT)
            theirs = clients.state_at_rest(self, other, "udp")
            self.assertEqual(theirs["replies"], 0)
            self.assertEqual(theirs["malformed"], self.COUNT)


class Lines(Campaign):
    """No line makes an answer that is a request: it comes back, and is dropped."""

    def test_sent_back(self):
        lines = ["x", "RUq1", "RUq1" + "0" * 12, "RUr1", "0", " ", "RUq1" + " " * 490]
        seed = int(os.environ.get("RUPTIME_TEST_SEED") or time.time_ns())
        print("# RUPTIME_TEST_SEED=%d" % seed)
        dice = random.Random(seed)
        lines += ["".join(chr(dice.randrange(32, 127)) for _ in range(dice.randrange(1, 490)))
                  for _ in range(3 * SCALE)]
        for line in lines:
            with self.subTest(line), harness.tempdir() as directory:
                command = harness.fake_command(directory, "cat <<'end'\n%s\nend" % line)
                self.start("--command=" + command)
                with clients.udp_client("udp://127.0.0.1:%d" % self.port) as sock:
                    for request in (PLAIN, EXTENDED):
                        sock.send(request)
                        answer = sock.recv(5000)
                        self.assertIn(line.encode(), answer)
                        self.assertGreater(len(answer), 1)
                        sock.send(answer)
                harness.wait_for(lambda: self.ledger()["requests"] == 4, what="what came back")
                self.assertEqual(self.ledger()["malformed"], 2)

    def ledger(self):
        return clients.state_at_rest(self, self.daemon, "udp")


class Flood(Campaign):
    def test_garbage_beside_service(self):
        """As much as one process can send, while others ask as usual."""
        self.start("-l", "tcp://127.0.0.1:0")
        length_s = clients.seconds(2, 30)
        stop = threading.Event()
        sent = [0]

        def flood():
            while not stop.is_set():
                self.forge(public_sources(2000), 2000, b"garbage")
                sent[0] += 2000

        flooder = threading.Thread(target=flood)
        flooder.start()
        try:
            tcp = clients.start_crowd(self.daemon.address("tcp"), "-n", 8, "-d", length_s)
            begun = time.monotonic()
            udp = clients.crowd("udp://127.0.0.1:%d" % self.port, "-n", 8, "-d", length_s)
            tcp = clients.finish_crowd(tcp)
            took = time.monotonic() - begun
        finally:
            stop.set()
            flooder.join()
        print("# %d datagrams of garbage a second: %d answers a second over TCP, %d over UDP" %
              (sent[0] / took, tcp["ok"] / took, udp["ok"] / took))
        clients.expect_all_answered(self, tcp)
        self.assertGreater(sent[0], 10000)
        ledger, lost = self.account(sent[0] + udp["started"])
        # Where the buffer may not be large, garbage takes the room of others.
        clients.expect_all_answered(self, udp, but=("timeout",) if lost else ())
        self.assertLessEqual(sent[0] - lost, ledger["malformed"])
        self.assertLessEqual(ledger["malformed"], sent[0])


if __name__ == "__main__":
    harness.main()
