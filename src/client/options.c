/* SPDX-License-Identifier: MIT */
#include "client/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/ask/fleet.h"
#include "common/units.h"

#define DEFAULT_TIMEOUT_NS (2 * CLOCK_S)
#define DEFAULT_TRIES	   3
#define DEFAULT_PARALLEL   10000
#define DEFAULT_WATCH_NS   (2 * CLOCK_S)
/* Where ruptimed serves metrics by habit. */
#define DEFAULT_METRICS_PORT 9784

#define TRIES_MAX	   1000
#define COUNT_MAX	   1000000

enum {
	KEY_TCP = CLI_LONG_ONLY,
	KEY_UDP,
	KEY_TIMEOUT,
	KEY_TRIES,
	KEY_WAIT,
	KEY_CSV,
	KEY_MIN_UP,
	KEY_ON_CHANGE,
	KEY_PROMETHEUS,
	KEY_TARGETS,
};

static const struct cli_option table[] = {
	{ 'f', "file", "FILE", "ask the hosts that FILE names, - for standard input", 0 },
	{ '4', "ipv4", NULL, "use IPv4 only", 0 },
	{ '6', "ipv6", NULL, "use IPv6 only", 0 },
	{ KEY_TCP, "tcp", NULL, "ask a bare HOST over TCP (the default)", 0 },
	{ KEY_UDP, "udp", NULL, "ask a bare HOST over UDP", 0 },
	{ KEY_TIMEOUT, "timeout", "DURATION", "let one try take so long (2s)", 0 },
	{ KEY_TRIES, "tries", "N", "try so many times (3)", 0 },
	{ KEY_WAIT, "wait", "DURATION", "keep trying, for so long or until it answers", 1 },
	{ 'j', "parallel", "N", "ask at most N hosts at a time (10k)", 0 },
	{ 'i', "interval", "DURATION", "let so much time pass between two hosts (0)", 0 },
	{ 'a', "all", NULL, "show the table, also for a single host", 0 },
	{ 'l', "by-load", NULL, "sort by load", 0 },
	{ 't', "by-uptime", NULL, "sort by uptime", 0 },
	{ 'u', "by-users", NULL, "sort by the number of users", 0 },
	{ 'r', "reverse", NULL, "sort the other way around", 0 },
	{ 'J', "json", NULL, "write one JSON object a line", 0 },
	{ KEY_CSV, "csv", NULL, "write comma-separated values", 0 },
	{ 'c', "count", "N", "ask each host N times, and count answers and their times", 0 },
	{ KEY_MIN_UP, "min-up", "N|N%", "succeed if at least so many hosts answer", 0 },
	{ 'w', "watch", "DURATION", "ask again and again, and show what changes (2s)", 1 },
	{ KEY_ON_CHANGE, "on-change", "COMMAND", "run COMMAND for each change --watch sees", 0 },
	{ KEY_PROMETHEUS, "prometheus", "URL", "ask a Prometheus server about the hosts", 0 },
	{ KEY_TARGETS, "targets", "FORMAT", "write the hosts for prometheus[:PORT], ask none", 0 },
	{ 'q', "quiet", NULL, "leave failures to the exit code", 0 },
	{ 'h', "help", NULL, "show this help", 0 },
	{ 'V', "version", NULL, "show the version", 0 },
};

const struct cli client_options_cli = {
	.program = "ruptime",
	.usage = "[OPTION]... [ADDRESS]...",
	.purpose = "Ask hosts how they are: one for the line that its uptime prints, several for a "
		   "table.",
	.options = table,
	.count = sizeof(table) / sizeof(table[0]),
};

static int parse_duration(const char *name, const char *text, uint64_t *ns)
{
	if (units_parse_duration(text, ns) == 0) {
		return 0;
	}
	cli_complain(&client_options_cli, "--%s=%s: %s", name, text,
		errno == ERANGE ? "more than a year" : "not a duration, such as 500ms, 2s or 1m");
	return -1;
}

static int parse_timeout(struct ask_options *ask, const char *text)
{
	if (parse_duration("timeout", text, &ask->timeout_ns) < 0) {
		return -1;
	}
	if (ask->timeout_ns == 0) {
		cli_complain(&client_options_cli, "--timeout=%s: no try can be made in no time",
			text);
		return -1;
	}
	return 0;
}

