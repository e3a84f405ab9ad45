/* SPDX-License-Identifier: MIT */
#include "daemon/work/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"
#include "daemon/queue/request.h"
#include "daemon/reply/lingering.h"
#include "daemon/reply/reply.h"
#include "daemon/work/batch_wait.h"
#include "daemon/work/leader.h"
#include "daemon/work/loadavg.h"

struct worker {
	struct worker_pool *pool;
	unsigned index;
	pthread_t thread;
	struct stats_counters *counters;
	struct lingering *lingering;
	struct uptime_line line;
	_Atomic uint64_t busy_since_ns;	/* CLOCK_NEVER: it waits for something to do */
};

struct worker_pool {
	struct queue *queue;
	struct uptime *uptime;
	struct leader leader;
	struct batch_wait wait;
	struct loadavg loadavg;		/* the leader's */
	_Atomic uint64_t *rest_ns;	/* what the acceptor reads */
	struct connections *connections;
	const struct worker_writers *writers;
	_Atomic uint64_t taken;		/* requests taken from the queue; the leader's */
	uint64_t run_ns;		/* how long the last run took; the leader's */
	unsigned count;
	struct worker workers[];
};

/* How many requests wait; a little off while threads push or take, which does no harm. */
static uint64_t count_waiting(const struct worker_pool *pool)
{
	uint64_t pushed = queue_weight(pool->queue);
	uint64_t taken = atomic_load_explicit(&pool->taken, memory_order_relaxed);

	return pushed > taken ? pushed - taken : 0;
}

/* Answer BATCH unless it is later than UNTIL_NS, and give it back. */
static void answer_batch(struct worker *worker, struct request *batch, uint64_t until_ns,
	uint64_t now_ns)
{
	struct worker_pool *pool = worker->pool;
	const struct reply reply = { &worker->line, worker->counters, worker->lingering,
		pool->connections };

	if (listener_is_fdpass(batch->listener) &&
	    fdpass_writer_take(pool->writers->fdpass, batch, &worker->line, until_ns)) {
		return;
	}
	if (batch->listener->address.scheme == ADDRESS_UNIX_DGRAM) {
		batch = path_writer_take(pool->writers->paths, batch, &worker->line, until_ns,
			worker->counters);
	}
	if (batch) {
		reply_batch(&reply, batch, until_ns, now_ns);
	}
}

/*
 * Answer all of TAKEN, and call another leader as soon as the next run is due. A request that has
 * waited for more than PATIENCE_NS gets nothing.
 */
static void answer(struct worker *worker, struct queue_node *taken, uint64_t patience_ns,
	const struct batch_wait_turn *turn)
{
	struct worker_pool *pool = worker->pool;
	uint64_t now_ns = turn->began_ns;
	uint64_t count = 0;

	while (taken) {
		struct request *batch = request_of_node(taken);

		taken = taken->next;
		count += batch->count;
		if (batch_wait_is_due(turn, count_waiting(pool), now_ns)) {
			leader_call(&pool->leader);
		}
		answer_batch(worker, batch, batch->pushed_ns + patience_ns, now_ns);
		now_ns = clock_now_ns();
	}
	batch_wait_answered(&pool->wait, turn, count, now_ns);
	leader_answered(&pool->leader);
}

static const struct request *request_of(const struct queue_node *node)
{
	return request_of_node((struct queue_node *)(uintptr_t)node);
}

static void count_taken(struct worker_pool *pool, const struct queue_node *taken)
{
	/* Relaxed, and no read-modify-write: only the leader writes it; the lead's lock orders. */
	uint64_t count = atomic_load_explicit(&pool->taken, memory_order_relaxed);

	for (; taken; taken = taken->next) {
		count += request_of(taken)->count;
	}
	atomic_store_explicit(&pool->taken, count, memory_order_relaxed);
}

/*
 * Gather more requests before the run, and append them to TAKEN. Returns how long it took until as
 * many had come as the last run served; 0: not in time.
 */
static uint64_t gather(struct worker_pool *pool, struct queue_node *taken)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t crowd;
	uint64_t gather_ns = batch_wait_gather_ns(&pool->wait, now_ns, &crowd);
	uint64_t back_ns;

	if (!gather_ns) {
		return 0;
	}
	/* Relaxed: only the leader writes it. */
	queue_gather(pool->queue,
		atomic_load_explicit(&pool->taken, memory_order_relaxed) + crowd,
		now_ns + gather_ns);
	back_ns = clock_now_ns() - now_ns;
	while (taken->next) {
		taken = taken->next;
	}
	taken->next = queue_take(pool->queue, 0);
	count_taken(pool, taken->next);
	return back_ns < gather_ns ? back_ns : 0;
}

/* After the run for TAKEN: adapt the pace, and tell the acceptor how long to rest. */
static void adapt_pace(struct worker_pool *pool, const struct queue_node *taken, uint64_t back_ns)
{
	struct batch_wait_run run = { .worth = batch_wait_worth(&pool->wait), .back_ns = back_ns };

	for (; taken; taken = taken->next) {
		const struct request *batch = request_of(taken);

		run.connections += listener_is_stream(batch->listener) ? batch->count : 0;
	}
	run.scarce = run.connections >= BATCH_WAIT_FEW && loadavg_exceeds_cpus(&pool->loadavg);
	batch_wait_adapt(&pool->wait, &run);
	/* Relaxed: a wish, which orders nothing. */
	atomic_store_explicit(pool->rest_ns, batch_wait_rest_ns(&pool->wait), memory_order_relaxed);
}

/* Datagram clients are told nothing, so the log is. */
static void log_failed_run(const struct uptime_line *line)
{
	static struct log_limit limit;
	const size_t prefix = strlen(PROTOCOL_ERROR_PREFIX);

	log_limited(&limit, "a run failed: %.*s", (int)(line->len - prefix - 1),
		line->text + prefix);
}

