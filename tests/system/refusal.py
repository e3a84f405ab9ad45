# SPDX-License-Identifier: MIT
"""A kernel that refuses a system call to a program, as a container's profile may."""

import ctypes
import os
import struct
import unittest

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
BPF_LOAD, BPF_JUMP_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7fff0000

GENERIC = {"accept4": 242, "msgrcv": 188}
NUMBERS = {"x86_64": {"accept4": 288, "msgrcv": 70}, "aarch64": GENERIC, "riscv64": GENERIC}


def refuse(name, error):
    """A preexec_fn: what is executed gets ERROR from the call NAME. Skips on other machines."""
    try:
        number = NUMBERS[os.uname().machine][name]
    except KeyError:
        raise unittest.SkipTest("the number of %s() here is not known" % name) from None
    instructions = b"".join(struct.pack("HBBI", *each) for each in (
        (BPF_LOAD, 0, 0, 0),
        (BPF_JUMP_EQUAL, 0, 1, number),
        (BPF_RETURN, 0, 0, SECCOMP_RET_ERRNO | error),
        (BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW)))

    def in_child():
        code = ctypes.create_string_buffer(instructions)
        program = struct.pack("HL", len(instructions) // 8, ctypes.addressof(code))
        libc = ctypes.CDLL(None)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
                libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program):
            raise OSError("no filter")
    return in_child
