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

    def __init__(self, sock):
        self.sock = sock
        self.host, self.port = sock.getsockname()[:2]
        self.stopping = threading.Event()
        self._fault = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def authority(self):
        return ("[%s]:%d" if ":" in self.host else "%s:%d") % (self.host, self.port)

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


def _bound(kind, host):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    sock.bind((host, 0))
    return sock


class TcpServer(_Server):
    """The Nth connection is handed to the Nth handler, further ones to the last handler.

    A handler is bytes, which are sent, or a function of the connection and this server.
    """

    def __init__(self, *handlers, host="127.0.0.1"):
        sock = _bound(socket.SOCK_STREAM, host)
        sock.listen(16)
        super().__init__(sock)
        self.handlers = handlers
        self.connections = 0

    @property
    def url(self):
        return "tcp://" + self.authority

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
    """A first line, and then more of it than anybody wants."""
    while not server.stopping.is_set():
        conn.sendall(ANSWER * 1000)


class UdpServer(_Server):
    """Calls handler(server, datagram, source) for each datagram; keeps them all in `seen`."""

    def __init__(self, handler, host="127.0.0.1"):
        super().__init__(_bound(socket.SOCK_DGRAM, host))
        self.handler = handler
        self.seen = []

    @property
    def url(self):
        return "udp://" + self.authority

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


def extended_answer(request, line=ANSWER, nonce=None):
    return b"RUr1" + (nonce or request[4:12]) + line


@contextlib.contextmanager
def refusing(kind):
    """An authority HOST:PORT where nobody answers, and that is nobody else's meanwhile."""
    with _bound(kind, "127.0.0.1") as sock:
        if kind == socket.SOCK_DGRAM:
            # Connected elsewhere, it does not take what others send: they get ICMP's refusal.
            sock.connect(("127.0.0.1", 1))
        yield "127.0.0.1:%d" % sock.getsockname()[1]
