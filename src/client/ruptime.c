/* SPDX-License-Identifier: MIT */
/*
 * ruptime: how are these hosts? Options, hosts, and what is to be done with them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/hosts/hosts.h"
#include "client/options.h"
#include "client/prometheus/file_sd.h"
#include "client/prometheus/prometheus.h"
#include "client/single.h"
#include "client/survey.h"
#include "client/watch/watch.h"
#include "common/io.h"
#include "common/thread.h"

static int show(void (*print)(const struct cli *, FILE *))
{
	FILE *out = io_stdout();

	if (out) {
		print(&client_options_cli, out);
		if (fclose(out) == 0) {
			return VERDICT_ALL;
		}
	}
	cli_complain(&client_options_cli, "standard output: %s", strerror(errno));
	return VERDICT_SYSTEM;
}

/* The hosts are no longer needed when the targets are known. Returns 0, or -1. */
static int gather(const struct options *options, struct targets *targets, bool *from_file)
{
	struct hosts *hosts = calloc(1, sizeof(*hosts));
	int result = -1;

	if (!hosts) {
		cli_complain(&client_options_cli, "%s", strerror(errno));
		return -1;
	}
	if (hosts_gather(hosts, targets, options->words, options->word_count, options->files,
		    options->file_count) < 0) {
		cli_complain(&client_options_cli, "%s", hosts->error);
	} else if (!targets->count) {
		cli_complain(&client_options_cli, "no host is named");
	} else {
		*from_file = hosts->from_file;
		result = 0;
	}
	hosts_fini(hosts);
	free(hosts);
	return result;
}

/* Write the targets for Prometheus. */
static int write_targets(const struct options *options, const struct targets *targets)
{
	FILE *out = io_stdout();
	size_t left_out = 0;

	if (out) {
		file_sd_write(targets, options->targets_port, out, &left_out);
	}
	if (!out || fclose(out) == EOF) {
		cli_complain(&client_options_cli, "standard output: %s", strerror(errno));
		return VERDICT_SYSTEM;
	}
	if (left_out && !options->quiet) {
		cli_complain(&client_options_cli,
			"%zu of %zu targets left out: they are not on the network", left_out,
			targets->count);
	}
	return VERDICT_ALL;
}

static int ask(const struct options *options)
{
	struct targets targets;
	bool from_file = false;
	int result;

	if (options->prometheus) {
		return prometheus_run(options);
	}
	if (targets_init(&targets, options->bare) < 0) {
		cli_complain(&client_options_cli, "%s", strerror(errno));
		return VERDICT_SYSTEM;
	}
	if (gather(options, &targets, &from_file) < 0) {
		result = VERDICT_USAGE;
	} else if (options->targets) {
		result = write_targets(options, &targets);
	} else if (options->watch) {
		result = watch_run(options, &targets);
	} else if (targets.count == 1 && !from_file && !options->table && !options->has_min_up &&
		   options->format == OPTIONS_TEXT) {
		result = single_run(options, &targets);
	} else {
		result = survey_run(options, &targets);
	}
	targets_fini(&targets);
	return result;
}

int main(int argc, char **argv)
{
	/* Else a socket gets its number, and what is printed goes to a host. */
	const bool has_stdout = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
	enum options_action action;
	struct options options;

	io_fill_standard();
	if (thread_raise_main_stack() < 0) {
		return VERDICT_SYSTEM;
	}
	/* A reader that has gone is an error of write(), told by the exit code. */
	signal(SIGPIPE, SIG_IGN);
	action = client_options_parse(&options, argc, argv);
	if (action != OPTIONS_WRONG && !has_stdout) {
		if (!options.quiet) {
			cli_complain(&client_options_cli, "standard output: %s", strerror(EBADF));
		}
		return VERDICT_SYSTEM;
	}
	switch (action) {
	case OPTIONS_ASK:
		return ask(&options);
	case OPTIONS_SHOW_HELP:
		return show(cli_print_help);
	case OPTIONS_SHOW_VERSION:
		return show(cli_print_version);
	default:
		return VERDICT_USAGE;
	}
}
