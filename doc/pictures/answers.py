#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make answers.svg: answers a second over TCP, from the tables of doc/benchmarks.md.

usage: answers.py >answers.svg
"""

import html
import math
import os
import re

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "benchmarks.md")
IN_FLIGHT = (1, 16, 256)
NAMES = {"floor": "a constant (floor)", "nginx return": "a constant (nginx)",
         "book (popen)": "popen(\"uptime\")", "xinetd": "xinetd, uptime",
         "tcpserver": "tcpserver, uptime", "socat": "socat, uptime",
         "ruptimed exec": "ruptimed", "ruptimed exec cold": "ruptimed --start=cold",
         "ruptimed procps": "ruptimed --source=procps"}
LEFT, RIGHT, TOP, ROW, BOTTOM, WIDTH = 220, 30, 64, 30, 44, 760
LOW, HIGH = 100, 100000


def table():
    """{server: {in flight: answers/s}} of the rows with one generator."""
    with open(PAGE, encoding="utf-8") as page:
        text = page.read().partition("### tcp,")[2].partition("###")[0]
    found = {}
    for flight, server, rate in re.findall(r"^\| (\d+) \| 1 \| ([^|]+) \| (\d+) \|", text,
                                           re.MULTILINE):
        if int(flight) in IN_FLIGHT:
            found.setdefault(server, {})[int(flight)] = int(rate)
    return found


def x_of(rate):
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(rate / LOW) / math.log(HIGH / LOW)


def picture(rows):
    height = TOP + ROW * len(rows) + BOTTOM
    print('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" '
          'role="img" aria-label="Answers a second over TCP">' % (WIDTH, height, WIDTH, height))
    print("<!-- SPDX-License-Identifier: MIT; made by doc/pictures/answers.py -->")
    print("<style>text { font: 13px system-ui, sans-serif; fill: #30363d } "
          ".ours { font-weight: bold } .grid { stroke: #c9d1d9 } .f1 { fill: #9aa5b1 } "
          ".f16 { fill: #3d8fd1 } .f256 { fill: #d1622b } "
          "@media (prefers-color-scheme: dark) { text { fill: #d8dee4 } "
          ".grid { stroke: #3a4149 } }</style>")
    for rate in (100, 1000, 10000, 100000):
        print('<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>'
              '<text x="%.1f" y="%d" text-anchor="middle">%s</text>' %
              (x_of(rate), x_of(rate), TOP - 14, height - BOTTOM + 4, x_of(rate),
               height - BOTTOM + 22, format(rate, ",")))
    print('<text x="%.1f" y="%d" text-anchor="middle">answers/s (logarithmic)</text>' %
          ((LEFT + WIDTH - RIGHT) / 2, height - 6))
    for number, flight in enumerate(IN_FLIGHT):
        x = LEFT + 130 * number
        print('<circle class="f%d" cx="%d" cy="20" r="6"/><text x="%d" y="25">%d in flight</text>'
              % (flight, x, x + 12, flight))
    for number, (server, rates) in enumerate(rows):
        y = TOP + ROW * number
        print('<text x="%d" y="%d" text-anchor="end"%s>%s</text>' % (
            LEFT - 14, y + 5, ' class="ours"' if server.startswith("ruptimed") else "",
            html.escape(NAMES.get(server, server))))
        print('<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>' %
              (x_of(min(rates.values())), x_of(max(rates.values())), y, y))
        for flight, rate in rates.items():
            print('<circle class="f%d" cx="%.1f" cy="%d" r="6"><title>%s, %d in flight: %s/s'
                  '</title></circle>' % (flight, x_of(rate), y, html.escape(server), flight,
                                         format(rate, ",")))
    print("</svg>")


if __name__ == "__main__":
    picture(sorted(table().items(), key=lambda item: -item[1][max(IN_FLIGHT)]))
