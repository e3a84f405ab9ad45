/* SPDX-License-Identifier: MIT */
/*
 * The measurement: one line, made after it was asked for.
 *
 * One caller at a time: the worker that leads. That is what makes it "at most one run in flight".
 */
#ifndef RUPTIME_DAEMON_RUN_UPTIME_H
#define RUPTIME_DAEMON_RUN_UPTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "daemon/settings.h"
#include "daemon/run/runner.h"
#include "daemon/stats.h"

struct uptime_line {
	bool ok;
	size_t len;	/* with the '\n' */
	char text[PROTOCOL_LINE_MAX_BYTES + sizeof(PROTOCOL_ERROR_PREFIX)];
};

/* No more than the text's length is copied. */
void uptime_line_copy(struct uptime_line *to, const struct uptime_line *from);

struct uptime;

/*
 * RUNNER is borrowed, and not used if SOURCE is procps. A run may take RUN_TIMEOUT_NS, but see
 * uptime_timeout_ns(). A line whose run began less than MAX_AGE_NS ago may be given out again; 0
 * means that each call makes a new one.
 * Returns NULL with errno ENOMEM.
 */
struct uptime *uptime_new(enum settings_source source, struct runner *runner,
	uint64_t run_timeout_ns, uint64_t max_age_ns);
void uptime_free(struct uptime *uptime);

/*
 * Fill *LINE: the line, or "error: REASON", with its '\n'. The run behind it began after the
 * call did, but for what MAX_AGE_NS allows. OLDEST_NS: when the first of those who wait for it
 * came. Blocks as long as runner_run() does. Runs are counted in COUNTERS, the calling thread's.
 */
void uptime_measure(struct uptime *uptime, uint64_t oldest_ns, struct stats_counters *counters,
	struct uptime_line *line);

/* The users in the last line that was measured; -1: unknown. Any thread. */
int uptime_users(const struct uptime *uptime);

/* How the last run was started: "warm", "cold", or "" if the command was not run. Any thread. */
const char *uptime_start(const struct uptime *uptime);

/* Why runs are started cold, for the log: once for each reason, NULL otherwise. The leader. */
const char *uptime_news(struct uptime *uptime);

/*
 * How long a run may take for a client that has waited for AGE_NS already: RUN_TIMEOUT_NS, unless
 * the run before it HUNG. Then all waited for that one, too, and shall know UPTIME_PATIENCE_NS
 * after the time of one run that this one hangs as well; but a command that works again has
 * UPTIME_SHORTEST_NS to prove it.
 */
#define UPTIME_PATIENCE_NS (100 * CLOCK_MS)
#define UPTIME_SHORTEST_NS (100 * CLOCK_MS)
uint64_t uptime_timeout_ns(uint64_t run_timeout_ns, bool hung, uint64_t age_ns);

#endif
