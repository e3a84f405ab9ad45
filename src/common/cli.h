/* SPDX-License-Identifier: MIT */
/*
 * A program's options as one table, from which getopt_long() and --help are fed.
 *
 * getopt's own state makes this one caller at a time: main, at start.
 */
#ifndef RUPTIME_COMMON_CLI_H
#define RUPTIME_COMMON_CLI_H

#include <stdio.h>

#define CLI_OPTIONS_MAX 64

/* Keys of options without a short form begin here. */
#define CLI_LONG_ONLY 256

/* What cli_next() returns at the end, and for an option that is wrong (it has been reported). */
#define CLI_END	  (-1)
#define CLI_WRONG '?'

struct cli_option {
	int key;		/* the short letter, or CLI_LONG_ONLY and above */
	const char *name;	/* the long name */
	const char *argument;	/* what its argument is called; NULL: takes none */
	const char *help;
	/* The argument may be left out, and stands behind '=' if it is there. */
	int argument_optional;
};

struct cli {
	const char *program;	/* the name in front of messages */
	const char *usage;	/* what follows it in the usage line */
	const char *purpose;	/* one sentence */
	const struct cli_option *options;
	unsigned count;
	/* How long a complaint waits for a reader of stderr that stalls; 0: until it reads. */
	int patience_ms;
};

/*
 * The next option's key with *ARGUMENT set, CLI_END (optind then names the first operand) or
 * CLI_WRONG, after one line on stderr.
 */
int cli_next(const struct cli *cli, int argc, char **argv, const char **argument);

void cli_print_help(const struct cli *cli, FILE *out);

/* "PROGRAM (ruptime) VERSION", as --version shows it. */
void cli_print_version(const struct cli *cli, FILE *out);

/* One line on stderr, "PROGRAM: ...", escaped as text_escape() does it. */
void cli_complain(const struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
