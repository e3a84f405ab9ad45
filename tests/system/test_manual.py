# SPDX-License-Identifier: MIT
"""The manual pages say what --help says: the same options, in the same order."""

import os
import re
import shutil
import unittest

import harness

PAGES = {"ruptimed": "doc/ruptimed.8"}

# "  -l, --listen=ADDRESS     serve ..." and "      --json[=FORM]     ..."
HELP_OPTION = re.compile(r"^  (?:-(\w), |    )--([\w-]+)(?:(\[?)=([\w/-]+)\]?)? ", re.MULTILINE)

# ".It Fl l , Fl -listen Ns = Ns Ar address", ".It Fl -quiet", "Fl -json Ns Op = Ns Ar form"
PAGE_OPTION = re.compile(r"^\.It (?:Fl (\w) , )?Fl -([\w-]+)"
                         r"(?: Ns (Op )?= Ns (?:Ar|Cm) ([\w/-]+))?$", re.MULTILINE)


def options(pattern, text):
    """[(letter, name, is the argument optional, argument)]"""
    return [(letter, name, bool(optional), argument.lower())
            for letter, name, optional, argument in pattern.findall(text)]


def page_text(page):
    with open(os.path.join(harness.SOURCE_DIR, page), encoding="utf-8") as text:
        return text.read()


class Manual(unittest.TestCase):
    def test_has_the_options_of_help(self):
        for program, page in PAGES.items():
            with self.subTest(program=program):
                shown = harness.run([harness.program(program), "--help"]).stdout
                listed = options(HELP_OPTION, shown)
                self.assertGreater(len(listed), 5)
                self.assertEqual(len(listed), shown.count("\n  "))
                self.assertEqual(options(PAGE_OPTION, page_text(page)), listed)

    def test_has_the_sections(self):
        for page in PAGES.values():
            sections = re.findall(r"^\.Sh (.*)$", page_text(page), re.MULTILINE)
            for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "ENVIRONMENT", "FILES",
                            "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
                self.assertIn(section, sections, page)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_is_well_formed(self):
        for page in PAGES.values():
            done = harness.run(["mandoc", "-Tlint", "-W", "warning",
                                os.path.join(harness.SOURCE_DIR, page)])
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


if __name__ == "__main__":
    harness.main()
