# SPDX-License-Identifier: MIT
"""System calls that fail or wait: filters of seccomp(2) for the processes that a test starts."""

import ctypes
import errno

NO_NEW_PRIVS, SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, JUMP_EQUAL, JUMP_FROM, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, ERRNO, NOTIFY = 0x7fff0000, 0x00050000, 0x7fc00000


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte),
                ("k", ctypes.c_uint)]


class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction))]


libc = ctypes.CDLL(None, use_errno=True)


def program(call, action, jump=JUMP_EQUAL):
    """A filter that takes ACTION on CALL, or with JUMP_FROM on that number and all above."""
    instructions = (Instruction * 4)(
        Instruction(LOAD, 0, 0, 0), Instruction(jump, 0, 1, call),
        Instruction(RETURN, 0, 0, action), Instruction(RETURN, 0, 0, ALLOW))
    return Program(4, instructions)


def _entering(filtered):
    def enter():
        assert libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        assert libc.prctl(SECCOMP, MODE_FILTER, ctypes.byref(filtered), 0, 0) == 0
    return enter


def denied(call, error):
    """For subprocess's preexec_fn: from here on CALL fails with ERROR."""
    return _entering(program(call, ERRNO | error))


def old_kernel(first):
    """For subprocess's preexec_fn: calls with a number of FIRST or above fail with ENOSYS. Since
    403 each has the same number everywhere but on Alpha, in the order in which they were made."""
    return _entering(program(first, ERRNO | errno.ENOSYS, JUMP_FROM))
