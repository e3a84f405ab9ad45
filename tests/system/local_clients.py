# SPDX-License-Identifier: MIT
"""Clients of the local transports: UNIX sockets, XSI message queues, passed descriptors."""

import array
import contextlib
import errno
import os
import random
import socket
import struct
import time
import unittest

import clients
import harness
from xsi import (IPC_CREAT, IPC_EXCL, IPC_NOWAIT, REPLY_BIT, WAKE_TYPE,  # noqa: F401
                 exists, free_key, msgget, msgrcv, msgsnd, remove, set_status, status)

TYPES = {"unix": socket.SOCK_STREAM, "unix-seqpacket": socket.SOCK_SEQPACKET,
         "unix-dgram": socket.SOCK_DGRAM, "fdpass": socket.SOCK_STREAM}
STREAMS = ("unix", "unix-seqpacket")


def connect(scheme, path, timeout=10):
    sock = socket.socket(socket.AF_UNIX, TYPES[scheme])
    sock.settimeout(timeout * harness.SLOW)
    if scheme == "unix-dgram":
        sock.bind("")
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def connect_until_full(path):
    """Connections that fill the backlog of a listener."""
    waiting = []
    while True:
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        try:
            sock.connect(path)
        except BlockingIOError:
            sock.close()
            return waiting
        waiting.append(sock)


def ask(scheme, path, timeout=10):
    """The line that a UNIX socket gives, checked."""
    with connect(scheme, path, timeout) as sock:
        if scheme == "unix-dgram":
            sock.send(b"?")
            line = sock.recv(4096)
        else:
            line = clients.read_to_end(sock)
    assert clients.UPTIME_LINE.fullmatch(line), line
    return line


def fetch(queue, message_type, timeout=10):
    """The text of the next message of a type; AssertionError after TIMEOUT."""
    def attempt():
        try:
            return msgrcv(queue, message_type, IPC_NOWAIT)[1:]
        except OSError as error:
            if error.errno != errno.ENOMSG:
                raise
            return None
    return harness.wait_for(attempt, timeout, "a message of type %d" % message_type)[0]


def ask_msgq(key, message_type=None, timeout=10):
    """Ask once, however often the queues are removed and made meanwhile."""
    message_type = message_type or random.randrange(1, 2 ** 31)
    end = harness.deadline(timeout)
    while True:
        try:
            requests, replies = msgget(key), msgget(key | REPLY_BIT)
            msgsnd(requests, 1, b"uptime %d" % message_type, IPC_NOWAIT)
            line = fetch(replies, message_type, 0.5)
            assert clients.UPTIME_LINE.fullmatch(line), line
            return line
        except (OSError, AssertionError) as error:
            if time.monotonic() >= end:
                raise AssertionError("not answered in time") from error


@contextlib.contextmanager
def keys(count=1):
    """COUNT keys that are not in use; what is left of them at the end goes away."""
    chosen = [free_key() for _ in range(count)]
    print("# keys", " ".join("%#x" % key for key in chosen), flush=True)
    try:
        yield chosen
    finally:
        for key in chosen:
            for each in (key, key | REPLY_BIT):
                with contextlib.suppress(OSError):
                    remove(msgget(each))


def send_fds(sock, fds, data=b"x"):
    """Send them with DATA, once the user has few enough on their way; root may have any number."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []

    def sent():
        try:
            return [sock.sendmsg([data], rights, socket.MSG_NOSIGNAL)]
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS:
                raise
        return []

    return harness.wait_for(sent, 10, "fewer descriptors on their way")[0]


def pass_fd(path, fd, timeout=10):
    """Pass FD, and return the status: b"" for done, else what the server says."""
    with connect("fdpass", path, timeout) as sock:
        send_fds(sock, [fd])
        answer = clients.read_to_end(sock)
    return b"" if answer == b"\0" else answer


def ask_fdpass(path, timeout=10):
    """The line as it comes out of a pipe."""
    out, into = os.pipe()
    with os.fdopen(out, "rb") as reader:
        try:
            said = pass_fd(path, into, timeout)
        finally:
            os.close(into)
        assert said == b"", said
        line = reader.read()
    assert clients.UPTIME_LINE.fullmatch(line), line
    return line


def lingering(linger_s=30):
    """A TCP socket whose last close() waits for a peer that does not read, and the peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(65536))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, linger_s))
    return sock, peer


def settled(test, daemon, transport, requests):
    """The counters of TRANSPORT once it has taken in REQUESTS, and nothing waits."""
    def taken_in():
        return clients.state(daemon).get(transport, {}).get("requests", 0) >= requests

    harness.wait_for(taken_in, 10, "all requests to be taken in")
    return clients.state_at_rest(test, daemon, transport, 10)


class Sockets(unittest.TestCase):
    """A directory for sockets, and daemons that serve them until the test ends."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(harness.tempdir())

    def path(self, name="socket"):
        return os.path.join(self.directory, name)

    def url(self, scheme, name="socket", keys=""):
        return "%s://%s%s" % (scheme, self.path(name), keys)

    def serve(self, *urls, args=(), **options):
        argv = [arg for url in urls for arg in ("-l", url)]
        return self.stack.enter_context(harness.Daemon(*argv, *args, **options))

    def ask(self, scheme, name="socket"):
        if scheme == "fdpass":
            return ask_fdpass(self.path(name))
        return ask(scheme, self.path(name))

    def refused(self, *args, code=1, **options):
        done = harness.run([harness.program("ruptimed"), *args], **options)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertRegex(done.stderr, r"\Aruptimed: [^\n]*\n\Z")
        return done.stderr
