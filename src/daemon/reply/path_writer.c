/* SPDX-License-Identifier: MIT */
#include "daemon/reply/path_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"
#include "daemon/reply/path_lanes.h"
#include "daemon/reply/reply.h"

/* How long an answer that is under way may keep the end waiting. */
#define PATIENCE_NS (500 * CLOCK_MS)

struct thread {
	struct path_writer *writer;
	struct stats_counters counted;	/* of the task in hand */
	pthread_t thread;
	unsigned index;
	bool ended;
};

/*
 * All that a thread touches while it sends is the writer's own: it may go on after the server that
 * it was started for is gone.
 */
struct path_writer {
	struct listener_set listeners;	/* copies, with descriptors of their own */
	const struct listener *originals;
	pthread_mutex_t lock;		/* protects what follows, and "owns" the pool */
	pthread_cond_t called;
	pthread_cond_t finished;	/* a task, or a thread */
	struct stats_counters *counters;
	struct request_pool *pool;
	struct path_lanes lanes;
	struct thread threads[PATH_WRITER_THREADS];
	unsigned thread_count;
	unsigned running;
	unsigned idle;
	uint64_t finished_ns;		/* when the last task was */
	bool over;
	bool abandoned;			/* no thread but those that hang uses it any more */
};

static bool has_path(const struct request *request)
{
	const struct request_datagram *datagram = &request->datagram;

	return datagram->peer_len > offsetof(struct sockaddr_un, sun_path) &&
	       datagram->peer.un.sun_path[0] != '\0';
}

/* Of its datagrams alone there is something to count. Lock held. */
static void count(struct path_writer *writer, struct stats_counters *counted)
{
	stats_add(&writer->counters->replies[ADDRESS_UNIX_DGRAM],
		counted->replies[ADDRESS_UNIX_DGRAM]);
	for (unsigned r = 0; r < STATS_DROPS; r++) {
		stats_add(&writer->counters->dropped[ADDRESS_UNIX_DGRAM][r],
			counted->dropped[ADDRESS_UNIX_DGRAM][r]);
	}
	memset(counted, 0, sizeof(*counted));
}

/* Lock held, but not while it sends. */
static void serve(struct thread *thread, struct path_lane *lane)
{
	struct path_writer *writer = thread->writer;
	struct path_task *task = path_lane_remove_first(lane);
	const struct reply reply = { .line = &task->line, .counters = &thread->counted };

	lane->busy = true;
	lane->begin_ns = clock_now_ns();
	pthread_mutex_unlock(&writer->lock);
	reply_batch(&reply, task->batch, task->until_ns, lane->begin_ns);
	pthread_mutex_lock(&writer->lock);
	if (!writer->abandoned) {
		count(writer, &thread->counted);
	}
	lane->busy = false;
	lane->pending -= task->count;
	writer->finished_ns = clock_now_ns();
	pthread_cond_signal(&writer->finished);
	free(task);
}

