/* SPDX-License-Identifier: MIT */
#include "daemon/config/option_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/resolve.h"
#include "common/units.h"
#include "daemon/config/option_table.h"
#include "daemon/metrics/metrics.h"
#include "daemon/policy/rate_limit.h"
#include "daemon/run/procps.h"
#include "daemon/sandbox/sandbox.h"

#define LONGEST_RUN_NS (3600 * CLOCK_S)

/* A value on its way into the settings, and where to say what is wrong with it. */
struct reading {
	const struct given *given;
	char *why;
	size_t why_bytes;
};

/* As it was given: an address needs no name of an option in front. */
static int complain(const struct reading *reading, const char *reason)
{
	const struct given *given = reading->given;
	const char *name = option_of(given->key)->cli.name;

	if (given->source == GIVEN_FILE) {
		snprintf(reading->why, reading->why_bytes, "%s:%u: %s = %s: %s", given->file,
			given->line, name, given->text, reason);
	} else if (given->key == 'l') {
		snprintf(reading->why, reading->why_bytes, "%s: %s", given->text, reason);
	} else {
		snprintf(reading->why, reading->why_bytes, "--%s=%s: %s", name, given->text,
			reason);
	}
	return -1;
}

static int set_count(const struct reading *reading, unsigned max, unsigned *count)
{
	const char *text = reading->given->text;
	char why[64];
	uint64_t value;

	if (units_parse_count(text, 1, max, &value) < 0) {
		snprintf(why, sizeof(why), "not a number from 1 to %u", max);
		return complain(reading, why);
	}
	*count = (unsigned)value;
	return 0;
}

static int set_duration(const struct reading *reading, uint64_t min_ns, uint64_t *ns)
{
	const char *text = reading->given->text;

	if (units_parse_duration(text, ns) < 0) {
		return complain(reading, "not a duration, such as 500ms, 1.5s or 2m");
	}
	if (*ns < min_ns || *ns > LONGEST_RUN_NS) {
		return complain(reading, "out of range, from 1ms to 1h");
	}
	return 0;
}

/*
 * A daemon leaves its directory, so what was meant here and now is written down in full. What
 * stands in a file shall not depend on where it is read.
 */
static int set_path(const struct reading *reading, char *path)
{
	const char *text = reading->given->text;
	char here[PATH_MAX] = "";
	int len;

	if (!text[0]) {
		return complain(reading, "the path is empty");
	}
	if (text[0] != '/' && reading->given->source == GIVEN_FILE) {
		return complain(reading, "the path does not begin with /");
	}
	if (text[0] != '/' && !getcwd(here, sizeof(here))) {
		return complain(reading, strerror(errno));
	}
	len = snprintf(path, PATH_MAX, "%s%s%s", here, here[0] ? "/" : "", text);
	if (len >= PATH_MAX) {
		return complain(reading, strerror(ENAMETOOLONG));
	}
	return 0;
}

/* It is the name of a socket. */
static int set_takeover(const struct reading *reading, char *path)
{
	if (set_path(reading, path) < 0) {
		return -1;
	}
	return strlen(path) > ADDRESS_PATH_MAX ? complain(reading, strerror(ENAMETOOLONG)) : 0;
}

static int set_ready_fd(const struct reading *reading, int *ready_fd)
{
	const char *text = reading->given->text;
	uint64_t fd;
	int flags = -1;

	if (units_parse_count(text, 0, INT_MAX, &fd) == 0) {
		flags = fcntl((int)fd, F_GETFL);
	}
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
		return complain(reading, "not a descriptor open for writing");
	}
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	*ready_fd = (int)fd;
	return 0;
}

static int set_source(const struct reading *reading, enum settings_source *source)
{
	const char *text = reading->given->text;

	if (strcmp(text, "exec") == 0) {
		*source = SETTINGS_EXEC;
		return 0;
	}
	if (strcmp(text, "procps") != 0) {
		return complain(reading, "the sources are exec and procps");
	}
	if (!procps_is_built_in()) {
		return complain(reading, "this program is built without libproc2");
	}
	*source = SETTINGS_PROCPS;
	return 0;
}

