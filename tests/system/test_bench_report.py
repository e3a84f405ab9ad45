# SPDX-License-Identifier: MIT
"""The reports of ruptime-bench: JSON by its schema, .hgrm by its format."""

import html
import html.parser
import json
import os
import re
import shlex
import unittest

import harness
import ports
from oddserver import BENCH, OddServer, bench

SCHEMA = os.path.join(harness.SOURCE_DIR, "doc", "ruptime-bench.schema.json")
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
         "integer": int, "number": (int, float)}


class Elements(html.parser.HTMLParser):
    """Whether each element of a page ends where it should."""

    VOID = ("meta", "link", "br", "hr", "img")

    def __init__(self, text):
        super().__init__()
        self._open, self.faults = [], []
        self.feed(text)
        self.close()
        self.faults += ["<%s> is left open" % tag for tag in self._open]

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if self._open[-1:] != [tag]:
            self.faults.append("</%s> at %s" % (tag, self.getpos()))
        else:
            self._open.pop()


def check_schema(value, schema, root, path="$"):
    """The faults of VALUE by SCHEMA, as far as our schema uses JSON Schema."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    faults = []
    if types and not any(isinstance(value, TYPES[t]) and
                         not (isinstance(value, bool) and t != "boolean") for t in types):
        return ["%s is %r, not %s" % (path, value, types)]
    if "enum" in schema and value not in schema["enum"]:
        faults.append("%s is %r" % (path, value))
    if isinstance(value, (int, float)) and value < schema.get("minimum", value):
        faults.append("%s is %r" % (path, value))
    if isinstance(value, list):
        for number, item in enumerate(value):
            faults += check_schema(item, schema.get("items", {}), root, "%s[%d]" % (path, number))
    if isinstance(value, dict):
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        faults += ["%s.%s is missing" % (path, k) for k in schema.get("required", [])
                   if k not in value]
        for key, item in value.items():
            if key in known:
                faults += check_schema(item, known[key], root, path + "." + key)
            elif others is False:
                faults.append("%s.%s is not in the schema" % (path, key))
            elif isinstance(others, dict):
                faults += check_schema(item, others, root, path + "." + key)
    return faults


class Json(unittest.TestCase):
    def check(self, *args):
        with open(SCHEMA, encoding="utf-8") as text:
            schema = json.load(text)
        _, got = bench(*args)
        self.assertEqual(check_schema(got, schema, schema), [])
        return got

    def test_schema(self):
        quick = ("-d", "200ms", "--warmup=20ms")
        with OddServer("tcp://127.0.0.1:0", "--delay=2ms") as a, \
                OddServer("tcp://127.0.0.1:0", "--delay=2ms") as b:
            self.check("-c", "2", *quick, "--fail-if=p99>1s", "--pid=%d" % a.pid, a.address)
            got = self.check("-r", "500", "--constant", *quick, a.address)
            self.assertEqual((got["mode"], got["arrivals"], got["requested_rps"]),
                             ("open", "constant", 500))
            self.check("-c", "2", *quick, "--vs=" + b.address, a.address)
            # A rate that is too high is over with its last time-out.
            self.check("--find-max=p50<1s", "-c", "2", "-d", "50ms", "--timeout=100ms", a.address)
        with ports.refusing() as port:
            self.check("-c", "2", *quick, "tcp://127.0.0.1:%d" % port)

    def test_the_checker_finds_faults(self):
        with open(SCHEMA, encoding="utf-8") as text:
            schema = json.load(text)
        self.assertTrue(check_schema({}, schema, schema))
        self.assertTrue(check_schema([], schema, schema))


class Files(unittest.TestCase):
    def test_hgrm(self):
        with harness.tempdir() as directory, OddServer("tcp://127.0.0.1:0") as server:
            path = directory + "/latency.hgrm"
            status, got = bench("-c", "4", "-d", "300ms", "--warmup=0", "--hgrm=" + path,
                                server.address)
            self.assertEqual(status, 0)
            with open(path, encoding="utf-8") as text:
                lines = text.read().splitlines()
        self.assertRegex(lines[0], r"^ +Value +Percentile +TotalCount +1/\(1-Percentile\)$")
        rows = [line.split() for line in lines if re.match(r" +\d+\.\d+ +\d\.\d+ +\d+ ", line)]
        self.assertGreater(len(rows), 20)
        self.assertEqual(rows[-1][3], "inf")
        self.assertEqual(int(rows[-1][2]), got["answered"])
        self.assertAlmostEqual(float(rows[-1][0]) * 1e3, got["latency_us"]["max"], delta=1)

    def test_html_stands_by_itself(self):
        """How it looks in a browser is test_bench_page's affair."""
        with harness.tempdir() as directory, OddServer("tcp://127.0.0.1:0") as server:
            for load in (("-r", "500", "--fail-if=p99>10s", "--fail-if=p50 < 1us"),
                         ("-c", "2", "--vs=" + server.address), ("-c", "2", server.address),
                         ("-n", "50"), ("--ramp=100:300:100",), ("--find-max=p99<1us",),
                         ("-r", "10M")):
                path = directory + "/report.html"
                bench(*load, "-d", "300ms", "--warmup=0", "--report=" + path, server.address)
                with open(path, encoding="utf-8") as text:
                    written = text.read()
                self.assertEqual(Elements(written).faults, [], load)
                for word in load:
                    if " " not in word:
                        self.assertIn("<span>%s</span>" % html.escape(shlex.quote(word), False),
                                      written)
                self.assertNotIn("p50 < 1us", written)
                self.assertIn("<svg", written)
                self.assertTrue(written.endswith("</html>\n"), written[-100:])
                self.assertNotRegex(written, r"https?://|<script|<img|@import|url\(")
                # What has more columns is cut in a narrow window.
                self.assertLess(max(row.count("<td") + row.count("<th")
                                    for row in re.findall(r"<tr>.*?</tr>", written, re.S)), 6)
                # The kernel's counters are the machine's, and of no side.
                for counts in re.findall(r"<h2>Requests.*?</section>", written, re.S):
                    self.assertNotRegex(counts, r"Listen|TCP|Udp|Softnet")

    def test_unwritable_file(self):
        with OddServer("tcp://127.0.0.1:0") as server:
            for option in ("--hgrm", "--report"):
                done = harness.run([BENCH, "-c", "1", "-d", "50ms", "--warmup=0",
                                    option + "=/nonexistent/file", server.address])
                self.assertEqual(done.returncode, 4)
                self.assertIn("/nonexistent/file", done.stderr)


if __name__ == "__main__":
    harness.main()
