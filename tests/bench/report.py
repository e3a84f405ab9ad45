# SPDX-License-Identifier: MIT
"""Tables of figures as text, Markdown, HTML and JSON, with where they come from."""

import datetime
import html
import json
import os
import re
import shlex
import subprocess
import sys

import servers

DOCUMENT = os.path.join(servers.SOURCE_DIR, "doc", "benchmarks.md")
# Not what a measurement depends on.
DESTINATION = re.compile(r" --(output|document)([= ][^-]\S*)?")
STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;
color-scheme:light dark}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .7rem;text-align:right}th{border-bottom:1px solid}.text{text-align:left}
.group td{border-top:1px solid #8886}div{overflow-x:auto}dt{float:left;width:9rem;opacity:.7}
dd{margin:0 0 0 9rem}"""


class Table:
    """COLUMNS: (heading, key of the row, format or None for text). Rows that agree in the keys of
    GROUP belong together. NOTES stand below."""

    def __init__(self, title, columns, rows, group=(), notes=()):
        self.title, self.columns, self.rows = title, columns, rows
        self.group, self.notes = group, list(notes)

    def cell(self, row, column):
        _, key, form = column
        value = row.get(key)
        if value is None:
            return "-"
        return str(value) if form is None else form.format(value)

    def begins_group(self, number):
        return number > 0 and any(self.rows[number][key] != self.rows[number - 1][key]
                                  for key in self.group)

    def text(self):
        cells = [[column[0] for column in self.columns]]
        cells += [[self.cell(row, column) for column in self.columns] for row in self.rows]
        widths = [max(len(line[i]) for line in cells) for i in range(len(self.columns))]

        def line_of(line):
            return "  ".join(text.ljust(width) if column[2] is None else text.rjust(width)
                             for text, width, column in zip(line, widths, self.columns)).rstrip()

        lines = [self.title, "", line_of(cells[0]), "  ".join("-" * width for width in widths)]
        for number, line in enumerate(cells[1:]):
            lines += [""] * self.begins_group(number) + [line_of(line)]
        return "\n".join(lines + ["* " + note for note in self.notes]) + "\n"

    def markdown(self):
        def line_of(cells):
            return "| " + " | ".join(cells) + " |"

        lines = ["### " + self.title, "", line_of(column[0] for column in self.columns),
                 line_of("---" if column[2] is None else "---:" for column in self.columns)]
        lines += [line_of(self.cell(row, column) for column in self.columns)
                  for row in self.rows]
        lines += ["", *("- " + note for note in self.notes)] if self.notes else []
        return "\n".join(lines) + "\n"

    def html(self):
        def cells(tag, texts):
            return "".join("<%s%s>%s" % (tag, " class=text" if column[2] is None else "",
                                         html.escape(text))
                           for column, text in zip(self.columns, texts))

        lines = ["<h2>%s</h2><div><table>" % html.escape(self.title),
                 "<tr>" + cells("th", (column[0] for column in self.columns))]
        for number, row in enumerate(self.rows):
            lines.append("<tr%s>" % (" class=group" if self.begins_group(number) else "") +
                         cells("td", (self.cell(row, column) for column in self.columns)))
        lines.append("</table></div>")
        return "\n".join(lines + ["<p>%s" % html.escape(note) for note in self.notes])


def first_line(path):
    try:
        with open(path, encoding="utf-8") as text:
            return text.readline().strip()
    except OSError:
        return "unknown"


def describe_machine():
    """What the figures depend on, to stand beside them."""
    uname = os.uname()
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = re.findall(r"^model name\s*:\s*(.*)$", info.read(), re.MULTILINE)
    version = subprocess.run([servers.RUPTIMED, "--version"], capture_output=True, text=True,
                             check=True).stdout
    command = DESTINATION.sub("", shlex.join(
        [os.path.relpath(sys.argv[0], servers.SOURCE_DIR), *sys.argv[1:]]))
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "version": version.split("\n")[0], "command": command,
            "kernel": "%s %s %s" % (uname.sysname, uname.release, uname.machine),
            "CPUs": "%d x %s" % (os.cpu_count(), models[0] if models else uname.machine),
            "load before": "%.2f" % os.getloadavg()[0],
            "somaxconn": first_line("/proc/sys/net/core/somaxconn"),
            "rmem_max": first_line("/proc/sys/net/core/rmem_max"),
            "msgmnb": first_line("/proc/sys/kernel/msgmnb")}


def page(name, environment, tables):
    machine = "".join("<dt>%s<dd>%s" % (html.escape(key), html.escape(value))
                      for key, value in environment.items())
    return ("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
            "content='width=device-width'><title>ruptimed: %s</title><style>%s</style>"
            "<h1>ruptimed: %s</h1><dl>%s</dl>%s</html>\n" % (
                name, STYLE, name, machine, "\n".join(table.html() for table in tables)))


def text_of(environment, tables):
    machine = "".join("%-12s %s\n" % item for item in environment.items())
    return "\n".join([machine] + [table.text() for table in tables])


def markdown_of(environment, tables):
    machine = "; ".join("%s %s" % item for item in environment.items() if item[0] != "command")
    return "\n".join(["    %s\n\n%s.\n" % (environment["command"], machine)] +
                     [table.markdown() for table in tables])


def put_into_document(path, name, text):
    """Replace what stands between the marks of NAME in the file PATH."""
    begin, end = "<!-- %s: begin -->\n" % name, "<!-- %s: end -->\n" % name
    with open(path, encoding="utf-8") as document:
        before, begins, rest = document.read().partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        raise SystemExit("%s has no marks for %s" % (path, name))
    servers.write(path, before + begin + text + end + after)


def add_arguments(parser):
    parser.add_argument("--output", metavar="PREFIX",
                        help="write PREFIX.txt, PREFIX.md, PREFIX.html and PREFIX.json")
    parser.add_argument("--document", nargs="?", const=DOCUMENT, metavar="FILE",
                        help="put the tables where they belong in FILE (doc/benchmarks.md)")


def publish(name, environment, tables, options):
    """Write whatever OPTIONS ask for; the tables have been printed as they came."""
    if options.output:
        servers.write(options.output + ".txt", text_of(environment, tables))
        servers.write(options.output + ".md", markdown_of(environment, tables))
        servers.write(options.output + ".html", page(name, environment, tables))
        results = {"name": name, "environment": environment,
                   "tables": {table.title: table.rows for table in tables}}
        servers.write(options.output + ".json", json.dumps(results, indent=1) + "\n")
        print("written: %s.txt, .md, .html, .json" % options.output)
    if options.document:
        put_into_document(options.document, name, markdown_of(environment, tables))
        print("written: %s" % options.document)


def progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)
