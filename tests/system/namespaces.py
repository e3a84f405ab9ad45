# SPDX-License-Identifier: MIT
"""A network and a mount table of the test's own, to be changed without disturbing others."""

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import unittest

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
ETH_P_IP = 0x0800
IPV6_FREEBIND = 78


def _call(name, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _unshare(flags):
    _call("unshare", flags)


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


def unshare_network():
    """Move this thread to a new network that has nothing but a loopback."""
    _unshare(CLONE_NEWNET)
    _loopback_up()


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


@contextlib.contextmanager
def ipc():
    """XSI message queues, and limits of them, of this process's own. Skips where not permitted."""
    home = os.open("/proc/self/ns/ipc", os.O_RDONLY)
    try:
        try:
            _unshare(CLONE_NEWIPC)
        except OSError as error:
            raise unittest.SkipTest("no namespace here: %s" % error) from None
        try:
            yield
        finally:
            _call("setns", home, CLONE_NEWIPC)
    finally:
        os.close(home)


class Outside:
    """A second network, joined to that of enter() by a wire: from there, strangers may ask.

    Here the wire has HERE and HERE6, there THERE and THERE6. Any address of STRANGERS can be bound
    to there, and all that has no other way goes over the wire. Skips where that is impossible.
    """

    HERE, THERE = "10.77.0.1", "10.77.0.2"
    HERE6, THERE6 = "fd77::1", "fd77::2"
    BROADCAST = "10.77.0.255"
    STRANGERS = ("10.88.0.0/16", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32", "fd88::/64")

    def __init__(self):
        if not shutil.which("ip") or not shutil.which("nsenter"):
            raise unittest.SkipTest("no ip(8) or nsenter(1) here")
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        unshare_network()
        self._there = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._enter(self._home)
        self._path = "/proc/%d/fd/%d" % (os.getpid(), self._there)
        try:
            self._join()
        except subprocess.CalledProcessError as error:
            self.close()
            raise unittest.SkipTest("no wire: %s" % error.stderr.decode()) from None
        with self.entered():
            # A stranger with the port of a server of ours is dropped as a server.
            _write("/proc/sys/net/ipv4/ip_local_port_range", "10000 32767")

    def close(self):
        os.close(self._home)
        os.close(self._there)

    @staticmethod
    def _enter(fd):
        if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")

    def here(self, *words):
        """Run ip(8) on our side."""
        subprocess.run(("ip",) + words, check=True, capture_output=True)

    def there(self, *words):
        """Run it on the other side."""
        subprocess.run(("nsenter", "--net=" + self._path, "ip") + words, check=True,
                       capture_output=True)

    def _join(self):
        self.here("link", "add", "wire", "address", "02:00:00:00:00:01", "type", "veth", "peer",
                  "name", "wire", "address", "02:00:00:00:00:02", "netns", self._path)
        for ip, own, own6, other, other6, mac in (
                (self.here, self.HERE, self.HERE6, self.THERE, self.THERE6, 2),
                (self.there, self.THERE, self.THERE6, self.HERE, self.HERE6, 1)):
            ip("address", "add", own + "/24", "brd", "+", "dev", "wire")
            ip("address", "add", own6 + "/64", "dev", "wire", "nodad")
            ip("link", "set", "wire", "up")
            for host in (other, other6):
                # No host has to ask which that is: what comes over the wire is what was sent.
                ip("neighbour", "add", host, "lladdr", "02:00:00:00:00:%02d" % mac, "dev", "wire",
                   "nud", "permanent")
                ip("route", "add", "default", "via", host)
        for network in self.STRANGERS:
            self.there("route", "add", "local", network, "dev", "lo")

    @contextlib.contextmanager
    def entered(self):
        """Sockets made by this thread meanwhile are on the other side."""
        self._enter(self._there)
        try:
            yield
        finally:
            self._enter(self._home)

    def udp(self, source, port=0):
        """A socket of SOURCE."""
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with self.entered():
            sock = socket.socket(family, socket.SOCK_DGRAM)
        # That a route says that an address is ours is enough for IPv4, and not for IPv6.
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        sock.bind((source, port))
        return sock

    def forger(self):
        """A socket that sends packets with a source of one's choice; see udp_packet()."""
        with self.entered():
            return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def tap(self):
        """A socket that receives every IPv4 packet that comes over the wire, whomever it is for."""
        with self.entered():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.bind(("wire", ETH_P_IP))
        sock.setblocking(False)
        return sock


def udp_packet(source, source_port, destination, port, payload):
    """A datagram of UDP over IPv4 as it stands on the wire; addresses are 4 bytes."""
    length = 8 + len(payload)
    return struct.pack("!BBHHHBBH4s4sHHHH", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP, 0,
                       source, destination, source_port, port, length, 0) + payload


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
