/* SPDX-License-Identifier: MIT */
/*
 * What the threads that take requests from the kernel have in common: what they are given, and
 * how they are started and stopped. Each has its own pool and counters.
 */
#ifndef RUPTIME_DAEMON_INGRESS_INGRESS_H
#define RUPTIME_DAEMON_INGRESS_INGRESS_H

#include <poll.h>
#include <pthread.h>

#include "daemon/listen/listener.h"
#include "daemon/settings.h"
#include "daemon/policy/connections.h"
#include "daemon/queue/queue.h"
#include "daemon/queue/request.h"
#include "daemon/stats.h"

struct ingress {
	/* Given by the server; borrowed until ingress_stop() returns. */
	const struct settings *settings;
	const struct listener_set *listeners;
	bool (*ours)(const struct listener *);	/* which of them the thread serves */
	struct connections *connections;
	struct queue *queue;
	const _Atomic uint64_t *rest_ns;	/* how long the workers wish it to rest */
	struct stats_counters *counters;
	size_t capacity;		/* of its pool */

	/* Its own. */
	void *state;			/* what the thread works with; freed with the rest */
	struct pollfd *watched;		/* see ingress_prepare() */
	unsigned watched_count;
	struct request_pool *pool;
	int stop_fd;			/* readable once it is to stop */
	_Atomic bool stopping;		/* set before that: orders what main wrote */
	pthread_t thread;
	bool running;
	bool woke;			/* a worker slept when it pushed last */
};

/*
 * Prepare all that is its own, with STATE_BYTES of zeroed memory for the thread to work with, and
 * watch the listeners that are ours: the stop descriptor first, then one entry for each listener
 * in the order of the set, left out by a negative descriptor where it is none of ours.
 * Returns 0, or -1 with errno and nothing left behind.
 */
int ingress_prepare(struct ingress *ingress, size_t state_bytes);

/* Watch one more descriptor, behind the listeners. Once only, before ingress_run(). */
void ingress_watch_too(struct ingress *ingress, int fd);

/*
 * poll() on the first COUNT that are watched, for WAIT_MS. Where poll() itself cannot work, for
 * want of memory or because the limit of descriptors was lowered below COUNT, it rests a little
 * and calls every listener ready, so that the caller tries them. Returns as poll() does; -1 means
 * a signal.
 */
int ingress_poll(struct ingress *ingress, unsigned count, int wait_ms);

/*
 * Start MAIN as a thread on INGRESS. Returns 0, or -1 with errno: then what was prepared is still
 * there, for ingress_free().
 */
int ingress_run(struct ingress *ingress, void *(*main)(void *));

/* Begin what ingress_stop() does. Returns at once. */
void ingress_request_stop(struct ingress *ingress);

/*
 * Refuse new clients, wait until all that had arrived is in the queue, and end the thread. Its
 * requests are still out: ingress_free() follows when the workers are done. Does nothing if it
 * does not run.
 */
void ingress_stop(struct ingress *ingress);
void ingress_free(struct ingress *ingress);

/* Is LISTENER one of the thread's, and ours alone, so that it is drained when we stop? */
bool ingress_drains(const struct ingress *ingress, const struct listener *listener);

/* For the thread, once told to stop: what was written before that is seen from here on. */
void ingress_heed_stop(struct ingress *ingress);

/* The same, and shut each listener that it drains, then drain each. */
void ingress_drain(struct ingress *ingress,
	void (*drain)(struct ingress *, const struct listener *));

/* A request of its pool, after a sleep if all are out. BATCH is pushed before that sleep. */
struct request *ingress_take(struct ingress *ingress, struct request_batch *batch);

/* Give the batch away to the queue, and leave *BATCH empty. Does nothing if it is empty. */
void ingress_push(struct ingress *ingress, struct request_batch *batch);

/*
 * Call after a push. If it woke no worker, all are busy: yield the CPU, so that the next poll finds
 * more. Returns at once if nothing else can run.
 */
void ingress_yield(struct ingress *ingress);

/*
 * The same for a thread whose every look at its listeners costs much: if the push woke no worker
 * it sleeps for *rest_ns, or until it is to stop.
 */
void ingress_rest(struct ingress *ingress);

#endif
