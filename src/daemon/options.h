/* SPDX-License-Identifier: MIT */
/*
 * The command line of ruptimed.
 */
#ifndef RUPTIME_DAEMON_OPTIONS_H
#define RUPTIME_DAEMON_OPTIONS_H

#include "daemon/settings.h"

/* A reader of stderr that stalls keeps ruptimed from ending for no longer than this. */
#define OPTIONS_COMPLAINT_MS 500

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,	/* --help or --version was answered */
	OPTIONS_WRONG,	/* one line on stderr says what */
};

/* Parse the command line. Strings in SETTINGS may point into ARGV. */
enum options_result daemon_options_parse(struct settings *settings, int argc, char **argv);

#endif
