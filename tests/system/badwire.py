# SPDX-License-Identifier: MIT
"""A wire between two networks that loses, doubles, holds up and forges packets, from a seed.

Each network has an end of it, a TUN device; a process between them carries the packets of IPv4.
"""

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import signal
import socket
import struct
import subprocess
import time
import unittest

import namespaces

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000
PACKET_BYTES = 2048
# Nothing is to be lost but by the seed.
QUEUE_PACKETS = 100000
# How long what is late is held up, in seconds.
LATE_S = 0.005
UDP_AT, LINE_AT, NONCE_LAST = 20, 40, 39


def _checksum(header):
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def _forgeries(packet):
    """Beside an answer with a nonce: others that look like it, each with one thing wrong."""
    if packet[9] != socket.IPPROTO_UDP or packet[UDP_AT + 8:UDP_AT + 12] != b"RUr1":
        return
    for what in ("address", "port", "nonce"):
        forged = bytearray(packet[:LINE_AT] + b"forged\n")
        if what == "address":
            forged[15] ^= 1
        elif what == "port":
            forged[UDP_AT + 1] ^= 1
        else:
            forged[NONCE_LAST] ^= 1
        struct.pack_into("!H", forged, 2, len(forged))
        struct.pack_into("!HH", forged, UDP_AT + 4, len(forged) - UDP_AT, 0)
        struct.pack_into("!H", forged, 10, 0)
        struct.pack_into("!H", forged, 10, _checksum(bytes(forged[:20])))
        yield bytes(forged)


class _Carrier:
    """What happens to a packet is drawn in the order of their coming."""

    def __init__(self, fds, seed, percents):
        self.fds = fds
        self.random = random.Random(seed)
        self.percents = percents
        self.held = []
        self.count = 0

    def happens(self, what):
        return self.random.random() * 100 < self.percents.get(what, 0)

    def carry(self, packet, to_fd, is_answer):
        if is_answer and self.happens("forged"):
            for forged in _forgeries(packet):
                os.write(to_fd, forged)
        if self.happens("lost"):
            return
        for _ in range(1 + self.happens("doubled")):
            if self.happens("late"):
                self.count += 1
                due = time.monotonic() + self.random.random() * LATE_S
                heapq.heappush(self.held, (due, self.count, packet, to_fd))
            else:
                os.write(to_fd, packet)

    def run(self):
        while True:
            wait = max(0, self.held[0][0] - time.monotonic()) if self.held else None
            readable = select.select(self.fds, [], [], wait)[0]
            for fd in readable:
                with contextlib.suppress(BlockingIOError):
                    for _ in range(64):
                        packet = os.read(fd, PACKET_BYTES)
                        if packet[0] >> 4 == 4:
                            self.carry(packet, self.fds[fd == self.fds[0]], fd == self.fds[1])
            while self.held and self.held[0][0] <= time.monotonic():
                _due, _count, packet, to_fd = heapq.heappop(self.held)
                os.write(to_fd, packet)


class BadWire:
    """From this process's network, to be its own by namespaces.enter(), to another one that has all
    addresses of 10.0.0.0/8. BadWire(seed, lost=10, ...): of each hundred packets, either way, so
    many are lost, doubled, late; beside so many answers come three false ones."""

    def __init__(self, seed, **percents):
        self._stack = contextlib.ExitStack()
        self._home = self._keep(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        try:
            namespaces.unshare_network()
            self._there = self._keep(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
            there_fd = self._end("192.168.77.2")
            self._ip("route", "add", "local", "10.0.0.0/8", "dev", "lo")
            self._ip("route", "add", "default", "dev", "wire")
            self._enter(self._home)
            here_fd = self._end("192.168.77.1")
            self._ip("route", "add", "10.0.0.0/8", "dev", "wire")
        except (OSError, subprocess.CalledProcessError) as error:
            self._enter(self._home)
            self._stack.close()
            raise unittest.SkipTest("no wire here: %s" % error) from None
        self._carrier = os.fork()
        if self._carrier == 0:
            with contextlib.suppress(KeyboardInterrupt):
                _Carrier((here_fd, there_fd), seed, percents).run()
            os._exit(1)

    def _keep(self, fd):
        self._stack.callback(os.close, fd)
        return fd

    @staticmethod
    def _enter(fd):
        if ctypes.CDLL(None, use_errno=True).setns(fd, namespaces.CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")

    @staticmethod
    def _ip(*words):
        subprocess.run(("ip",) + words, check=True, capture_output=True)

    def _end(self, address):
        """The end of the wire in the network that this thread is in."""
        fd = self._keep(os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TUN | IFF_NO_PI))
        self._ip("address", "add", address, "dev", "wire")
        self._ip("link", "set", "wire", "txqueuelen", str(QUEUE_PACKETS), "up")
        return fd

    @contextlib.contextmanager
    def there(self):
        """What this thread starts meanwhile is at the other end."""
        self._enter(self._there)
        try:
            yield
        finally:
            self._enter(self._home)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._carrier, signal.SIGKILL)
        _pid, status = os.waitpid(self._carrier, 0)
        self._stack.close()
        assert os.WIFSIGNALED(status), "the wire has broken"
