# SPDX-License-Identifier: MIT
"""UNIX sockets: their names in the file system, and clients good and bad."""

import contextlib
import multiprocessing
import os
import re
import resource
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import unittest

import clients
import harness
import local_clients as local

SCHEMES = tuple(local.TYPES)

# Of unix_socket.c.
BACKLOG = 1024


OTHER_USER = 1001


def replace(folder, target):
    """As the other user: put a link to TARGET in the place of what appears in FOLDER."""
    os.setgroups([])
    os.setgid(OTHER_USER)
    os.setuid(OTHER_USER)
    while True:
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                os.rename(os.path.join(folder, name), os.path.join(folder + ".away", name))
                os.symlink(target, os.path.join(folder, name))
                return


class Names(local.Sockets):
    def test_mode_and_owner(self):
        for scheme in SCHEMES:
            for keys, mode, owners in (("", 0o660, None), ("?mode=0606", 0o606, None),
                                       ("?mode=0640&user=nobody&group=7", 0o640, (65534, 7))):
                if owners and os.geteuid() != 0:
                    continue
                with self.subTest(scheme=scheme, keys=keys):
                    url = self.url(scheme, keys=keys)
                    with harness.Daemon("-l", url, preexec_fn=lambda: os.umask(0o777)) as daemon:
                        found = os.stat(self.path())
                        self.assertTrue(stat.S_ISSOCK(found.st_mode))
                        self.assertEqual(found.st_mode & 0o7777, mode)
                        self.assertEqual((found.st_uid, found.st_gid),
                                         owners or (os.geteuid(), os.getegid()))
                        self.assertEqual(os.listdir(self.directory), ["socket"])
                        self.assertEqual(daemon.addresses, [url])
                        self.ask(scheme)
                    self.assertEqual(os.listdir(self.directory), [])

    @unittest.skipIf(os.geteuid() != 0, "needs root, whose files others would like to have")
    @unittest.skipUnless(shutil.which("strace"), "needs strace, to widen the moment")
    def test_directory_of_another_user(self):
        """He puts a link in the place of the socket while it is made: no other file is changed."""
        secret = os.path.join(self.directory, "secret")
        with open(secret, "w", encoding="ascii"):
            pass
        os.chmod(secret, 0o600)
        os.chmod(self.directory, 0o755)
        folder = os.path.join(self.directory, "folder")
        for path in (folder, folder + ".away"):
            os.mkdir(path)
            os.chown(path, OTHER_USER, OTHER_USER)
        for scheme in SCHEMES:
            with self.subTest(scheme=scheme):
                attacker = multiprocessing.get_context("fork").Process(
                    target=replace, args=(folder, secret))
                attacker.start()
                try:
                    self.start_slowly("%s://%s/s?user=%d&mode=0666" % (scheme, folder,
                                                                       OTHER_USER))
                finally:
                    attacker.kill()
                    attacker.join()
                found = os.stat(secret)
                self.assertEqual((found.st_mode & 0o777, found.st_uid), (0o600, 0))
                for name in os.listdir(folder):
                    os.unlink(os.path.join(folder, name))

    def start_slowly(self, url):
        """Each change of a file's mode or owner waits a little; then it ends, served or not."""
        calls = "?chmod,?fchmodat,?fchmodat2,?chown,?lchown,?fchownat"
        read_fd, ready_fd = os.pipe()
        process = subprocess.Popen(
            ["strace", "-f", "-o", "/dev/null", "-e", "trace=" + calls, "-e",
             "inject=%s:delay_enter=200ms" % calls, harness.program("ruptimed"), "-l", url,
             "--ready-fd=%d" % ready_fd], pass_fds=[ready_fd], stderr=subprocess.DEVNULL)
        os.close(ready_fd)
        try:
            select.select([read_fd], [], [], 10 * harness.SLOW)
        finally:
            for child in harness.descendants(process.pid):
                os.kill(child.pid, signal.SIGTERM)
            process.wait(10 * harness.SLOW)
            os.close(read_fd)

    def test_killed_by_force_and_started_again(self):
        for scheme in SCHEMES:
            with self.subTest(scheme=scheme):
                with harness.Daemon("-l", self.url(scheme)) as daemon:
                    daemon.stop(signal.SIGKILL)
                self.assertTrue(os.path.exists(self.path()))
                with harness.Daemon("-l", self.url(scheme)):
                    self.ask(scheme)
                self.assertEqual(os.listdir(self.directory), [])

    def test_live_one_is_refused(self):
        for scheme in SCHEMES:
            with self.subTest(scheme=scheme), harness.Daemon("-l", self.url(scheme)):
                for other in SCHEMES:
                    self.assertIn("%s: another process serves there" % self.url(other),
                                  self.refused("-l", self.url(other)))
                self.ask(scheme)

    def test_file_in_the_way_is_refused(self):
        with open(self.path(), "w", encoding="ascii") as out:
            out.write("precious")
        for scheme in SCHEMES:
            said = self.refused("-l", self.url(scheme))
            self.assertIn(self.url(scheme) + ": ", said)
            self.assertIn("not a socket", said)
        with open(self.path(), encoding="ascii") as precious:
            self.assertEqual(precious.read(), "precious")

    def test_only_its_own_is_removed(self):
        for scheme in SCHEMES:
            with self.subTest(scheme=scheme):
                with harness.Daemon("-l", self.url(scheme)) as old:
                    os.unlink(self.path())
                    with harness.Daemon("-l", self.url(scheme)):
                        self.assertEqual(old.stop(), 0)
                        self.ask(scheme)
                self.assertEqual(os.listdir(self.directory), [])

    def test_what_was_opened_before_a_failure_is_removed(self):
        with open(self.path("file"), "w", encoding="ascii"):
            pass
        urls = [self.url(scheme, scheme) for scheme in SCHEMES] + [self.url("unix", "file")]
        self.refused(*[arg for url in urls for arg in ("-l", url)])
        self.assertEqual(os.listdir(self.directory), ["file"])

    def test_given_twice(self):
        for first in SCHEMES:
            said = self.refused("-l", self.url(first), "-l", self.url("unix", keys="?mode=0600"),
                                code=2)
            self.assertIn("twice", said)
        self.assertEqual(os.listdir(self.directory), [])

    def test_second_signal(self):
        slow = harness.fake_command(self.directory, "exec sleep 30", "slow")
        daemon = self.serve(*[self.url(scheme, scheme) for scheme in SCHEMES], command=slow,
                            args=["--run-timeout=1m"], env=clients.LEAVES_THREADS)
        waiting = local.connect("unix", self.path("unix"))
        self.stack.callback(waiting.close)
        harness.wait_for(lambda: any(p.name == "sleep" for p in harness.descendants(daemon.pid)),
                         what="a run")
        self.assertEqual(daemon.stop_at_once(), 1)
        self.assertEqual(os.listdir(self.directory), ["slow"])

    @unittest.skipIf(os.geteuid() != 0, "only root can become another user")
    def test_as_nobody(self):
        os.chown(self.directory, harness.NOBODY, harness.NOBODY)
        with local.keys() as (key,):
            urls = [self.url(scheme, scheme, "?user=nobody") for scheme in SCHEMES]
            with harness.Daemon(*[arg for url in urls + ["msgq://%#x" % key, "tcp://127.0.0.1:0"]
                                  for arg in ("-l", url)], "-u", "nobody"):
                for scheme in SCHEMES:
                    self.ask(scheme, scheme)
                local.ask_msgq(key)
                self.assertEqual(local.status(local.msgget(key)).perm.uid, harness.NOBODY)
            self.assertEqual(os.listdir(self.directory), [])
            self.assertFalse(local.exists(key) or local.exists(key | local.REPLY_BIT))


