/* SPDX-License-Identifier: MIT */
/*
 * The options of ruptimed: their names on the command line and in the configuration file, and what
 * they are by default.
 */
#ifndef RUPTIME_DAEMON_CONFIG_OPTION_TABLE_H
#define RUPTIME_DAEMON_CONFIG_OPTION_TABLE_H

#include <stdbool.h>

#include "common/cli.h"

/* Keys of options without a letter of their own. */
enum option_key {
	OPTION_COMMAND = CLI_LONG_ONLY,
	OPTION_RUN_TIMEOUT,
	OPTION_MAX_AGE,
	OPTION_START,
	OPTION_MAX_CONNECTIONS,
	OPTION_MAX_PER_SOURCE,
	OPTION_PID_FILE,
	OPTION_TAKEOVER,
	OPTION_READY_FD,
	OPTION_PRINT_MESSAGES,
	OPTION_ALLOW,
	OPTION_DENY,
	OPTION_UDP_ALLOW,
	OPTION_UDP_OPEN,
	OPTION_RATE,
	OPTION_RATE_DRY_RUN,
	OPTION_METRICS,
	OPTION_QUIET,
	OPTION_SANDBOX,
	OPTION_CHECK_CONFIG,
	OPTION_DUMP_CONFIG,
};

enum option_kind {
	OPTION_ONCE,		/* one value; the last one counts */
	OPTION_LIST,		/* any number of values */
	OPTION_NOW,		/* on the command line only: it says what to do now */
};

struct option_entry {
	struct cli_option cli;
	enum option_kind kind;
	const char *by_default;	/* parted by blanks, in a list; NULL: none */
	bool fixed;		/* a reload does not change it */
};

/* In the order of --help. */
extern const struct option_entry option_table[];
extern const unsigned option_count;

/* That of KEY, which is one of the table. */
const struct option_entry *option_of(int key);

#endif
