# SPDX-License-Identifier: MIT
"""XSI message queues, which Python's library does not know: msgget(2), msgop(2), msgctl(2)."""

import contextlib
import ctypes
import errno
import os
import random

REPLY_QUEUE_BIT = 0x40000000
IPC_CREAT, IPC_EXCL, IPC_NOWAIT, IPC_RMID = 0o1000, 0o2000, 0o4000, 0
MSG_NOERROR = 0o10000
TEXT_MAX = 8192

_libc = ctypes.CDLL(None, use_errno=True)


class _Message(ctypes.Structure):
    _fields_ = [("type", ctypes.c_long), ("text", ctypes.c_char * TEXT_MAX)]


_libc.msgsnd.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.msgrcv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long,
                         ctypes.c_int]
_libc.msgrcv.restype = ctypes.c_ssize_t


def _check(result):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _open(key, flags):
    return _check(_libc.msgget(ctypes.c_int(key), flags))


def exists(key):
    try:
        _open(key, 0)
    except FileNotFoundError:
        return False
    return True


def free_key():
    """A key that is nobody's now, and its reply queue's neither."""
    while True:
        key = random.SystemRandom().randint(1, 0x3fffffff)
        if not exists(key) and not exists(key | REPLY_QUEUE_BIT):
            return key


class Queue:
    """A queue of KEY that is created for a with block."""

    def __init__(self, key, mode=0o600):
        self.key, self.mode, self.id = key, mode, -1

    def __enter__(self):
        self.id = _open(self.key, IPC_CREAT | IPC_EXCL | self.mode)
        return self

    def __exit__(self, *_exception):
        self.remove()

    def remove(self):
        try:
            _check(_libc.msgctl(self.id, IPC_RMID, None))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EIDRM):
                raise

    def send(self, kind, text):
        """Without waiting: BlockingIOError if the queue is full."""
        message = _Message(kind, text)
        _check(_libc.msgsnd(self.id, ctypes.byref(message), len(text), IPC_NOWAIT))

    def receive(self, kind=0):
        """The type and the text of a message, or None if there is none of that KIND."""
        message = _Message()
        try:
            got = _check(_libc.msgrcv(self.id, ctypes.byref(message), TEXT_MAX, kind,
                                      IPC_NOWAIT | MSG_NOERROR))
        except OSError as error:
            if error.errno != errno.ENOMSG:
                raise
            return None
        offset = _Message.text.offset
        return message.type, ctypes.string_at(ctypes.addressof(message) + offset, got)

    def fill(self):
        """Messages until there is no room for one more."""
        for text in (b"x" * 1024, b"x"):
            with contextlib.suppress(BlockingIOError):
                while True:
                    self.send(1, text)
