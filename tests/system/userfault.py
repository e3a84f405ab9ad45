# SPDX-License-Identifier: MIT
"""Memory whose reader has to wait: userfaultfd(2)."""

import ctypes
import fcntl
import mmap
import os
import struct
import threading
import unittest

SYS_USERFAULTFD = {"x86_64": 323, "aarch64": 282}
UFFD_API, REGISTER_MISSING = 0xaa, 1
UFFDIO_API = 0xc018aa3f
UFFDIO_REGISTER = 0xc020aa00


class Held:
    """A thread that reads MEMORY in the with block stands still until its end, locks held and all.

    Skips where faults of the kernel may not be caught, which takes root as a rule."""

    def __enter__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        number = SYS_USERFAULTFD.get(os.uname().machine, -1)
        self._fd = libc.syscall(number, os.O_CLOEXEC)
        if self._fd < 0:
            raise unittest.SkipTest("no userfaultfd() here: %s" % os.strerror(ctypes.get_errno()))
        self._threads = []
        self.memory = mmap.mmap(-1, mmap.PAGESIZE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        fcntl.ioctl(self._fd, UFFDIO_API, struct.pack("QQQ", UFFD_API, 0, 0))
        fcntl.ioctl(self._fd, UFFDIO_REGISTER, struct.pack("QQQQ", start, mmap.PAGESIZE,
                                                           REGISTER_MISSING, 0))
        return self

    def __exit__(self, *_):
        self.let_go()

    def let_go(self):
        """Without its owner it is memory as any other."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        for thread in self._threads:
            thread.join()

    def write_to(self, fd):
        """Begin to write it to FD, whose locks are taken from then on. Returns how to know."""
        thread = threading.Thread(target=os.write, args=(fd, memoryview(self.memory)[:1]))
        self._threads.append(thread)
        thread.start()
        return "/proc/self/task/%d/stat" % thread.native_id


def is_waiting(stat):
    """Does the thread sleep? In the write, since there is nothing else that it does."""
    with open(stat, encoding="ascii") as text:
        return text.read().rpartition(")")[2].split()[0] in "SD"
