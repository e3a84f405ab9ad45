# SPDX-License-Identifier: MIT
"""Clients of the local transports: UNIX sockets, XSI message queues, passed descriptors."""

import array
import contextlib
import ctypes
import errno
import os
import random
import socket
import struct
import time
import unittest

import clients
import harness

TYPES = {"unix": socket.SOCK_STREAM, "unix-seqpacket": socket.SOCK_SEQPACKET,
         "unix-dgram": socket.SOCK_DGRAM, "fdpass": socket.SOCK_STREAM}
STREAMS = ("unix", "unix-seqpacket")

IPC_CREAT, IPC_EXCL, IPC_NOWAIT, MSG_NOERROR = 0o1000, 0o2000, 0o4000, 0o10000
IPC_RMID, IPC_SET, IPC_STAT = 0, 1, 2
REPLY_BIT = 0x40000000
WAKE_TYPE = 2 ** 63 - 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.msgrcv.restype = ctypes.c_ssize_t
_libc.msgrcv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long,
                         ctypes.c_int]
_libc.msgsnd.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


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


def _call(function, *args):
    result = function(*args)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class Perm(ctypes.Structure):
    """struct ipc64_perm of 64-bit Linux."""
    _fields_ = [("key", ctypes.c_int), ("uid", ctypes.c_uint), ("gid", ctypes.c_uint),
                ("cuid", ctypes.c_uint), ("cgid", ctypes.c_uint), ("mode", ctypes.c_uint),
                ("seq", ctypes.c_ushort), ("pad", ctypes.c_ushort), ("u1", ctypes.c_ulong),
                ("u2", ctypes.c_ulong)]


class QueueStatus(ctypes.Structure):
    _fields_ = [("perm", Perm), ("stime", ctypes.c_long), ("rtime", ctypes.c_long),
                ("ctime", ctypes.c_long), ("cbytes", ctypes.c_ulong), ("qnum", ctypes.c_ulong),
                ("qbytes", ctypes.c_ulong), ("lspid", ctypes.c_int), ("lrpid", ctypes.c_int),
                ("unused", ctypes.c_ulong * 2)]


def msgget(key, flags=0):
    return _call(_libc.msgget, key, flags)


def msgsnd(queue, message_type, text, flags=0):
    buf = ctypes.create_string_buffer(ctypes.sizeof(ctypes.c_long) + len(text) + 1)
    ctypes.c_long.from_buffer(buf).value = message_type
    buf[8:8 + len(text)] = text
    _call(_libc.msgsnd, queue, buf, len(text), flags)


def msgrcv(queue, message_type=0, flags=0):
    """(type, text)"""
    buf = ctypes.create_string_buffer(16384)
    size = _call(_libc.msgrcv, queue, buf, 16000, message_type, flags | MSG_NOERROR)
    return ctypes.c_long.from_buffer(buf).value, buf.raw[8:8 + size]


def status(queue):
    result = QueueStatus()
    _call(_libc.msgctl, queue, IPC_STAT, ctypes.byref(result))
    return result


def set_status(queue, value):
    _call(_libc.msgctl, queue, IPC_SET, ctypes.byref(value))


def remove(queue):
    _call(_libc.msgctl, queue, IPC_RMID, None)


def exists(key):
    try:
        msgget(key)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return False
        if error.errno != errno.EACCES:
            raise
    return True


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
    """COUNT keys that nobody uses; what is left of them at the end goes away."""
    chosen = []
    while len(chosen) < count:
        key = random.SystemRandom().randrange(0x10000, 0x3fffffff)
        if not exists(key) and not exists(key | REPLY_BIT):
            chosen.append(key)
    print("# keys", " ".join("%#x" % key for key in chosen), flush=True)
    try:
        yield chosen
    finally:
        for key in chosen:
            for each in (key, key | REPLY_BIT):
                with contextlib.suppress(OSError):
                    remove(msgget(each))


def send_fds(sock, fds, data=b"x"):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    return sock.sendmsg([data], rights, socket.MSG_NOSIGNAL)


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
