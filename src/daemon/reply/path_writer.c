/* SPDX-License-Identifier: MIT */
#include "daemon/reply/path_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"
#include "daemon/reply/reply.h"

#define LANES 64

struct task {
	struct task *next;
	struct request *batch;		/* copies, of the writer's own pool */
	unsigned count;
	uint64_t until_ns;
	struct uptime_line line;
};

/* Whose answers go one after the other. */
struct owner {
	uid_t uid;
	uint64_t directory;		/* a hash of its path */
};

struct lane {
	struct owner owner;
	unsigned pending;		/* answers that wait or are being sent; 0: unused */
	bool busy;			/* a thread sends for it */
	struct task *first;
	struct task **end;
};

struct thread {
	struct path_writer *writer;
	struct stats_counters *counters;
	pthread_t thread;
	unsigned index;
};

struct path_writer {
	pthread_mutex_t lock;		/* protects what follows, and "owns" the pool */
	pthread_cond_t called;
	struct request_pool *pool;
	struct lane lanes[LANES];
	unsigned next_lane;		/* whose turn comes first */
	struct thread threads[PATH_WRITER_THREADS];
	unsigned thread_count;
	unsigned idle;
	bool over;
};

static bool has_path(const struct request *request)
{
	const struct request_datagram *datagram = &request->datagram;

	return datagram->peer_len > offsetof(struct sockaddr_un, sun_path) &&
	       datagram->peer.un.sun_path[0] != '\0';
}

/* FNV-1a. A collision costs a client the company of another directory of the same user. */
static uint64_t hash(const char *text, size_t len)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	}
	return hash;
}

static struct owner owner_of(const struct request *request)
{
	const char *path = request->datagram.peer.un.sun_path;
	size_t len = request->datagram.peer_len - offsetof(struct sockaddr_un, sun_path);

	while (len > 0 && path[len - 1] != '/') {
		len--;
	}
	return (struct owner){ request->datagram.peer_uid, hash(path, len) };
}

static bool is_same(const struct owner *a, const struct owner *b)
{
	return a->uid == b->uid && a->directory == b->directory;
}

/* The lane for OWNER, if its user may have more answers wait. Lock held. */
static struct lane *lane_of(struct path_writer *writer, const struct owner *owner)
{
	struct lane *unused = NULL;
	struct lane *shortest = NULL;
	struct lane *own = NULL;
	unsigned lanes = 0;
	unsigned pending = 0;

	for (unsigned i = 0; i < LANES; i++) {
		struct lane *lane = &writer->lanes[i];

		if (!lane->pending) {
			unused = lane;
		} else if (lane->owner.uid == owner->uid) {
			lanes++;
			pending += lane->pending;
			own = is_same(&lane->owner, owner) ? lane : own;
			if (!shortest || lane->pending < shortest->pending) {
				shortest = lane;
			}
		}
	}
	if (pending >= PATH_WRITER_USER_MAX) {
		return NULL;
	}
	if (own || lanes >= PATH_WRITER_USER_LANES) {
		return own ? own : shortest;
	}
	if (unused) {
		*unused = (struct lane){ .owner = *owner, .end = &unused->first };
	}
	return unused;
}

/* A lane with a task and no thread, or NULL. Lock held. */
static struct lane *waiting_lane(struct path_writer *writer)
{
	for (unsigned i = 0; i < LANES; i++) {
		struct lane *lane = &writer->lanes[(writer->next_lane + i) % LANES];

		if (lane->first && !lane->busy) {
			writer->next_lane = (unsigned)(lane - writer->lanes) + 1;
			return lane;
		}
	}
	return NULL;
}

static struct task *remove_first(struct lane *lane)
{
	struct task *task = lane->first;

	lane->first = task->next;
	if (!lane->first) {
		lane->end = &lane->first;
	}
	return task;
}

/* Lock held, but not while it sends. */
static void serve(struct thread *thread, struct lane *lane)
{
	struct path_writer *writer = thread->writer;
	struct task *task = remove_first(lane);
	const struct reply reply = { .line = &task->line, .counters = thread->counters };

	lane->busy = true;
	pthread_mutex_unlock(&writer->lock);
	reply_batch(&reply, task->batch, task->until_ns, clock_now_ns());
	pthread_mutex_lock(&writer->lock);
	lane->busy = false;
	lane->pending -= task->count;
	free(task);
}

static void *path_writer_main(void *argument)
{
	struct thread *thread = argument;
	struct path_writer *writer = thread->writer;
	bool more = true;
	char name[16];

	snprintf(name, sizeof(name), "path-writer-%u", thread->index);
	pthread_setname_np(pthread_self(), name);
	pthread_mutex_lock(&writer->lock);
	while (more) {
		struct lane *lane = waiting_lane(writer);

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
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* Lock held. Returns 0, or -1 with errno. */
static int start_thread(struct path_writer *writer)
{
	struct thread *thread = &writer->threads[writer->thread_count];
	int error = thread_start(&thread->thread, path_writer_main, thread);

	errno = error;
	writer->thread_count += !error;
	return error ? -1 : 0;
}

struct path_writer *path_writer_start(struct stats *stats, unsigned first)
{
	struct path_writer *writer = calloc(1, sizeof(*writer));

	if (!writer) {
		return NULL;
	}
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->called, NULL);
	for (unsigned i = 0; i < PATH_WRITER_THREADS; i++) {
		writer->threads[i].writer = writer;
		writer->threads[i].counters = stats_of(stats, first + i);
		writer->threads[i].index = i;
	}
	writer->pool = request_pool_new(PATH_WRITER_MAX);
	if (!writer->pool || start_thread(writer) < 0) {
		int error = errno;

		path_writer_end(writer);
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
		made->listener = request->listener;
		made->datagram = request->datagram;
	}
	return made;
}

/*
 * Put answers to FIRST and to those after it that have the same owner into LANE. Returns the first
 * that was left: NULL, of another owner, or because there is no room. Lock held.
 */
static struct request *enqueue(struct path_writer *writer, struct lane *lane, struct request *first,
	const struct uptime_line *line, uint64_t until_ns)
{
	const struct owner owner = owner_of(first);
	struct task *task = malloc(sizeof(*task));
	struct request_batch batch = { NULL, NULL, 0 };
	struct request *request = first;

	while (task && request) {
		const struct owner other = owner_of(request);
		struct request *made = is_same(&owner, &other) ? copy(writer, request) : NULL;

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

	for (unsigned i = 0; i < LANES; i++) {
		waiting += writer->lanes[i].first && !writer->lanes[i].busy;
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
		const struct owner owner = owner_of(request);
		struct lane *lane = lane_of(writer, &owner);
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

void path_writer_end(struct path_writer *writer)
{
	if (!writer) {
		return;
	}
	pthread_mutex_lock(&writer->lock);
	writer->over = true;
	pthread_cond_broadcast(&writer->called);
	pthread_mutex_unlock(&writer->lock);
	for (unsigned i = 0; i < writer->thread_count; i++) {
		pthread_join(writer->threads[i].thread, NULL);
	}
	request_pool_free(writer->pool);
	pthread_cond_destroy(&writer->called);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}
