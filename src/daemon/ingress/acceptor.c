/* SPDX-License-Identifier: MIT */
/*
 * Polls the listeners and accepts from each that is ready until no connection waits, or its turn
 * is over. All that one turn yields is one batch.
 *
 * When descriptors or memory run out, accepting pauses: the listeners stay readable, and accept()
 * fails even when no connection waits, so trying again at once would be a spin.
 *
 * A crowd at one listener does not keep the others' clients out: listeners take turns, a turn is
 * over when no request is left for it, and after a pause it is the next listener's turn.
 */
#include "daemon/ingress/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"
#include "daemon/listen/handshakes.h"

/* Connections accepted from one listener before the others have their turn. */
#define TURN_CONNECTIONS 64

#define PAUSE_MIN_MS 10
#define PAUSE_MAX_MS 100

/* How long a listener is left alone at which accept() fails for another reason. */
#define MUTE_NS (100 * CLOCK_MS)

/* How long handshakes may still take when the server stops, and how often they are looked at. */
#define LAST_CALL_NS (500 * CLOCK_MS)
#define HANDSHAKE_MS 5

struct acceptor {
	const struct acceptor_hooks *hooks;
	void *context;
	unsigned next;			/* the listener whose turn comes first */
	uint64_t unmute_ns;		/* when to look again at listeners that failed */
	bool accepted;			/* a connection since the last pause began */
	bool shut;			/* the listeners are, see listener_shut_door() */
};

enum turn {
	TURN_OVER,	/* there may be more */
	TURN_EMPTY,	/* no connection waits */
	TURN_STARVED,	/* no descriptor or no memory */
	TURN_FAILED,	/* for another reason, which may last */
};

void *acceptor_context(const struct ingress *ingress)
{
	const struct acceptor *state = ingress->state;

	return state->context;
}

void acceptor_count_drop(struct ingress *acceptor, const struct listener *listener,
	enum stats_drop reason)
{
	stats_add(&acceptor->counters->dropped[listener->address.scheme][reason], 1);
}

static void log_peer(const struct listener *listener, int conn_fd)
{
	struct ucred peer;

	if (io_peer(conn_fd, &peer) == 0) {
		log_debug("%s://%s: client pid=%d uid=%u gid=%u",
			address_scheme_name(listener->address.scheme), listener->address.path,
			(int)peer.pid, peer.uid, peer.gid);
	}
}

static void refuse(struct ingress *acceptor, const struct listener *listener, int conn_fd,
	const union connections_peer *peer, enum connections_verdict verdict)
{
	static struct log_limit in_all;
	static struct log_limit of_source;
	static struct log_limit not_allowed;
	char source[CONNECTIONS_SOURCE_BYTES];

	connections_format_source(conn_fd, peer, source, sizeof(source));
	switch (verdict) {
	case CONNECTIONS_WELCOME:
		break;
	case CONNECTIONS_TOO_MANY:
		acceptor_count_drop(acceptor, listener, STATS_MAX_CONNECTIONS);
		log_limited(&in_all, "a connection is dropped: no more may be open in all");
		break;
	case CONNECTIONS_TOO_MANY_OF_SOURCE:
		acceptor_count_drop(acceptor, listener, STATS_MAX_PER_SOURCE);
		log_limited(&of_source, "a connection is dropped: %s may have no more open",
			source);
		break;
	case CONNECTIONS_NOT_ALLOWED:
		acceptor_count_drop(acceptor, listener, STATS_NOT_ALLOWED);
		log_limited(&not_allowed, "a connection is dropped: %s may not ask", source);
		break;
	}
}

/* Takes CONN_FD, which PEER opened; REQUEST is used, or goes back. */
static void welcome(struct ingress *acceptor, const struct listener *listener, int conn_fd,
	const union connections_peer *peer, struct request *request, struct request_batch *batch)
{
	const struct acceptor *state = acceptor->state;
	unsigned source;
	enum connections_verdict verdict =
		connections_enter(acceptor->connections, conn_fd, state->hooks->descriptors, peer,
			&source);

	stats_add(&acceptor->counters->requests[listener->address.scheme], 1);
	if (verdict != CONNECTIONS_WELCOME) {
		refuse(acceptor, listener, conn_fd, peer, verdict);
		if (state->hooks->refused) {
			state->hooks->refused(acceptor, &conn_fd, source);
		} else {
			connections_reset(acceptor->connections, &conn_fd, source);
		}
		request_pool_untake(acceptor->pool, request);
		return;
	}
	if (listener->address.scheme != ADDRESS_TCP && log_is_verbose()) {
		log_peer(listener, conn_fd);
	}
	request->listener = listener;
	request->conn_fd = conn_fd;
	request->source = source;
	request->passed_fd = -1;
	state->hooks->accepted(acceptor, request, batch);
}

