# SPDX-License-Identifier: MIT
"""What an attacker gets who runs code of his own in a thread of the server.

fixtures/intruder.so is loaded into the server and tries its list when the first client has been
accepted; into one that was taken over, when it answers those that it still has. The table in
doc/security.md is what came of it:

    RUPTIME_BUILD_DIR=BUILD python3 tests/system/test_intruder.py --document
"""

import contextlib
import ctypes
import errno
import os
import re
import signal
import socket
import sys
import unittest

import clients
import harness
import xsi

LIBRARY = os.path.join(harness.BUILD_DIR, "tests/fixtures/intruder.so")
DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../doc/security.md")
BEGIN, END = "<!-- What test_intruder.py found: -->\n", "<!-- That is all of it. -->\n"
LEAST = 60
# The kernel refuses these to all, or some kernels do.
NEVER = ("let refused calls of another thread through (seccomp)",
         "have a timer send another process a signal",
         "send a signal to the group of another process (kill)")
# What an ordinary user is denied anyway is not there to be told apart.
LEVELS = ("off", "basic", "strict")


def why_not():
    """Why this build or machine cannot be tried, if it cannot."""
    if not os.path.exists(LIBRARY):
        return "there is no fixtures/intruder.so"
    done = harness.run([harness.program("ruptimed"), "--sandbox=strict", "-l", "nonsense://"])
    if "--sandbox" in done.stderr:
        return "this build has no whole sandbox"
    with harness.Daemon("-l", "tcp://127.0.0.1:0") as daemon:
        if "do without" in daemon.log:
            return "this machine has no whole sandbox"
    # What Landlock has learnt later shows as more that is let through.
    if ctypes.CDLL(None).syscall(444, None, 0, 1) < 6:
        return "Landlock is older than version 6 here: signals and abstract sockets"
    return None


def setUpModule():
    why = why_not()
    if why:
        raise unittest.SkipTest(why)


def become(user):
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


BOUNDING = "have a capability left to be gained"


