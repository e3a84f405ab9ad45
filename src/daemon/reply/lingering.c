/* SPDX-License-Identifier: MIT */
/*
 * One first-in-first-out list for each number of looks. All waits of one list are equal, so each
 * list is ordered by when its streams are due, and no timer structure is needed.
 */
#include "daemon/reply/lingering.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/fdpass.h"

#define LOOKS	      7
#define FIRST_WAIT_NS (8 * CLOCK_MS)

/* Asked about in one system call. */
#define AT_ONCE 64

/* Thrown away in one look; a client that sends this much again and again meets its end sooner. */
#define DISCARD_BYTES (64 << 10)
#define READ_BYTES    (16 << 10)

struct stream {
	struct stream *next;
	uint64_t due_ns;
	int conn_fd;
	unsigned source;
	bool records;
	bool may_pass;
};

struct list {
	struct stream *first;
	struct stream *last;
};

struct lingering {
	struct connections *connections;
	struct connections_reaper reaper;
	pthread_mutex_t lock;		/* protects what follows: another thread may reap */
	unsigned count;
	struct list unused;
	struct list looked[LOOKS];	/* by how often their streams were looked at */
	struct stream streams[];
};

static void append(struct list *list, struct stream *stream)
{
	stream->next = NULL;
	if (list->last) {
		list->last->next = stream;
	} else {
		list->first = stream;
	}
	list->last = stream;
}

static struct stream *remove_first(struct list *list)
{
	struct stream *stream = list->first;

	list->first = stream->next;
	if (!list->first) {
		list->last = NULL;
	}
	return stream;
}

static void close_stream(struct lingering *lingering, struct stream *stream)
{
	connections_close(lingering->connections, &stream->conn_fd, stream->source);
	append(&lingering->unused, stream);
	lingering->count--;
}

static bool has_hung_up(int conn_fd)
{
	struct pollfd end = { .fd = conn_fd, .events = POLLRDHUP };

	return poll(&end, 1, 0) == 1;
}

/* Throw away what the client said. Returns whether it has ended, or failed. */
static bool has_ended(const struct stream *stream)
{
	char discarded[READ_BYTES];
	ssize_t total = 0;

	while (total < DISCARD_BYTES) {
		ssize_t got = fdpass_skip(stream->conn_fd, discarded, sizeof(discarded));

		if (got == 0 && (!stream->records || has_hung_up(stream->conn_fd))) {
			return true;
		}
		if (got < 0) {
			return errno != EAGAIN && errno != EINTR;
		}
		/* An empty message counts, too: a client cannot hold this thread with them. */
		total += got ? got : READ_BYTES;
	}
	return false;
}

/*
 * Has the client closed, and left nothing to be read? Any message may hold a descriptor, and to
 * close that may take as long as its owner likes: the thread that reaps must not touch one.
 */
static bool has_left(const struct stream *stream)
{
	int unread = 0;

	return !stream->records && ioctl(stream->conn_fd, FIONREAD, &unread) == 0 && unread == 0;
}

/* Look at the first stream of a list, unless it is SILENT, and move it to where it belongs now. */
static void look(struct lingering *lingering, unsigned looks, bool silent, uint64_t now_ns)
{
	struct stream *stream = remove_first(&lingering->looked[looks]);

	if ((!silent && has_ended(stream)) || looks + 1 == LOOKS) {
		close_stream(lingering, stream);
		return;
	}
	stream->due_ns = now_ns + (FIRST_WAIT_NS << (looks + 1));
	append(&lingering->looked[looks + 1], stream);
}

/*
 * Look at some of those streams of a list that are due. Returns whether there were any.
 *
 * In a flood, clients have better things to do than to close: most of those that had not by the
 * first look will not have by the next, and to ask about many at once costs a fraction of reading.
 */
static bool look_at_some(struct lingering *lingering, unsigned looks, uint64_t now_ns)
{
	const struct stream *stream = lingering->looked[looks].first;
	struct pollfd ends[AT_ONCE];
	unsigned due = 0;
	bool asked = false;

	for (; stream && stream->due_ns <= now_ns && due < AT_ONCE; stream = stream->next) {
		ends[due++] = (struct pollfd){ .fd = stream->conn_fd,
			.events = POLLIN | POLLRDHUP };
	}
	if (looks && due) {
		asked = poll(ends, due, 0) >= 0;
	}
	for (unsigned i = 0; i < due; i++) {
		look(lingering, looks, asked && !ends[i].revents, now_ns);
	}
	return due > 0;
}

/* Close one of those that were looked at most often, LOOKS times at least. */
static bool make_room(struct lingering *lingering, unsigned looks)
{
	for (unsigned most = LOOKS; most-- > looks;) {
		if (lingering->looked[most].first) {
			struct stream *stream = remove_first(&lingering->looked[most]);

			(void)has_ended(stream);
			close_stream(lingering, stream);
			return true;
		}
	}
	return false;
}

