/* SPDX-License-Identifier: MIT */
/*
 * The worker threads: a fixed pool that takes batches from the queue, measures once for all that
 * it took, and answers.
 *
 * One worker leads at a time. The leader alone waits on the queue, takes everything, measures,
 * and hands the leading role on before it answers. So there is at most one run in flight, what
 * arrives during a run waits for the next one, and measuring and answering overlap.
 *
 * A request that has waited for WORKER_PATIENCE_NS is not answered: its client has given up, and
 * others wait. The time of runs does not count: neither that of the run that made the line, nor
 * of the one before it, which was under way when the request came.
 */
#ifndef RUPTIME_DAEMON_WORK_WORKER_H
#define RUPTIME_DAEMON_WORK_WORKER_H

#include <stdint.h>

#include "common/clock.h"
#include <stdbool.h>
#include <stdint.h>

#include "daemon/policy/connections.h"
#include "daemon/queue/queue.h"
#include "daemon/reply/fdpass_writer.h"
#include "daemon/reply/path_writer.h"
#include "daemon/run/uptime.h"
#include "daemon/stats.h"

#define WORKER_PATIENCE_NS (2 * CLOCK_S)

/* What answers in the workers' place; NULL where nothing listens for such requests. */
struct worker_writers {
	struct fdpass_writer *fdpass;
	struct path_writer *paths;
};

struct worker_pool;

/*
 * Start COUNT workers named worker-0, ...; worker I writes the counters stats_of(STATS, FIRST + I).
 * WRITERS answer in the workers' place where an answer may hang. *REST_NS is kept at how long the
 * acceptor is to rest. All arguments are borrowed until worker_pool_join(). Returns NULL with
 * errno.
 */
struct worker_pool *worker_pool_start(unsigned count, struct queue *queue, struct uptime *uptime,
	struct connections *connections, const struct worker_writers *writers,
	_Atomic uint64_t *rest_ns, struct stats *stats, unsigned first);

/* What the workers are at, for one that minds them. Any thread; it may be a moment old. */
struct worker_pulse {
	uint64_t busy_since_ns;		/* the oldest turn under way; CLOCK_NEVER: there is none */
	uint64_t taken;			/* requests that were ever taken from the queue */
	bool waiting;			/* are there some to take? */
};
void worker_pool_look(const struct worker_pool *pool, struct worker_pulse *pulse);

/*
 * Wait until the workers have answered everything and the last answered client has closed, or has
 * had its second to do so. The queue must have been closed. Frees POOL; NULL is fine.
 */
void worker_pool_join(struct worker_pool *pool);

#endif
