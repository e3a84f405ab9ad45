/* SPDX-License-Identifier: MIT */
/*
 * The server's end of the runner process: starts it, asks it, replaces it when it dies.
 *
 * main calls everything but runner_run(); one thread at a time, the leading worker, calls that.
 */
#ifndef RUPTIME_DAEMON_RUN_RUNNER_H
#define RUPTIME_DAEMON_RUN_RUNNER_H

#include "daemon/run/command.h"
#include "daemon/run/runner_process.h"

struct runner;

/*
 * Start a runner process, and wait until it has settled. The first one is started before any
 * thread or socket exists, so that it never holds what is not its own. CONFIG and what it points
 * at are borrowed until runner_free().
 * This process becomes the subreaper of its descendants, with SIGCHLD at its default.
 * Returns NULL with errno.
 */
struct runner *runner_new(const struct runner_config *config);

/* Readable when the process has died, or when it is time to try again: call runner_revive(). */
int runner_watch_fd(const struct runner *runner);

/*
 * Reap what died and start a new process, not more often than the back-off allows. Waits until
 * that one has settled.
 * Returns 1 if there is a new process, 0 if not yet, -1 with errno if it could not be started
 * (it will be tried again).
 */
int runner_revive(struct runner *runner);

/*
 * One run of the command, which may take TIMEOUT_NS. Blocks until there is a result: for at most
 * that long and a grace. A process that died under it is waited for and asked again once; one that
 * does not answer is killed, and counts as a run that took too long.
 */
void runner_run(struct runner *runner, uint64_t timeout_ns, struct command_result *result);

/* From now on runs fail at once, the one under way included, and no process is started. */
void runner_give_up(struct runner *runner);

/*
 * Give up, and wait until the process and its command are gone; after PATIENCE_MS they are killed.
 * A runner_run() may be under way.
 */
void runner_end(struct runner *runner, int patience_ms);

/* The same with some patience, and free RUNNER. No runner_run() may be under way. NULL is fine. */
void runner_free(struct runner *runner);

#endif
