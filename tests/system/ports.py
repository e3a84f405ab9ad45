# SPDX-License-Identifier: MIT
"""Ports of 127.0.0.1 that this program chooses, safe beside programs that let the kernel choose."""

import contextlib
import random
import socket


def bind_free():
    """A stream and a datagram socket at one port of 127.0.0.1, and the port. The kernel gives none
    below 32768 to a socket that asks for any: no program beside this one gets it by chance."""
    while True:
        port = random.SystemRandom().randrange(10000, 32768)
        sockets = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        try:
            for sock in sockets:
                sock.bind(("127.0.0.1", port))
            return (*sockets, port)
        except OSError:
            for sock in sockets:
                sock.close()


def free():
    """A port that is not in use. Prefer port 0 where a program can tell what it got."""
    stream, datagram, port = bind_free()
    stream.close()
    datagram.close()
    return port


@contextlib.contextmanager
def refusing():
    """A TCP and UDP port of 127.0.0.1 that refuses everything, and that no program can take."""
    stream, datagram, port = bind_free()
    with stream, datagram:
        # It receives from that peer only: to others the kernel says that the port is closed.
        datagram.connect(("127.0.0.1", 9))
        yield port
