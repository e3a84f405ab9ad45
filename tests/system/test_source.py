# SPDX-License-Identifier: MIT
"""The source keeps the house rules of CONTRIBUTING.md, as far as a program can see."""

import os
import re
import shutil
import sys
import unittest

import harness

TOP = harness.SOURCE_DIR
C_FILES = (".c", ".h")
SCRIPTS = ("quickstart", "autogen.sh", ".ci/run", "tests/lint", "tests/packages", "tests/roots",
           "contrib/debian/tests/transports", "contrib/debian/ruptimed.postinst",
           "contrib/debian/ruptimed.postrm", "contrib/debian/ruptimed.preinst",
           "contrib/debian/ruptimed.prerm", "contrib/debian/ruptime.preinst")
# What autogen.sh makes, and what is not source.
GENERATED = re.compile(r"(^|/)(Makefile\.in|aclocal\.m4|config\.h(\.in)?~?|configure~?|build-aux|"
                       r"autom4te\.cache|_?build[^/]*|_inst|ruptime-\d[^/]*|\.git|__pycache__)$")
TEXT = re.compile(r"(\.(c|h|py|sh|am|ac|m4|md|\d)|(^|/)(quickstart|roots|run|\.clang-format|"
                  r"\.editorconfig|\.gitignore))$")
COLUMNS = 100
LINES = 500
PERSONS = 5

# The rooms of the daemon, in the order of the data: each includes only itself and those before it.
# What was set and what is counted is known to all.
ROOMS = ("common", "known", "life", "listen", "takeover", "sandbox", "policy", "metrics", "queue",
         "ingress", "run", "reply", "work", "config", "daemon")
KNOWN = ("daemon/settings", "daemon/stats")
CLIENT_ROOMS = ("common", "hosts", "ask", "show", "known", "watch", "prometheus", "client")
CLIENT_KNOWN = ("client/options", "client/verdict")


def sources():
    """The paths of all hand-written text files, from the top of the tree."""
    found = []
    for directory, folders, files in os.walk(TOP):
        def path_of(name, directory=directory):
            return os.path.relpath(os.path.join(directory, name), TOP)
        folders[:] = [f for f in folders if not GENERATED.search(path_of(f))]
        found += [path_of(f) for f in files]
    return sorted(f for f in found if TEXT.search(f) and not GENERATED.search(f))


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as text:
        return text.read()


def code_lines(path):
    """Numbered lines of a C file without comments and string literals."""
    def blank(match):
        return "\n" * match.group().count("\n")

    text = re.sub(r'"(\\.|[^"\\\n])*"|/\*.*?\*/', blank, read(path), flags=re.DOTALL)
    return list(enumerate(text.split("\n"), 1))


