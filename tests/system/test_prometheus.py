# SPDX-License-Identifier: MIT
"""The figures of --metrics, read by a real Prometheus with the rules and dashboard of contrib."""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest
import urllib.parse
import urllib.request

import clients
import fakeprometheus
import harness
import ports

RUPTIME = harness.program("ruptime")
CONTRIB = os.path.join(harness.SOURCE_DIR, "contrib")
RULES = os.path.join(CONTRIB, "prometheus", "ruptimed.rules.yml")
DASHBOARD = os.path.join(CONTRIB, "grafana", "ruptimed.json")

CONFIGURATION = """
global: {scrape_interval: 200ms, evaluation_interval: 200ms}
rule_files: [rules.yml]
scrape_configs:
  - job_name: ruptimed
    scrape_timeout: 200ms
    static_configs: [{targets: [%s]}]
"""


def missing():
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        return "Prometheus is not installed"
    if "without libmicrohttpd" in harness.run(
            [harness.program("ruptimed"), "--metrics=tcp://127.0.0.1:0",
             "--check-config"]).stderr:
        return "built without libmicrohttpd"
    return None


def promtool(*argv):
    return subprocess.run(["promtool", *argv], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)


@unittest.skipIf(missing(), missing())
class Files(unittest.TestCase):
    def test_configuration_and_rules(self):
        folder = os.path.join(CONTRIB, "prometheus")
        for argv in (("check", "config", folder + "/prometheus.yml"),
                     ("check", "rules", RULES),
                     ("test", "rules", folder + "/ruptimed.rules.test.yml")):
            with self.subTest(argv=argv):
                done = promtool(*argv)
                self.assertEqual(done.returncode, 0, done.stdout)


class Dashboard(unittest.TestCase):
    def test_is_what_its_program_writes(self):
        program = os.path.join(CONTRIB, "grafana", "make-dashboard.py")
        with open(DASHBOARD, encoding="utf-8") as file:
            self.assertEqual(harness.run([sys.executable, "-B", program]).stdout, file.read())


class Prometheus:
    """One that scrapes TARGETS with the rules of contrib, made quick, within a with block."""

    def __init__(self, directory, targets):
        self.directory = directory
        self.port = ports.free()
        with open(RULES, encoding="utf-8") as file:
            rules = re.sub(r"\bfor: \w+", "for: 400ms", file.read()).replace("[5m]", "[2s]")
        with open(directory + "/rules.yml", "w", encoding="utf-8") as file:
            file.write(rules)
        with open(directory + "/prometheus.yml", "w", encoding="utf-8") as file:
            file.write(CONFIGURATION % ", ".join('"%s"' % target for target in targets))

    def __enter__(self):
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=" + self.directory + "/prometheus.yml",
             "--storage.tsdb.path=" + self.directory + "/data",
             "--web.listen-address=127.0.0.1:%d" % self.port],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20 * harness.SLOW)

    def get(self, path, **parameters):
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (self.port, path,
                                                   urllib.parse.urlencode(parameters))
        try:
            with urllib.request.urlopen(url, timeout=5 * harness.SLOW) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            # It answers before it is ready.
            if error.code != 503:
                raise AssertionError(error.read().decode()) from None
            return None
        except OSError:
            return None

    def query(self, expression):
        """The values by their labels; none while it has not started."""
        data = self.get("query", query=expression)
        if data is None:
            return {}
        return {tuple(sorted(sample["metric"].items())): float(sample["value"][1])
                for sample in data["result"]}

    def firing(self):
        data = self.get("alerts") or {"alerts": []}
        return {alert["labels"]["alertname"] for alert in data["alerts"]
                if alert["state"] == "firing"}


def metrics_of(daemon):
    return daemon.wait_log(r"^(?:<\d>)?metrics tcp://(\S+)")[1]


