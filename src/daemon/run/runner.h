/* SPDX-License-Identifier: MIT */
/*
 * The server's end of keeper and runner: starts the keeper, asks the runner, hears of both.
 *
 * main calls everything but runner_run(); one thread at a time, a leading worker, calls that.
 */
#ifndef RUPTIME_DAEMON_RUN_RUNNER_H
#define RUPTIME_DAEMON_RUN_RUNNER_H

#include "daemon/run/command.h"
#include "daemon/run/messages.h"
#include "daemon/run/runner_process.h"

struct runner;

/* How long the runner may take to begin: it does in a millisecond or two, on a machine at rest. */
#define RUNNER_BEGIN_MS 5000

/*
 * Start the keeper, before any thread or socket exists, and wait until its runner has settled.
 * CONFIG and what it points at are borrowed until this returns, CONFIG->sandbox until
 * runner_free(). SIGCHLD gets its default.
 * Returns NULL, and which call has FAILED and why.
 */
struct runner *runner_new(const struct runner_config *config, struct message_report *failed);

/* Readable when there is something to hear: call runner_hear(). */
int runner_watch_fd(const struct runner *runner);

/* What has become of the runner. */
enum runner_news {
	RUNNER_NO_NEWS,
	RUNNER_STARTED,		/* one that died has been replaced */
	RUNNER_NOT_STARTED,	/* this has FAILED; it is tried again */
	RUNNER_NO_KEEPER,	/* it has died: the runner may live, but no other follows */
};

/* Does not block. */
enum runner_news runner_hear(struct runner *runner, struct message_report *failed);

/*
 * One run of the command, which may take TIMEOUT_NS. Blocks until there is a result: for at most
 * that long and a grace. If the runner dies under it the next one is asked, once; one that does not
 * answer is replaced, and counts as a run that took too long.
 */
void runner_run(struct runner *runner, uint64_t timeout_ns, struct command_result *result);

/* From now on runs fail at once, the one under way included. */
void runner_give_up(struct runner *runner);

/*
 * Give up, and wait until keeper, runner and command are gone, for at most PATIENCE_MS; a keeper
 * that has been stopped is killed by the kernel when this process ends.
 * A runner_run() may be under way.
 */
void runner_end(struct runner *runner, int patience_ms);

/* The same with some patience, and free RUNNER. No runner_run() may be under way. NULL is fine. */
void runner_free(struct runner *runner);

#endif
