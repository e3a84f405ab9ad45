/* SPDX-License-Identifier: MIT */
/*
 * Polls the listeners and accepts from each that is ready until nothing waits, or its turn is
 * over. All that one turn yields is one batch. Connections that have to bring a descriptor first
 * wait in the gate, which is polled like one more listener.
 *
 * When descriptors or memory run out, accepting pauses: the listeners stay readable, and accept()
 * fails even when nobody waits, so trying again at once would be a spin.
 *
 * Nobody's crowd keeps the others out: listeners take turns, a turn is over when no request is left
 * for it, and after a pause it is the next listener's turn.
 */
#include "daemon/ingress/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"
#include "daemon/ingress/fdpass_gate.h"

/* Connections accepted from one listener before the others have their turn. */
#define TURN_CONNECTIONS 64

/* What somebody who is turned away may have said. */
#define SKIP_BYTES 4096
#define SKIP_TRIES 64

#define PAUSE_MIN_MS 10
#define PAUSE_MAX_MS 100

/* How long those on the threshold and at the gate may still take when the server stops. */
#define LAST_CALL_NS (500 * CLOCK_MS)
#define THRESHOLD_MS 5

struct acceptor {
	struct fdpass_gate *gate;	/* the porter's; NULL: this is the acceptor */
	unsigned next;			/* the listener whose turn comes first */
	bool accepted;			/* anybody since the last pause began */
};

enum turn {
	TURN_OVER,	/* there may be more */
	TURN_EMPTY,	/* nobody waits */
	TURN_STARVED,	/* no descriptor or no memory */
};

static void count_drop(struct ingress *acceptor, const struct listener *listener,
	enum stats_drop reason)
{
	stats_add(&acceptor->counters->dropped[listener->address.scheme][reason], 1);
}

/*
 * Somebody comes or leaves without what we wanted. Whoever is still there is told; what was said
 * besides is read first, since closing over it would be a reset.
 */
