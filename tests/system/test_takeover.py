# SPDX-License-Identifier: MIT
"""--takeover: a new server takes the sockets of the old one over, and no client notices."""

import array
import contextlib
import os
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import clients
import harness
import local_clients as local

TAKEOVERS = 200 * clients.LONG or 4
CLIENTS = 21

# Of src/daemon/takeover/message.h.
HEADER = struct.Struct("4sHHII")
MAGIC, VERSION = b"RUto", 2
(HELLO, OFFER, LISTENER, TAKEN, SERVING, RELEASED, COUNTERS, WITHDRAWN,
 CONFIRMED) = range(1, 10)
TAKEN_BYTES = 256


def message(kind, count=0, rest=b"", version=VERSION, magic=MAGIC):
    return HEADER.pack(magic, version, kind, count, 0) + rest


class NewServer:
    """What asks the old server, and dies or lies where the test wants it to."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(5 * harness.SLOW)
        self.sock.connect(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, *args, **options):
        self.sock.send(message(*args, **options))

    def receive(self):
        """(kind, count); descriptors are closed."""
        data, fds, _, _ = socket.recv_fds(self.sock, 1 << 16, 4)
        for fd in fds:
            os.close(fd)
        if not data:
            raise ConnectionResetError("the old server has closed")
        _, _, kind, count, _ = HEADER.unpack(data[:HEADER.size])
        return kind, count

    def go_to(self, step, version=VERSION):
        """As far as STEP: connected, then each message that is sent or received."""
        steps = [lambda: self.send(HELLO, version=version)]
        steps += [self.receive] * 4
        steps += [lambda: self.send(TAKEN, 3, version=version)]
        steps += [lambda: self.send(SERVING, rest=b"\1\1\1".ljust(TAKEN_BYTES, b"\0"),
                                    version=version)]
        steps += [self.receive]
        for each in steps[:step]:
            each()


# In front of CONFIRMED.
STEPS = 9

ADDRESS_BYTES = 384


class OldServer:
    """What is asked at PATH, and offers LISTENERS: (asked, bound, descriptor, file) each."""

    def __init__(self, path, listeners, count=None, pause=0, version=VERSION):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.bind(path)
        self.sock.listen()
        self.listeners, self.pause, self.version = listeners, pause, version
        self.heard = []
        self.count = len(listeners) if count is None else count
        self.thread = threading.Thread(target=self._give)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.shutdown(socket.SHUT_RD)
        self.sock.close()
        self.thread.join(20 * harness.SLOW)

    def _give(self):
        with contextlib.suppress(OSError), self.sock.accept()[0] as peer:
            peer.recv(4096)
            socket.send_fds(peer, [message(OFFER, self.count, version=self.version)],
                            [self.sock.fileno()])
            for asked, bound, file_descriptor, file in self.listeners:
                harness.let_pass(self.pause)
                text = asked.encode().ljust(ADDRESS_BYTES, b"\0")
                text += bound.encode().ljust(ADDRESS_BYTES, b"\0")
                text += struct.pack("QQII", file and file.st_dev or 0, file and file.st_ino or 0,
                                    0, 0)
                socket.send_fds(peer, [message(LISTENER, 0, text, version=self.version)],
                                [file_descriptor])
            while data := peer.recv(4096):
                self.heard.append(HEADER.unpack(data[:HEADER.size])[2])
                if self.heard[-1] == SERVING:
                    peer.send(message(RELEASED, version=self.version))


class Takeover(local.Sockets):
    limit_s = 300 * (clients.LONG or 1)

    def setUp(self):
        super().setUp()
        self.key, = self.stack.enter_context(local.keys())
        self.next = self.path("takeover")

    def server(self, *urls, args=(), **options):
        return harness.Daemon(*[arg for url in urls for arg in ("-l", url)],
                              "--takeover=" + self.next, *args, **options)

    def start(self, *urls, **options):
        return self.stack.enter_context(self.server(*urls, **options))

    @contextlib.contextmanager
    def load(self, addresses):
        """Clients that ask all the time; a function that ends them and returns what they say."""
        with subprocess.Popen(
                [clients.fixture("mixed"), str(CLIENTS), "0", *addresses],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            def end():
                process.terminate()
                return process.communicate(timeout=60 * harness.SLOW)

            try:
                yield end
            finally:
                process.kill()

    def all_transports(self, port=0):
        return ["tcp://127.0.0.1:%d" % port, "udp://127.0.0.1:%d" % port,
                "msgq://%#x" % self.key] + [self.url(scheme, scheme) for scheme in local.TYPES]

    def taken_over(self, old, new):
        """OLD has ended well, and NEW alone serves."""
        self.assertEqual(old.wait(8), 0)
        self.assertIn("process %d has taken over" % new.pid, old.log)
        new.wait_log("the server before has drained")

    def test_under_load(self):
        """Every request over every transport is answered exactly once, whichever server has it."""
        urls = self.all_transports()
        begun = time.monotonic()
        with contextlib.ExitStack() as last:
            server = last.enter_context(self.server(*urls))
            with self.load(server.addresses) as end:
                for _ in range(TAKEOVERS):
                    successor = self.stack.enter_context(contextlib.ExitStack())
                    new = successor.enter_context(self.server(*urls))
                    self.taken_over(server, new)
                    last.close()
                    server, last = new, successor
                out, err = end()
            took = time.monotonic() - begun
            self.assertEqual(err, "")
            asked = dict(re.findall(r"^(\S+) asked=(\d+) ok=\2$", out, re.MULTILINE))
            self.assertEqual(len(asked), len(urls), out)
            print("# %d takeovers in %d s, %d requests/s" %
                  (TAKEOVERS, took, sum(map(int, asked.values())) / took), flush=True)
            state = clients.ledgers_at_rest(self, server)
            # What the servers before have counted is in it.
            for address, number in asked.items():
                scheme = address.partition("://")[0]
                self.assertEqual(state[scheme]["replies"], int(number), scheme)
            self.assertEqual(server.stop(), 0)
        self.assertFalse(os.listdir(self.directory))
        self.assertFalse(local.exists(self.key) or local.exists(self.key | local.REPLY_BIT))

    def test_listeners_that_come_and_go(self):
        stays, goes, comes = (self.url("unix", name) for name in ("stays", "goes", "comes"))
        old = self.start(stays, goes)
        new = self.start(stays, comes)
        self.taken_over(old, new)
        self.ask("unix", "stays")
        self.ask("unix", "comes")
        self.assertEqual(sorted(os.listdir(self.directory)), ["comes", "stays", "takeover"])
        self.assertEqual(new.stop(), 0)
        self.assertEqual(os.listdir(self.directory), [])

    def test_with_a_pid_file_and_metrics(self):
        args = ["--pid-file=" + self.path("pid"), "--metrics=unix://" + self.path("metrics")]
        old = self.start("tcp://127.0.0.1:0", args=args)
        new = self.start("tcp://127.0.0.1:0", args=args)
        self.taken_over(old, new)
        with open(self.path("pid"), encoding="ascii") as pid:
            self.assertEqual(int(pid.read()), new.pid)
        with local.connect("unix", self.path("metrics")) as sock:
            sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            self.assertIn(b" 200 ", clients.read_to_end(sock))
        self.assertEqual(new.stop(), 0)
        self.assertEqual(os.listdir(self.directory), [])

    def test_at_each_level_of_the_sandbox(self):
        for level in ("off", "basic", "strict"):
            checked = harness.run([harness.program("ruptimed"), "--check-config",
                                   "--sandbox=" + level])
            if checked.returncode:
                print("#", checked.stderr.strip(), flush=True)
                continue
            with self.subTest(level=level):
                urls = self.all_transports()
                old = self.start(*urls, args=["--sandbox=" + level])
                new = self.start(*urls, args=["--sandbox=" + level])
                self.taken_over(old, new)
                self.ask("unix", "unix")
                local.ask_msgq(self.key)
                self.assertEqual(new.stop(), 0)
                for server in (old, new):
                    self.assertNotIn("refused", server.log)

    def test_requests_that_the_old_one_owes(self):
        slow = harness.fake_command(self.directory, "sleep 1; echo up", "slow")
        old = self.start("tcp://127.0.0.1:0", command=slow, args=["--run-timeout=1m"])
        with clients.connect(old.address("tcp")) as sock:
            harness.wait_for(lambda: clients.state(old).get("tcp", {}).get("requests") == 1,
                             what="the request")
            new = self.start("tcp://127.0.0.1:0")
            self.assertEqual(new.addresses, old.addresses)
            # The old one may have accepted another one while it was told to let go.
            harness.wait_for(lambda: clients.UPTIME_LINE.match(
                clients.ask_stream(new.address("tcp"))), what="the new one's line")
            self.assertEqual(clients.read_to_end(sock), b"up\n")
        self.taken_over(old, new)

    def test_new_server_dies_at_each_step(self):
        old = self.start("tcp://127.0.0.1:0", self.url("unix"), "msgq://%#x" % self.key)
        descriptors = old.descriptors()
        for step in range(STEPS):
            with self.subTest(step=step), NewServer(self.next) as new:
                new.go_to(step)
            self.ask("unix")
            self.assertRegex(clients.ask_stream(old.address("tcp")), clients.UPTIME_LINE)
            local.ask_msgq(self.key)
        harness.wait_for(lambda: old.descriptors() <= descriptors, what="all to be closed")
        new = self.start("tcp://127.0.0.1:0", self.url("unix"), "msgq://%#x" % self.key)
        self.taken_over(old, new)

    def test_new_server_that_does_not_confirm(self):
        """The old one waits for two seconds, says that it goes on, and does."""
        old = self.start("tcp://127.0.0.1:0", self.url("unix"), "msgq://%#x" % self.key)
        with NewServer(self.next) as new:
            new.go_to(STEPS - 1)
            self.assertEqual(new.receive()[0], WITHDRAWN)
            self.assertRaises(BrokenPipeError, new.send, CONFIRMED)
        old.wait_log("a takeover by process %d has failed" % os.getpid())
        self.ask("unix")
        self.assertEqual(old.stop(), 0)
        self.assertFalse(os.listdir(self.directory))

    def test_one_version_apart(self):
        """Before version 2 the new one did not confirm; the one after it is not known yet."""
        urls = ["tcp://127.0.0.1:0", self.url("unix"), "msgq://%#x" % self.key]
        for version in (VERSION - 1, VERSION + 1):
            with self.subTest(version=version):
                old = self.start(*urls)
                with NewServer(self.next) as new:
                    new.go_to(STEPS - 1, version)
                    if version > 1:
                        new.send(CONFIRMED, version=version)
                    self.assertEqual(new.receive()[0], COUNTERS)
                    self.assertEqual(old.wait(), 0)
                for name in os.listdir(self.directory):
                    os.unlink(self.path(name))
                with socket.socket(socket.AF_UNIX) as stream:
                    stream.bind(self.path())
                    stream.listen()
                    stream.setblocking(False)
                    file = os.stat(self.path())
                    with OldServer(self.next, [(urls[1], urls[1], stream.fileno(), file)],
                                   version=version) as old:
                        new = self.start(urls[1])
                        self.ask("unix")
                        self.assertEqual(new.stop(), 0)
                    self.assertIn(SERVING, old.heard)
                    self.assertEqual(CONFIRMED in old.heard, version > 1)
                self.assertFalse(os.listdir(self.directory))

    def test_killed_at_any_time(self):
        """Of two servers one is left, within a second, whichever is killed, and whenever."""
        for round_number in range(40 if clients.LONG else 6):
            with self.subTest(round=round_number):
                old = self.start(self.url("unix"))
                with harness.Daemon("-l", self.url("unix"), "--takeover=" + self.next,
                                    ready=False) as new:
                    harness.let_pass(0.003 * round_number)
                    victim, other = (old, new) if round_number % 2 else (new, old)
                    victim.stop(signal.SIGKILL)
                    harness.wait_for(lambda: self.is_answered() or other.exit_code is not None,
                                     1, "an answer")
                    if other.exit_code is None:
                        other.stop()
                    else:
                        # The new one had the listeners when it was killed, and the old one none.
                        self.assertIn("has taken over", other.log)
                        other.wait()

    def is_answered(self):
        with contextlib.suppress(OSError, AssertionError):
            return self.ask("unix")
        return None

    def test_old_server_that_does_not_answer(self):
        old = self.start(self.url("unix"))
        old.signal(signal.SIGSTOP)
        try:
            said = self.refused("-l", self.url("unix"), "--takeover=" + self.next)
        finally:
            old.signal(signal.SIGCONT)
        self.assertIn("does not answer in time", said)
        self.ask("unix")

    def test_hostile_peers(self):
        old = self.start(self.url("unix"))
        descriptors = old.descriptors()
        junk = [b"", b"x", b"x" * 70000, message(HELLO, magic=b"nope"), message(HELLO, version=4),
                message(SERVING, rest=bytes(TAKEN_BYTES)), message(RELEASED), message(99)]
        with open(os.devnull, "wb") as sink:
            for data in junk:
                for count in (0, 1, 2, 253):
                    with NewServer(self.next) as peer:
                        rights = array.array("i", [sink.fileno()] * count)
                        with self.assertRaises(OSError):
                            # The kernel refuses descriptors there, if it can (6.16).
                            peer.sock.sendmsg([data or b"\0"], [(
                                socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if count else [])
                            while True:
                                self.assertEqual(peer.receive()[0], WITHDRAWN)
        self.random_messages(10000 * clients.LONG or 100)
        with NewServer(self.next) as peer:
            peer.go_to(3)
            peer.send(TAKEN, 77)
            with self.assertRaises(OSError):
                while True:
                    peer.receive()
        self.ask("unix")
        harness.wait_for(lambda: old.descriptors() <= descriptors, what="all to be closed")
        new = self.start(self.url("unix"))
        self.taken_over(old, new)

    def random_messages(self, count):
        """Right or wrong, with any number of descriptors, whole or cut short, or left unsaid."""
        seed = int(os.environ.get("RUPTIME_TEST_SEED") or random.randrange(1 << 30))
        print("# seed", seed, flush=True)
        dice = random.Random(seed)
        with open(os.devnull, "wb") as sink:
            for _ in range(count):
                with NewServer(self.next) as peer, contextlib.suppress(OSError):
                    for _ in range(dice.randrange(4)):
                        data = message(dice.randrange(11), dice.choice((0, 1, 3, 1 << 31)),
                                       bytes(dice.choice((0, 16, TAKEN_BYTES, 4096))),
                                       dice.randrange(5), dice.choice((MAGIC, MAGIC, b"RUtx")))
                        fds = [sink.fileno()] * dice.choice((0, 0, 0, 1, 2, 253))
                        socket.send_fds(peer.sock, [data[:dice.choice((None, None, 1, 15))]], fds)

    def test_an_old_server_that_lies(self):
        """The new one takes no socket for what it is not, and removes no name but its own."""
        url, other = self.url("unix"), self.url("unix", "other")
        blocking = self.url("unix", "blocks")
        with socket.socket(socket.AF_UNIX) as stream, \
                socket.socket(socket.AF_UNIX) as blocks, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram, \
                socket.socket() as inet:
            stream.bind(self.path("other"))
            stream.listen()
            stream.setblocking(False)
            blocks.bind(self.path("blocks"))
            blocks.listen()
            inet.bind(("127.0.0.1", 0))
            victim = os.stat(self.path("other"))
            for lie in ((url, other, stream, victim), (url, url, datagram, victim),
                        (url, url, inet, victim), (url, "msgq://1", stream, None),
                        (url, "nonsense", stream, None), ("nonsense", url, stream, None),
                        (blocking, blocking, blocks, victim)):
                with self.subTest(lie[:2]), OldServer(self.next, [
                        (*lie[:2], lie[2].fileno(), lie[3])]):
                    self.assertIn("is no ruptimed that this one can take over",
                                  self.refused("-l", url, "--takeover=" + self.next))
                os.unlink(self.next)
            # As if a service manager had brought it: then its name is not the new one's.
            with OldServer(self.next, [("", other, stream.fileno(), victim)]):
                new = self.start(url)
                self.assertEqual(new.stop(), 0)
            self.assertTrue(os.path.exists(self.path("other")))

    def test_an_old_server_that_drips(self):
        """A start is not held up for longer by many listeners."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            address = "tcp://127.0.0.1:%d" % listener.getsockname()[1]
            with OldServer(self.next, 30 * [(address, address, listener.fileno(), None)],
                           pause=0.5):
                start = time.monotonic()
                self.assertIn("does not answer in time", self.refused(
                    "-l", "tcp://127.0.0.1:0", "--takeover=" + self.next))
                self.assertLess(time.monotonic() - start, 6 + 2 * harness.SLOW)

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be another user")
    def test_another_user_is_refused(self):
        old = self.start(self.url("unix"))
        os.chmod(self.directory, 0o777)
        os.chmod(self.next, 0o666)
        os.seteuid(harness.NOBODY)
        try:
            peer = NewServer(self.next)
        finally:
            os.seteuid(0)
        with peer:
            with self.assertRaises(OSError):
                peer.go_to(1)
                peer.receive()
        old.wait_log("a takeover by another user is refused")
        self.ask("unix")

    @unittest.skipIf(os.geteuid() != 0, "only root can become another user")
    def test_of_a_server_that_became_another_user(self):
        os.chown(self.directory, harness.NOBODY, harness.NOBODY)
        old = self.start("tcp://127.0.0.1:0", self.url("unix"), args=["-u", "nobody"])
        new = self.start("tcp://127.0.0.1:0", self.url("unix"), args=["-u", "nobody"])
        self.taken_over(old, new)
        self.ask("unix")
        self.assertEqual(new.stop(), 0)
        self.assertEqual(os.listdir(self.directory), [])

    def test_stop_while_nobody_takes_over(self):
        start = time.monotonic()
        old = self.start(self.url("unix"))
        with NewServer(self.next):
            self.assertEqual(old.stop(), 0)
        self.assertLess(time.monotonic() - start, 4 * harness.SLOW)
        self.assertEqual(os.listdir(self.directory), [])


if __name__ == "__main__":
    harness.main()