static int parse_number(const char *name, const char *text, unsigned max, unsigned *number)
{
	uint64_t value;

	if (units_parse_count(text, 1, max, &value) < 0) {
		cli_complain(&client_options_cli, "--%s=%s: not a number from 1 to %u", name, text,
			max);
		return -1;
	}
	*number = (unsigned)value;
	return 0;
}

/*
 * An argument that may be left out stands behind '='. In "--wait 3s" it has been left out, and "3s"
 * would be a host to ask: NEXT is the word behind the option, or NULL.
 */
static int refuse_separate_duration(const char *name, const char *next)
{
	uint64_t ns;

	if (!next || units_parse_duration(next, &ns) < 0) {
		return 0;
	}
	cli_complain(&client_options_cli,
		"--%s %s: the duration stands behind '=', as in --%s=%s", name, next, name, next);
	return -1;
}

static int parse_wait(struct ask_options *ask, const char *text, const char *next)
{
	ask->wait = true;
	ask->wait_ns = CLOCK_NEVER;
	return text ? parse_duration("wait", text, &ask->wait_ns)
		    : refuse_separate_duration("wait", next);
}

/* Digits, and a decimal point among them in a share alone. No locale is set, so it is one. */
static int parse_min_up(struct options *options, const char *text)
{
	const bool has_digits = strspn(text, "0123456789") > 0;
	char *end;

	options->has_min_up = true;
	options->min_up = strtod(text, &end);
	options->min_up_is_percent = *end == '%';
	if (!has_digits || strcmp(end, options->min_up_is_percent ? "%" : "") != 0 ||
	    text[strspn(text, options->min_up_is_percent ? "0123456789.%" : "0123456789")] ||
	    (options->min_up_is_percent && options->min_up > 100)) {
		cli_complain(&client_options_cli,
			"--min-up=%s: neither a number of hosts nor a share such as 95%%", text);
		return -1;
	}
	return 0;
}

static int parse_watch(struct options *options, const char *text, const char *next)
{
	options->watch = true;
	if (!text) {
		return refuse_separate_duration("watch", next);
	}
	if (parse_duration("watch", text, &options->watch_ns) < 0) {
		return -1;
	}
	if (!options->watch_ns) {
		cli_complain(&client_options_cli, "--watch=%s: no host can be asked that often",
			text);
		return -1;
	}
	return 0;
}

/* "prometheus" or "prometheus:PORT". */
static int parse_targets(struct options *options, const char *text)
{
	static const char name[] = "prometheus";
	const size_t len = sizeof(name) - 1;
	uint64_t port = DEFAULT_METRICS_PORT;

	options->targets = true;
	if (strncmp(text, name, len) != 0 || (text[len] && text[len] != ':') ||
	    (text[len] && units_parse_count(text + len + 1, 1, 65535, &port) < 0)) {
		cli_complain(&client_options_cli,
			"--targets=%s: neither prometheus nor prometheus:PORT", text);
		return -1;
	}
	options->targets_port = (unsigned)port;
	return 0;
}

static int add_file(struct options *options, const char *path)
{
	if (options->file_count == HOSTS_FILES_MAX) {
		cli_complain(&client_options_cli, "--file=%s: more than %d files", path,
			HOSTS_FILES_MAX);
		return -1;
	}
	options->files[options->file_count++] = path;
	return 0;
}

static int take_value(struct options *options, int key, const char *argument, const char *next)
{
	switch (key) {
	case 'f':
		return add_file(options, argument);
	case KEY_TIMEOUT:
		return parse_timeout(&options->ask, argument);
	case KEY_TRIES:
		options->has_tries = true;
		return parse_number("tries", argument, TRIES_MAX, &options->ask.tries);
	case KEY_WAIT:
		return parse_wait(&options->ask, argument, next);
	case 'j':
		return parse_number("parallel", argument, FLEET_PARALLEL_MAX, &options->parallel);
	case 'i':
		return parse_duration("interval", argument, &options->interval_ns);
	case 'c':
		return parse_number("count", argument, COUNT_MAX, &options->count);
	case KEY_MIN_UP:
		return parse_min_up(options, argument);
	case 'w':
		return parse_watch(options, argument, next);
	case KEY_TARGETS:
		return parse_targets(options, argument);
	case KEY_PROMETHEUS:
		options->prometheus = argument;
		return 0;
	case KEY_ON_CHANGE:
		options->on_change = argument;
		return 0;
	default:
		return -1;
	}
}

