#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make terminal.svg: what the programs of a build tree print, in a network of its own.

usage: terminal.py BUILD_DIRECTORY >terminal.svg

Needs root, or user namespaces. The commands run as they stand in the picture, and nothing in it
is changed but for lines that are left out, where it says "...".
"""

import contextlib
import html
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "system"))
import namespaces  # noqa: E402

HOSTS = """127.0.0.1 localhost
127.0.1.1 db1
127.0.2.1 web1
127.0.2.2 web2
127.0.2.3 web3
"""
SERVER = ["ruptimed", "-l", "tcp://127.0.0.1", "-l", "udp://127.0.0.1", "-l", "tcp://db1", "-l",
          "udp://web1", "-l", "tcp://web1", "-l", "tcp://web3"]
COMMANDS = (
    ("ruptime", None),
    ("ruptime db1 web[1-3]", None),
    ("nc -d localhost 8784", None),
    ("ruptime-bench -c 256 -d 2s localhost", 9),
)
COMMAND_NOT_FOUND = 127
CHARACTER, LINE, MARGIN, BAR = 8.43, 19, 16, 32


def transcript(build):
    """Pairs of a command and what it printed."""
    path = os.path.join(build, "src") + ":" + os.environ["PATH"]
    env = {"PATH": path, "HOME": "/nonexistent", "LC_ALL": "C"}
    read_fd, write_fd = os.pipe()
    with subprocess.Popen([os.path.join(build, "src", SERVER[0]), *SERVER[1:],
                           "--ready-fd=%d" % write_fd], pass_fds=[write_fd], env=env,
                          stderr=subprocess.DEVNULL) as server:
        os.close(write_fd)
        if os.read(read_fd, 1) != b"\n":
            sys.exit("terminal.py: the server did not start")
        for command, kept in COMMANDS:
            done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                                  text=True)
            if done.returncode == COMMAND_NOT_FOUND:
                sys.exit("terminal.py: " + done.stdout)
            lines = done.stdout.rstrip("\n").split("\n")
            yield command, lines[:kept] + (["..."] if kept and len(lines) > kept else [])
        server.terminate()


def picture(pairs):
    rows = []
    for command, lines in pairs:
        rows.append('<tspan class="prompt">$</tspan> <tspan class="typed">%s</tspan>' %
                    html.escape(command))
        rows += [html.escape(line) for line in lines] + [""]
    rows.pop()
    columns = max(len(line) for command, lines in pairs for line in [command + "  ", *lines])
    width = round(columns * CHARACTER + 2 * MARGIN)
    height = BAR + len(rows) * LINE + MARGIN
    print('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" '
          'role="img" aria-label="ruptime, ruptimed and ruptime-bench in a terminal">'
          % (width, height, width, height))
    print("<!-- SPDX-License-Identifier: MIT; made by doc/pictures/terminal.py -->")
    print("<style>text { font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; "
          "fill: #d8dee4; white-space: pre } .prompt { fill: #7a8590 } "
          ".typed { fill: #ffffff; font-weight: bold }</style>")
    print('<rect width="100%" height="100%" rx="8" fill="#16191d"/>')
    for x, colour in ((18, "#e0645c"), (36, "#e0b04c"), (54, "#63b35f")):
        print('<circle cx="%d" cy="16" r="5" fill="%s"/>' % (x, colour))
    for number, row in enumerate(rows):
        if row:
            print('<text x="%d" y="%d" xml:space="preserve">%s</text>' %
                  (MARGIN, BAR + LINE * number + 14, row))
    print("</svg>")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n\n")[1])
    namespaces.enter()
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        for name, text in (("/etc/hosts", HOSTS), ("/etc/nsswitch.conf", "hosts: files\n")):
            namespaces.cover(name, text, directory)
            stack.callback(namespaces.uncover, name)
        picture(list(transcript(os.path.abspath(sys.argv[1]))))


if __name__ == "__main__":
    main()
