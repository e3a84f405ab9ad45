/* SPDX-License-Identifier: MIT */
/*
 * Answering a batch with a line. Called by the worker that owns the batch; never blocks.
 */
#ifndef RUPTIME_DAEMON_REPLY_H
#define RUPTIME_DAEMON_REPLY_H

#include "daemon/closing.h"
#include "daemon/request.h"
#include "daemon/stats.h"
#include "daemon/uptime.h"

/*
 * Send LINE to every request of BATCH and count what became of each in COUNTERS. Streams are shut
 * down behind the line and given to CLOSING; a line that is an error goes to streams only.
 * Afterwards the requests own nothing, and the batch can be given back.
 */
void reply_batch(struct request *batch, const struct uptime_line *line,
	struct stats_counters *counters, struct closing *closing);

#endif
