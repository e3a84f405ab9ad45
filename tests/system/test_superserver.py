# SPDX-License-Identifier: MIT
"""With inetd's kind of server in front, ruptime fdpass:// is a whole service; and other people's
clients get along with ruptimed."""

import concurrent.futures
import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

import harness

UPTIME_LINE = r"\A [0-9:]+ up .*load average: [0-9., ]+\n\Z"
CONNECTIONS = 200
AT_A_TIME = 16


def needs(command):
    return unittest.skipUnless(shutil.which(command), command + " is not installed")


@contextlib.contextmanager
def running(*argv, **options):
    """A server that is ended with the block, and its log, a file."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log,
                              env=harness.environment(), start_new_session=True,
                              **options) as server:
            try:
                yield server, log
            finally:
                server.kill()


def ask(port):
    """Everything that a connection yields until its end."""
    with socket.create_connection(("127.0.0.1", port), 20 * harness.SLOW) as conn:
        with conn.makefile("r", encoding="ascii", newline="") as answer:
            return answer.read()


class Service(unittest.TestCase):
    """A super-server runs ruptime for each connection; ruptimed answers all of them."""

    def setUp(self):
        directory = harness.tempdir()
        path = directory.__enter__()
        self.addCleanup(directory.__exit__, None, None, None)
        self.url = "fdpass://%s/s" % path
        # socat's command ends at a blank, and the build tree's path may have one.
        self.ruptime = path + "/ruptime"
        os.symlink(harness.program("ruptime"), self.ruptime)
        daemon = harness.Daemon("--listen=" + self.url)
        daemon.__enter__()
        self.addCleanup(daemon.__exit__, None, None, None)

    def serves(self, port):
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            answers = list(pool.map(ask, [port] * CONNECTIONS))
        self.assertEqual(len(answers), CONNECTIONS)
        for answer in answers:
            self.assertRegex(answer, UPTIME_LINE)

    @needs("tcpserver")
    def test_tcpserver(self):
        # -1: it prints its port; the rest keeps it from asking name servers.
        with running("tcpserver", "-1", "-q", "-H", "-R", "-l0", "-c%d" % (2 * AT_A_TIME),
                     "127.0.0.1", "0", self.ruptime, self.url,
                     stdout=subprocess.PIPE) as (server, _):
            with server.stdout:
                self.serves(int(server.stdout.readline()))

    @needs("socat")
    def test_socat(self):
        # A colon has a meaning of its own to socat.
        command = "%s %s" % (self.ruptime, self.url.replace(":", r"\:"))
        with running("socat", "-dd", "TCP4-LISTEN:0,bind=127.0.0.1,fork,backlog=128",
                     "EXEC:" + command) as (_, log):
            def port():
                log.seek(0)
                return re.search(r"listening on .*:(\d+)$", log.read(), re.MULTILINE)

            self.serves(int(harness.wait_for(port, what="socat's port")[1]))


@needs("socat")
class Socat(unittest.TestCase):
    """socat knows nothing of us, and asks all that is a socket."""

    # It sends what it reads, and goes on reading for so long when there is nothing more to send.
    PATIENCE_S = 10 * harness.SLOW

    def socat(self, address, text):
        return harness.run(["socat", "-t%g" % self.PATIENCE_S, "-", address], input=text,
                           timeout=2 * self.PATIENCE_S)

    def test_streams(self):
        with harness.tempdir() as directory:
            path = os.path.join(directory, "s")
            with harness.Daemon("--listen=tcp://127.0.0.1:0", "--listen=unix://" + path,
                                "--listen=unix-seqpacket://%s-q" % path) as daemon:
                for address in ("TCP4:127.0.0.1:%d" % daemon.port("tcp"),
                                "UNIX-CONNECT:" + path,
                                "UNIX-CONNECT:%s-q,type=%d" % (path, socket.SOCK_SEQPACKET)):
                    for text in ("", "x", "x" * 8192):
                        done = self.socat(address, text)
                        self.assertEqual((done.returncode, done.stderr), (0, ""), address)
                        self.assertRegex(done.stdout, UPTIME_LINE)

    def test_datagrams(self):
        with harness.tempdir() as directory:
            path = os.path.join(directory, "s")
            with harness.Daemon("--listen=udp://127.0.0.1:0",
                                "--listen=unix-dgram://" + path) as daemon:
                for address in ("UDP4:127.0.0.1:%d" % daemon.port("udp"),
                                "UNIX-SENDTO:%s,bind=%s-me" % (path, path)):
                    # A datagram has its end without a newline.
                    answer = self.first_datagram(address).rstrip("\n") + "\n"
                    self.assertRegex(answer, UPTIME_LINE)

    def first_datagram(self, address):
        """Datagrams have no end: socat is ended when there is an answer."""
        argv = ["socat", "-T%g" % self.PATIENCE_S, "-", address]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=harness.environment()) as socat:
            try:
                socat.stdin.write(b"x")
                socat.stdin.flush()
                return socat.stdout.read1(1000).decode()
            finally:
                socat.kill()


if __name__ == "__main__":
    harness.main()
