#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the completions of bash, zsh and fish from what the programs say of their options.

usage: make-completions.py BUILD_DIRECTORY [FOLDER]

Writes them to FOLDER (that of this program). A test compares them with those in the tree.
"""

import os
import re
import subprocess
import sys

PROGRAMS = ("ruptime", "ruptimed", "ruptime-bench")
OPTION = re.compile(r"^  (?:-(\w), )? *--([\w-]+)(\[)?(?:=(\S+?))?\]? +(\S.*)$", re.MULTILINE)
# What an argument can be, by its name in --help; of others any text is taken.
CHOICES = {"SOURCE": "exec procps", "WAY": "warm cold", "LEVEL": "off basic strict",
           "FORMAT": "prometheus"}
FILES = ("FILE", "PATH")
SCHEMES = "tcp:// udp:// unix:/// unix-seqpacket:/// unix-dgram:/// msgq:// fdpass:///"
HEAD = "# SPDX-License-Identifier: MIT\n# Made by contrib/completions/make-completions.py.\n"


def options(build, program):
    """(short, long, is the argument optional, argument, what it does) of each option."""
    text = subprocess.run([os.path.join(build, "src", program), "--help"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    return OPTION.findall(text)


def bash(program, table):
    function = "_" + program.replace("-", "_")
    cases = []
    for short, long, _, argument, _ in table:
        names = "--" + long + (" | -" + short if short else "")
        if argument in CHOICES:
            cases.append('\t%s)\n\t\tmapfile -t COMPREPLY < <(compgen -W \'%s\' -- "$cur")\n'
                         '\t\treturn\n\t\t;;\n' % (names, CHOICES[argument]))
        elif argument in FILES:
            cases.append('\t%s)\n\t\tcompopt -o filenames\n'
                         '\t\tmapfile -t COMPREPLY < <(compgen -f -- "$cur")\n'
                         '\t\treturn\n\t\t;;\n' % names)
    words = " ".join("--" + long + ("=" if argument and not optional else "")
                     for _, long, optional, argument, _ in table)
    return HEAD + """# shellcheck shell=bash
%(function)s()
{
	local cur=${COMP_WORDS[COMP_CWORD]}
	local prev=${COMP_WORDS[COMP_CWORD - 1]}

	# Where = ends a word, it is one itself.
	if [ "$cur" = = ]; then
		cur=
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $prev in
%(cases)s	esac
	case $cur in
	-*)
		mapfile -t COMPREPLY < <(compgen -W '%(words)s' -- "$cur")
		case ${COMPREPLY[0]-} in
		*=) compopt -o nospace ;;
		esac
		;;
	*)
		compopt -o nospace
		mapfile -t COMPREPLY < <(compgen -A hostname -W '%(schemes)s' -- "$cur")
		;;
	esac
}
complete -F %(function)s %(program)s
""" % {"function": function, "cases": "".join(cases), "words": words, "schemes": SCHEMES,
       "program": program}


def zsh(program, table):
    lines = []
    for short, long, optional, argument, does in table:
        does = does.replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]")
        does = does.replace(":", "\\:")
        action = "(%s)" % CHOICES[argument] if argument in CHOICES else \
            "_files" if argument in FILES else "_hosts" if argument == "ADDRESS" else ""
        what = "%s%s:%s" % ("::" if optional else ":", argument.replace(":", " "), action) \
            if argument else ""
        name = "--" + long + (("=-" if optional else "=") if argument else "")
        if short:
            names = "'*'{-%s%s,%s}'" % (short, ("-" if optional else "+") if argument else "", name)
        else:
            names = "'*" + name
        lines.append("%s[%s]%s'" % (names, does, what))
    return "#compdef %s\n%s_arguments -s -S \\\n\t%s \\\n\t'*:address:_hosts'\n" % (
        program, HEAD, " \\\n\t".join(lines))


def fish(program, table):
    lines = ["complete -c %s -f -a '(__fish_print_hostnames)'" % program]
    for short, long, optional, argument, does in table:
        words = ["complete -c", program]
        words += ["-s " + short] if short else []
        words.append("-l " + long)
        if argument in CHOICES:
            words.append("-x -a '%s'" % CHOICES[argument])
        elif argument in FILES:
            words.append("-r -F")
        elif argument and not optional:
            words.append("-x")
        words.append("-d '%s'" % does.replace("\\", "\\\\").replace("'", "\\'"))
        lines.append(" ".join(words))
    return HEAD + "\n".join(lines) + "\n"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.split("\n\n")[1])
    folder = sys.argv[2] if len(sys.argv) == 3 else os.path.dirname(os.path.abspath(__file__))
    for program in PROGRAMS:
        table = options(sys.argv[1], program)
        for name, make in (("bash/" + program, bash), ("zsh/_" + program, zsh),
                           ("fish/" + program + ".fish", fish)):
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as out:
                out.write(make(program, table))


if __name__ == "__main__":
    main()
