# SPDX-License-Identifier: MIT
"""The HTML report of ruptime-bench: what a browser makes of it."""

import html.parser
import shutil
import unittest

import harness
from oddserver import OddServer, bench

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


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
