/* SPDX-License-Identifier: MIT */
#include "daemon/metrics/scrapers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/thread.h"

/* Between two tries while accepting fails. */
#define FIRST_PAUSE_MS 10
#define LAST_PAUSE_MS  100

/* How often it is looked whether there is room. */
#define LOOK_MS 20

struct scrapers {
	struct scrapers_taker taker;
	int stop_fd;
	pthread_t thread;
	bool running;
	unsigned count;
	struct pollfd fds[];	/* the first one: STOP_FD */
};

/* Returns false if accepting is to pause. */
static bool accept_one(struct scrapers *scrapers, int listen_fd)
{
	static struct log_limit limit;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int conn_fd = accept4(
		listen_fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (conn_fd >= 0) {
		scrapers->taker.take(
			scrapers->taker.context, conn_fd, (struct sockaddr *)&peer, len);
		return true;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) {
		return true;
	}
	log_limited(&limit, "accepting scrapers pauses: %s", strerror(errno));
	return false;
}

static bool accept_all(struct scrapers *scrapers)
{
	for (unsigned i = 1; i < scrapers->count; i++) {
		if (scrapers->fds[i].revents && !accept_one(scrapers, scrapers->fds[i].fd)) {
			return false;
		}
	}
	return true;
}

/* Rest for PAUSE_MS. Returns whether it is time to end. */
static bool rest(struct scrapers *scrapers, int pause_ms)
{
	uint64_t stop;

	(void)poll(scrapers->fds, 1, pause_ms);
	/* Not by poll(), which may be what fails. */
	return read(scrapers->stop_fd, &stop, sizeof(stop)) == sizeof(stop);
}

static void *scrapers_main(void *argument)
{
	struct scrapers *scrapers = argument;
	int pause_ms = FIRST_PAUSE_MS;
	bool over = false;

	pthread_setname_np(pthread_self(), "metrics");
	while (!over) {
		if (!scrapers->taker.has_room(scrapers->taker.context)) {
			over = rest(scrapers, LOOK_MS);
		} else if (poll(scrapers->fds, scrapers->count, -1) >= 0 && accept_all(scrapers)) {
			pause_ms = FIRST_PAUSE_MS;
			over = scrapers->fds[0].revents;
		} else {
			over = rest(scrapers, pause_ms);
			pause_ms = 2 * pause_ms < LAST_PAUSE_MS ? 2 * pause_ms : LAST_PAUSE_MS;
		}
	}
	return NULL;
}

struct scrapers *scrapers_start(
	const struct listener_set *listeners, const struct scrapers_taker *taker)
{
	struct scrapers *scrapers = calloc(
		1, sizeof(*scrapers) + (listeners->count + 1) * sizeof(scrapers->fds[0]));
	int error;

	if (!scrapers) {
		return NULL;
	}
	scrapers->taker = *taker;
	scrapers->stop_fd = io_event_open();
	scrapers->fds[scrapers->count++] =
		(struct pollfd){ .fd = scrapers->stop_fd, .events = POLLIN };
	for (unsigned i = 0; i < listeners->count; i++) {
		scrapers->fds[scrapers->count++] =
			(struct pollfd){ .fd = listeners->all[i].fd, .events = POLLIN };
	}
	error = scrapers->stop_fd < 0
			? errno
			: thread_start(&scrapers->thread, scrapers_main, scrapers);
	scrapers->running = !error;
	if (error) {
		scrapers_stop(scrapers);
		errno = error;
		return NULL;
	}
	return scrapers;
}

void scrapers_stop(struct scrapers *scrapers)
{
	if (!scrapers) {
		return;
	}
	if (scrapers->running) {
		io_event_set(scrapers->stop_fd);
		pthread_join(scrapers->thread, NULL);
	}
	io_close(&scrapers->stop_fd);
	free(scrapers);
}
