# SPDX-License-Identifier: MIT
"""A file system in user space that never answers: who looks up a name in it waits."""

import contextlib
import ctypes
import os
import struct
import threading
import unittest

FUSE_LOOKUP, FUSE_FORGET, FUSE_GETATTR, FUSE_OPEN, FUSE_STATFS, FUSE_FLUSH, FUSE_INIT = \
    1, 2, 3, 14, 17, 25, 26
FUSE_VERSION = (7, 31)
ENOSYS = 38
FILE, FILE_MODE, LASTS_S = 2, 0o100666, 1000
READ_BYTES = 1 << 17
MNT_FORCE, MNT_DETACH = 1, 2


@contextlib.contextmanager
def mounted(directory, serve=None):
    """Mount it on DIRECTORY, in this process's mount table; call namespaces.enter() before.

    SERVE: a thread that gets the descriptor over which it is asked.
    """
    try:
        fuse = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        raise unittest.SkipTest("no /dev/fuse: %s" % error) from None
    libc = ctypes.CDLL(None, use_errno=True)
    options = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fuse
    try:
        if libc.mount(b"dead", directory.encode(), b"fuse", 0, options.encode()) < 0:
            raise unittest.SkipTest("cannot mount: " + os.strerror(ctypes.get_errno()))
        _greet(fuse)
        if serve:
            threading.Thread(target=serve, args=(fuse,), daemon=True).start()
        yield
    finally:
        # All that wait are told that the connection is over.
        libc.umount2(directory.encode(), MNT_DETACH | MNT_FORCE)
        os.close(fuse)


def _greet(fuse):
    """Answer the kernel's first message, and no other."""
    _, operation, unique = struct.unpack_from("<IIQ", os.read(fuse, READ_BYTES))
    assert operation == FUSE_INIT, operation
    answer = struct.pack("<IIIIHHIIHHI", *FUSE_VERSION, 65536, 0, 12, 10, 65536, 1, 0, 0, 0)
    answer += bytes(64 - len(answer))
    os.write(fuse, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)


def take(fuse):
    """Take in what it is asked: not even a signal ends such a wait in the kernel."""
    with contextlib.suppress(OSError):
        while True:
            os.read(fuse, READ_BYTES)


def _answer(fuse, dead):
    """All names are those of a file that can be opened and closed, until it is DEAD."""
    attributes = struct.pack("<6Q10I", FILE, 0, 0, 0, 0, 0, 0, 0, 0, FILE_MODE, 1, 0, 0, 0, 4096, 0)
    answers = {FUSE_LOOKUP: struct.pack("<4QII", FILE, 0, LASTS_S, LASTS_S, 0, 0) + attributes,
               FUSE_GETATTR: struct.pack("<QII", LASTS_S, 0, 0) + attributes,
               FUSE_OPEN: struct.pack("<QII", 1, 0, 0), FUSE_FLUSH: b""}
    with contextlib.suppress(OSError):
        while True:
            _, operation, unique = struct.unpack_from("<IIQ", os.read(fuse, READ_BYTES))
            if operation not in (FUSE_FORGET, FUSE_STATFS) and not dead.is_set():
                answer = answers.get(operation)
                os.write(fuse, struct.pack("<IiQ", 16 + len(answer or b""),
                                           -ENOSYS if answer is None else 0, unique) +
                         (answer or b""))


@contextlib.contextmanager
def dying(directory):
    """A file in one that dies later, and what makes it die.

    Even to ask what file system it is in waits. It is closed then, since that would
    take for ever afterwards.
    """
    dead = threading.Event()
    with mounted(directory, serve=lambda fuse: _answer(fuse, dead)):
        file = os.open(directory + "/file", os.O_RDWR)

        def die():
            os.close(file)
            dead.set()
        yield file, die
