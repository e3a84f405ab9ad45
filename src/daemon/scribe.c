/* SPDX-License-Identifier: MIT */
#include "daemon/scribe.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/closing.h"
#include "daemon/descriptor.h"
#include "daemon/reply.h"

struct task {
	struct task *next;
	struct request *batch;
	uint64_t until_ns;
	struct uptime_line line;
};

struct scribe {
	struct connections *connections;
	struct stats_counters *counters;
	struct closing *closing;
	pthread_t thread;

	pthread_mutex_t lock;	/* protects what follows */
	pthread_cond_t called;
	struct task *first;
	struct task **end;
	bool over;
};

/* Wait for something to do, or until DUE_NS. Returns all there is; NULL and *OVER: for good. */
static struct task *await(struct scribe *scribe, uint64_t due_ns, bool *over)
{
	struct timespec due = clock_timespec(due_ns);
	struct task *tasks;
	int error = 0;

	pthread_mutex_lock(&scribe->lock);
	while (!scribe->first && !scribe->over && !error) {
		error = due_ns == CLOCK_NEVER
				? pthread_cond_wait(&scribe->called, &scribe->lock)
				: pthread_cond_timedwait(&scribe->called, &scribe->lock, &due);
	}
	tasks = scribe->first;
	scribe->first = NULL;
	scribe->end = &scribe->first;
	*over = scribe->over;
	pthread_mutex_unlock(&scribe->lock);
	return tasks;
}

static void do_task(struct scribe *scribe, struct task *task)
{
	const struct reply reply = { &task->line, scribe->counters, scribe->closing,
		scribe->connections };

	if (clock_now_ns() > task->until_ns) {
		reply_too_late(&reply, task->batch);
	} else {
		reply_batch(&reply, task->batch);
	}
	request_give_back(task->batch);
	free(task);
}

static void *scribe_main(void *argument)
{
	struct scribe *scribe = argument;
	bool over = false;

	pthread_setname_np(pthread_self(), "scribe");
	/* Without it, lines to terminals are refused. */
	(void)descriptor_thread_init();
	while (!over) {
		struct task *tasks = await(scribe, closing_due_ns(scribe->closing), &over);

		/* Whoever ends us has nothing to give any more. */
		while (tasks) {
			struct task *next = tasks->next;

			do_task(scribe, tasks);
			tasks = next;
		}
		closing_sweep(scribe->closing, clock_now_ns());
	}
	closing_finish(scribe->closing);
	descriptor_thread_fini();
	return NULL;
}

static void free_parts(struct scribe *scribe)
{
	closing_free(scribe->closing);
	pthread_cond_destroy(&scribe->called);
	pthread_mutex_destroy(&scribe->lock);
	free(scribe);
}

struct scribe *scribe_start(struct connections *connections, struct stats_counters *counters)
{
	struct scribe *scribe = calloc(1, sizeof(*scribe));
	pthread_condattr_t attributes;
	int error;

	if (!scribe) {
		return NULL;
	}
	scribe->connections = connections;
	scribe->counters = counters;
	scribe->end = &scribe->first;
	scribe->closing = closing_new(CLOSING_USUAL, connections);
	pthread_mutex_init(&scribe->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&scribe->called, &attributes);
	pthread_condattr_destroy(&attributes);
	error = scribe->closing ? pthread_create(&scribe->thread, NULL, scribe_main, scribe)
				: ENOMEM;
	if (error) {
		free_parts(scribe);
		errno = error;
		return NULL;
	}
	return scribe;
}

bool scribe_take(struct scribe *scribe, struct request *batch, const struct uptime_line *line,
	uint64_t until_ns)
{
	struct task *task = malloc(sizeof(*task));

	if (!task) {
		return false;
	}
	task->next = NULL;
	task->batch = batch;
	task->until_ns = until_ns;
	task->line.ok = line->ok;
	task->line.len = line->len;
	memcpy(task->line.text, line->text, line->len);
	pthread_mutex_lock(&scribe->lock);
	*scribe->end = task;
	scribe->end = &task->next;
	pthread_mutex_unlock(&scribe->lock);
	pthread_cond_signal(&scribe->called);
	return true;
}

void scribe_end(struct scribe *scribe)
{
	if (scribe) {
		pthread_mutex_lock(&scribe->lock);
		scribe->over = true;
		pthread_mutex_unlock(&scribe->lock);
		pthread_cond_signal(&scribe->called);
		pthread_join(scribe->thread, NULL);
		free_parts(scribe);
	}
}