class Clients(local.Sockets):
    def test_peer_is_logged_with_v(self):
        daemon = self.serve(*[self.url(scheme, scheme) for scheme in (*local.STREAMS, "fdpass")],
                            args=["-v"])
        for scheme in (*local.STREAMS, "fdpass"):
            self.ask(scheme, scheme)
            daemon.wait_log("^debug: %s: client pid=%d uid=%d gid=%d$" % (
                re.escape(self.url(scheme, scheme)), os.getpid(), os.geteuid(), os.getegid()))

    def test_who_talks_first(self):
        daemon = self.serve(self.url("unix", "u"), self.url("unix-seqpacket", "s"))
        speeches = ((b"x",), (b"x" * 4096,) * 3, (b"", b"x"), (b"x", b"", b"", b"y"), (b"",) * 20)
        for scheme, name in (("unix", "u"), ("unix-seqpacket", "s")):
            for speech in speeches:
                with self.subTest(scheme=scheme, speech=len(speech)):
                    with local.connect(scheme, self.path(name)) as sock:
                        for part in speech:
                            sock.send(part)
                        # A reset instead of the end would raise an error.
                        line = clients.read_to_end(sock)
                        self.assertRegex(line, clients.UPTIME_LINE)
        for name in local.STREAMS:
            counts = clients.state_at_rest(self, daemon, name)
            self.assertEqual(counts["replies"], len(speeches), counts)

    def test_who_goes_at_once(self):
        daemon = self.serve(self.url("unix", "u"), self.url("unix-seqpacket", "s"))
        before = daemon.descriptors()
        for scheme, name in (("unix", "u"), ("unix-seqpacket", "s")):
            for _ in range(200):
                local.connect(scheme, self.path(name)).close()
            counts = local.settled(self, daemon, scheme, 200)
            self.assertEqual(counts["requests"], 200)
        harness.wait_for(lambda: daemon.descriptors() <= before, what="the descriptors")

    def test_datagram_requests(self):
        daemon = self.serve(self.url("unix-dgram"))
        with local.connect("unix-dgram", self.path()) as sock:
            request, nonce = clients.extended_request(128)
            for bad in (b"", b"ab", b"RUq1" + bytes(11), request + bytes(385), bytes(2000)):
                sock.send(bad)
            sock.send(request)
            answer = sock.recv(4096)
            self.assertEqual(answer[:12], b"RUr1" + nonce)
            self.assertRegex(answer[12:], clients.UPTIME_LINE)
            sock.send(b"\0")
            self.assertRegex(sock.recv(4096), clients.UPTIME_LINE)
        counts = clients.state_at_rest(self, daemon, "unix-dgram")
        self.assertEqual((counts["requests"], counts["replies"], counts["malformed"]), (7, 2, 5))

    def test_unbound_datagram_clients_are_counted(self):
        daemon = self.serve(self.url("unix-dgram"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            for _ in range(50):
                sock.sendto(b"?", self.path())
        local.ask("unix-dgram", self.path())
        counts = clients.state_at_rest(self, daemon, "unix-dgram")
        self.assertEqual((counts["requests"], counts["replies"], counts["unbound"]), (51, 1, 50))

    def test_datagram_clients_that_never_read(self):
        """Others are answered at once meanwhile, by the same single worker."""
        daemon = self.serve(self.url("unix-dgram"), args=["-w", "1"])
        with contextlib.ExitStack() as stack:
            deaf = [stack.enter_context(local.connect("unix-dgram", self.path()))
                    for _ in range(10)]
            for _ in range(200 if os.geteuid() == 0 else 10):
                for sock in deaf:
                    sock.send(b"?")
            for _ in range(20):
                local.ask("unix-dgram", self.path(), timeout=1)
            counts = clients.state_at_rest(self, daemon, "unix-dgram")
            # They were not answered because a test read, and not dropped either.
            self.assertGreaterEqual(counts["replies"], 120)
            self.assertEqual(counts["replies"] + counts["dropped"], counts["requests"])

    def test_datagram_clients_that_are_gone(self):
        daemon = self.serve(self.url("unix-dgram"))
        for _ in range(100):
            with local.connect("unix-dgram", self.path()) as sock:
                sock.send(b"?")
        local.ask("unix-dgram", self.path())
        self.assertEqual(clients.state_at_rest(self, daemon, "unix-dgram")["requests"], 101)


class UnwantedDescriptors(local.Sockets):
    """They were not asked for; refused by the kernel or by the server, they do no harm."""

    def test_nothing_leaks(self):
        daemon = self.serve(*[self.url(scheme, scheme) for scheme in SCHEMES])
        before = daemon.descriptors()
        for scheme in SCHEMES:
            for count in (1, 2, 5, 253):
                for _ in range(10):
                    with local.connect(scheme, self.path(scheme)) as sock:
                        with contextlib.suppress(OSError):
                            local.send_fds(sock, [0] * count, b"?")
            self.ask(scheme, scheme)
        harness.wait_for(lambda: daemon.descriptors() <= before, what="the descriptors")

    def test_sockets_that_linger_block_nobody(self):
        """More of them than there are workers, and all that is left of them is on its way."""
        self.serve(*[self.url(scheme, scheme) for scheme in SCHEMES], args=["-w", "2"])
        for scheme in SCHEMES:
            for first in (b"", b"no descriptor with this"):
                for _ in range(4):
                    sock, peer = local.lingering()
                    self.stack.callback(peer.close)
                    with local.connect(scheme, self.path(scheme)) as conn:
                        try:
                            if first:
                                conn.send(first)
                            local.send_fds(conn, [sock.fileno()], b"?")
                        except OSError:
                            # Refused: it is still ours alone, and must not hold this test up.
                            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                            struct.pack("ii", 0, 0))
                        sock.close()
                for name in SCHEMES:
                    with self.subTest(scheme=scheme, then=name):
                        if name == "fdpass":
                            local.ask_fdpass(self.path(name), timeout=3)
                        else:
                            local.ask(name, self.path(name), timeout=3)


class Crowd(local.Sockets):
    def test_a_thousand_may_wait_and_are_answered(self):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit[1] < 2 * BACKLOG:
            self.skipTest("too few descriptors for a crowd")
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limit)
        daemon = self.serve(self.url("unix"))
        daemon.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, daemon.pid, os.WSTOPPED)
        crowd = local.connect_until_full(self.path())
        daemon.signal(signal.SIGCONT)
        for sock in crowd:
            self.addCleanup(sock.close)
        # One more gets in than listen() was told.
        with open("/proc/sys/net/core/somaxconn", encoding="ascii") as most:
            self.assertEqual(len(crowd), min(BACKLOG, int(most.read())) + 1)
        for sock in crowd:
            sock.setblocking(True)
            self.assertRegex(clients.read_to_end(sock), clients.UPTIME_LINE)


