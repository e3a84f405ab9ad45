/* SPDX-License-Identifier: MIT */
#include "daemon/ingress/ingress.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"
#include "common/thread.h"

/* Between two rounds of a thread whose poll() fails. */
#define BLIND_REST_MS 20

static void watch(struct ingress *ingress)
{
	const struct listener_set *listeners = ingress->listeners;

	ingress->watched[0] = (struct pollfd){ .fd = ingress->stop_fd, .events = POLLIN };
	for (unsigned i = 0; i < listeners->count; i++) {
		const struct listener *listener = &listeners->all[i];

		ingress->watched[i + 1] = (struct pollfd){
			.fd = ingress->ours(listener) ? listener->fd : -1,
			.events = POLLIN,
		};
	}
}

void ingress_watch_too(struct ingress *ingress, int fd)
{
	ingress->watched[ingress->watched_count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

int ingress_prepare(struct ingress *ingress, size_t state_bytes)
{
	ingress->running = false;
	ingress->woke = false;
	ingress->stop_fd = io_event_open();
	ingress->pool = request_pool_new(ingress->capacity);
	ingress->state = calloc(1, state_bytes);
	ingress->watched_count = ingress->listeners->count + 1;
	ingress->watched = calloc(ingress->watched_count + 1, sizeof(*ingress->watched));
	if (ingress->stop_fd < 0 || !ingress->pool || !ingress->state || !ingress->watched) {
		int error = errno;

		ingress_free(ingress);
		errno = error;
		return -1;
	}
	watch(ingress);
	return 0;
}

int ingress_poll(struct ingress *ingress, unsigned count, int wait_ms)
{
	static struct log_limit limit;
	int ready = poll(ingress->watched, count, wait_ms);
	uint64_t stop;

	if (ready >= 0 || errno == EINTR) {
		return ready;
	}
	log_limited(&limit, "poll() fails: %s; every listener is tried instead", strerror(errno));
	poll(NULL, 0, BLIND_REST_MS);
	/* Not by poll(): it refuses even one descriptor if the limit is 0. */
	ingress->watched[0].revents =
		read(ingress->stop_fd, &stop, sizeof(stop)) == sizeof(stop) ? POLLIN : 0;
	for (unsigned i = 1; i < count; i++) {
		ingress->watched[i].revents = ingress->watched[i].fd < 0 ? 0 : POLLIN;
	}
	return (int)count;
}

int ingress_run(struct ingress *ingress, void *(*main)(void *))
{
	int error = thread_start(&ingress->thread, main, ingress);

	errno = error;
	ingress->running = !error;
	return error ? -1 : 0;
}

void ingress_request_stop(struct ingress *ingress)
{
	if (ingress->running) {
		/* Release pairs with the acquire in ingress_heed_stop(). */
		atomic_store_explicit(&ingress->stopping, true, memory_order_release);
		io_event_set(ingress->stop_fd);
	}
}

void ingress_stop(struct ingress *ingress)
{
	if (ingress->running) {
		ingress_request_stop(ingress);
		pthread_join(ingress->thread, NULL);
		ingress->running = false;
	}
}

void ingress_free(struct ingress *ingress)
{
	io_close(&ingress->stop_fd);
	request_pool_free(ingress->pool);
	ingress->pool = NULL;
	free(ingress->state);
	ingress->state = NULL;
	free(ingress->watched);
	ingress->watched = NULL;
}

bool ingress_drains(const struct ingress *ingress, const struct listener *listener)
{
	return ingress->ours(listener) && !listener->borrowed;
}

void ingress_heed_stop(struct ingress *ingress)
{
	(void)atomic_load_explicit(&ingress->stopping, memory_order_acquire);
}

void ingress_drain(struct ingress *ingress,
	void (*drain)(struct ingress *, const struct listener *))
{
	const struct listener_set *listeners = ingress->listeners;

	ingress_heed_stop(ingress);
	/* Shut all first: the later ones must not fill up while the first is drained. */
	for (unsigned i = 0; i < listeners->count; i++) {
		if (ingress_drains(ingress, &listeners->all[i]) &&
		    listener_shut_door(&listeners->all[i]) < 0) {
			log_warning("cannot shut a listener: %s", strerror(errno));
		}
	}
	for (unsigned i = 0; i < listeners->count; i++) {
		if (ingress_drains(ingress, &listeners->all[i])) {
			drain(ingress, &listeners->all[i]);
		}
	}
}

struct request *ingress_take(struct ingress *ingress, struct request_batch *batch)
{
	struct request *request = request_pool_take(ingress->pool);

	while (!request) {
		ingress_push(ingress, batch);
		request_pool_wait(ingress->pool, CLOCK_NEVER);
		request = request_pool_take(ingress->pool);
	}
	return request;
}

void ingress_push(struct ingress *ingress, struct request_batch *batch)
{
	if (request_batch_push(batch, ingress->queue)) {
		ingress->woke = true;
	}
}

void ingress_rest(struct ingress *ingress)
{
	/* Relaxed: a wish of the workers, which orders nothing. */
	uint64_t rest_ns =
		ingress->woke ? 0 : atomic_load_explicit(ingress->rest_ns, memory_order_relaxed);
	const struct timespec moment = clock_timespec(rest_ns);

	if (rest_ns) {
		ppoll(ingress->watched, 1, &moment, NULL);
	} else {
		ingress_yield(ingress);
	}
}

void ingress_yield(struct ingress *ingress)
{
	if (!ingress->woke) {
		sched_yield();
	}
	ingress->woke = false;
}