static void free_all(struct path_writer *writer)
{
	for (unsigned i = 0; i < PATH_LANES; i++) {
		while (writer->lanes.all[i].first) {
			free(path_lane_remove_first(&writer->lanes.all[i]));
		}
	}
	listener_forget(&writer->listeners);
	request_pool_free(writer->pool);
	pthread_cond_destroy(&writer->called);
	pthread_cond_destroy(&writer->finished);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

static void *path_writer_main(void *argument)
{
	struct thread *thread = argument;
	struct path_writer *writer = thread->writer;
	bool more = true;
	bool last;
	char name[16];

	snprintf(name, sizeof(name), "path-writer-%u", thread->index);
	pthread_setname_np(pthread_self(), name);
	pthread_mutex_lock(&writer->lock);
	while (more) {
		struct path_lane *lane =
			writer->abandoned ? NULL : path_lanes_waiting(&writer->lanes);

		if (lane) {
			serve(thread, lane);
		} else if (writer->over) {
			more = false;
		} else {
			writer->idle++;
			pthread_cond_wait(&writer->called, &writer->lock);
			writer->idle--;
		}
	}
	thread->ended = true;
	writer->running--;
	last = writer->abandoned && !writer->running;
	pthread_cond_signal(&writer->finished);
	pthread_mutex_unlock(&writer->lock);
	if (last) {
		free_all(writer);
	}
	return NULL;
}

/* Lock held. Returns 0, or -1 with errno. */
static int start_thread(struct path_writer *writer)
{
	struct thread *thread = &writer->threads[writer->thread_count];
	int error = thread_start(&thread->thread, path_writer_main, thread);

	errno = error;
	writer->thread_count += !error;
	writer->running += !error;
	return error ? -1 : 0;
}

/* All of LISTENERS, so that each is at its place. Returns 0, or -1 with errno. */
static int copy_listeners(struct path_writer *writer, const struct listener_set *listeners)
{
	writer->originals = listeners->all;
	writer->listeners.all = calloc(listeners->count, sizeof(*listeners->all));
	if (!writer->listeners.all) {
		return -1;
	}
	for (unsigned i = 0; i < listeners->count; i++) {
		struct listener *made = &writer->listeners.all[i];

		*made = (struct listener){ .fd = -1, .feed_fd = -1, .file.dir_fd = -1 };
		made->address = listeners->all[i].address;
		writer->listeners.count++;
		if (made->address.scheme == ADDRESS_UNIX_DGRAM) {
			made->fd = fcntl(listeners->all[i].fd, F_DUPFD_CLOEXEC, 0);
			if (made->fd < 0) {
				return -1;
			}
		}
	}
	return 0;
}

struct path_writer *path_writer_start(
	const struct listener_set *listeners, struct stats_counters *counters)
{
	struct path_writer *writer = calloc(1, sizeof(*writer));

	if (!writer) {
		return NULL;
	}
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->called, NULL);
	clock_init_condition(&writer->finished);
	writer->counters = counters;
	for (unsigned i = 0; i < PATH_WRITER_THREADS; i++) {
		writer->threads[i].writer = writer;
		writer->threads[i].index = i;
	}
	writer->pool = request_pool_new(PATH_WRITER_MAX);
	if (!writer->pool || copy_listeners(writer, listeners) < 0 || start_thread(writer) < 0) {
		int error = errno;

		free_all(writer);
		errno = error;
		return NULL;
	}
	return writer;
}

/* Move the requests with a path from *BATCH to *PATHS. */
static void split(struct request **batch, struct request_batch *paths)
{
	struct request_batch others = { NULL, NULL, 0 };
	struct request *next;

	for (struct request *request = *batch; request; request = next) {
		next = request->next;
		request_batch_add(has_path(request) ? paths : &others, request);
	}
	*batch = others.first;
}

static struct request *copy(struct path_writer *writer, const struct request *request)
{
	struct request *made = request_pool_take(writer->pool);

	if (made) {
		made->listener =
			&writer->listeners.all[request->listener - writer->originals];
		made->datagram = request->datagram;
	}
	return made;
}

/*
 * Put answers to FIRST and to those after it that have the same owner into LANE. Returns the first
 * that was left: NULL, of another owner, or because there is no room. Lock held.
 */
static struct request *enqueue(struct path_writer *writer, struct path_lane *lane,
	struct request *first, const struct uptime_line *line, uint64_t until_ns)
{
	const struct path_owner owner = path_owner_of(first);
	struct path_task *task = malloc(sizeof(*task));
	struct request_batch batch = { NULL, NULL, 0 };
	struct request *request = first;

	while (task && request) {
		const struct path_owner other = path_owner_of(request);
		struct request *made =
			path_owner_is_same(&owner, &other) ? copy(writer, request) : NULL;

		if (!made) {
			break;
		}
		request_batch_add(&batch, made);
		request = request->next;
	}
	if (!batch.first) {
		free(task);
		return first;
	}
	task->next = NULL;
	task->batch = batch.first;
	task->count = batch.count;
	task->until_ns = until_ns;
	uptime_line_copy(&task->line, line);
	*lane->end = task;
	lane->end = &task->next;
	lane->pending += batch.count;
	return request;
}