class Stop(local.Sockets):
    def test_everybody_in_the_backlog_is_answered(self):
        for scheme in (*local.STREAMS, "unix-dgram"):
            with self.subTest(scheme=scheme):
                gate = self.path("open-" + scheme)
                slow = harness.fake_command(
                    self.directory, "echo >'%s.started'; while ! [ -e '%s' ]; do sleep 0.01; done; "
                    "exec uptime" % (gate, gate), "slow")
                with contextlib.ExitStack() as stack:
                    daemon = stack.enter_context(harness.Daemon(
                        "-l", self.url(scheme), "-q", "4", "-w", "1", "--run-timeout=1m",
                        command=slow))
                    # A datagram socket's queue holds but ten that wait.
                    socks = [stack.enter_context(local.connect(scheme, self.path()))
                             for _ in range(40 if scheme != "unix-dgram" else 12)]
                    if scheme == "unix-dgram":
                        for sock in socks:
                            sock.send(b"?")
                    harness.wait_for(lambda: os.path.exists(gate + ".started"), what="a run")
                    daemon.signal(signal.SIGTERM)
                    daemon.wait_log("^stopping$")
                    with open(gate, "w", encoding="ascii"):
                        pass
                    for sock in socks:
                        line = (sock.recv(4096) if scheme == "unix-dgram" else
                                clients.read_to_end(sock))
                        self.assertRegex(line, clients.UPTIME_LINE)
                    for sock in socks:
                        sock.close()
                    self.assertEqual(daemon.wait(), 0)


if __name__ == "__main__":
    harness.main()
