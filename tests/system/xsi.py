# SPDX-License-Identifier: MIT
"""XSI message queues, which Python's library does not know: msgget(2), msgop(2), msgctl(2)."""

import contextlib
import ctypes
import errno
import os
import random
import sys

IPC_CREAT, IPC_EXCL, IPC_NOWAIT, MSG_NOERROR = 0o1000, 0o2000, 0o4000, 0o10000
IPC_RMID, IPC_SET, IPC_STAT = 0, 1, 2
REPLY_BIT = 0x40000000
TYPE_BYTES = ctypes.sizeof(ctypes.c_long)
WAKE_TYPE = 2 ** (8 * TYPE_BYTES - 1) - 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.msgrcv.restype = ctypes.c_ssize_t
_libc.msgrcv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long,
                         ctypes.c_int]
_libc.msgsnd.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def _call(function, *args):
    result = function(*args)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class Perm(ctypes.Structure):
    """struct ipc64_perm"""
    _fields_ = [("key", ctypes.c_int), ("uid", ctypes.c_uint), ("gid", ctypes.c_uint),
                ("cuid", ctypes.c_uint), ("cgid", ctypes.c_uint), ("mode", ctypes.c_uint),
                ("seq", ctypes.c_ushort), ("pad", ctypes.c_ushort), ("u1", ctypes.c_ulong),
                ("u2", ctypes.c_ulong)]


def _time(name):
    """On 32 bits a time has a second word: its upper half, which a little-endian one has last."""
    words = [(name, ctypes.c_long), (name + "_high", ctypes.c_long)]
    if TYPE_BYTES == 8:
        return words[:1]
    return words if sys.byteorder == "little" else words[::-1]


class QueueStatus(ctypes.Structure):
    """struct msqid64_ds"""
    _fields_ = [("perm", Perm), *_time("stime"), *_time("rtime"), *_time("ctime"),
                ("cbytes", ctypes.c_ulong), ("qnum", ctypes.c_ulong),
                ("qbytes", ctypes.c_ulong), ("lspid", ctypes.c_int), ("lrpid", ctypes.c_int),
                ("unused", ctypes.c_ulong * 2)]


def msgget(key, flags=0):
    return _call(_libc.msgget, key, flags)


def msgsnd(queue, message_type, text, flags=0):
    buf = ctypes.create_string_buffer(TYPE_BYTES + len(text) + 1)
    ctypes.c_long.from_buffer(buf).value = message_type
    buf[TYPE_BYTES:TYPE_BYTES + len(text)] = text
    _call(_libc.msgsnd, queue, buf, len(text), flags)


def msgrcv(queue, message_type=0, flags=0):
    """(type, text)"""
    buf = ctypes.create_string_buffer(16384)
    size = _call(_libc.msgrcv, queue, buf, 16000, message_type, flags | MSG_NOERROR)
    return ctypes.c_long.from_buffer(buf).value, buf.raw[TYPE_BYTES:TYPE_BYTES + size]


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


def free_key():
    """A key that no queue has now, and no reply queue."""
    while True:
        key = random.SystemRandom().randrange(0x10000, 0x3fffffff)
        if not exists(key) and not exists(key | REPLY_BIT):
            return key


class Queue:
    """A queue of KEY that is created for a with block. Nothing here waits."""

    def __init__(self, key, mode=0o600):
        self.key, self.mode, self.id = key, mode, -1

    def __enter__(self):
        self.id = msgget(self.key, IPC_CREAT | IPC_EXCL | self.mode)
        return self

    def __exit__(self, *_exception):
        try:
            self.remove()
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EIDRM):
                raise

    def remove(self):
        remove(self.id)

    def send(self, message_type, text):
        """BlockingIOError if the queue is full."""
        msgsnd(self.id, message_type, text, IPC_NOWAIT)

    def receive(self, message_type=0):
        """The type and the text of a message, or None if there is none of that type."""
        try:
            return msgrcv(self.id, message_type, IPC_NOWAIT)
        except OSError as error:
            if error.errno != errno.ENOMSG:
                raise
            return None

    def fill(self):
        """Messages until there is no room for one more."""
        for text in (b"x" * 1024, b"x"):
            with contextlib.suppress(BlockingIOError):
                while True:
                    self.send(1, text)
