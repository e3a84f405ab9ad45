# SPDX-License-Identifier: MIT
"""--metrics: the figures for Prometheus, and whether the server is well and ready."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import unittest

import clients
import harness

SAMPLE = re.compile(r'^(ruptimed_\w+)(?:\{(.*)\})? ([-+.\deInf]+)$')
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def built_in():
    return "without libmicrohttpd" not in harness.run(
        [harness.program("ruptimed"), "--metrics=tcp://127.0.0.1:0", "--check-config"]).stderr


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10 * harness.SLOW)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Metrics(unittest.TestCase):
    def setUp(self):
        if not built_in():
            self.skipTest("built without libmicrohttpd")

    def daemon(self, *args, address="tcp://127.0.0.1:0", **kwargs):
        return harness.Daemon("-l", "tcp://127.0.0.1:0", "--metrics=" + address, *args, **kwargs)

    def connect(self, daemon):
        host, port = clients.split("tcp://" + daemon.wait_log(
            r"^(?:<\d>)?metrics tcp://(\S+)")[1])
        return http.client.HTTPConnection(host, port, timeout=10 * harness.SLOW)

    def get(self, daemon, path, **headers):
        return self.ask(self.connect(daemon), path, **headers)

    def ask(self, connection, path, method="GET", **headers):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response, text

    def samples(self, text):
        found = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                self.assertNotIn((name, labels), found)
                found[name, labels] = float(value)
        return found

    def test_figures(self):
        with self.daemon() as daemon:
            for _ in range(3):
                clients.ask_stream(daemon.address("tcp"))
            harness.wait_for(lambda: self.balance(daemon) == 0, what="the ledger to balance")
            response, text = self.get(daemon, "/metrics")
            self.assertEqual(response.status, 200)
            self.assertEqual(response.getheader("Content-Type"),
                             "text/plain; version=0.0.4; charset=utf-8")
            got = self.samples(text)
            self.assertEqual(got["ruptimed_requests_total", 'transport="tcp"'], 3)
            self.assertEqual(got["ruptimed_replies_total", 'transport="tcp"'], 3)
            runs = got["ruptimed_runs_total", 'result="ok"']
            self.assertEqual(got["ruptimed_run_seconds_count", None], runs)
            self.assertEqual(got["ruptimed_queue_wait_seconds_count", None], 3)
            self.assertEqual(got["ruptimed_queue_capacity", None], 4096)
            self.assertAlmostEqual(got["ruptimed_host_uptime_seconds", None],
                                   float(open("/proc/uptime").read().split()[0]), delta=60)
            self.assertIn(("ruptimed_host_load1", None), got)

    def balance(self, daemon):
        got = self.samples(self.get(daemon, "/metrics")[1])
        return got["ruptimed_queue_requests", 'transport="tcp"']

    def test_formats(self):
        with self.daemon() as daemon:
            response, text = self.get(daemon, "/metrics", Accept=OPENMETRICS)
            self.assertTrue(response.getheader("Content-Type").startswith(OPENMETRICS))
            self.assertTrue(text.endswith("\n# EOF\n"))
            if shutil.which("promtool"):
                plain = self.get(daemon, "/metrics")[1]
                check = subprocess.run(["promtool", "check", "metrics"], input=plain, text=True,
                                       stderr=subprocess.STDOUT, stdout=subprocess.PIPE,
                                       check=False)
                self.assertEqual((check.returncode, check.stdout), (0, ""))

    def test_paths_and_methods(self):
        with self.daemon() as daemon:
            self.assertEqual(self.get(daemon, "/healthz")[0].status, 200)
            self.assertEqual(self.get(daemon, "/readyz")[0].status, 200)
            self.assertEqual(self.get(daemon, "/")[0].status, 404)
            response, _ = self.ask(self.connect(daemon), "/metrics", method="POST")
            self.assertEqual((response.status, response.getheader("Allow")), (405, "GET, HEAD"))
            response, text = self.ask(self.connect(daemon), "/metrics", method="HEAD")
            self.assertEqual((response.status, text), (200, ""))

    def test_not_ready_while_draining(self):
        with harness.tempdir() as directory:
            harness.fake_command(directory, "read x <%s/go; exec uptime" % directory)
            os.mkfifo(directory + "/go")
            with self.daemon("--run-timeout=1m", command=directory + "/uptime") as daemon:
                sock = clients.connect(daemon.address("tcp"))
                # The command opens its end once it runs.
                with open(directory + "/go", "w", encoding="ascii") as go:
                    daemon.signal(signal.SIGTERM)
                    daemon.wait_log("^(?:<\\d>)?stopping")
                    harness.wait_for(lambda: self.get(daemon, "/readyz")[0].status == 503,
                                     what="not to be ready any more")
                    go.write("\n")
                self.assertRegex(clients.read_to_end(sock), clients.UPTIME_LINE)

    def test_scrapers_that_stall(self):
        """They hold their own connections, and no client of the server's."""
        with self.daemon() as daemon:
            host, port = clients.split("tcp://" + daemon.wait_log(
                r"^(?:<\d>)?metrics tcp://(\S+)")[1])
            stalled = [socket.create_connection((host, port)) for _ in range(10)]
            for sock in stalled:
                sock.sendall(b"GET /metrics HTTP/1.1\r\n")
            self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
            self.assertEqual(self.get(daemon, "/healthz")[0].status, 200)
            for sock in stalled:
                sock.close()

    def test_scraped_all_the_time(self):
        """Scraping and answering at a time: no request fails, and the ledger balances at rest."""
        with self.daemon("-l", "udp://127.0.0.1:0") as daemon:
            over = threading.Event()
            failures = []

            def scrape():
                while not over.is_set():
                    if self.get(daemon, "/metrics")[0].status != 200:
                        failures.append("scrape")

            thread = threading.Thread(target=scrape)
            thread.start()
            try:
                for _ in range(200):
                    self.assertRegex(clients.ask_stream(daemon.address("tcp")),
                                     clients.UPTIME_LINE)
            finally:
                over.set()
                thread.join()
            self.assertEqual(failures, [])

    def test_unix(self):
        with harness.tempdir() as directory:
            path = directory + "/metrics"
            with self.daemon(address="unix://%s?mode=0600" % path) as daemon:
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
                response, text = self.ask(UnixConnection(path), "/metrics")
                self.assertEqual(response.status, 200)
                self.assertIn("ruptimed_build_info", text)
                daemon.stop()
            self.assertFalse(os.path.exists(path))

    def test_who_may_ask(self):
        with self.daemon("--deny=127.0.0.0/8") as daemon:
            with self.assertRaises((ConnectionError, http.client.RemoteDisconnected)):
                self.get(daemon, "/metrics")

    def test_bad_addresses(self):
        for address, why in (("udp://127.0.0.1:0", "metrics are served at tcp"),
                             ("msgq://7", "metrics are served at tcp"),
                             ("nothing", "nothing")):
            got = harness.run([harness.program("ruptimed"), "--metrics=" + address])
            self.assertEqual(got.returncode, 2)
            self.assertIn(why, got.stderr)


if __name__ == "__main__":
    harness.main()