static int parse_network(const struct reading *reading, struct prefix *network)
{
	const char *text = reading->given->text;

	if (prefix_parse(network, text) == 0) {
		return 0;
	}
	if (strspn(text, "0123456789abcdefABCDEF.:/") == strlen(text)) {
		return complain(reading,
			"not a network, such as 192.0.2.0/24 or 2001:db8::/32");
	}
	return complain(reading, "names are not taken, since their owners decide what they mean; "
				 "give a network, such as 192.0.2.0/24");
}

static int add_access(const struct reading *reading, struct settings *settings, bool allowed)
{
	struct settings_access access = { .allowed = allowed };

	if (parse_network(reading, &access.network) < 0) {
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
		return complain(reading, "the same network is both allowed and denied");
	}
	if (settings->access_count == SETTINGS_ACCESS_MAX) {
		return complain(reading, "more networks than this version takes");
	}
	settings->access[settings->access_count++] = access;
	return 0;
}

static int add_udp_allow(const struct reading *reading, struct settings *settings)
{
	if (settings->udp_allow_count == SETTINGS_UDP_ALLOW_MAX) {
		return complain(reading, "more networks than this version takes");
	}
	if (parse_network(reading, &settings->udp_allow[settings->udp_allow_count]) < 0) {
		return -1;
	}
	settings->udp_allow_count++;
	return 0;
}

/* A count, with "/s" behind it or without. */
static int set_rate(const struct reading *reading, unsigned *rate)
{
	const char *text = reading->given->text;
	size_t len = strlen(text);
	char count[32];
	char why[64];
	uint64_t value;

	if (len > 2 && strcmp(text + len - 2, "/s") == 0) {
		len -= 2;
	}
	snprintf(count, sizeof(count), "%.*s", (int)len, text);
	if (len >= sizeof(count) || units_parse_count(count, 0, RATE_LIMIT_MAX, &value) < 0) {
		snprintf(why, sizeof(why), "not a rate from 0 to %u/s", RATE_LIMIT_MAX);
		return complain(reading, why);
	}
	*rate = (unsigned)value;
	return 0;
}

static int set_start(const struct reading *reading, bool *cold)
{
	*cold = strcmp(reading->given->text, "cold") == 0;
	if (!*cold && strcmp(reading->given->text, "warm") != 0) {
		return complain(reading, "the ways to start are warm and cold");
	}
	return 0;
}

static int set_sandbox(const struct reading *reading, enum sandbox_level *level)
{
	const char *text = reading->given->text;
	static const char *const names[] = {
		[SANDBOX_OFF] = "off",
		[SANDBOX_BASIC] = "basic",
		[SANDBOX_STRICT] = "strict",
	};
	const char *why;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) != 0) {
			continue;
		}
		if (i == SANDBOX_STRICT && !sandbox_has_strict(&why)) {
			return complain(reading, why);
		}
		*level = (enum sandbox_level)i;
		return 0;
	}
	return complain(reading, "the levels are off, basic and strict");
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

static int add_listen(const struct reading *reading, struct settings *settings)
{
	const char *text = reading->given->text;
	struct address address;
	const char *why;

	if (address_parse(&address, text, strlen(text), &why) < 0 ||
	    resolve_port(&address, &why) < 0) {
		return complain(reading, why);
	}
	for (unsigned i = 0; i < settings->listen_count; i++) {
		if (is_same_place(&address, &settings->listen[i])) {
			return complain(reading, "the address is given twice");
		}
	}
	if (settings->listen_count == SETTINGS_LISTEN_MAX) {
		return complain(reading, "more addresses than this version takes");
	}
	settings->listen[settings->listen_count++] = address;
	return 0;
}

