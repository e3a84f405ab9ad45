/* SPDX-License-Identifier: MIT */
#include "daemon/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "daemon/closing.h"
#include "daemon/descriptor.h"
#include "daemon/reply.h"
#include "daemon/request.h"

/* Answered streams that one worker keeps until their clients have closed. */
#define CLOSING_MAX 1024

struct worker {
	struct worker_pool *pool;
	unsigned index;
	pthread_t thread;
	struct stats_counters *counters;
	struct closing *closing;
	struct uptime_line line;
};

struct worker_pool {
	struct queue *queue;
	struct uptime *uptime;
	/*
	 * Who leads may alone take from the queue and measure. Not a mutex that is held all that
	 * time: waiting for one until a time of CLOCK_MONOTONIC is beyond what the thread
	 * sanitizers of today understand.
	 */
	bool led;			/* protected by lock */
	pthread_mutex_t lock;
	pthread_cond_t handed_on;
	unsigned count;
	struct worker workers[];
};

/* Returns false if the worker's own streams want to be looked at first. */
static bool take_lead(struct worker *worker)
{
	struct worker_pool *pool = worker->pool;
	uint64_t due_ns = closing_due_ns(worker->closing);
	struct timespec due = clock_timespec(due_ns);
	int error = 0;
	bool taken;

	pthread_mutex_lock(&pool->lock);
	while (pool->led && !error) {
		error = due_ns == CLOCK_NEVER
				? pthread_cond_wait(&pool->handed_on, &pool->lock)
				: pthread_cond_timedwait(&pool->handed_on, &pool->lock, &due);
	}
	/* Even after a time-out: it may have swallowed the signal that was meant for another. */
	taken = !pool->led;
	pool->led = true;
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

static void hand_on(struct worker_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->led = false;
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_signal(&pool->handed_on);
}

static void answer(struct worker *worker, struct queue_node *taken)
{
	const struct reply reply = { &worker->line, worker->counters, worker->closing };

	while (taken) {
		struct request *batch = request_of_node(taken);

		taken = taken->next;
		reply_batch(&reply, batch);
		request_give_back(batch);
	}
}

/* One turn as leader. Returns false when there will never be anything to take again. */
static bool lead(struct worker *worker)
{
	struct worker_pool *pool = worker->pool;
	struct queue_node *taken = queue_take(pool->queue, closing_due_ns(worker->closing));
	bool finished = !taken && queue_is_finished(pool->queue);

	if (taken) {
		uptime_measure(pool->uptime, worker->counters, &worker->line);
	}
	hand_on(pool);
	answer(worker, taken);
	return !finished;
}

/* The last clients: each of them has a second, as ever. */
static void finish_closing(struct closing *closing)
{
	while (closing_count(closing)) {
		poll(NULL, 0, clock_poll_ms(closing_due_ns(closing)));
		closing_sweep(closing, clock_now_ns());
	}
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	bool more = true;
	char name[16];

	snprintf(name, sizeof(name), "worker-%u", worker->index);
	pthread_setname_np(pthread_self(), name);
	/* Without it, lines to terminals are refused. */
	(void)descriptor_thread_init();
	while (more) {
		if (take_lead(worker)) {
			more = lead(worker);
		}
		closing_sweep(worker->closing, clock_now_ns());
	}
	finish_closing(worker->closing);
	descriptor_thread_fini();
	return NULL;
}

static void free_pool(struct worker_pool *pool)
{
	for (unsigned i = 0; i < pool->count; i++) {
		closing_free(pool->workers[i].closing);
	}
	pthread_cond_destroy(&pool->handed_on);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

struct worker_pool *worker_pool_start(unsigned count, struct queue *queue, struct uptime *uptime,
	struct stats *stats, unsigned first)
{
	struct worker_pool *pool = calloc(1, sizeof(*pool) + count * sizeof(struct worker));
	pthread_condattr_t attributes;
	int error = 0;

	if (!pool) {
		return NULL;
	}
	pool->queue = queue;
	pool->uptime = uptime;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->handed_on, &attributes);
	pthread_condattr_destroy(&attributes);
	for (unsigned i = 0; i < count && !error; i++) {
		struct worker *worker = &pool->workers[i];

		worker->pool = pool;
		worker->index = i;
		worker->counters = stats_of(stats, first + i);
		worker->closing = closing_new(CLOSING_MAX);
		error = worker->closing
				? pthread_create(&worker->thread, NULL, worker_main, worker)
				: ENOMEM;
		if (error) {
			closing_free(worker->closing);
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