static void turn_away(struct ingress *acceptor, struct fdpass_visitor *visitor)
{
	const char *why = NULL;
	enum stats_drop reason = STATS_FD_REFUSED;
	char skipped[SKIP_BYTES];

	switch (visitor->result) {
	case FDPASS_NONE:
		why = PROTOCOL_ERROR_PREFIX "no descriptor came with the first byte\n";
		break;
	case FDPASS_TOO_MANY:
		why = PROTOCOL_ERROR_PREFIX "more came than one descriptor\n";
		break;
	case FDPASS_LATER:
		why = PROTOCOL_ERROR_PREFIX "no descriptor came in time\n";
		reason = STATS_EXPIRED;
		break;
	default:
		reason = STATS_CLIENT_GONE;
	}
	for (int i = 0; i < SKIP_TRIES; i++) {
		if (fdpass_skip(visitor->conn_fd, skipped, sizeof(skipped)) <= 0) {
			break;
		}
	}
	if (why) {
		(void)!send(visitor->conn_fd, why, strlen(why), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	count_drop(acceptor, visitor->listener, reason);
	fdpass_discard(&visitor->passed_fd);
	connections_close(acceptor->connections, &visitor->conn_fd, visitor->source);
}

/* Queue a visitor that has brought its descriptor, turn away any other. */
static void let_through(struct ingress *acceptor, struct fdpass_visitor *visitor,
	struct request_batch *batch)
{
	struct request *request;

	if (visitor->result != FDPASS_GOT) {
		turn_away(acceptor, visitor);
		return;
	}
	if (batch->first && batch->first->listener != visitor->listener) {
		ingress_push(acceptor, batch);
	}
	request = ingress_take(acceptor, batch);
	request->listener = visitor->listener;
	request->conn_fd = visitor->conn_fd;
	request->source = visitor->source;
	request->passed_fd = visitor->passed_fd;
	request_batch_add(batch, request);
}

/* Let out of the gate whoever can leave it at NOW_NS. */
static void open_gate(struct ingress *acceptor, struct fdpass_gate *gate, uint64_t now_ns)
{
	struct request_batch batch = { NULL, NULL, 0 };
	struct fdpass_visitor visitor;

	for (int i = 0; i < TURN_CONNECTIONS; i++) {
		if (!fdpass_gate_leave(gate, now_ns, &visitor)) {
			break;
		}
		let_through(acceptor, &visitor, &batch);
	}
	ingress_push(acceptor, &batch);
}

/* Most send their descriptor right away; whoever has not by now goes to the gate. */
static void welcome_visitor(struct ingress *acceptor, const struct listener *listener, int conn_fd,
	unsigned source, struct request_batch *batch)
{
	struct acceptor *state = acceptor->state;
	struct fdpass_visitor visitor = {
		.listener = listener,
		.conn_fd = conn_fd,
		.source = source,
	};

	visitor.result = fdpass_receive(conn_fd, &visitor.passed_fd);
	if (visitor.result != FDPASS_LATER ||
	    fdpass_gate_enter(state->gate, &visitor, clock_now_ns())) {
		let_through(acceptor, &visitor, batch);
	}
}

static void log_peer(const struct listener *listener, int conn_fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(conn_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
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
	char source[CONNECTIONS_SOURCE_BYTES];

	if (verdict == CONNECTIONS_TOO_MANY) {
		count_drop(acceptor, listener, STATS_MAX_CONNECTIONS);
		log_limited(&in_all, "a connection is dropped: no more may be open in all");
	} else {
		count_drop(acceptor, listener, STATS_MAX_PER_SOURCE);
		connections_format_source(conn_fd, peer, source, sizeof(source));
		log_limited(&of_source, "a connection is dropped: %s may have no more open",
			source);
	}
}

/* Takes CONN_FD, which PEER opened; REQUEST is used, or goes back. */
static void welcome(struct ingress *acceptor, const struct listener *listener, int conn_fd,
	const union connections_peer *peer, struct request *request, struct request_batch *batch)
{
	unsigned source;
	enum connections_verdict verdict =
		connections_enter(acceptor->connections, conn_fd, peer, &source);

	stats_add(&acceptor->counters->requests[listener->address.scheme], 1);
	if (verdict != CONNECTIONS_WELCOME) {
		refuse(acceptor, listener, conn_fd, peer, verdict);
		connections_reset(acceptor->connections, &conn_fd, source);
		request_pool_untake(acceptor->pool, request);
		return;
	}
	if (listener->address.scheme != ADDRESS_TCP && log_is_verbose()) {
		log_peer(listener, conn_fd);
	}
	if (listener->address.scheme != ADDRESS_FDPASS) {
		request->listener = listener;
		request->conn_fd = conn_fd;
		request->source = source;
		request->passed_fd = -1;
		request_batch_add(batch, request);
		return;
	}
	request_pool_untake(acceptor->pool, request);
	welcome_visitor(acceptor, listener, conn_fd, source, batch);
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
		conn_fd = accept4(listener->fd, &peer.any, &peer_len, SOCK_CLOEXEC);
		if (conn_fd >= 0) {
			welcome(acceptor, listener, conn_fd, &peer, request, &batch);
			state->accepted = true;
			continue;
		}
		request_pool_untake(acceptor->pool, request);
		if (errno == EAGAIN) {
			turn = TURN_EMPTY;
		} else if (io_is_shortage(errno)) {
			static struct log_limit limit;

			turn = TURN_STARVED;
			connections_shortage(acceptor->connections);
			log_limited(&limit, "accepting pauses: %s", strerror(errno));
		}
		/* Whatever else it was, it was the end of that one connection. */
	}
	ingress_push(acceptor, &batch);
	return turn;
}

/* The pause after one of PAUSE_MS: longer, unless that one let anybody in. */
static int next_pause_ms(struct acceptor *state, int pause_ms)
{
	pause_ms = pause_ms && !state->accepted ? 2 * pause_ms : PAUSE_MIN_MS;
	state->accepted = false;
	return pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}

static uint64_t gate_due_ns(const struct acceptor *state)
{
	return state->gate ? fdpass_gate_due_ns(state->gate) : CLOCK_NEVER;
}

/*
 * A turn for each listener at which somebody waits. Returns TURN_STARVED as soon as one is, or
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

			round = turn == TURN_EMPTY ? round : turn;
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
		int wait_ms = pause_ms ? pause_ms : clock_poll_ms(gate_due_ns(state));
		enum turn round;

		/* In a pause only the stop is waited for. */
		if (poll(watched, pause_ms ? 1 : acceptor->watched_count, wait_ms) < 0) {
			continue;
		}
		if (watched[0].revents) {
			return;
		}
		if (state->gate) {
			open_gate(acceptor, state->gate, clock_now_ns());
		}
		round = accept_round(acceptor);
		pause_ms = round == TURN_STARVED ? next_pause_ms(state, pause_ms) : 0;
		if (round == TURN_EMPTY) {
			ingress_rest(acceptor);
		} else {
			ingress_step_aside(acceptor);
		}
	}
}