static int set_metrics(const struct reading *reading, struct settings *settings)
{
	const char *text = reading->given->text;
	const char *why;

	if (address_parse(&settings->metrics, text, strlen(text), &why) < 0 ||
	    resolve_port(&settings->metrics, &why) < 0) {
		return complain(reading, why);
	}
	if (settings->metrics.scheme != ADDRESS_TCP && settings->metrics.scheme != ADDRESS_UNIX) {
		return complain(reading, "metrics are served at tcp:// and unix:// addresses");
	}
	if (!metrics_is_built_in()) {
		return complain(reading, "this ruptimed was built without libmicrohttpd");
	}
	settings->has_metrics = true;
	return 0;
}

static int set_user(const struct reading *reading, char *user)
{
	if (!reading->given->text[0] || strlen(reading->given->text) >= SETTINGS_USER_BYTES) {
		return complain(reading, "no such user");
	}
	strcpy(user, reading->given->text);
	return 0;
}

static int set_flag(const struct reading *reading, bool *flag)
{
	*flag = strcmp(reading->given->text, "true") == 0;
	return 0;
}

static int set_log_level(const struct reading *reading, enum log_level wanted,
	enum log_level *level)
{
	if (strcmp(reading->given->text, "true") == 0) {
		*level = wanted;
	}
	return 0;
}

static int set(const struct reading *reading, struct settings *settings)
{
	switch (reading->given->key) {
	case 'l':
		return add_listen(reading, settings);
	case 'w':
		return set_count(reading, SETTINGS_WORKERS_MAX, &settings->workers);
	case 'q':
		return set_count(reading, SETTINGS_QUEUE_MAX, &settings->queue);
	case OPTION_MAX_CONNECTIONS:
		return set_count(reading, SETTINGS_CONNECTIONS_MAX, &settings->max_connections);
	case OPTION_MAX_PER_SOURCE:
		return set_count(reading, SETTINGS_CONNECTIONS_MAX, &settings->max_per_source);
	case 's':
		return set_source(reading, &settings->source);
	case OPTION_COMMAND:
		return set_path(reading, settings->command);
	case OPTION_RUN_TIMEOUT:
		return set_duration(reading, CLOCK_MS, &settings->run_timeout_ns);
	case OPTION_MAX_AGE:
		return set_duration(reading, 0, &settings->max_age_ns);
	case 'u':
		return set_user(reading, settings->user);
	case OPTION_SANDBOX:
		return set_sandbox(reading, &settings->sandbox);
	case OPTION_START:
		return set_start(reading, &settings->start_cold);
	case 'D':
		return set_flag(reading, &settings->daemon);
	case OPTION_PID_FILE:
		return set_path(reading, settings->pid_file);
	case OPTION_TAKEOVER:
		return set_takeover(reading, settings->takeover);
	case OPTION_READY_FD:
		return set_ready_fd(reading, &settings->ready_fd);
	case OPTION_PRINT_MESSAGES:
		return set_flag(reading, &settings->print_messages);
	case OPTION_ALLOW:
	case OPTION_DENY:
		return add_access(reading, settings, reading->given->key == OPTION_ALLOW);
	case OPTION_UDP_ALLOW:
		return add_udp_allow(reading, settings);
	case OPTION_UDP_OPEN:
		return set_flag(reading, &settings->udp_open);
	case OPTION_RATE:
		return set_rate(reading, &settings->rate);
	case OPTION_RATE_DRY_RUN:
		return set_flag(reading, &settings->rate_dry_run);
	case OPTION_METRICS:
		return set_metrics(reading, settings);
	case 'v':
		return set_log_level(reading, LOG_LEVEL_DEBUG, &settings->log_level);
	case OPTION_QUIET:
		return set_log_level(reading, LOG_LEVEL_WARNING, &settings->log_level);
	default:
		return 0;
	}
}

int option_value_set(struct settings *settings, const struct given *given, char *why, size_t size)
{
	const struct reading reading = { .given = given, .why = why, .why_bytes = size };

	return set(&reading, settings);
}