class Surroundings:
    """Another process of the same user, with all that others could want of it."""

    def __init__(self, stack, user):
        self.place = stack.enter_context(harness.tempdir())
        self.sockets = stack.enter_context(harness.tempdir())
        for name in ("file", "moved", "removed"):
            with open("%s/%s" % (self.place, name), "w", encoding="ascii") as file:
                file.write("text")
        os.mkdir(self.place + "/empty")
        with open(self.sockets + "/beside", "w", encoding="ascii") as file:
            file.write("text")
        for path in (self.place, self.sockets):
            for name in ("", "file", "moved", "removed", "empty", "beside"):
                with contextlib.suppress(FileNotFoundError):
                    os.chown(os.path.join(path, name), user or -1, -1)
        self.listeners = [self.bound(stack, socket.AF_UNIX, socket.SOCK_STREAM, "/stream"),
                          self.bound(stack, socket.AF_UNIX, socket.SOCK_DGRAM, "/datagram"),
                          self.bound(stack, socket.AF_INET, socket.SOCK_STREAM),
                          self.bound(stack, socket.AF_INET, socket.SOCK_DGRAM)]
        for name in ("stream", "datagram"):
            os.chown("%s/%s" % (self.place, name), user or -1, -1)
        self.key = 0x2d000000 + os.getpid()
        memory = ctypes.create_string_buffer(4096)
        readable, writable = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.live(user, writable)
            finally:
                os._exit(1)
        os.close(writable)
        stack.callback(self.end)
        assert os.read(readable, 1) == b"x"
        os.close(readable)
        self.environment = {
            "LD_PRELOAD": harness.within_reach(LIBRARY),
            "INTRUDER_CALL": "accept4",
            "INTRUDER_VICTIM": str(self.pid),
            "INTRUDER_ADDRESS": str(ctypes.addressof(memory)),
            "INTRUDER_PLACE": self.place,
            "INTRUDER_BESIDE": self.sockets + "/beside",
            "INTRUDER_READABLE": "/usr/share/zoneinfo/UTC" if os.path.exists(
                "/usr/share/zoneinfo/UTC") else "/proc/version",
            "INTRUDER_KEY": str(self.key),
            "INTRUDER_STREAM": self.place + "/stream",
            "INTRUDER_DATAGRAM": self.place + "/datagram",
            "INTRUDER_TCP_PORT": str(self.listeners[2].getsockname()[1]),
            "INTRUDER_UDP_PORT": str(self.listeners[3].getsockname()[1]),
        }

    def bound(self, stack, family, kind, name=None):
        sock = stack.enter_context(socket.socket(family, kind))
        sock.bind(self.place + name if name else ("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        return sock

    def live(self, user, writable):
        os.setpgid(0, 0)
        libc = ctypes.CDLL(None)
        become(user)
        # It is traced and looked into as any program is that was executed by this user.
        libc.prctl(4, 1, 0, 0, 0)
        libc.shmget(self.key, 4096, xsi.IPC_CREAT | 0o600)
        libc.semget(self.key, 1, xsi.IPC_CREAT | 0o600)
        libc.msgget(self.key, xsi.IPC_CREAT | 0o600)
        os.write(writable, b"x")
        while True:
            signal.pause()

    def end(self):
        libc = ctypes.CDLL(None)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        libc.shmctl(libc.shmget(self.key, 0, 0), 0, None)
        libc.semctl(libc.semget(self.key, 0, 0), 0, 0)
        # The server's own, too, which is killed.
        for key in (self.key, self.key + 1, self.key + 1 | xsi.REPLY_BIT):
            libc.msgctl(libc.msgget(key, 0), 0, None)
        for name in os.listdir("/dev/shm"):
            if name == "intruder":
                os.unlink("/dev/shm/intruder")
        with contextlib.suppress(OSError):
            os.unlink("/dev/mqueue/intruder")


def reports(daemon, before_second=lambda: None, before_end=lambda: None):
    """What DAEMON sends to its second client, the first one having brought the intruder."""
    with contextlib.ExitStack() as stack:
        socks = []
        for index in range(2):
            socks.append(stack.enter_context(clients.connect(daemon.address("tcp", index))))
            before_second()
        before_end()
        got = b""
        for sock in socks:
            with contextlib.suppress(ConnectionResetError):
                got = clients.read_to_end(sock)
    return got


def intrude_alone(args, options, before_first=lambda: None):
    """Into a server that serves."""
    with harness.Daemon(*args, **options) as daemon:
        before_first()
        got = reports(daemon)
        daemon.signal(9)
        daemon.exit_code_within(5)
        daemon.wait()
    return got


def intrude_taker(args, options):
    """Into a server that has taken over."""
    with harness.Daemon(*args, **{**options, "env": None}) as before:
        def await_end():
            """Until then, it may still accept a client."""
            assert before.wait(8) == 0 and "has taken over" in before.log, before.log

        return intrude_alone(args, options, await_end)


def intrude_taken(args, options):
    """Into a server that another one has taken over: two clients still wait for their answers."""
    with harness.tempdir() as directory:
        gate = clients.Gate(directory)
        options["env"]["INTRUDER_CALL"] = "send"

        with harness.Daemon(*args, command=gate.path, **options) as daemon, \
                contextlib.ExitStack() as stack:

            def hand_over():
                stack.enter_context(harness.Daemon(*args, **{**options, "env": None}))
                daemon.wait_log("has taken over")
                gate.open()

            got = reports(daemon, gate.wait_started, hand_over)
            daemon.signal(9)
            daemon.exit_code_within(5)
            daemon.wait()
    return got


def intrude(level, *listen, user=None, unprivileged=False, into=intrude_alone):
    """What came of each attempt: 0, or why not."""
    with contextlib.ExitStack() as stack:
        around = Surroundings(stack, user)
        args = [arg for address in listen for arg in
                ((address if address.startswith("--") else "--listen=" + address).format(
                    sockets=around.sockets, key=around.key + 1),)]
        got = into(["--sandbox=" + level, "-l", "tcp://127.0.0.1:0",
                    "-l", "tcp://127.0.0.1:0", *args],
                   {"env": around.environment, "unprivileged": unprivileged})
    report = [line.split("\t") for line in got.decode().split("\n") if "\t" in line]
    return {what: int(error) for what, error in report}


ALL = ("udp://127.0.0.1:0", "unix-dgram://{sockets}/socket", "msgq://{key}")
TAKEOVER = "--takeover={sockets}/takeover"
# Besides what all servers do: in the words of the table, and in those of the command line.
MORE = {"serves `udp`": ALL[0], "serves `unix-dgram`": ALL[1], "serves `msgq`": ALL[2],
        "has `--takeover`": TAKEOVER}


def cell(alone, more):
    if alone == 0:
        return "yes"
    words = [name for name, results in more.items() if results == 0]
    return "if it " + ", or ".join(words) if words else "no"


def column(level):
    alone = intrude(level)
    more = {name: intrude(level, option) for name, option in MORE.items()}
    return {what: cell(error, {name: results[what] for name, results in more.items()})
            for what, error in alone.items()}


def found():
    """The rows of the table: what, at basic, at strict."""
    basic, strict = column("basic"), column("strict")
    return [(what, basic[what], strict[what]) for what in basic]


def table(rows):
    lines = ["| attempt | `basic` | `strict` |", "|---|---|---|"]
    return "\n".join(lines + ["| %s | %s | %s |" % row for row in rows]) + "\n"


def documented():
    with open(DOCUMENT, encoding="utf-8") as file:
        return re.search(re.escape(BEGIN) + "(.*)" + re.escape(END), file.read(), re.DOTALL)


class Intruder(unittest.TestCase):
    maxDiff = None

    @unittest.skipUnless(os.geteuid() == 0, "an ordinary user is denied some of it anyway")
    def test_each_attempt_succeeds_outside(self):
        """But for what this kernel does not have."""
        results = intrude("off", *ALL)
        self.assertGreaterEqual(len(results), LEAST)
        self.assertEqual({what: errno.errorcode[error] for what, error in results.items()
                          if error not in (0, errno.ENOSYS) and what not in NEVER}, {})

    @unittest.skipUnless(os.geteuid() == 0, "as root more is there to be had")
    def test_the_document_tells_what_comes_of_it(self):
        self.assertEqual(documented().group(1), table(found()))

    @unittest.skipUnless(os.geteuid() == 0, "as root more is there to be had")
    def test_a_takeover(self):
        """A server gives away no more for having taken over, or for having been taken over."""
        for level in ("basic", "strict"):
            alone = intrude(level, TAKEOVER)
            self.assertGreaterEqual(len(alone), LEAST)
            for into in (intrude_taker, intrude_taken):
                with self.subTest(into.__doc__, level=level):
                    self.assertEqual(intrude(level, TAKEOVER, into=into), alone)

    def test_an_ordinary_user(self):
        """No more is let through to the server of one."""
        rows = {what: (basic, strict) for what, basic, strict in
                (line.split(" | ") for line in
                 (line.strip("| ") for line in documented().group(1).split("\n")[2:-1]))}
        for column, level in enumerate(("basic", "strict")):
            results = intrude(level, user=harness.NOBODY if os.geteuid() == 0 else None,
                              unprivileged=True)
            self.assertEqual(set(results), set(rows))
            # An ordinary user cannot give that one up; no_new_privs keeps it out of reach.
            self.assertEqual([what for what, error in results.items()
                              if error == 0 and rows[what][column] != "yes" and
                              not (os.geteuid() != 0 and what == BOUNDING)], [])


if __name__ == "__main__":
    if "--document" in sys.argv:
        with open(DOCUMENT, encoding="utf-8") as document:
            text = document.read()
        text = text.replace(documented().group(0), BEGIN + table(found()) + END)
        with open(DOCUMENT, "w", encoding="utf-8") as document:
            document.write(text)
    else:
        harness.main()
