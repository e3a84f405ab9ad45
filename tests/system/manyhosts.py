# SPDX-License-Identifier: MIT
"""fixtures/many_hosts: all of 127.0.0.0/8 as hosts, good and bad."""

import os
import subprocess

import harness

CLASSES = ("dead", "drip", "garbage")
# What is shown of the one kind of garbage that is a line.
ESCAPES = "\\x1b[2J\\x1b]0;title\\x07up"


class ManyHosts:
    """ManyHosts(LINE, dead=10, lost=10, ...): of each hundred hosts, or datagrams, so many are."""

    def __init__(self, line, **percents):
        self._percents = percents
        self._argv = [os.path.join(harness.BUILD_DIR, "tests", "fixtures", "many_hosts"), line]
        self._argv += ["%s=%d" % item for item in percents.items()]
        self._popen = self.port = None

    def __enter__(self):
        self._popen = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = self._popen.stdout.readline().decode().strip()
        assert self.port, "many_hosts does not start"
        return self

    def __exit__(self, *_):
        self._popen.stdin.close()
        self._popen.wait(10 * harness.SLOW)
        self._popen.stdout.close()

    def host(self, number):
        return "127.%d.%d.%d:%s" % (1 + (number >> 16), number >> 8 & 255, number & 255, self.port)

    def kind(self, number):
        place = (number & 0xffff) % 100
        for name in CLASSES:
            if place < self._percents.get(name, 0):
                return name
            place -= self._percents.get(name, 0)
        return "good"
