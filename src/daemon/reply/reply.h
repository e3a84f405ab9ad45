/* SPDX-License-Identifier: MIT */
/*
 * Answering a batch with a line. Called by the thread that owns the batch: a worker or the fdpass
 * writer. Waits for no client, but for what fdpass_writer.h says of passed descriptors.
 */
#ifndef RUPTIME_DAEMON_REPLY_REPLY_H
#define RUPTIME_DAEMON_REPLY_REPLY_H

#include "daemon/policy/connections.h"
#include "daemon/queue/request.h"
#include "daemon/reply/lingering.h"
#include "daemon/run/uptime.h"
#include "daemon/stats.h"

/* What a thread answers with, all of it borrowed. */
struct reply {
	const struct uptime_line *line;
	struct stats_counters *counters;
	struct lingering *lingering;
	struct connections *connections;
};

/*
 * Send the line to every request of BATCH and count what became of each; or send nothing if NOW_NS
 * is later than UNTIL_NS: then a TCP client sees a reset, one of a UNIX socket the end without a
 * line. Streams are shut down and given to LINGERING; a line that is an error goes to streams only.
 * Takes BATCH, and gives it back to its pool.
 */
void reply_batch(const struct reply *reply, struct request *batch, uint64_t until_ns,
	uint64_t now_ns);

/* Count that COUNT requests of LISTENER got no line. */
static inline void reply_count_drops(const struct reply *reply, const struct listener *listener,
	enum stats_drop reason, unsigned count)
{
	stats_add(&reply->counters->dropped[listener->address.scheme][reason], count);
}

/* Count that COUNT requests of LISTENER got their line. */
static inline void reply_count(const struct reply *reply, const struct listener *listener,
	unsigned count)
{
	stats_add(&reply->counters->replies[listener->address.scheme], count);
}

#endif
