/* SPDX-License-Identifier: MIT */
/*
 * Answering a batch with a line. Called by the worker that owns the batch; never waits for a
 * client.
 */
#ifndef RUPTIME_DAEMON_REPLY_REPLY_H
#define RUPTIME_DAEMON_REPLY_REPLY_H

#include "daemon/policy/connections.h"
#include "daemon/queue/request.h"
#include "daemon/reply/lingering.h"
#include "daemon/run/uptime.h"
#include "daemon/stats.h"

/* What a worker answers with, all of it borrowed. */
struct reply {
	const struct uptime_line *line;
	struct stats_counters *counters;
	struct lingering *lingering;
	struct connections *connections;
};

/*
 * Send the line to every request of BATCH and count what became of each. Streams are shut down
 * behind it and given to closing; a line that is an error goes to streams only. Afterwards the
 * requests own nothing, and the batch can be given back.
 */
void reply_batch(const struct reply *reply, struct request *batch);

/*
 * Send nothing to any request of BATCH, which has waited too long: a TCP client sees a reset, one
 * of a UNIX socket the end without a line. Afterwards the requests own nothing, as above.
 */
void reply_too_late(const struct reply *reply, struct request *batch);

/* Count that COUNT requests of LISTENER got no line. */
static inline void reply_count_drops(const struct reply *reply, const struct listener *listener,
	enum stats_drop reason, unsigned count)
{
	stats_add(&reply->counters->dropped[listener->address.scheme][reason], count);
}

/* Count that COUNT requests of LISTENER got theirs. */
static inline void reply_count(const struct reply *reply, const struct listener *listener,
	unsigned count)
{
	stats_add(&reply->counters->replies[listener->address.scheme], count);
}

#endif
