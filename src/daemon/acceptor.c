/* SPDX-License-Identifier: MIT */
/*
 * Polls the listeners and accepts from each that is ready until nothing waits, or its turn is
 * over. All that one turn yields is one batch.
 *
 * When descriptors or memory run out, accepting pauses: the listeners stay readable, and accept()
 * fails even when nobody waits, so trying again at once would be a spin.
 */
#include "daemon/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"

/* Connections accepted from one listener before the others have their turn. */
#define TURN_CONNECTIONS 64

#define PAUSE_MIN_MS 10
#define PAUSE_MAX_MS 100

enum turn {
	TURN_OVER,	/* there may be more */
	TURN_EMPTY,	/* nobody waits */
	TURN_STARVED,	/* no descriptor or no memory */
};

static bool is_starvation(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static enum turn accept_turn(struct ingress *acceptor, const struct listener *listener)
{
	struct request_batch batch = { NULL, NULL, 0 };
	enum turn turn = TURN_OVER;

	for (int i = 0; i < TURN_CONNECTIONS && turn == TURN_OVER; i++) {
		struct request *request = ingress_take(acceptor, &batch);
		int conn_fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);

		if (conn_fd >= 0) {
			request->listener = listener;
			request->conn_fd = conn_fd;
			request_batch_add(&batch, request);
			stats_add(&acceptor->counters->requests[listener->address.scheme], 1);
			continue;
		}
		request_pool_untake(acceptor->pool, request);
		if (errno == EAGAIN) {
			turn = TURN_EMPTY;
		} else if (is_starvation(errno)) {
			static struct log_limit limit;

			turn = TURN_STARVED;
			log_limited(&limit, "accepting pauses: %s", strerror(errno));
		}
		/* Whatever else it was, it was the end of that one connection. */
	}
	request_batch_push(&batch, acceptor->queue);
	return turn;
}

static int next_pause_ms(int pause_ms)
{
	pause_ms = pause_ms ? 2 * pause_ms : PAUSE_MIN_MS;
	return pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}

static void accept_until_stop(struct ingress *acceptor, struct pollfd *fds)
{
	const struct listener_set *listeners = acceptor->listeners;
	int pause_ms = 0;

	for (;;) {
		bool starved = false;

		/* In a pause only the stop is waited for. */
		if (poll(fds, pause_ms ? 1 : listeners->count + 1, pause_ms ? pause_ms : -1) < 0) {
			continue;
		}
		if (fds[0].revents) {
			return;
		}
		for (unsigned i = 0; i < listeners->count && !starved; i++) {
			if (fds[i + 1].revents) {
				starved = accept_turn(acceptor, &listeners->all[i]) == TURN_STARVED;
			}
		}
		pause_ms = starved ? next_pause_ms(pause_ms) : 0;
	}
}

/* Whoever was there when the door was shut is served. */
static void drain(struct ingress *acceptor, const struct listener *listener)
{
	int pause_ms = 0;
	enum turn turn;

	while ((turn = accept_turn(acceptor, listener)) != TURN_EMPTY) {
		pause_ms = turn == TURN_STARVED ? next_pause_ms(pause_ms) : 0;
		poll(NULL, 0, pause_ms);
	}
}

static void *acceptor_main(void *argument)
{
	struct ingress *acceptor = argument;

	pthread_setname_np(pthread_self(), "acceptor");
	accept_until_stop(acceptor, ingress_watch(acceptor, listener_is_stream));
	ingress_drain(acceptor, listener_is_stream, drain);
	return NULL;
}

int acceptor_start(struct ingress *acceptor)
{
	return ingress_start(acceptor, acceptor_main, 0);
}
