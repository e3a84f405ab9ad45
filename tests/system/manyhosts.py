# SPDX-License-Identifier: MIT
"""fixtures/many_hosts: all of 127.0.0.0/8 as hosts, good and bad."""

import fcntl
import os
import re
import select
import subprocess
import unittest

import harness

CLASSES = ("dead", "drip", "garbage")
# What is shown of the one kind of garbage that is a line.
ESCAPES = "\\x1b[2J\\x1b]0;title\\x07up"


def need_json():
    """Skip in a build without jansson: there, -J is refused whatever the hosts."""
    if "jansson" in harness.run([harness.program("ruptime"), "-J", "-f", "/dev/null"]).stderr:
        raise unittest.SkipTest("this build has no jansson")


def peak_bytes(argv, hosts):
    """The most memory that ARGV has used when it begins to write, HOSTS being the names it reads.

    It is asked while it writes into a pipe that has no room. The resource usage of a child that has
    ended would not do: it counts the memory of the process that has started it.
    """
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=harness.environment()) as process:
        fcntl.fcntl(process.stdout, harness.F_SETPIPE_SZ, 4096)
        process.stdin.write(hosts.encode())
        process.stdin.close()
        assert select.select([process.stdout], [], [], 120 * harness.SLOW)[0]
        with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
            peak = int(re.search(r"VmHWM:\s*(\d+) kB", status.read())[1]) * 1024
        process.stdout.read()
    assert process.returncode in (0, 1)
    return peak


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

    def host(self, number, network=127):
        return "%d.%d.%d.%d:%s" % (network, 1 + (number >> 16), number >> 8 & 255, number & 255,
                                   self.port)

    def kind(self, number):
        place = (number & 0xffff) % 100
        for name in CLASSES:
            if place < self._percents.get(name, 0):
                return name
            place -= self._percents.get(name, 0)
        return "good"

    @staticmethod
    def garbage(number):
        """Which of the four kinds of garbage a host sends, counted from 0."""
        return (number & 0xffff) // 100 % 4
