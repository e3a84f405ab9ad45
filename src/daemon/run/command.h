/* SPDX-License-Identifier: MIT */
/*
 * Run one command, bounded in every way, and judge what it printed.
 *
 * Only for a single-threaded process that is the subreaper of its descendants, has SIGCHLD blocked
 * but not ignored, and all its descriptors but 0 to 2 close-on-exec: the runner.
 */
#ifndef RUPTIME_DAEMON_RUN_COMMAND_H
#define RUPTIME_DAEMON_RUN_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/protocol.h"
#include "daemon/run/warm.h"

struct command_result {
	bool ok;
	bool timed_out;		/* not ok, because it took too long */
	bool warm;		/* the command was loaded ahead */
	char cold_reason[80];	/* why it cannot be, if so: printable; "": it can */
	bool stopped;		/* not ok, because of a signal that asks a service to stop */
	/* The first line that was printed, or what went wrong; no '\n', always printable. */
	char text[PROTOCOL_LINE_MAX_BYTES];
};

struct command {
	const char *path;	/* absolute */
	struct warm *warm;	/* the same command, loaded ahead; NULL: start it anew each time */
	int child_fd;		/* of children_watch() */
	int cancel_fd;		/* a run is given up once this hangs up */
};

/* Why this process cannot execute PATH, as far as a look at the file tells; NULL: it can. */
const char *command_why_not(const char *path);

/*
 * Execute the command without arguments: environment PATH and LC_ALL=C, standard input and error
 * from and to /dev/null, no other descriptor, default signals, a process group of its own.
 *
 * It has succeeded if, within TIMEOUT_NS, it exits with status 0, having printed a first line
 * that is complete and printable and no more than PROTOCOL_LINE_MAX_BYTES in all. Whatever
 * happened, its whole process group, and every descendant that left the group, is dead when
 * this returns.
 *
 * Blocks for at most TIMEOUT_NS and the time a kill takes.
 */
void command_run(const struct command *command, uint64_t timeout_ns,
	struct command_result *result);

#endif