static enum turn starve(struct ingress *acceptor, int error)
{
	static struct log_limit limit;

	connections_shortage(acceptor->connections);
	log_limited(&limit, "accepting pauses: %s", strerror(error));
	return TURN_STARVED;
}

/* What an ERROR of accept4() means. */
static enum turn judge_failure(struct ingress *acceptor, int error)
{
	static struct log_limit failed;
	const struct acceptor *state = acceptor->state;

	/* A UNIX listener that is shut gives EINVAL when no connection is left. */
	if (error == EAGAIN || (error == EINVAL && state->shut)) {
		return TURN_EMPTY;
	}
	if (error == EINTR || error == ECONNABORTED) {
		return TURN_OVER;
	}
	if (io_is_shortage(error)) {
		return starve(acceptor, error);
	}
	/* That of one connection, which is gone; or one that lasts, such as a filter's EPERM. */
	stats_add(&acceptor->counters->accept_failures, 1);
	log_limited(&failed, "accepting fails, and is tried again: %s", strerror(error));
	return TURN_FAILED;
}

static bool is_ready(struct ingress *acceptor)
{
	const struct acceptor *state = acceptor->state;

	return !state->hooks->ready || state->hooks->ready(acceptor);
}

static enum turn accept_turn(struct ingress *acceptor, const struct listener *listener)
{
	struct acceptor *state = acceptor->state;
	struct request_batch batch = { NULL, NULL, 0 };
	enum turn turn = TURN_OVER;

	for (int i = 0; i < TURN_CONNECTIONS && turn == TURN_OVER; i++) {
		struct request *request = i ? request_pool_take(acceptor->pool)
					    : ingress_take(acceptor, &batch);
		union connections_peer peer;
		socklen_t peer_len = sizeof(peer);
		int conn_fd;

		if (!request) {
			break;
		}
		if (!is_ready(acceptor)) {
			request_pool_untake(acceptor->pool, request);
			turn = starve(acceptor, errno);
			break;
		}
		conn_fd = accept4(listener->fd, &peer.any, &peer_len, SOCK_CLOEXEC);
		if (conn_fd >= 0) {
			welcome(acceptor, listener, conn_fd, &peer, request, &batch);
			state->accepted = true;
			continue;
		}
		request_pool_untake(acceptor->pool, request);
		turn = judge_failure(acceptor, errno);
	}
	ingress_push(acceptor, &batch);
	return turn;
}

/* The pause after one of PAUSE_MS: longer, unless a connection was accepted meanwhile. */
static int next_pause_ms(struct acceptor *state, int pause_ms)
{
	pause_ms = pause_ms && !state->accepted ? 2 * pause_ms : PAUSE_MIN_MS;
	state->accepted = false;
	return pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}

static uint64_t due_ns(struct ingress *acceptor)
{
	const struct acceptor *state = acceptor->state;
	uint64_t due_ns = state->hooks->due_ns ? state->hooks->due_ns(acceptor) : CLOCK_NEVER;

	return due_ns < state->unmute_ns ? due_ns : state->unmute_ns;
}

/* Leave out listener I, which fails, for a while: poll() would call it ready at once. */
static void mute(struct ingress *acceptor, unsigned i)
{
	struct acceptor *state = acceptor->state;

	acceptor->watched[i + 1].fd = -1;
	if (state->unmute_ns == CLOCK_NEVER) {
		state->unmute_ns = clock_now_ns() + MUTE_NS;
	}
}

static void unmute(struct ingress *acceptor)
{
	struct acceptor *state = acceptor->state;
	const struct listener_set *listeners = acceptor->listeners;

	for (unsigned i = 0; i < listeners->count; i++) {
		if (acceptor->ours(&listeners->all[i])) {
			acceptor->watched[i + 1].fd = listeners->all[i].fd;
		}
	}
	state->unmute_ns = CLOCK_NEVER;
}

/*
 * A turn for each listener at which a connection waits. Returns TURN_STARVED as soon as one is, or
 * whether there may be more at any of them.
 */
static enum turn accept_round(struct ingress *acceptor)
{
	const struct listener_set *listeners = acceptor->listeners;
	struct acceptor *state = acceptor->state;
	enum turn round = TURN_EMPTY;

