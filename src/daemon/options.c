/* SPDX-License-Identifier: MIT */
#include "daemon/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/resolve.h"
#include "common/units.h"
#include "daemon/policy/rate_limit.h"
#include "daemon/run/procps.h"
#include "daemon/sandbox/sandbox.h"

#define DEFAULT_QUEUE	       4096
#define DEFAULT_RATE	       50
#define DEFAULT_PER_SOURCE     256
#define DEFAULT_RUN_TIMEOUT_NS (1 * CLOCK_S)
#define LONGEST_RUN_NS	       (3600 * CLOCK_S)

enum {
	KEY_COMMAND = CLI_LONG_ONLY,
	KEY_RUN_TIMEOUT,
	KEY_MAX_AGE,
	KEY_MAX_CONNECTIONS,
	KEY_MAX_PER_SOURCE,
	KEY_PID_FILE,
	KEY_READY_FD,
	KEY_PRINT_MESSAGES,
	KEY_ALLOW,
	KEY_DENY,
	KEY_UDP_ALLOW,
	KEY_UDP_OPEN,
	KEY_RATE,
	KEY_RATE_DRY_RUN,
	KEY_QUIET,
	KEY_SANDBOX,
};

static const struct cli_option table[] = {
	{ 'l', "listen", "ADDRESS", "serve ADDRESS; may be repeated (tcp://* and udp://*)", 0 },
	{ 'w', "workers", "N", "threads that measure and answer (one for each CPU)", 0 },
	{ 'q', "queue", "N", "most requests waiting (4096)", 0 },
	{ KEY_MAX_CONNECTIONS, "max-connections", "N", "most streams open (descriptors - 64)", 0 },
	{ KEY_MAX_PER_SOURCE, "max-per-source", "N", "most of them from one source (256)", 0 },
	{ 's', "source", "SOURCE", "exec: run the command; procps: ask libproc2 (exec)", 0 },
	{ KEY_COMMAND, "command", "PATH", "the command to run (" UPTIME_COMMAND ")", 0 },
	{ KEY_RUN_TIMEOUT, "run-timeout", "DURATION", "longest run of the command (1s)", 0 },
	{ KEY_MAX_AGE, "max-age", "DURATION", "give a line of this age out again (0)", 0 },
	{ 'u', "user", "USER", "become USER once the sockets are open", 0 },
	{ KEY_SANDBOX, "sandbox", "LEVEL", "give up rights: off, basic or strict (basic)", 0 },
	{ 'D', "daemon", NULL, "detach from the terminal, log to syslog", 0 },
	{ KEY_PID_FILE, "pid-file", "PATH", "lock PATH, and hold the process number there", 0 },
	{ KEY_READY_FD, "ready-fd", "N", "write a newline to descriptor N when serving", 0 },
	{ KEY_PRINT_MESSAGES, "print-messages", NULL, "print XSI messages on standard output", 0 },
	{ KEY_ALLOW, "allow", "CIDR", "answer TCP and UDP from there only; may be repeated", 0 },
	{ KEY_DENY, "deny", "CIDR", "answer none from there; may be repeated", 0 },
	{ KEY_UDP_ALLOW, "udp-allow", "CIDR", "answer one byte from there; may be repeated", 0 },
	{ KEY_UDP_OPEN, "udp-open", NULL, "answer one byte from anywhere, whoever abuses it", 0 },
	{ KEY_RATE, "rate", "N/s", "UDP answers a second to one address; 0: any number (50/s)", 0 },
	{ KEY_RATE_DRY_RUN, "rate-dry-run", NULL, "count who is over --rate, and answer", 0 },
	{ 'v', "verbose", NULL, "log more", 0 },
	{ KEY_QUIET, "quiet", NULL, "log warnings and errors only", 0 },
	{ 'h', "help", NULL, "show this help and exit", 0 },
	{ 'V', "version", NULL, "show the version and exit", 0 },
};

static const struct cli cli = {
	.program = "ruptimed",
	.usage = "[-l ADDRESS]... [options]",
	.purpose = "Answer with the line of uptime.",
	.options = table,
	.count = sizeof(table) / sizeof(table[0]),
	.patience_ms = OPTIONS_COMPLAINT_MS,
};

static int complain_about(const char *option, const char *argument, const char *why)
{
	cli_complain(&cli, "--%s=%s: %s", option, argument, why);
	return -1;
}

static int complain_about_address(const char *text, const char *why)
{
	cli_complain(&cli, "%s: %s", text, why);
	return -1;
}

static int set_count(const char *option, const char *argument, unsigned max, unsigned *count)
{
	char why[64];
	uint64_t value;

	if (units_parse_count(argument, 1, max, &value) < 0) {
		snprintf(why, sizeof(why), "not a number from 1 to %u", max);
		return complain_about(option, argument, why);
	}
	*count = (unsigned)value;
	return 0;
}

