/* SPDX-License-Identifier: MIT */
#include "client/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/socket.h>

#include "common/resolve.h"
#include "common/units.h"

#define DEFAULT_TIMEOUT_NS (2 * CLOCK_S)
#define DEFAULT_TRIES	   3
#define TRIES_MAX	   1000

enum {
	KEY_TCP = CLI_LONG_ONLY,
	KEY_UDP,
	KEY_TIMEOUT,
	KEY_TRIES,
	KEY_WAIT,
};

static const struct cli_option table[] = {
	{ '4', "ipv4", NULL, "use IPv4 only", 0 },
	{ '6', "ipv6", NULL, "use IPv6 only", 0 },
	{ KEY_TCP, "tcp", NULL, "ask a bare HOST over TCP (the default)", 0 },
	{ KEY_UDP, "udp", NULL, "ask a bare HOST over UDP", 0 },
	{ KEY_TIMEOUT, "timeout", "DURATION", "let one try take so long (2s)", 0 },
	{ KEY_TRIES, "tries", "N", "try so many times (3)", 0 },
	{ KEY_WAIT, "wait", "DURATION", "keep trying, for so long or until it answers", 1 },
	{ 'q', "quiet", NULL, "leave a failure to the exit code", 0 },
	{ 'h', "help", NULL, "show this help", 0 },
	{ 'V', "version", NULL, "show the version", 0 },
};

const struct cli client_options_cli = {
	.program = "ruptime",
	.usage = "[OPTION]... [ADDRESS]",
	.purpose = "Ask a host how it is, and print the line that its uptime command prints.",
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

static int parse_tries(struct ask_options *ask, const char *text)
{
	uint64_t tries;

	if (units_parse_count(text, 1, TRIES_MAX, &tries) < 0) {
		cli_complain(&client_options_cli, "--tries=%s: not a number from 1 to %d", text,
			TRIES_MAX);
		return -1;
	}
	ask->tries = (unsigned)tries;
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

static int parse_address(struct options *options, enum address_scheme bare, const char *text)
{
	const char *why;

	if (address_parse_target(&options->address, bare, text, strlen(text), &why) < 0 ||
	    resolve_port(&options->address, &why) < 0) {
		cli_complain(&client_options_cli, "%s: %s", text, why);
		return -1;
	}
	return 0;
}

static int take_option(struct options *options, enum address_scheme *bare, int key,
	const char *argument, const char *next)
{
	switch (key) {
	case '4':
		options->ask.family = AF_INET;
		return 0;
	case '6':
		options->ask.family = AF_INET6;
		return 0;
	case KEY_TCP:
		*bare = ADDRESS_TCP;
		return 0;
	case KEY_UDP:
		*bare = ADDRESS_UDP;
		return 0;
	case KEY_TIMEOUT:
		return parse_timeout(&options->ask, argument);
	case KEY_TRIES:
		return parse_tries(&options->ask, argument);
	case KEY_WAIT:
		return parse_wait(&options->ask, argument, next);
	case 'q':
		options->quiet = true;
		return 0;
	default:
		return -1;
	}
}

enum options_action client_options_parse(struct options *options, int argc, char **argv)
{
	enum address_scheme bare = ADDRESS_TCP;
	const char *argument;
	int key;

	*options = (struct options){
		.ask = { .family = AF_UNSPEC, .timeout_ns = DEFAULT_TIMEOUT_NS,
			.tries = DEFAULT_TRIES },
	};
	while ((key = cli_next(&client_options_cli, argc, argv, &argument)) != CLI_END) {
		if (key == 'h') {
			return OPTIONS_SHOW_HELP;
		}
		if (key == 'V') {
			return OPTIONS_SHOW_VERSION;
		}
		if (take_option(options, &bare, key, argument, argv[optind]) < 0) {
			return OPTIONS_WRONG;
		}
	}
	if (argc - optind > 1) {
		cli_complain(&client_options_cli, "%s: this version asks one address only",
			argv[optind + 1]);
		return OPTIONS_WRONG;
	}
	if (parse_address(options, bare, optind < argc ? argv[optind] : "localhost") < 0) {
		return OPTIONS_WRONG;
	}
	return OPTIONS_ASK;
}
