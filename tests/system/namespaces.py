# SPDX-License-Identifier: MIT
"""A network and a mount table of the test's own, so that it can change them and disturbs nobody."""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import unittest

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def _unshare(flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _write(path, text):
    with open(path, "w", encoding="ascii") as out:
        out.write(text)


def _become_root_of_own_users():
    uid, gid = os.geteuid(), os.getegid()
    _unshare(CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", "0 %d 1" % uid)
    _write("/proc/self/gid_map", "0 %d 1" % gid)


def _loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def enter():
    """Move this process, for good, to a network with nothing but a loopback and to a mount table
    of its own. For setUpModule(): skips the module where that is not permitted."""
    try:
        if os.geteuid() != 0:
            _become_root_of_own_users()
        _unshare(CLONE_NEWNS | CLONE_NEWNET)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True, capture_output=True)
        _loopback_up()
    except (OSError, subprocess.CalledProcessError) as error:
        raise unittest.SkipTest("no namespaces here: %s" % error) from None


def any_address(prefix):
    """Every address of PREFIX is one of this machine's: there are thousands to come from."""
    family = "-6" if ":" in prefix else "-4"
    try:
        subprocess.run(["ip", family, "route", "add", "local", prefix, "dev", "lo"], check=True,
                       capture_output=True)
        if family == "-6":
            # Addresses that no interface has can be bound to only so.
            _write("/proc/sys/net/ipv6/ip_nonlocal_bind", "1")
    except (OSError, subprocess.CalledProcessError) as error:
        raise unittest.SkipTest("no addresses of %s here: %s" % (prefix, error)) from None


def cover(path, text, directory):
    """Let the file at PATH hold TEXT, for this process and its children."""
    copy = os.path.join(directory, os.path.basename(path))
    _write(copy, text)
    os.chmod(copy, 0o644)
    subprocess.run(["mount", "--bind", copy, path], check=True)


def uncover(path):
    subprocess.run(["umount", "--lazy", path], check=True)


def cover_dev(directory):
    """A /dev with little in it; DIRECTORY must last as long as this process."""
    subprocess.run(["mount", "-t", "tmpfs", "dev", directory], check=True)
    for name in ("null", "zero", "urandom", "full"):
        _write(os.path.join(directory, name), "")
        subprocess.run(["mount", "--bind", "/dev/" + name, os.path.join(directory, name)],
                       check=True)
    subprocess.run(["mount", "--rbind", directory, "/dev"], check=True)
