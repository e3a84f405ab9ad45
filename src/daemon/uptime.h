/* SPDX-License-Identifier: MIT */
/*
 * The measurement: one line, made after it was asked for.
 *
 * One caller at a time: the worker that leads. That is what makes it "at most one run in flight".
 */
#ifndef RUPTIME_DAEMON_UPTIME_H
#define RUPTIME_DAEMON_UPTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/protocol.h"
#include "daemon/options.h"
#include "daemon/runner.h"
#include "daemon/stats.h"

struct uptime_line {
	bool ok;
	size_t len;	/* with the '\n' */
	char text[PROTOCOL_LINE_MAX_BYTES + sizeof(PROTOCOL_ERROR_PREFIX)];
};

struct uptime;

/*
 * RUNNER is borrowed, and not used if SOURCE is procps. A line whose run began less than
 * MAX_AGE_NS ago may be given out again; 0 means that each call makes a new one.
 * Returns NULL with errno ENOMEM.
 */
struct uptime *uptime_new(enum options_source source, struct runner *runner, uint64_t max_age_ns);
void uptime_free(struct uptime *uptime);

/*
 * Fill *LINE: the line, or "error: REASON", with its '\n'. The run behind it began after the
 * call did, but for what MAX_AGE_NS allows. Blocks as long as runner_run() does. Runs are counted
 * in COUNTERS, the calling thread's.
 */
void uptime_measure(struct uptime *uptime, struct stats_counters *counters,
	struct uptime_line *line);

#endif
