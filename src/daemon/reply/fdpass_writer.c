/* SPDX-License-Identifier: MIT */
#include "daemon/reply/fdpass_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/thread.h"
#include "daemon/reply/lingering.h"
#include "daemon/reply/passed_fd.h"
#include "daemon/reply/reply.h"

struct task {
	struct task *next;
	struct request *batch;
	uint64_t until_ns;
	struct uptime_line line;
};

struct fdpass_writer {
	struct connections *connections;
	struct stats_counters *counters;
	struct lingering *lingering;
	pthread_t thread;

	pthread_mutex_t lock;	/* protects what follows */
	pthread_cond_t called;
	struct task *first;
	struct task **end;
	bool over;
};

/* Wait for tasks, or until DUE_NS. Returns all there are; *OVER: no more will come. */
static struct task *await(struct fdpass_writer *writer, uint64_t due_ns, bool *over)
{
	struct timespec due = clock_timespec(due_ns);
	struct task *tasks;
	int error = 0;

	pthread_mutex_lock(&writer->lock);
	while (!writer->first && !writer->over && !error) {
		error = due_ns == CLOCK_NEVER
				? pthread_cond_wait(&writer->called, &writer->lock)
				: pthread_cond_timedwait(&writer->called, &writer->lock, &due);
	}
	tasks = writer->first;
	writer->first = NULL;
	writer->end = &writer->first;
	*over = writer->over;
	pthread_mutex_unlock(&writer->lock);
	return tasks;
}

static void do_task(struct fdpass_writer *writer, struct task *task)
{
	const struct reply reply = { &task->line, writer->counters, writer->lingering,
		writer->connections };

	reply_batch(&reply, task->batch, task->until_ns, clock_now_ns());
	free(task);
}

static void *fdpass_writer_main(void *argument)
{
	struct fdpass_writer *writer = argument;
	bool over = false;

	pthread_setname_np(pthread_self(), "fdpass-writer");
	/* Without it, lines to terminals are refused. */
	(void)passed_fd_thread_init();
	while (!over) {
		struct task *tasks = await(writer, lingering_due_ns(writer->lingering), &over);

		while (tasks) {
			struct task *next = tasks->next;

			do_task(writer, tasks);
			tasks = next;
		}
		lingering_sweep(writer->lingering, clock_now_ns());
	}
	lingering_finish(writer->lingering);
	passed_fd_thread_fini();
	return NULL;
}

static void free_parts(struct fdpass_writer *writer)
{
	lingering_free(writer->lingering);
	pthread_cond_destroy(&writer->called);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

struct fdpass_writer *fdpass_writer_start(
	struct connections *connections, struct stats_counters *counters)
{
	struct fdpass_writer *writer = calloc(1, sizeof(*writer));
	int error;

	if (!writer) {
		return NULL;
	}
	writer->connections = connections;
	writer->counters = counters;
	writer->end = &writer->first;
	writer->lingering = lingering_new(LINGERING_USUAL, connections);
	pthread_mutex_init(&writer->lock, NULL);
	clock_init_condition(&writer->called);
	error = writer->lingering
			? thread_start(&writer->thread, fdpass_writer_main, writer)
			: ENOMEM;
	if (error) {
		free_parts(writer);
		errno = error;
		return NULL;
	}
	return writer;
}

bool fdpass_writer_take(struct fdpass_writer *writer, struct request *batch,
	const struct uptime_line *line, uint64_t until_ns)
{
	struct task *task = malloc(sizeof(*task));

	if (!task) {
		return false;
	}
	task->next = NULL;
	task->batch = batch;
	task->until_ns = until_ns;
	uptime_line_copy(&task->line, line);
	pthread_mutex_lock(&writer->lock);
	*writer->end = task;
	writer->end = &task->next;
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_signal(&writer->called);
	return true;
}

void fdpass_writer_end(struct fdpass_writer *writer)
{
	if (writer) {
		pthread_mutex_lock(&writer->lock);
		writer->over = true;
		pthread_mutex_unlock(&writer->lock);
		pthread_cond_signal(&writer->called);
		pthread_join(writer->thread, NULL);
		free_parts(writer);
	}
}
