/* SPDX-License-Identifier: MIT */
/*
 * ruptime: how is that host? Options, the question, the line, the exit code.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "client/ask.h"
#include "client/options.h"
#include "common/io.h"
#include "common/thread.h"

enum {
	EXIT_ANSWERED = 0,
	EXIT_UNANSWERED = 2,
	EXIT_USAGE = 3,
	EXIT_SYSTEM = 4,
};

static int complain_stdout(bool quiet)
{
	if (!quiet) {
		cli_complain(&client_options_cli, "standard output: %s", strerror(errno));
	}
	return EXIT_SYSTEM;
}

static int show(void (*print)(const struct cli *, FILE *))
{
	FILE *out = io_stdout();

	if (!out) {
		return complain_stdout(false);
	}
	print(&client_options_cli, out);
	return fclose(out) == EOF ? complain_stdout(false) : EXIT_ANSWERED;
}

static int ask_and_print(const struct options *options)
{
	struct ask_outcome outcome;
	char address[ADDRESS_TEXT_MAX];

	/* Else a socket would get its number, and be passed as the standard output. */
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0) {
		return complain_stdout(options->quiet);
	}
	ask(&options->address, &options->ask, &outcome);
	if (outcome.status == ASK_ANSWERED) {
		const char *line = outcome.answer.line;

		if (io_write_all(STDOUT_FILENO, line, strlen(line)) < 0) {
			return complain_stdout(options->quiet);
		}
		return EXIT_ANSWERED;
	}
	if (!options->quiet) {
		address_format(&options->address, address, sizeof(address));
		cli_complain(&client_options_cli, "%s: %s", address, outcome.answer.reason);
	}
	return outcome.status == ASK_BROKEN ? EXIT_SYSTEM : EXIT_UNANSWERED;
}

int main(int argc, char **argv)
{
	struct options options;

	if (thread_raise_main_stack() < 0) {
		return EXIT_SYSTEM;
	}
	/* A reader that has gone is an error of write(), told by the exit code. */
	signal(SIGPIPE, SIG_IGN);
	switch (client_options_parse(&options, argc, argv)) {
	case OPTIONS_ASK:
		return ask_and_print(&options);
	case OPTIONS_SHOW_HELP:
		return show(cli_print_help);
	case OPTIONS_SHOW_VERSION:
		return show(cli_print_version);
	default:
		return EXIT_USAGE;
	}
}