static int sort_by(struct options *options, enum report_sort sort)
{
	options->sorted = true;
	options->sort = sort;
	return 0;
}

static int take_option(struct options *options, int key, const char *argument, const char *next)
{
	switch (key) {
	case '4':
		options->ask.family = AF_INET;
		return 0;
	case '6':
		options->ask.family = AF_INET6;
		return 0;
	case KEY_TCP:
		options->bare = ADDRESS_TCP;
		return 0;
	case KEY_UDP:
		options->bare = ADDRESS_UDP;
		return 0;
	case 'a':
		options->table = true;
		return 0;
	case 'l':
		return sort_by(options, REPORT_BY_LOAD);
	case 't':
		return sort_by(options, REPORT_BY_UPTIME);
	case 'u':
		return sort_by(options, REPORT_BY_USERS);
	case 'r':
		options->reverse = true;
		return 0;
	case 'J':
		options->format = OPTIONS_JSON;
		return 0;
	case KEY_CSV:
		options->format = OPTIONS_CSV;
		return 0;
	case 'q':
		options->quiet = true;
		return 0;
	default:
		return take_value(options, key, argument, next);
	}
}

/* What can only be seen when all options are known. */
static int check(struct options *options)
{
	if (options->format == OPTIONS_JSON && !json_format) {
		cli_complain(&client_options_cli, "--json: this build has no jansson");
		return -1;
	}
	if (options->on_change && !options->watch) {
		cli_complain(&client_options_cli, "--on-change: only --watch sees changes");
		return -1;
	}
	if (options->on_change && !options->on_change[strspn(options->on_change, " \t")]) {
		cli_complain(&client_options_cli, "--on-change: the command is empty");
		return -1;
	}
	if (options->prometheus && (options->watch || options->count || options->file_count)) {
		cli_complain(&client_options_cli,
			"--prometheus does not go together with --watch, --count or --file");
		return -1;
	}
	if (options->prometheus && options->word_count > 1) {
		cli_complain(&client_options_cli, "%s: --prometheus takes one QUERY",
			options->words[1]);
		return -1;
	}
	if (options->watch && options->count) {
		cli_complain(&client_options_cli, "--watch and --count do not go together");
		return -1;
	}
	options->table = options->table || options->sorted || options->reverse ||
			 options->file_count || options->count;
	return 0;
}

const struct report_format *client_options_format(const struct options *options)
{
	switch (options->format) {
	case OPTIONS_JSON:
		return json_format;
	case OPTIONS_CSV:
		return &csv_format;
	default:
		return NULL;
	}
}

enum options_action client_options_parse(struct options *options, int argc, char **argv)
{
	const char *argument;
	int key;

	*options = (struct options){
		.ask = { .family = AF_UNSPEC, .timeout_ns = DEFAULT_TIMEOUT_NS,
			.tries = DEFAULT_TRIES },
		.bare = ADDRESS_TCP,
		.parallel = DEFAULT_PARALLEL,
		.watch_ns = DEFAULT_WATCH_NS,
		.sort = REPORT_BY_NAME,
	};
	while ((key = cli_next(&client_options_cli, argc, argv, &argument)) != CLI_END) {
		if (key == 'h') {
			return OPTIONS_SHOW_HELP;
		}
		if (key == 'V') {
			return OPTIONS_SHOW_VERSION;
		}
		if (take_option(options, key, argument, argv[optind]) < 0) {
			return OPTIONS_WRONG;
		}
	}
	options->words = argv + optind;
	options->word_count = (unsigned)(argc - optind);
	return check(options) < 0 ? OPTIONS_WRONG : OPTIONS_ASK;
}
