/* SPDX-License-Identifier: MIT */
/*
 * The command line of ruptime. getopt makes this one caller at a time: main, at start.
 */
#ifndef RUPTIME_CLIENT_OPTIONS_H
#define RUPTIME_CLIENT_OPTIONS_H

#include <stdbool.h>

#include "client/ask.h"
#include "common/address.h"
#include "common/cli.h"

enum options_action {
	OPTIONS_ASK,
	OPTIONS_SHOW_HELP,
	OPTIONS_SHOW_VERSION,
	OPTIONS_WRONG,		/* it has been said on stderr */
};

struct options {
	struct ask_options ask;
	struct address address;	/* its port is a number */
	bool quiet;
};

extern const struct cli client_options_cli;

/* Fill OPTIONS; they count only if the action is OPTIONS_ASK. */
enum options_action client_options_parse(struct options *options, int argc, char **argv);

#endif
