# SPDX-License-Identifier: MIT
"""ruptime --targets=prometheus and --prometheus=URL, with a server that answers as Prometheus."""

import json
import unittest

import fakeprometheus
import harness
from fakeprometheus import NOW, host, metric

RUPTIME = harness.program("ruptime")


def ruptime(*args, **options):
    return harness.run([RUPTIME, *args], **options)


class Targets(unittest.TestCase):
    def test_file_sd(self):
        done = ruptime("--targets=prometheus", "web[1-2].example", "udp://[2001:db8::1]:9000",
                       "tcp://db:1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout), [
            {"targets": [host], "labels": {"ruptime_target": target}} for host, target in (
                ("web1.example:9784", "web1.example"), ("web2.example:9784", "web2.example"),
                ("[2001:db8::1]:9784", "udp://[2001:db8::1]:9000"), ("db:9784", "tcp://db:1"))])

    def test_port(self):
        done = ruptime("--targets=prometheus:9100", "a")
        self.assertEqual(json.loads(done.stdout)[0]["targets"], ["a:9100"])
        for wrong in ("", "x", "prometheusx", "prometheus:", "prometheus:0", "prometheus:65536"):
            done = ruptime("--targets=" + wrong, "a")
            self.assertEqual((done.returncode, done.stdout), (3, ""))
            self.assertIn("--targets=" + wrong, done.stderr)

    def test_what_cannot_be_scraped(self):
        done = ruptime("--targets=prometheus", "unix:///x", "msgq://1")
        self.assertEqual((done.returncode, json.loads(done.stdout)), (0, []))
        self.assertIn("2 of 2 targets left out", done.stderr)


class Fake(unittest.TestCase):
    def setUp(self):
        if not fakeprometheus.is_built():
            self.skipTest("this build has no libcurl or no jansson")

    def server(self, result=None, status=200, body=None):
        self.queries = []
        return fakeprometheus.serving(result, status, body, queries=self.queries)

    def test_table(self):
        result = host("web1:9784", 273930, 2, 0.01, 0.02, 0.05) + \
            host("x:9784", 60, 1, 7.5, 1, 1, ruptime_target="udp://db") + \
            [metric("up", 0, "web2:9784")]
        with self.server(result) as url:
            done = ruptime("-l", "--prometheus=" + url + "/")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.splitlines(), [
            "udp://db   up    0:01,  1 user,   load 7.50, 1.00, 1.00",
            "web1:9784  up 3+04:05,  2 users,  load 0.01, 0.02, 0.05",
            "web2:9784  down  Prometheus cannot scrape it"])
        self.assertEqual(done.stderr,
                         "ruptime: 1 of 3 hosts is down: 1 Prometheus cannot scrape it\n")
        path, query = self.queries[0]
        self.assertEqual(path, "/api/v1/query")
        self.assertRegex(query[0], r'\A\{__name__=~"up\|ruptimed_host_.*",job="ruptimed"\}\Z')

    def test_query(self):
        for words, matchers in ((['dc="x"'], ',dc="x"}'), (['{dc="x",rack=~"7|8"}'],
                                                           ',dc="x",rack=~"7|8"}'), (["{}"], '"}')):
            with self.server(host("a:1", 60, 0, 1, 1, 1)) as url:
                self.assertEqual(ruptime("--prometheus=" + url, *words).returncode, 0)
            self.assertTrue(self.queries[0][1][0].endswith(matchers), self.queries)

    def test_json(self):
        with self.server(host("a:1", 60, 0, 0.25, 1, 1)) as url:
            done = ruptime("-J", "--prometheus=" + url)
        row = json.loads(done.stdout)
        self.assertEqual((row["target"], row["status"], row["uptime_seconds"], row["users"],
                          row["load1"], row["line"]), ("a:1", "up", 60, 0, 0.25, None))

    def test_node_exporter(self):
        result = [metric("up", 1), metric("node_boot_time_seconds", NOW - 7200),
                  metric("node_load1", 3), metric("node_load5", 2), metric("node_load15", 1)]
        with self.server(result) as url:
            done = ruptime("--prometheus=" + url, 'job="node"')
        self.assertEqual(done.stdout, "web1:9784  up 2:00,  load 3.00, 2.00, 1.00\n")

    def test_bad_answers(self):
        for status, body, reason in (
                (400, b'{"status":"error","error":"parse error: \\u001b[2J"}',
                 "parse error: \\x1b[2J"),
                (404, b"not here", "no answer of Prometheus, but HTTP status 404"),
                (200, b"", "no answer of Prometheus, but HTTP status 200"),
                (200, b'{"status":"success","data":{"result":{}}}',
                 "no answer of Prometheus, but HTTP status 200"),
                (200, b'{"status":"success","data":{"result":[]}}', "it knows of no such host"),
                (200, b'{"status":"success","data":{"result":[7,{},{"metric":7,"value":[1]}]}}',
                 "it knows of no such host")):
            with self.subTest(body=body), self.server(status=status, body=body) as url:
                done = ruptime("--prometheus=" + url)
                self.assertEqual((done.returncode, done.stdout, done.stderr),
                                 (4, "", "ruptime: %s: %s\n" % (url, reason)))

    def test_values_that_are_none(self):
        result = host("a:1", "NaN", "+Inf", "x", 1, 1)
        with self.server(result) as url:
            done = ruptime("-J", "--prometheus=" + url)
        row = json.loads(done.stdout)
        self.assertEqual((row["uptime_seconds"], row["users"]), (None, None))

    def test_no_server(self):
        url = "http://127.0.0.1:1"
        done = ruptime("--prometheus=" + url)
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        self.assertRegex(done.stderr, r"\Aruptime: %s: [^\n]+\n\Z" % url)

    def test_mistakes(self):
        for args in (("a", "b"), ("-w",), ("-c", "2"), ("-f", "x")):
            done = ruptime("--prometheus=http://x", *args)
            self.assertEqual((done.returncode, done.stdout), (3, ""))


if __name__ == "__main__":
    harness.main()
