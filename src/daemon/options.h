/* SPDX-License-Identifier: MIT */
/*
 * What ruptimed is told: its command line, and the configuration file that it names. Main only.
 */
#ifndef RUPTIME_DAEMON_OPTIONS_H
#define RUPTIME_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/settings.h"

/* A reader of stderr that stalls keeps ruptimed from ending for no longer than this. */
#define OPTIONS_COMPLAINT_MS 500

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,	/* --help, --version or --dump-config was answered */
	OPTIONS_CHECK,	/* --check-config: nothing wrong was found so far */
	OPTIONS_WRONG,	/* one line on stderr says what */
};

/* Parse the command line, and read the file. */
enum options_result daemon_options_parse(struct settings *settings, int argc, char **argv);

/* Did the command line name a file? */
bool daemon_options_have_file(void);

/*
 * Read the file again. Returns 0, SETTINGS as they would be now, but for those that a reload does
 * not change, and in TEXT what would change, as config_diff() tells it; or -1 with TEXT, a line for
 * people that says what is wrong.
 */
int daemon_options_read_again(struct settings *settings, char *text, size_t size);

/* What was read last is in force now. */
void daemon_options_commit(void);

#endif
