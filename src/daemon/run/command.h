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

struct command_result {
	bool ok;
	bool timed_out;		/* not ok, because it took too long */
	bool stopped;		/* not ok, because of a signal that asks a service to stop */
	/* The first line that was printed, or what went wrong; no '\n', always printable. */
	char text[PROTOCOL_LINE_MAX_BYTES];
};

/*
 * Returns a descriptor that is readable when a child of this process has ended, or -1 with errno.
 * (Not a pidfd for each: kernels before 5.3 have none, and filters refuse it.)
 */
int command_watch_children(void);

/* CHILD_FD becomes readable when the next child ends, whoever has ended until now. */
void command_forget_children(int child_fd);

/* Why this process cannot execute PATH, as far as a look at the file tells; NULL: it can. */
const char *command_why_not(const char *path);

/*
 * Execute PATH (absolute) without arguments: environment PATH and LC_ALL=C, standard input and
 * error from and to /dev/null, no other descriptor, default signals, a process group of its own.
 *
 * It has succeeded if, within TIMEOUT_NS, it exits with status 0, having printed a first line
 * that is complete and printable and no more than PROTOCOL_LINE_MAX_BYTES in all. Whatever
 * happened, its whole process group, and every descendant that left the group, is dead when
 * this returns.
 *
 * CHILD_FD is of command_watch_children(). Blocks for at most TIMEOUT_NS and the time a kill takes.
 * Gives up early once CANCEL_FD hangs up.
 */
void command_run(const char *path, uint64_t timeout_ns, int child_fd, int cancel_fd,
	struct command_result *result);

/* Where the kernel lists the children of the calling thread. */
#define COMMAND_CHILDREN_PATH "/proc/thread-self/children"

/*
 * Kill and reap every child of this process, and the orphans that come to it by that, until there
 * is none. Returns how many were reaped. Without COMMAND_CHILDREN_PATH they are not found.
 */
unsigned command_kill_children(void);

#endif