	for (unsigned n = 0; n < listeners->count && round != TURN_STARVED; n++) {
		unsigned i = state->next;

		state->next = (i + 1) % listeners->count;
		if (acceptor->watched[i + 1].revents) {
			enum turn turn = accept_turn(acceptor, &listeners->all[i]);

			if (turn == TURN_FAILED) {
				mute(acceptor, i);
			} else {
				round = turn == TURN_EMPTY ? round : turn;
			}
		}
	}
	return round;
}

static void accept_until_stop(struct ingress *acceptor)
{
	struct acceptor *state = acceptor->state;
	struct pollfd *watched = acceptor->watched;
	int pause_ms = 0;

	for (;;) {
		int wait_ms = pause_ms ? pause_ms : clock_poll_ms(due_ns(acceptor));
		enum turn round;

		/* In a pause only the stop is waited for. */
		if (ingress_poll(acceptor, pause_ms ? 1 : acceptor->watched_count, wait_ms) < 0) {
			continue;
		}
		if (watched[0].revents) {
			return;
		}
		if (state->unmute_ns <= clock_now_ns()) {
			unmute(acceptor);
		}
		if (!is_ready(acceptor)) {
			round = starve(acceptor, errno);
		} else {
			if (state->hooks->turn) {
				state->hooks->turn(acceptor);
			}
			round = accept_round(acceptor);
		}
		pause_ms = round == TURN_STARVED ? next_pause_ms(state, pause_ms) : 0;
		if (round == TURN_EMPTY) {
			ingress_rest(acceptor);
		} else {
			ingress_yield(acceptor);
		}
	}
}

static void accept_all(struct ingress *acceptor, const struct listener *listener)
{
	struct pollfd waiting = { .fd = listener->fd, .events = POLLIN };
	int pause_ms = 0;
	enum turn turn = TURN_OVER;

	/*
	 * Without a descriptor to spare accept() fails whether a connection waits or not, and a
	 * UNIX listener that is shut is always ready. Where no connection is open, there will be
	 * none to spare.
	 */
	while (turn != TURN_EMPTY && turn != TURN_FAILED && poll(&waiting, 1, 0) > 0) {
		turn = accept_turn(acceptor, listener);
		if (turn == TURN_STARVED && !connections_open(acceptor->connections)) {
			break;
		}
		pause_ms = turn == TURN_STARVED ? next_pause_ms(acceptor->state, pause_ms) : 0;
		poll(NULL, 0, pause_ms);
	}
}

/*
 * Accept those connections, too, whose handshake was under way when the listeners were shut: to a
 * client whose handshake lacks only its last step here, it is connected already. All are waited for
 * together: a client that never finishes costs no more than one at each listener.
 */
static void await_handshakes(struct ingress *acceptor)
{
	const struct listener_set *listeners = acceptor->listeners;
	uint64_t end_ns = clock_now_ns() + LAST_CALL_NS;
	bool pending = true;

	while (pending) {
		/* Look before accepting: a handshake that ends in between is accepted. */
		pending = clock_now_ns() < end_ns && handshakes_are_pending(listeners);
		poll(NULL, 0, pending ? HANDSHAKE_MS : 0);
		for (unsigned i = 0; i < listeners->count; i++) {
			if (ingress_drains(acceptor, &listeners->all[i])) {
				accept_all(acceptor, &listeners->all[i]);
			}
		}
	}
}

static void *acceptor_main(void *argument)
{
	struct ingress *acceptor = argument;
	struct acceptor *state = acceptor->state;

	pthread_setname_np(pthread_self(), state->hooks->thread_name);
	accept_until_stop(acceptor);
	state->shut = true;
	ingress_drain(acceptor, accept_all);
	if (state->hooks->drain) {
		state->hooks->drain(acceptor);
	}
	return NULL;
}

static void queue_stream(struct ingress *acceptor, struct request *request,
	struct request_batch *batch)
{
	(void)acceptor;
	request_batch_add(batch, request);
}

static const struct acceptor_hooks streams = {
	.thread_name = "acceptor",
	.descriptors = 1,
	.accepted = queue_stream,
	.drain = await_handshakes,
};

int acceptor_start_role(struct ingress *ingress, const struct acceptor_hooks *hooks, void *context,
	int watch_fd)
{
	struct acceptor *state;

	if (ingress_prepare(ingress, sizeof(*state)) < 0) {
		return -1;
	}
	state = ingress->state;
	state->hooks = hooks;
	state->context = context;
	state->unmute_ns = CLOCK_NEVER;
	if (watch_fd >= 0) {
		ingress_watch_too(ingress, watch_fd);
	}
	return ingress_run(ingress, acceptor_main);
}

int acceptor_start(struct ingress *ingress)
{
	return acceptor_start_role(ingress, &streams, NULL, -1);
}
