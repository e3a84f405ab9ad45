# SPDX-License-Identifier: MIT
"""The reports of ruptime-bench: JSON by its schema, .hgrm by its format, HTML in a browser."""

import html.parser
import json
import os
import re
import shutil
import unittest

import harness
from oddserver import BENCH, OddServer, bench

SCHEMA = os.path.join(harness.SOURCE_DIR, "doc", "ruptime-bench.schema.json")
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
         "integer": int, "number": (int, float)}
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


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
        self.check("-c", "2", *quick, "tcp://127.0.0.1:%d" % harness.free_port())

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

    def test_unwritable_file(self):
        with OddServer("tcp://127.0.0.1:0") as server:
            for option in ("--hgrm", "--report"):
                done = harness.run([BENCH, "-c", "1", "-d", "50ms", "--warmup=0",
                                    option + "=/nonexistent/file", server.address])
                self.assertEqual(done.returncode, 4)
                self.assertIn("/nonexistent/file", done.stderr)


class Page(html.parser.HTMLParser):
    """What a browser has made of a report."""

    def __init__(self, text):
        super().__init__()
        self.figures, self.tags, self.here = {}, set(), None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.add(tag)
        if tag == "figure":
            self.here = self.figures.setdefault(attrs["id"], {"points": 0, "dots": 0, "svg": 0})
        elif tag == "svg":
            self.here["svg"] += 1
        elif tag == "circle":
            self.here["dots"] += 1
        elif tag == "polyline":
            self.here["points"] += len(attrs["points"].split())


@unittest.skipUnless(BROWSER, "chromium is not installed")
class Html(unittest.TestCase):
    def browse(self, path):
        """The page's text after a browser has read it, and what it said on its console."""
        with harness.tempdir() as profile:
            done = harness.run(
                [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                 "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--user-data-dir=" + profile,
                 "--enable-logging=stderr", "--v=0", "--dump-dom", "file://" + path], timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    def check_page(self, path, figures):
        with open(path, encoding="utf-8") as text:
            written = text.read()
        self.assertNotRegex(written, r"https?://|<script|<img|@import|url\(")
        text, console = self.browse(path)
        self.assertEqual(console, [])
        page = Page(text)
        self.assertEqual(set(page.figures), set(figures))
        for name, figure in page.figures.items():
            self.assertEqual(figure["svg"], 2, name)
            self.assertGreater(figure["points"] + figure["dots"], 2 * figures[name], name)

    def test_open_loop(self):
        with harness.tempdir() as directory, OddServer("tcp://127.0.0.1:0") as server:
            path = directory + "/report.html"
            # What has a meaning in HTML stands in the command, which is shown.
            status, _ = bench("-r", "500", "-d", "1s", "--warmup=0", "--report=" + path,
                              "--fail-if=p99>10s", "--fail-if=p50 < 1us", server.address)
            self.assertEqual(status, 0)
            self.check_page(path, {"throughput": 5, "worst": 5, "percentiles": 40})

    def test_comparison(self):
        with harness.tempdir() as directory, OddServer("udp://127.0.0.1:0") as server:
            path = directory + "/report.html"
            status, _ = bench("-c", "2", "-d", "200ms", "--warmup=0", "--report=" + path,
                              "--vs=" + server.address, server.address)
            self.assertEqual(status, 0)
            self.check_page(path, {"rounds": 70, "percentiles": 40})

    def test_the_console_is_heard(self):
        with harness.tempdir() as directory:
            path = directory + "/bad.html"
            with open(path, "w", encoding="utf-8") as page:
                page.write("<script>console.error('heard')</script>")
            self.assertIn("heard", "".join(self.browse(path)[1]))


if __name__ == "__main__":
    harness.main()
