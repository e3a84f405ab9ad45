/* SPDX-License-Identifier: MIT */
#include "daemon/config/option_table.h"

#include <assert.h>
#include <stddef.h>

/* A row is: key, name, argument, kind, default, help; FIXED_ROW: no reload changes it. */
#define ROW(key, name, argument, kind, by_default, help)                                           \
	{ { key, name, argument, help, 0 }, kind, by_default, false }
#define FIXED_ROW(key, name, argument, kind, by_default, help)                                     \
	{ { key, name, argument, help, 0 }, kind, by_default, true }

const struct option_entry option_table[] = {
	ROW('l', "listen", "ADDRESS", OPTION_LIST, "tcp://* udp://*",
		"serve ADDRESS; may be repeated (tcp://* and udp://*)"),
	ROW('c', "config", "FILE", OPTION_NOW, NULL,
		"read options from FILE; those given here win"),
	ROW(OPTION_CHECK_CONFIG, "check-config", NULL, OPTION_NOW, NULL,
		"tell whether options and FILE are right"),
	ROW(OPTION_DUMP_CONFIG, "dump-config", NULL, OPTION_NOW, NULL,
		"show each value and where it is from"),
	ROW('w', "workers", "N", OPTION_ONCE, "cpus",
		"threads that measure and answer (one for each CPU)"),
	ROW('q', "queue", "N", OPTION_ONCE, "4096",
		"most requests waiting (4096)"),
	ROW(OPTION_MAX_CONNECTIONS, "max-connections", "N", OPTION_ONCE, NULL,
		"most streams open (descriptors - 64)"),
	ROW(OPTION_MAX_PER_SOURCE, "max-per-source", "N", OPTION_ONCE, "256",
		"most of them from one source (256)"),
	FIXED_ROW('s', "source", "SOURCE", OPTION_ONCE, "exec",
		"exec: run the command; procps: ask libproc2 (exec)"),
	FIXED_ROW(OPTION_COMMAND, "command", "PATH", OPTION_ONCE, UPTIME_COMMAND,
		"the command to run (" UPTIME_COMMAND ")"),
	ROW(OPTION_RUN_TIMEOUT, "run-timeout", "DURATION", OPTION_ONCE, "1s",
		"longest run of the command (1s)"),
	ROW(OPTION_MAX_AGE, "max-age", "DURATION", OPTION_ONCE, "0",
		"give a line of this age out again (0)"),
	FIXED_ROW(OPTION_START, "start", "WAY", OPTION_ONCE, "warm",
		"warm: load the command ahead of its runs; cold (warm)"),
	FIXED_ROW('u', "user", "USER", OPTION_ONCE, NULL,
		"become USER once the sockets are open"),
	FIXED_ROW(OPTION_SANDBOX, "sandbox", "LEVEL", OPTION_ONCE, "basic",
		"give up rights: off, basic or strict (basic)"),
	FIXED_ROW('D', "daemon", NULL, OPTION_ONCE, "false",
		"detach from the terminal, log to syslog"),
	FIXED_ROW(OPTION_PID_FILE, "pid-file", "PATH", OPTION_ONCE, NULL,
		"lock PATH, and hold the process number there"),
	FIXED_ROW(OPTION_TAKEOVER, "takeover", "PATH", OPTION_ONCE, NULL,
		"take over the sockets of a ruptimed at PATH, and serve PATH"),
	FIXED_ROW(OPTION_READY_FD, "ready-fd", "N", OPTION_ONCE, NULL,
		"write a newline to descriptor N when serving"),
	ROW(OPTION_PRINT_MESSAGES, "print-messages", NULL, OPTION_ONCE, "false",
		"print XSI messages on standard output"),
	ROW(OPTION_ALLOW, "allow", "CIDR", OPTION_LIST, NULL,
		"answer TCP and UDP from there only; may be repeated"),
	ROW(OPTION_DENY, "deny", "CIDR", OPTION_LIST, NULL,
		"answer none from there; may be repeated"),
	ROW(OPTION_UDP_ALLOW, "udp-allow", "CIDR", OPTION_LIST, NULL,
		"answer one byte from there; may be repeated"),
	ROW(OPTION_UDP_OPEN, "udp-open", NULL, OPTION_ONCE, "false",
		"answer one byte from anywhere, abuse or not"),
	ROW(OPTION_RATE, "rate", "N/s", OPTION_ONCE, "50/s",
		"UDP answers a second to one address; 0: any number (50/s)"),
	ROW(OPTION_RATE_DRY_RUN, "rate-dry-run", NULL, OPTION_ONCE, "false",
		"count who is over --rate, and answer"),
	FIXED_ROW(OPTION_METRICS, "metrics", "ADDRESS", OPTION_ONCE, NULL,
		"serve figures for Prometheus at ADDRESS, tcp or unix"),
	ROW('v', "verbose", NULL, OPTION_ONCE, "false",
		"log more"),
	ROW(OPTION_QUIET, "quiet", NULL, OPTION_ONCE, "false",
		"log warnings and errors only"),
	ROW('h', "help", NULL, OPTION_NOW, NULL,
		"show this help and exit"),
	ROW('V', "version", NULL, OPTION_NOW, NULL,
		"show the version and exit"),
};

const unsigned option_count = sizeof(option_table) / sizeof(option_table[0]);

const struct option_entry *option_of(int key)
{
	unsigned i = 0;

	while (option_table[i].cli.key != key) {
		i++;
		assert(i < option_count);
	}
	return &option_table[i];
}
