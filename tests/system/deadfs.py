# SPDX-License-Identifier: MIT
"""A file system in user space that never answers: who looks up a name in it waits."""

import contextlib
import ctypes
import os
import struct
import unittest

FUSE_INIT = 26
FUSE_VERSION = (7, 31)
READ_BYTES = 1 << 17
MNT_DETACH = 2


@contextlib.contextmanager
def mounted(directory):
    """Mount it on DIRECTORY, in this process's mount table; call namespaces.enter() before."""
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
        yield
    finally:
        # All that wait are told that the connection is over.
        os.close(fuse)
        libc.umount2(directory.encode(), MNT_DETACH)


def _greet(fuse):
    """Answer the kernel's first message, and no other."""
    _, operation, unique = struct.unpack_from("<IIQ", os.read(fuse, READ_BYTES))
    assert operation == FUSE_INIT, operation
    answer = struct.pack("<IIIIHHIIHHI", *FUSE_VERSION, 65536, 0, 12, 10, 65536, 1, 0, 0, 0)
    answer += bytes(64 - len(answer))
    os.write(fuse, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)