static int set_duration(const char *option, const char *argument, uint64_t min_ns, uint64_t max_ns,
	uint64_t *ns)
{
	if (units_parse_duration(argument, ns) < 0) {
		return complain_about(option, argument,
			"not a duration, such as 500ms, 1.5s or 2m");
	}
	if (*ns < min_ns || *ns > max_ns) {
		return complain_about(option, argument, "out of range, from 1ms to 1h");
	}
	return 0;
}

/* A daemon leaves its directory, so what was meant here and now is written down in full. */
static int set_path(const char *option, const char *argument, char *path)
{
	char here[PATH_MAX] = "";
	int len;

	if (!argument[0]) {
		return complain_about(option, argument, "the path is empty");
	}
	if (argument[0] != '/' && !getcwd(here, sizeof(here))) {
		return complain_about(option, argument, strerror(errno));
	}
	len = snprintf(path, PATH_MAX, "%s%s%s", here, here[0] ? "/" : "", argument);
	if (len >= PATH_MAX) {
		return complain_about(option, argument, strerror(ENAMETOOLONG));
	}
	return 0;
}

static int set_ready_fd(const char *argument, int *ready_fd)
{
	uint64_t fd;
	int flags = -1;

	if (units_parse_count(argument, 0, INT_MAX, &fd) == 0) {
		flags = fcntl((int)fd, F_GETFL);
	}
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
		return complain_about("ready-fd", argument, "not a descriptor open for writing");
	}
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	*ready_fd = (int)fd;
	return 0;
}

static int set_source(const char *argument, enum settings_source *source)
{
	if (strcmp(argument, "exec") == 0) {
		*source = SETTINGS_EXEC;
		return 0;
	}
	if (strcmp(argument, "procps") != 0) {
		return complain_about("source", argument, "the sources are exec and procps");
	}
	if (!procps_is_built_in()) {
		return complain_about("source", argument, "this program is built without libproc2");
	}
	*source = SETTINGS_PROCPS;
	return 0;
}

static int parse_network(const char *option, const char *text, struct prefix *network)
{
	if (prefix_parse(network, text) == 0) {
		return 0;
	}
	if (strspn(text, "0123456789abcdefABCDEF.:/") == strlen(text)) {
		return complain_about(option, text,
			"not a network, such as 192.0.2.0/24 or 2001:db8::/32");
	}
	return complain_about(option, text,
		"names are not taken, since their owners decide what they mean; "
		"give a network, such as 192.0.2.0/24");
}

static int add_access(struct settings *settings, const char *text, bool allowed)
{
	const char *option = allowed ? "allow" : "deny";
	struct settings_access access = { .allowed = allowed };

	if (parse_network(option, text, &access.network) < 0) {
		return -1;
	}
	for (unsigned i = 0; i < settings->access_count; i++) {
		const struct settings_access *other = &settings->access[i];

		if (other->network.bits != access.network.bits ||
		    !prefix_contains(&other->network, &access.network.address)) {
			continue;
		}
		if (other->allowed == allowed) {
			return 0;
		}
		return complain_about(option, text,
			"the same network is both allowed and denied");
	}
	if (settings->access_count == SETTINGS_ACCESS_MAX) {
		return complain_about(option, text, "more networks than this version takes");
	}
	settings->access[settings->access_count++] = access;
	return 0;
}

static int add_udp_allow(struct settings *settings, const char *text)
{
	if (settings->udp_allow_count == SETTINGS_UDP_ALLOW_MAX) {
		return complain_about("udp-allow", text, "more networks than this version takes");
	}
	if (parse_network("udp-allow", text, &settings->udp_allow[settings->udp_allow_count]) <
		0) {
		return -1;
	}
	settings->udp_allow_count++;
	return 0;
}

/* A count, with "/s" behind it or without. */
static int set_rate(const char *argument, unsigned *rate)
{
	size_t len = strlen(argument);
	char count[32];
	char why[64];
	uint64_t value;

	if (len > 2 && strcmp(argument + len - 2, "/s") == 0) {
		len -= 2;
	}
	snprintf(count, sizeof(count), "%.*s", (int)len, argument);
	if (len >= sizeof(count) || units_parse_count(count, 0, RATE_LIMIT_MAX, &value) < 0) {
		snprintf(why, sizeof(why), "not a rate from 0 to %u/s", RATE_LIMIT_MAX);
		return complain_about("rate", argument, why);
	}
	*rate = (unsigned)value;
	return 0;
}

static int set_sandbox(const char *argument, enum sandbox_level *level)
{
	static const char *const names[] = {
		[SANDBOX_OFF] = "off",
		[SANDBOX_BASIC] = "basic",
		[SANDBOX_STRICT] = "strict",
	};
	const char *why;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(argument, names[i]) != 0) {
			continue;
		}
		if (i == SANDBOX_STRICT && !sandbox_has_strict(&why)) {
			return complain_about("sandbox", argument, why);
		}
		*level = (enum sandbox_level)i;
		return 0;
	}
	return complain_about("sandbox", argument, "the levels are off, basic and strict");
}