static void accept_all(struct ingress *acceptor, const struct listener *listener)
{
	struct pollfd waiting = { .fd = listener->fd, .events = POLLIN };
	int pause_ms = 0;
	enum turn turn;

	/* Without a descriptor to spare accept() fails whether anybody waits or not. */
	while (poll(&waiting, 1, 0) > 0 &&
	       (turn = accept_turn(acceptor, listener)) != TURN_EMPTY) {
		pause_ms = turn == TURN_STARVED ? next_pause_ms(acceptor->state, pause_ms) : 0;
		poll(NULL, 0, pause_ms);
	}
}

/*
 * Whoever was there when the door was shut is served; also who was on the threshold: to a client
 * whose handshake lacks its last step here, the connection is there already.
 */
static void drain(struct ingress *acceptor, const struct listener *listener)
{
	struct pollfd waiting = { .fd = listener->fd, .events = POLLIN };
	uint64_t end_ns = clock_now_ns() + LAST_CALL_NS;

	accept_all(acceptor, listener);
	while (listener_has_handshakes(listener) && clock_now_ns() < end_ns) {
		poll(&waiting, 1, THRESHOLD_MS);
		accept_all(acceptor, listener);
	}
	accept_all(acceptor, listener);
}

/* Those who have come in, but have not sent their descriptor yet. */
static void drain_gate(struct ingress *acceptor, struct fdpass_gate *gate)
{
	struct pollfd watched = { .fd = fdpass_gate_fd(gate), .events = POLLIN };
	uint64_t end_ns = clock_now_ns() + LAST_CALL_NS;

	while (fdpass_gate_due_ns(gate) != CLOCK_NEVER && clock_now_ns() < end_ns) {
		poll(&watched, 1, clock_poll_ms(end_ns));
		open_gate(acceptor, gate, clock_now_ns());
	}
	while (fdpass_gate_due_ns(gate) != CLOCK_NEVER) {
		open_gate(acceptor, gate, CLOCK_NEVER - 1);
	}
}

static void *acceptor_main(void *argument)
{
	struct ingress *acceptor = argument;
	struct acceptor *state = acceptor->state;

	pthread_setname_np(pthread_self(), state->gate ? "porter" : "acceptor");
	accept_until_stop(acceptor);
	ingress_drain(acceptor, drain);
	if (state->gate) {
		drain_gate(acceptor, state->gate);
		fdpass_gate_free(state->gate);
	}
	return NULL;
}

int acceptor_start(struct ingress *acceptor)
{
	if (ingress_prepare(acceptor, listener_is_plain_stream, sizeof(struct acceptor)) < 0) {
		return -1;
	}
	return ingress_run(acceptor, acceptor_main);
}

int porter_start(struct ingress *porter)
{
	struct fdpass_gate *gate = fdpass_gate_new();

	if (!gate || ingress_prepare(porter, listener_is_fdpass, sizeof(struct acceptor)) < 0) {
		goto fail;
	}
	((struct acceptor *)porter->state)->gate = gate;
	ingress_watch_too(porter, fdpass_gate_fd(gate));
	if (ingress_run(porter, acceptor_main) < 0) {
		goto fail;
	}
	return 0;
fail:
	fdpass_gate_free(gate);
	return -1;
}
