# SPDX-License-Identifier: MIT
"""Each manual page documents exactly the options that its program's --help lists."""

import os
import re
import shutil
import unittest

import harness

PAGES = {"ruptimed": "doc/ruptimed.8", "ruptime": "doc/ruptime.1",
         "ruptime-bench": "doc/ruptime-bench.1"}
SILENT_MACROS = {"Ns", "Ar", "Cm", "No", "Li"}
BRACKETS = {"Oo": "[", "Oc": "]"}


def path_of(name):
    return os.path.join(harness.SOURCE_DIR, PAGES[name])


def read_page(name):
    with open(path_of(name), encoding="utf-8") as page:
        return page.read()


def help_options(name):
    """Of --help: the long options with their arguments, each with its short letter.

    All in lower case: --help shouts its arguments, and manual pages do not.
    """
    done = harness.run([harness.program(name), "--help"])
    return {long.lower(): short or None for short, long in
            re.findall(r"^  (?:-(\w), )? *(--\S+)", done.stdout, re.MULTILINE)}


def item_text(item):
    """'Fl w , Fl -watch Ns Oo = Ns Ar DURATION Oc' as it looks: '-w,--watch[=DURATION]'."""
    text, closing, is_flag = "", "", False
    for word in item.split():
        if word == "Fl":
            is_flag = True
        elif word in SILENT_MACROS:
            is_flag = False
        elif word == "Op":
            is_flag = False
            text, closing = text + "[", "]"
        elif word in BRACKETS:
            is_flag = False
            text += BRACKETS[word]
        elif is_flag and word != ",":
            text += "-" + word
            is_flag = False
        else:
            text += word.strip('"')
            is_flag = word == ","
    return text + closing


def page_options(name):
    """The same of a page's '.It Fl' items."""
    options = {}
    for item in re.findall(r"^\.It (Fl .*)$", read_page(name), re.MULTILINE):
        flags = item_text(item).split(",")
        shorts = [f[1] for f in flags if not f.startswith("--")]
        longs = [f for f in flags if f.startswith("--")] or flags
        options[longs[0].lower()] = shorts[0] if shorts else None
    return options


class Manual(unittest.TestCase):
    def check_options(self, name):
        built, written = os.path.exists(harness.program(name)), os.path.exists(path_of(name))
        if not built and not written:
            self.skipTest(name + " is not part of this tree")
        self.assertTrue(built and written, "%s built: %s, page: %s" % (name, built, written))
        options = help_options(name)
        self.assertIn("--help", options)
        self.assertEqual(page_options(name), options)

    def test_ruptimed(self):
        self.check_options("ruptimed")

    def test_ruptime(self):
        self.check_options("ruptime")

    def test_ruptime_bench(self):
        self.check_options("ruptime-bench")

    def test_sections(self):
        """Those that users look for, in the usual order."""
        for name, path in {**PAGES, "ruptimed.conf": "doc/ruptimed.conf.5"}.items():
            wanted = ["NAME", "DESCRIPTION", "FILES", "EXAMPLES", "SEE ALSO"]
            if name in PAGES:
                wanted = ["NAME", "SYNOPSIS", "DESCRIPTION", "SIGNALS", "ENVIRONMENT", "FILES",
                          "EXIT STATUS", "EXAMPLES", "SEE ALSO"]
            with self.subTest(name), open(os.path.join(harness.SOURCE_DIR, path),
                                          encoding="utf-8") as page:
                titles = re.findall(r"^\.Sh (.*)$", page.read(), re.MULTILINE)
                self.assertEqual([title for title in titles if title in wanted], wanted)

    def test_pages_speak_of_options_that_exist(self):
        names = [n for n in PAGES if os.path.exists(harness.program(n)) and
                 os.path.exists(path_of(n))]
        known = {re.match(r"--[\w-]+", o).group() for n in names for o in help_options(n)}
        for name in names:
            with self.subTest(name):
                spoken = re.findall(r"\bFl (-[a-z][\w-]+)", read_page(name))
                self.assertEqual({"-" + s for s in spoken} - known, set())

    def test_configuration(self):
        """Its page and its example name every option that it takes, and no other."""
        options = {re.match(r"--([\w-]+)", o).group(1) for o in help_options("ruptimed")}
        options -= {"config", "check-config", "dump-config", "help", "version"}
        with open(os.path.join(harness.SOURCE_DIR, "contrib/ruptimed.conf"),
                  encoding="utf-8") as example:
            text = example.read()
        named = set(re.findall(r"^#([\w-]+) = ", text, re.MULTILINE))
        self.assertEqual(named, options - {"ready-fd"})

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_has_no_complaint(self):
        pages = [path_of(n) for n in PAGES if os.path.exists(path_of(n))]
        pages.append(os.path.join(harness.SOURCE_DIR, "doc/ruptimed.conf.5"))
        if not pages:
            self.skipTest("no pages in this tree")
        done = harness.run(["mandoc", "-Tlint", "-Wwarning"] + pages)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


class Reading(unittest.TestCase):
    """The test above is worth as much as its reading of mdoc."""

    def test_items(self):
        self.assertEqual(item_text("Fl l , Fl -listen Ns = Ns Ar ADDRESS"),
                         "-l,--listen=ADDRESS")
        self.assertEqual(item_text("Fl l , -listen Ns = Ns Ar ADDRESS"), "-l,--listen=ADDRESS")
        self.assertEqual(item_text("Fl w , Fl -watch Ns Oo = Ns Ar DURATION Oc"),
                         "-w,--watch[=DURATION]")
        self.assertEqual(item_text("Fl -wait Ns Op = Ns Ar duration"), "--wait[=duration]")
        self.assertEqual(item_text("Fl -udp"), "--udp")
        self.assertEqual(item_text("Fl 4"), "-4")


if __name__ == "__main__":
    harness.main()