/* Close those of the first streams of a list that have ended; keep the others, in order. */
static void reap_some(struct lingering *lingering, struct list *list, struct list *kept)
{
	struct pollfd ends[AT_ONCE];
	const struct stream *stream = list->first;
	unsigned count = 0;
	bool asked;

	for (; stream && count < AT_ONCE; stream = stream->next) {
		ends[count++] = (struct pollfd){ .fd = stream->conn_fd, .events = POLLRDHUP };
	}
	asked = poll(ends, count, 0) >= 0;
	for (unsigned i = 0; i < count; i++) {
		struct stream *first = remove_first(list);

		if (asked && ends[i].revents && (first->may_pass ? has_left(first)
								   : has_ended(first))) {
			close_stream(lingering, first);
		} else {
			append(kept, first);
		}
	}
}

/* Called by a thread that needs places while the owner of the list may be busy for long. */
static void reap(void *owner)
{
	struct lingering *lingering = owner;

	pthread_mutex_lock(&lingering->lock);
	for (unsigned looks = 0; looks < LOOKS; looks++) {
		struct list kept = { NULL, NULL };

		while (lingering->looked[looks].first) {
			reap_some(lingering, &lingering->looked[looks], &kept);
		}
		lingering->looked[looks] = kept;
	}
	pthread_mutex_unlock(&lingering->lock);
}

struct lingering *lingering_new(unsigned capacity, struct connections *connections)
{
	struct lingering *lingering =
		calloc(1, sizeof(*lingering) + capacity * sizeof(struct stream));

	if (!lingering) {
		return NULL;
	}
	lingering->connections = connections;
	pthread_mutex_init(&lingering->lock, NULL);
	lingering->reaper = (struct connections_reaper){ .reap = reap, .owner = lingering };
	connections_add_reaper(connections, &lingering->reaper);
	for (unsigned i = 0; i < capacity; i++) {
		append(&lingering->unused, &lingering->streams[i]);
	}
	return lingering;
}

void lingering_free(struct lingering *lingering)
{
	if (lingering) {
		connections_remove_reaper(lingering->connections, &lingering->reaper);
		for (unsigned looks = 0; looks < LOOKS; looks++) {
			while (lingering->looked[looks].first) {
				close_stream(lingering, remove_first(&lingering->looked[looks]));
			}
		}
		pthread_mutex_destroy(&lingering->lock);
		free(lingering);
	}
}

void lingering_sweep(struct lingering *lingering, uint64_t now_ns)
{
	pthread_mutex_lock(&lingering->lock);
	/* From the end: a stream that moves on to the next list is not met again. */
	for (unsigned looks = LOOKS; looks-- > 0 && lingering->count;) {
		while (look_at_some(lingering, looks, now_ns)) {
		}
	}
	while (connections_are_crowded(lingering->connections) && make_room(lingering, 1)) {
	}
	pthread_mutex_unlock(&lingering->lock);
}

int lingering_add(struct lingering *lingering, int conn_fd, unsigned source, bool records,
	bool may_pass, uint64_t now_ns)
{
	struct stream *stream;

	/* With the lock: once the client sees the end, it can be seen here that it has closed. */
	pthread_mutex_lock(&lingering->lock);
	if (shutdown(conn_fd, SHUT_WR) < 0) {
		pthread_mutex_unlock(&lingering->lock);
		return -1;
	}
	if (!lingering->unused.first) {
		make_room(lingering, 0);
	} else if (connections_are_crowded(lingering->connections) && !make_room(lingering, 1) &&
		   lingering->looked[0].first) {
		/* Most have ended by now: a look before its time, rather than nothing. */
		look(lingering, 0, false, now_ns);
	}
	stream = remove_first(&lingering->unused);
	stream->conn_fd = conn_fd;
	stream->source = source;
	stream->records = records;
	stream->may_pass = may_pass;
	stream->due_ns = now_ns + FIRST_WAIT_NS;
	append(&lingering->looked[0], stream);
	lingering->count++;
	pthread_mutex_unlock(&lingering->lock);
	return 0;
}

uint64_t lingering_due_ns(struct lingering *lingering)
{
	uint64_t due_ns = CLOCK_NEVER;

	pthread_mutex_lock(&lingering->lock);
	for (unsigned looks = 0; lingering->count && looks < LOOKS; looks++) {
		const struct stream *first = lingering->looked[looks].first;

		if (first && first->due_ns < due_ns) {
			due_ns = first->due_ns;
		}
	}
	pthread_mutex_unlock(&lingering->lock);
	return due_ns;
}

unsigned lingering_count(struct lingering *lingering)
{
	unsigned count;

	pthread_mutex_lock(&lingering->lock);
	count = lingering->count;
	pthread_mutex_unlock(&lingering->lock);
	return count;
}

void lingering_finish(struct lingering *lingering)
{
	while (lingering_count(lingering)) {
		poll(NULL, 0, clock_poll_ms(lingering_due_ns(lingering)));
		lingering_sweep(lingering, clock_now_ns());
	}
}
