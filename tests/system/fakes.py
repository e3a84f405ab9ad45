# SPDX-License-Identifier: MIT
"""Servers for the client's tests: they do what they are told, however bad it is."""

import contextlib
import socket
import struct
import threading

import harness

LINE = " 12:34:56 up 3 days,  4:05,  2 users,  load average: 0.01, 0.02, 0.05\n"
ANSWER = LINE.encode()

QUIT_S = 10


class _Server:
    """A thread that serves within a with block. What its handlers raise fails the test."""

    def __init__(self, sock, scheme):
        self.sock = sock
        self.authority = _authority(sock)
        self.url = scheme + "://" + self.authority
        self.stopping = threading.Event()
        self._fault = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            self.serve()
        except OSError as error:
            if not self.stopping.is_set():
                self._fault = error
        except Exception as error:  # pylint: disable=broad-except
            self._fault = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, _error, _traceback):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(QUIT_S * harness.SLOW)
        self.sock.close()
        if kind is None:
            assert not self._thread.is_alive(), "the fake server does not end"
            if self._fault:
                raise AssertionError("the fake server failed") from self._fault


def _authority(sock):
    """What stands behind the scheme in its address."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return name
    return ("[%s]:%d" if ":" in name[0] else "%s:%d") % name[:2]


def _bound_to_path(kind, path):
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.bind(path)
    return sock


def _bound(kind, host):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    sock.bind((host, 0))
    return sock


class _StreamServer(_Server):
    """The Nth connection is handed to the Nth handler, further ones to the last handler.

    A handler is bytes, which are sent, or a function of the connection and this server.
    """

    def __init__(self, sock, scheme, handlers):
        sock.listen(16)
        super().__init__(sock, scheme)
        self.handlers = handlers
        self.connections = 0

    def serve(self):
        while not self.stopping.is_set():
            conn, _peer = self.sock.accept()
            handler = self.handlers[min(self.connections, len(self.handlers) - 1)]
            self.connections += 1
            with conn:
                # The client may leave whenever it has seen enough.
                with contextlib.suppress(ConnectionError):
                    if isinstance(handler, bytes):
                        conn.sendall(handler)
                    else:
                        handler(conn, self)


class TcpServer(_StreamServer):
    def __init__(self, *handlers, host="127.0.0.1"):
        super().__init__(_bound(socket.SOCK_STREAM, host), "tcp", handlers)


class UnixServer(_StreamServer):
    """For SCHEME unix, unix-seqpacket or fdpass."""

    def __init__(self, path, *handlers, scheme="unix"):
        kind = socket.SOCK_SEQPACKET if scheme == "unix-seqpacket" else socket.SOCK_STREAM
        super().__init__(_bound_to_path(kind, path), scheme, handlers)


def reset(conn, _server):
    """Close with RST instead of FIN."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang(conn, _server):
    """Say nothing until the client leaves."""
    conn.recv(1)


def drip(conn, server):
    """A byte every 50 ms, for ever."""
    while not server.stopping.wait(0.05):
        conn.sendall(b"x")


def endless(conn, server):
    """A first line, and then more of it than any client wants."""
    while not server.stopping.is_set():
        conn.sendall(ANSWER * 1000)


class _DatagramServer(_Server):
    """Calls handler(server, datagram, source) for each datagram; keeps them all in `seen`."""

    def __init__(self, sock, scheme, handler):
        super().__init__(sock, scheme)
        self.handler = handler
        self.seen = []

    @property
    def sizes(self):
        return [len(datagram) for datagram in self.seen]

    def tries(self):
        """How many tries have begun: each sends one extended request."""
        return sum(len(datagram) > 1 for datagram in self.seen)

    def serve(self):
        while not self.stopping.is_set():
            datagram, source = self.sock.recvfrom(2048)
            if self.stopping.is_set():
                return
            self.seen.append(datagram)
            # An answer may meet the ICMP error of an earlier one that came too late.
            with contextlib.suppress(ConnectionError):
                self.handler(self, datagram, source)


class UdpServer(_DatagramServer):
    def __init__(self, handler, host="127.0.0.1"):
        super().__init__(_bound(socket.SOCK_DGRAM, host), "udp", handler)


class UnixDgramServer(_DatagramServer):
    def __init__(self, path, handler):
        super().__init__(_bound_to_path(socket.SOCK_DGRAM, path), "unix-dgram", handler)


def extended_answer(request, line=ANSWER, nonce=None):
    return b"RUr1" + (nonce or request[4:12]) + line


def answer_extended(server, datagram, source):
    """A handler that does what a server does."""
    if len(datagram) > 1:
        server.sock.sendto(extended_answer(datagram), source)


def sends(make):
    """A handler that answers each extended request with the datagrams of MAKE(request)."""
    def handler(server, datagram, source):
        if len(datagram) > 1:
            for answer in make(datagram):
                server.sock.sendto(answer, source)
    return handler


@contextlib.contextmanager
def refusing(kind):
    """An authority HOST:PORT that refuses, and that no other test gets meanwhile."""
    with _bound(kind, "127.0.0.1") as sock:
        if kind == socket.SOCK_DGRAM:
            # Connected elsewhere, it does not take what others send: they get ICMP's refusal.
            sock.connect(("127.0.0.1", 1))
        yield "127.0.0.1:%d" % sock.getsockname()[1]