/* One for each lane that waits, as far as there may be so many. Lock held. */
static void call_threads(struct path_writer *writer)
{
	unsigned called = writer->idle;
	unsigned waiting = 0;

	for (unsigned i = 0; i < PATH_LANES; i++) {
		waiting += writer->lanes.all[i].first && !writer->lanes.all[i].busy;
	}
	while (waiting > called && writer->thread_count < PATH_WRITER_THREADS &&
	       start_thread(writer) == 0) {
		called++;
	}
	pthread_cond_broadcast(&writer->called);
}

struct request *path_writer_take(struct path_writer *writer, struct request *batch,
	const struct uptime_line *line, uint64_t until_ns, struct stats_counters *counters)
{
	static struct log_limit limit;
	struct request_batch paths = { NULL, NULL, 0 };
	struct request *request;

	split(&batch, &paths);
	if (!paths.first) {
		return batch;
	}
	pthread_mutex_lock(&writer->lock);
	for (request = paths.first; request;) {
		const struct path_owner owner = path_owner_of(request);
		struct path_lane *lane = path_lanes_find(&writer->lanes, &owner);
		struct request *left =
			lane ? enqueue(writer, lane, request, line, until_ns) : request;

		if (left == request) {
			log_limited(&limit, "answers to UNIX datagram clients of user %u wait for "
				"a file system: no more may wait", owner.uid);
			stats_add(&counters->dropped[ADDRESS_UNIX_DGRAM][STATS_STALLED], 1);
			left = request->next;
		}
		request = left;
	}
	call_threads(writer);
	pthread_mutex_unlock(&writer->lock);
	request_give_back(paths.first);
	return batch;
}

/* Until when the threads are waited for if no task finishes. Lock held. */
static uint64_t patience_end_ns(const struct path_writer *writer, uint64_t begin_ns)
{
	uint64_t last_ns = 0;
	unsigned busy = 0;

	for (unsigned i = 0; i < PATH_LANES; i++) {
		const struct path_lane *lane = &writer->lanes.all[i];

		busy += lane->busy;
		if (lane->busy && lane->begin_ns > last_ns) {
			last_ns = lane->begin_ns;
		}
	}
	/* One that hangs for longer than that is not waited for, but the others are. */
	if (busy < writer->running) {
		last_ns = begin_ns > writer->finished_ns ? begin_ns : writer->finished_ns;
	}
	return last_ns + PATIENCE_NS;
}

/* Wait for the threads, but not for those that hang. Lock held. */
static void await_threads(struct path_writer *writer)
{
	uint64_t begin_ns = clock_now_ns();

	while (writer->running) {
		uint64_t end_ns = patience_end_ns(writer, begin_ns);
		struct timespec deadline = clock_timespec(end_ns);

		if (clock_now_ns() >= end_ns) {
			return;
		}
		pthread_cond_timedwait(&writer->finished, &writer->lock, &deadline);
	}
}

/* Lock held. */
static void abandon(struct path_writer *writer)
{
	unsigned pending = 0;

	writer->abandoned = true;
	for (unsigned i = 0; i < PATH_LANES; i++) {
		pending += writer->lanes.all[i].pending;
	}
	stats_add(&writer->counters->dropped[ADDRESS_UNIX_DGRAM][STATS_STALLED], pending);
	log_warning("%u answers to UNIX datagram clients are given up: they wait for a file system",
		pending);
}

void path_writer_end(struct path_writer *writer)
{
	pthread_t ended[PATH_WRITER_THREADS];
	unsigned count = 0;
	bool abandoned;

	if (!writer) {
		return;
	}
	pthread_mutex_lock(&writer->lock);
	writer->over = true;
	pthread_cond_broadcast(&writer->called);
	await_threads(writer);
	for (unsigned i = 0; i < writer->thread_count; i++) {
		if (writer->threads[i].ended) {
			ended[count++] = writer->threads[i].thread;
		} else {
			pthread_detach(writer->threads[i].thread);
		}
	}
	abandoned = writer->running > 0;
	if (abandoned) {
		abandon(writer);
	}
	pthread_mutex_unlock(&writer->lock);
	/* From here on those that were abandoned may have freed it. */
	for (unsigned i = 0; i < count; i++) {
		pthread_join(ended[i], NULL);
	}
	if (!abandoned) {
		free_all(writer);
	}
}
