# SPDX-License-Identifier: MIT
"""tests/bench: that its tables have what they promise. How fast anything is, is not judged."""

import json
import os
import sys
import unittest

import harness

BENCH_DIR = os.path.join(harness.SOURCE_DIR, "tests", "bench")
sys.path.insert(0, BENCH_DIR)
import instructions  # noqa: E402 pylint: disable=wrong-import-position
import report  # noqa: E402 pylint: disable=wrong-import-position

PROFILE = """# callgrind format
events: Ir
fl=(1) worker.c
fn=(7) worker_main
10 300
cfn=(9) uptime_measure
calls=2 50
12 5000
cfn=(9)
calls=1 50
14 2400

totals: 7700
"""


def row(answer, run):
    return {"transport": "tcp", "in_flight": 1, "server": "ruptimed", "answer": answer,
            "run": run}


class Comparison(unittest.TestCase):
    def run_bench(self, directory, *args):
        output = os.path.join(directory, "out")
        done = harness.run([sys.executable, "-B", os.path.join(BENCH_DIR, "bench.py"),
                            "--rounds=1", "--duration=%g" % (0.25 * harness.SLOW),
                            "--sources=exec",
                            "--output=" + output, *args], timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(output + ".json", encoding="utf-8") as text:
            tables = json.load(text)["tables"]
        for suffix, sign in ((".txt", "floor"), (".md", "| floor |"), (".html", "<td class=text>")):
            with open(output + suffix, encoding="utf-8") as text:
                self.assertIn(sign, text.read())
        return tables

    def test_every_setting_has_its_row(self):
        with harness.tempdir() as directory:
            tables = self.run_bench(directory, "--in-flight=1,16", "--transports=tcp,msgq")
        self.assertEqual([title.split(",")[0] for title in tables], ["tcp", "msgq"])
        for title, rows in tables.items():
            processes = (1,) if title.startswith("msgq") else (1, 2)
            self.assertEqual([(r["in_flight"], r["generators"], r["server"]) for r in rows],
                             [(c, g, server) for c in (1, 16) for g in processes if g <= c
                              for server in ("floor", "ruptimed exec")])
            for each in rows:
                self.assertGreater(each["answers_per_s"], 0)
                self.assertGreater(each["cpu_us"], 0)
                self.assertGreaterEqual(each["p999_us"], each["p50_us"])
                self.assertEqual(each["failed"], 0)
                self.assertEqual(each["ratio"] == 1, each["server"] == "floor")
            # One client by itself: a run for each of its answers, but for those that were cut off.
            alone = rows[1]["runs_per_1000"]
            self.assertTrue(1000 <= alone < 2000, alone)
            self.assertIsNone(rows[0]["runs_per_1000"])

    def test_document_is_changed_between_its_marks_only(self):
        with harness.tempdir() as directory:
            path = os.path.join(directory, "document")
            marks = "before\n<!-- bench: begin -->\n%s<!-- bench: end -->\nafter\n"
            with open(path, "w", encoding="utf-8") as out:
                out.write(marks % "old\n")
            report.put_into_document(path, "bench", "new\n")
            with open(path, encoding="utf-8") as text:
                self.assertEqual(text.read(), marks % "new\n")
            with self.assertRaises(SystemExit):
                report.put_into_document(path, "other", "new\n")


class Instructions(unittest.TestCase):
    def test_runs_are_told_apart(self):
        self.assertEqual(instructions.runs_in(PROFILE), (3, 7400))
        self.assertEqual(instructions.runs_in("fn=(1) main\n"), (0, 0))
        self.assertEqual(instructions.role_of(PROFILE), "worker")
        # A name is spelled out where it is first met only, be that a call.
        self.assertEqual(instructions.role_of("cfn=(2) acceptor_main\n"), "acceptor")
        self.assertEqual(instructions.role_of("fn=(2) main\n"), "main")

    def test_a_regression_is_found(self):
        with harness.tempdir() as directory:
            path = os.path.join(directory, "before.json")
            with open(path, "w", encoding="utf-8") as out:
                json.dump({"tables": {"tcp" + instructions.TITLE: [row(1000, 20000)]}}, out)
            for now, worse in ((row(1000, 20000), False), (row(1040, 20000), False),
                               (row(1060, 20000), True), (row(500, 22000), True),
                               (row(500, None), False)):
                tables = [report.Table("tcp", (), [now])]
                self.assertEqual(instructions.compare(tables, path, 0.05)[1], worse, now)


if __name__ == "__main__":
    harness.main()