class Source(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.paths = sources()
        cls.c_paths = [p for p in cls.paths if p.endswith(C_FILES)]

    def complain(self, faults):
        self.assertEqual(faults, [], "\n" + "\n".join(faults))

    def grep(self, paths, regex):
        """Where the code, comments apart, has REGEX."""
        pattern = re.compile(regex)
        return ["%s:%d: %s" % (path, number, line.strip()) for path in paths
                for number, line in code_lines(path) if pattern.search(line)]

    def includes(self, folder):
        return [(path, name) for path in self.c_paths if path.startswith(folder)
                for name in re.findall(r'^#\s*include\s+[<"]([^>"]+)', read(path), re.MULTILINE)]

    def test_there_is_something_to_check(self):
        self.assertIn("src/common/address.c", self.paths)
        self.assertIn("quickstart", self.paths)
        self.assertIn("configure.ac", self.paths)

    def test_license_comes_first(self):
        faults = []
        for path in self.paths:
            lines = read(path).split("\n")
            line = lines[1] if lines[0].startswith("#!") else lines[0]
            if not path.endswith((".md", ".gitignore")) and \
                    "SPDX-License-Identifier: MIT" not in line:
                faults.append(path)
        self.complain(faults)

    def test_no_long_files(self):
        """But for what is read from its beginning to its end: documents and manual pages."""
        long = {p: read(p).count("\n") for p in self.paths
                if not p.endswith((".md", ".1", ".5", ".8"))}
        self.complain(["%s: %d lines" % item for item in long.items() if item[1] > LINES])

    def test_no_long_lines(self):
        self.complain(["%s:%d" % (path, number) for path in self.c_paths + [
            p for p in self.paths if p.endswith(".py")]
            for number, line in enumerate(read(path).split("\n"), 1)
            if len(line.expandtabs(8)) > COLUMNS])

    def test_white_space(self):
        faults = []
        for path in self.paths:
            text = read(path)
            if not text.endswith("\n") or text.endswith("\n\n"):
                faults.append(path + ": ends in no newline, or in several")
            for number, line in enumerate(text.split("\n"), 1):
                tabs = path.endswith(C_FILES) and line.strip() != "\\"
                if line != line.rstrip() or (tabs and re.match(r"\t* {8}|[\t ]* \t", line)):
                    faults.append("%s:%d: %r" % (path, number, line))
        self.complain(faults)

    def test_every_body_has_braces(self):
        faults = []
        for path in self.c_paths:
            in_macro = False
            for number, line in code_lines(path):
                line = line.rstrip()
                ends_macro, in_macro = in_macro, line.endswith("\\")
                if ends_macro and not in_macro:
                    continue
                head = re.match(r"\s*(\} )?(else )?(if|for|while) \(", line)
                whole = line.count("(") == line.count(")")
                do_while = re.match(r"\s*\} while \(.*\);$", line)
                bare_else = re.match(r"\s*(\} )?else$", line)
                if bare_else or (head and whole and not do_while and
                                 not line.endswith(("{", "\\"))):
                    faults.append("%s:%d: %s" % (path, number, line.strip()))
        self.complain(faults)

    def test_no_volatile_and_no_sleep(self):
        self.complain(self.grep(self.c_paths, r"\bvolatile\b|\b(u|nano|clock_nano)?sleep\s*\("))
        own = os.path.join("tests", "system", os.path.basename(__file__))
        self.complain([p for p in self.paths if p.endswith(".py") and p != own and
                       "time.sleep" in read(p)])

    def test_no_typedef_of_structures(self):
        self.complain(self.grep(self.c_paths, r"\btypedef\s+(struct|union|enum)\b"))

    def test_only_the_queue_knows_urcu(self):
        self.complain([path for path, name in self.includes("src/")
                       if name.startswith("urcu") and path != "src/daemon/queue/queue.c"])

    def test_programs_share_only_common(self):
        programs = {"daemon", "client", "bench"}
        faults = []
        for path, name in self.includes("src/"):
            here, there = path.split("/")[1], name.split("/")[0]
            if there in programs and there != here:
                faults.append("%s includes %s" % (path, name))
        self.complain(faults)

    def test_subjects_are_named(self):
        """The client, thread, worker or kernel; few sentences do well without a name."""
        persons = re.compile(r"\b([Ww]hoever|([Ss]ome|[Nn]o|[Aa]ny|[Ee]very)body)\b")
        # The user of that name.
        user = re.compile(r"([-=`:\"]|-u |as |become |is |user = )nobody|nobody([:`.]|-of)")
        found = ["%s: %s" % (path, line.strip()) for path in self.paths
                 for line in read(path).split("\n")
                 if persons.search(line) and not user.search(line)]
        self.assertLessEqual(len(found), PERSONS, "\n".join(found))

    def modules(self):
        """For each module of src, a header and its .c, those whose headers it includes."""
        found = {}
        for path, name in self.includes("src/"):
            module = re.sub(r"^src/|\.[ch]$", "", path)
            if name.startswith(("common/", "daemon/", "client/", "bench/")):
                found.setdefault(module, set()).add(name[:-len(".h")])
        return {module: names - {module} for module, names in found.items()}

    def test_includes_point_down(self):
        def floor(module, rooms, known):
            return rooms.index("known" if module in known else module.split("/")[-2])

        for program, rooms, known in (("daemon/", ROOMS, KNOWN),
                                      ("client/", CLIENT_ROOMS, CLIENT_KNOWN)):
            self.complain(["%s includes %s" % (module, name)
                           for module, names in sorted(self.modules().items())
                           if module.startswith(("common/", program))
                           for name in sorted(names)
                           if floor(name, rooms, known) > floor(module, rooms, known)])

    def test_no_circles(self):
        modules = self.modules()
        done = set()

        def visit(module, way):
            if module in way:
                self.fail(" -> ".join(way[way.index(module):] + [module]))
            if module not in done:
                for name in sorted(modules.get(module, ())):
                    visit(name, way + [module])
                done.add(module)

        for module in sorted(modules):
            visit(module, [])

    def test_links_lead_somewhere(self):
        for path in self.paths:
            if path.endswith(".md"):
                for link in re.findall(r"\]\(([^)#:\s]+)\)", read(path)):
                    target = os.path.join(TOP, os.path.dirname(path), link)
                    with self.subTest(page=path, link=link):
                        self.assertTrue(os.path.exists(target))

    def test_picture_shows_the_tables(self):
        """After a change of doc/benchmarks.md: make pictures."""
        pictures = os.path.join(TOP, "doc", "pictures")
        done = harness.run([sys.executable, "-B", os.path.join(pictures, "answers.py")])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, read("doc/pictures/answers.svg"))

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck(self):
        version = harness.run(["shellcheck", "--version"]).stdout
        if tuple(map(int, re.search(r"version: (\d+)\.(\d+)", version).groups())) < (0, 8):
            self.skipTest("this shellcheck is old, and complains of more than later ones")
        scripts = list(SCRIPTS) + [p for p in self.paths if p.endswith(".sh")]
        done = harness.run(["shellcheck"] + sorted(set(scripts)), cwd=TOP)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_pages_name_files_that_are_there(self):
        lacking = ["%s: %s" % (path, named) for path in sources() if path.endswith(".md")
                   for named in re.findall(r"`(src/[\w./-]+)`", read(path))
                   if not os.path.exists(os.path.join(TOP, named))]
        self.assertEqual(lacking, [])

    def test_packages_are_of_this_version(self):
        version, = re.findall(r"(?m)^AC_INIT\(\[ruptime\], \[(.+?)\]", read("configure.ac"))
        for path, where in (("contrib/debian/changelog", r"\Aruptime \(\d+:(.+?)-"),
                            ("contrib/arch/PKGBUILD", r"(?m)^pkgver=(.*)$"),
                            ("contrib/alpine/APKBUILD", r"(?m)^pkgver=(.*)$"),
                            ("contrib/rpm/ruptime.spec", r"(?m)^Version: *(.*)$"),
                            ("contrib/kubernetes/Containerfile", r"ruptimed:(\S+) "),
                            ("contrib/kubernetes/ruptimed.yaml", r"(?m)image: ruptimed:(\S+)$")):
            self.assertEqual(re.findall(where, read(path)), [version], path)


if __name__ == "__main__":
    harness.main()
