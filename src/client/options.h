/* SPDX-License-Identifier: MIT */
/*
 * The command line of ruptime. getopt makes this one caller at a time: main, at start.
 */
#ifndef RUPTIME_CLIENT_OPTIONS_H
#define RUPTIME_CLIENT_OPTIONS_H

#include <stdbool.h>

#include "client/ask/ask.h"
#include "client/hosts/hosts.h"
#include "client/show/report.h"
#include "common/address.h"
#include "common/cli.h"

enum options_action {
	OPTIONS_ASK,
	OPTIONS_SHOW_HELP,
	OPTIONS_SHOW_VERSION,
	OPTIONS_WRONG,		/* it has been said on stderr */
};

enum options_format {
	OPTIONS_TEXT,
	OPTIONS_JSON,
	OPTIONS_CSV,
};

struct options {
	struct ask_options ask;
	enum address_scheme bare;	/* of a HOST without a scheme */
	bool has_tries;
	unsigned parallel;
	uint64_t interval_ns;
	unsigned count;			/* of rounds that are counted; 0: ask once */
	enum options_format format;
	bool table;			/* also of a single host */
	bool sorted;			/* as an option says */
	enum report_sort sort;
	bool reverse;
	bool has_min_up;
	double min_up;			/* hosts, or per cent of them */
	bool min_up_is_percent;
	bool quiet;
	bool watch;
	uint64_t watch_ns;		/* from the beginning of one round to that of the next */
	const char *on_change;		/* NULL: no command */
	const char *prometheus;		/* ask this server instead of the hosts; or NULL */
	bool targets;			/* write the targets for Prometheus, and ask no host */
	unsigned targets_port;		/* with this port */
	const char *files[HOSTS_FILES_MAX];
	unsigned file_count;
	char **words;			/* the operands */
	unsigned word_count;
};

extern const struct cli client_options_cli;

/* How OPTIONS want the report, or NULL for a table. */
const struct report_format *client_options_format(const struct options *options);

/* Fill OPTIONS; they count only if the action is OPTIONS_ASK. */
enum options_action client_options_parse(struct options *options, int argc, char **argv);

#endif