@unittest.skipIf(missing(), missing())
class Scraping(unittest.TestCase):
    limit_s = 300

    def daemon(self, *args):
        return harness.Daemon("-l", "tcp://127.0.0.1:0", "-l", "udp://127.0.0.1:0",
                              "--metrics=tcp://127.0.0.1:0", *args)

    def ask(self, daemon, times=5):
        for _ in range(times):
            clients.ask_stream(daemon.address("tcp"))
            clients.ask_datagram(daemon.address("udp"))

    def wait_for(self, prometheus, expression, is_right, what):
        """While both servers are asked: rates need requests."""
        def done():
            for daemon in self.daemons:
                self.ask(daemon, 1)
            return is_right(prometheus.query(expression))
        harness.wait_for(done, timeout=30, what=what)

    def test_two_servers(self):
        with harness.tempdir() as directory, self.daemon() as one, self.daemon() as two:
            self.daemons = (one, two)
            targets = [metrics_of(one), metrics_of(two)]
            with Prometheus(directory, targets) as prometheus:
                self.wait_for(prometheus, "up", lambda got: list(got.values()) == [1, 1],
                              "both servers to be scraped")
                self.check_rules(prometheus)
                self.check_panels(prometheus, targets)
                self.check_ledger(prometheus)
                self.check_table(prometheus, targets)

    def check_table(self, prometheus, targets):
        """ruptime --prometheus shows the hosts that ruptime shows that asks them, as they are."""
        if not fakeprometheus.is_built():
            return
        url = "http://127.0.0.1:%d" % prometheus.port
        scraped = harness.run([RUPTIME, "-J", "--prometheus=" + url])
        asked = harness.run([RUPTIME, "-J"] + [daemon.address("tcp") for daemon in self.daemons])
        self.assertEqual((scraped.returncode, asked.returncode), (0, 0), scraped.stderr)
        scraped, asked = ([json.loads(text) for text in done.stdout.splitlines()]
                          for done in (scraped, asked))
        self.assertEqual(sorted(row["target"] for row in scraped), sorted(targets))
        for row in scraped:
            self.assertEqual({row["status"], asked[0]["status"]}, {"up"})
            self.assertEqual(row["users"], asked[0]["users"])
            # The line has whole minutes, and the scrape may be of the one before.
            self.assertLess(abs(row["uptime_seconds"] - asked[0]["uptime_seconds"]), 120)
            for load in ("load1", "load5", "load15"):
                # Counted anew every five seconds.
                self.assertLess(abs(row[load] - asked[0][load]), max(2, asked[0][load]))

    def check_rules(self, prometheus):
        with open(RULES, encoding="utf-8") as file:
            names = re.findall(r"record: (\S+)", file.read())
        # Of failures there are none, so their share is that of requests: no sample.
        for name in set(names) - {"instance:ruptimed_failed:ratio5m"}:
            self.wait_for(prometheus, name, bool, name)

    def check_panels(self, prometheus, targets):
        with open(DASHBOARD, encoding="utf-8") as file:
            dashboard = json.load(file)
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                expression = target["expr"].replace("$__rate_interval", "2s")
                expression = expression.replace("$instance", "|".join(targets))
                with self.subTest(panel=panel["title"]):
                    self.wait_for(prometheus, expression, bool, panel["title"])

    def check_ledger(self, prometheus):
        """Read through Prometheus: requests = replies + dropped + waiting, per transport."""
        balance = ("sum by (instance, transport) (ruptimed_requests_total) - "
                   "sum by (instance, transport) (ruptimed_replies_total) - "
                   "sum by (instance, transport) (ruptimed_dropped_total) - "
                   "sum by (instance, transport) (ruptimed_queue_requests)")
        self.wait_for(prometheus, balance,
                      lambda got: len(got) == 4 and set(got.values()) == {0}, "the balance")

    def test_alerts_fire_and_resolve(self):
        with harness.tempdir() as directory:
            harness.fake_command(directory, "exec uptime")
            with self.daemon("--command=%s/uptime" % directory) as daemon, \
                    Prometheus(directory, [metrics_of(daemon)]) as prometheus:
                self.daemons = (daemon,)
                self.wait_for(prometheus, "up", lambda got: list(got.values()) == [1], "a scrape")
                self.assertEqual(prometheus.firing(), set())
                harness.fake_command(directory, "exit 1")
                self.wait_for_alerts(prometheus, daemon, {"RuptimedRunsFail",
                                                          "RuptimedRequestsFail"})
                harness.fake_command(directory, "exec uptime")
                self.wait_for_alerts(prometheus, daemon, set())

    def wait_for_alerts(self, prometheus, daemon, wanted):
        def done():
            clients.ask_stream(daemon.address("tcp"))
            return prometheus.firing() == wanted
        harness.wait_for(done, timeout=30, what="the alerts %s" % wanted)


if __name__ == "__main__":
    harness.main()
