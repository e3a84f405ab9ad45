# SPDX-License-Identifier: MIT
"""Runs a module's unittest cases and prints TAP, so that `make check` counts each of them."""

import os
import signal
import sys
import traceback
import unittest

# A test that hangs is cut short, on a slow machine too; a class that needs longer sets limit_s.
LIMIT_S = 180


def diagnose(text):
    for line in text.rstrip("\n").splitlines():
        print("# " + line)


def spent():
    """Seconds that have passed, and those of processor time that we and our children have used."""
    used = os.times()
    return used.elapsed, sum(used[:4])


def tell_time(what, since):
    elapsed, used = (now - then for now, then in zip(spent(), since))
    diagnose("%s: %.2f s, %.2f s of processor time" % (what, elapsed, used))


class TapResult(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.began = spent()
        self.subtest_failed = False

    def _report(self, ok, test, directive=""):
        self.count += 1
        name = str(test).split(" ", maxsplit=1)[0]
        group = type(test).__name__
        print("%s %d - %s.%s%s" % ("ok" if ok else "not ok", self.count, group, name, directive),
              flush=True)

    def _fail(self, test, error):
        self._report(False, test)
        diagnose("".join(traceback.format_exception(*error)))

    def startTest(self, test):
        super().startTest(test)
        self.subtest_failed = False
        self.began = spent()
        slow = float(os.environ.get("RUPTIME_TEST_SLOW") or 1)
        signal.alarm(int(getattr(test, "limit_s", LIMIT_S) * slow))

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)
        tell_time(test.id().partition(".")[2], self.began)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            if not self.subtest_failed:
                self._report(False, test)
            self.subtest_failed = True
            diagnose("%s\n%s" % (subtest, "".join(traceback.format_exception(*err))))

    def addSuccess(self, test):
        if not self.subtest_failed:
            self._report(True, test)

    def addFailure(self, test, err):
        self._fail(test, err)

    def addError(self, test, err):
        self._fail(test, err)

    def addSkip(self, test, reason):
        self._report(True, test, " # SKIP " + reason)


def _late(_signum, _frame):
    raise AssertionError("the test took longer than its limit")


def _ended(_signum, _frame):
    sys.exit(1)


def main():
    """Run the cases of the calling program, or those named in argv. The TAP driver judges."""
    # nohup(1), and a script for what it runs in the background, have them ignored: so they would be
    # by all that the tests start.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, _late)
    signal.signal(signal.SIGTERM, _ended)
    loader = unittest.TestLoader()
    module = sys.modules["__main__"]
    if len(sys.argv) > 1:
        suite = loader.loadTestsFromNames(sys.argv[1:], module)
    else:
        suite = loader.loadTestsFromModule(module)
    began = spent()
    result = TapResult()
    suite.run(result)
    tell_time("in all", began)
    print("1..%d" % result.count, flush=True)