/* How long the requests of TAKEN have waited until now, when their run begins. */
static void observe_waits(struct worker *worker, const struct queue_node *taken, uint64_t now_ns)
{
	for (; taken; taken = taken->next) {
		const struct request *batch = request_of(taken);

		stats_observe(&worker->counters->queue_wait, now_ns - batch->pushed_ns,
			batch->count);
	}
}

static void tell_news(struct uptime *uptime)
{
	const char *cold_reason = uptime_news(uptime);

	if (cold_reason) {
		log_debug("the command is started cold: %s", cold_reason);
	}
}

/* One turn as leader. Returns false when there will never be anything to take again. */
static bool lead(struct worker *worker)
{
	struct worker_pool *pool = worker->pool;
	struct queue_node *taken = NULL;
	struct batch_wait_turn turn;
	uint64_t began_ns;
	uint64_t run_ns;
	uint64_t back_ns;
	uint64_t patience_ns;

	while (!taken) {
		taken = queue_take(pool->queue, lingering_due_ns(worker->lingering));
		if (!taken && queue_is_finished(pool->queue)) {
			leader_end(&pool->leader);
			return false;
		}
		lingering_sweep(worker->lingering, clock_now_ns());
	}
	count_taken(pool, taken);
	back_ns = gather(pool, taken);
	began_ns = clock_now_ns();
	/* Relaxed, as at the end: for worker_pool_look(), which orders nothing. */
	atomic_store_explicit(&worker->busy_since_ns, began_ns, memory_order_relaxed);
	observe_waits(worker, taken, began_ns);
	uptime_measure(pool->uptime, request_of_node(taken)->pushed_ns, worker->counters,
		&worker->line);
	run_ns = clock_now_ns() - began_ns;
	tell_news(pool->uptime);
	/* A request that came during the last run has waited for that one and for this one. */
	patience_ns = WORKER_PATIENCE_NS + pool->run_ns + run_ns;
	pool->run_ns = run_ns;
	adapt_pace(pool, taken, back_ns);
	batch_wait_run_ended(&pool->wait, began_ns, began_ns + run_ns, &turn);
	leader_hand_on(&pool->leader);
	answer(worker, taken, patience_ns, &turn);
	atomic_store_explicit(&worker->busy_since_ns, CLOCK_NEVER, memory_order_relaxed);
	if (!worker->line.ok) {
		log_failed_run(&worker->line);
	}
	return true;
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	bool more = true;
	char name[16];

	snprintf(name, sizeof(name), "worker-%u", worker->index);
	pthread_setname_np(pthread_self(), name);
	while (more) {
		switch (leader_take(&worker->pool->leader, lingering_due_ns(worker->lingering))) {
		case LEADER_TAKEN:
			more = lead(worker);
			break;
		case LEADER_LATE:
			break;
		case LEADER_OVER:
			more = false;
			break;
		}
		lingering_sweep(worker->lingering, clock_now_ns());
	}
	lingering_finish(worker->lingering);
	return NULL;
}

static void free_pool(struct worker_pool *pool)
{
	for (unsigned i = 0; i < pool->count; i++) {
		lingering_free(pool->workers[i].lingering);
	}
	leader_fini(&pool->leader);
	batch_wait_fini(&pool->wait);
	loadavg_fini(&pool->loadavg);
	free(pool);
}

struct worker_pool *worker_pool_start(unsigned count, struct queue *queue, struct uptime *uptime,
	struct connections *connections, const struct worker_writers *writers,
	_Atomic uint64_t *rest_ns, struct stats *stats, unsigned first)
{
	struct worker_pool *pool = calloc(1, sizeof(*pool) + count * sizeof(struct worker));
	int error = 0;

	if (!pool) {
		return NULL;
	}
	pool->queue = queue;
	pool->uptime = uptime;
	pool->connections = connections;
	pool->writers = writers;
	pool->rest_ns = rest_ns;
	if (leader_init(&pool->leader) < 0) {
		free(pool);
		return NULL;
	}
	batch_wait_init(&pool->wait);
	loadavg_init(&pool->loadavg);
	for (unsigned i = 0; i < count && !error; i++) {
		struct worker *worker = &pool->workers[i];

		worker->pool = pool;
		worker->index = i;
		worker->busy_since_ns = CLOCK_NEVER;
		worker->counters = stats_of(stats, first + i);
		worker->lingering = lingering_new(LINGERING_USUAL, connections);
		error = worker->lingering
				? thread_start(&worker->thread, worker_main, worker)
				: ENOMEM;
		if (error) {
			lingering_free(worker->lingering);
		} else {
			pool->count++;
		}
	}
	if (error) {
		queue_close(queue);
		worker_pool_join(pool);
		errno = error;
		return NULL;
	}
	return pool;
}

void worker_pool_look(const struct worker_pool *pool, struct worker_pulse *pulse)
{
	pulse->busy_since_ns = CLOCK_NEVER;
	pulse->taken = atomic_load_explicit(&pool->taken, memory_order_relaxed);
	pulse->waiting = !queue_is_empty(pool->queue);
	for (unsigned i = 0; i < pool->count; i++) {
		uint64_t since_ns = atomic_load_explicit(
			&pool->workers[i].busy_since_ns, memory_order_relaxed);

		if (since_ns < pulse->busy_since_ns) {
			pulse->busy_since_ns = since_ns;
		}
	}
}

void worker_pool_join(struct worker_pool *pool)
{
	if (!pool) {
		return;
	}
	for (unsigned i = 0; i < pool->count; i++) {
		pthread_join(pool->workers[i].thread, NULL);
	}
	free_pool(pool);
}