/* A file or a queue can be listened on once, however it is written. Port 0 is another each time. */
static bool is_same_place(const struct address *a, const struct address *b)
{
	if (a->path[0]) {
		return strcmp(a->path, b->path) == 0;
	}
	if (a->scheme == ADDRESS_MSGQ) {
		return b->scheme == ADDRESS_MSGQ && a->key == b->key;
	}
	return address_equal(a, b) && strcmp(a->port, "0") != 0;
}

static int add_listen(struct settings *settings, const char *text)
{
	struct address address;
	const char *why;

	if (address_parse(&address, text, strlen(text), &why) < 0 ||
	    resolve_port(&address, &why) < 0) {
		return complain_about_address(text, why);
	}
	for (unsigned i = 0; i < settings->listen_count; i++) {
		if (is_same_place(&address, &settings->listen[i])) {
			return complain_about_address(text, "the address is given twice");
		}
	}
	if (settings->listen_count == SETTINGS_LISTEN_MAX) {
		return complain_about_address(text, "more addresses than this version takes");
	}
	settings->listen[settings->listen_count++] = address;
	return 0;
}

static int set_option(struct settings *settings, int key, const char *argument)
{
	switch (key) {
	case 'l':
		return add_listen(settings, argument);
	case 'w':
		return set_count("workers", argument, SETTINGS_WORKERS_MAX, &settings->workers);
	case 'q':
		return set_count("queue", argument, SETTINGS_QUEUE_MAX, &settings->queue);
	case KEY_MAX_CONNECTIONS:
		return set_count("max-connections", argument, SETTINGS_CONNECTIONS_MAX,
			&settings->max_connections);
	case KEY_MAX_PER_SOURCE:
		return set_count("max-per-source", argument, SETTINGS_CONNECTIONS_MAX,
			&settings->max_per_source);
	case 's':
		return set_source(argument, &settings->source);
	case KEY_COMMAND:
		return set_path("command", argument, settings->command);
	case KEY_RUN_TIMEOUT:
		return set_duration("run-timeout", argument, CLOCK_MS, LONGEST_RUN_NS,
			&settings->run_timeout_ns);
	case KEY_MAX_AGE:
		return set_duration("max-age", argument, 0, LONGEST_RUN_NS, &settings->max_age_ns);
	case 'u':
		settings->user = argument;
		return 0;
	case KEY_SANDBOX:
		return set_sandbox(argument, &settings->sandbox);
	case 'D':
		settings->daemon = true;
		return 0;
	case KEY_PID_FILE:
		return set_path("pid-file", argument, settings->pid_file);
	case KEY_READY_FD:
		return set_ready_fd(argument, &settings->ready_fd);
	case KEY_PRINT_MESSAGES:
		settings->print_messages = true;
		return 0;
	case KEY_ALLOW:
	case KEY_DENY:
		return add_access(settings, argument, key == KEY_ALLOW);
	case KEY_UDP_ALLOW:
		return add_udp_allow(settings, argument);
	case KEY_UDP_OPEN:
		settings->udp_open = true;
		return 0;
	case KEY_RATE:
		return set_rate(argument, &settings->rate);
	case KEY_RATE_DRY_RUN:
		settings->rate_dry_run = true;
		return 0;
	case 'v':
		settings->log_level = LOG_LEVEL_DEBUG;
		return 0;
	case KEY_QUIET:
		settings->log_level = LOG_LEVEL_WARNING;
		return 0;
	default:
		return -1;
	}
}

static unsigned count_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus < 1) {
		return 1;
	}
	return cpus > SETTINGS_WORKERS_MAX ? SETTINGS_WORKERS_MAX : (unsigned)cpus;
}

enum options_result daemon_options_parse(struct settings *settings, int argc, char **argv)
{
	const char *argument;
	int key;

	*settings = (struct settings){
		.workers = count_cpus(),
		.queue = DEFAULT_QUEUE,
		.max_per_source = DEFAULT_PER_SOURCE,
		.command = UPTIME_COMMAND,
		.run_timeout_ns = DEFAULT_RUN_TIMEOUT_NS,
		.sandbox = SANDBOX_BASIC,
		.ready_fd = -1,
		.rate = DEFAULT_RATE,
		.log_level = LOG_LEVEL_INFO,
	};
	while ((key = cli_next(&cli, argc, argv, &argument)) != CLI_END) {
		if (key == 'h') {
			cli_print_help(&cli, stdout);
			return OPTIONS_DONE;
		}
		if (key == 'V') {
			cli_print_version(&cli, stdout);
			return OPTIONS_DONE;
		}
		/* cli_next() has complained about a key it could not tell. */
		if (key == CLI_WRONG || set_option(settings, key, argument) < 0) {
			return OPTIONS_WRONG;
		}
	}
	if (optind < argc) {
		cli_complain(&cli, "unexpected argument '%s'; addresses go with -l", argv[optind]);
		return OPTIONS_WRONG;
	}
	if (!settings->listen_count &&
	    (add_listen(settings, "tcp://*") < 0 || add_listen(settings, "udp://*") < 0)) {
		return OPTIONS_WRONG;
	}
	return OPTIONS_RUN;
}
