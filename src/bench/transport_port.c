/* SPDX-License-Identifier: MIT */
/*
 * Datagrams of one byte. All answers look alike, so each request under way has a socket to
 * itself, and the socket tells which request's answer came. After its answer a socket rests for a
 * while before it is used again, and one whose request was lost until no answer is to be expected
 * any more: what comes to a resting socket is a duplicate, or late. Sockets are opened when no
 * rested one is there, up to a limit; beyond it the one that has rested longest must do.
 */
#include "bench/datagram.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/judge.h"
#include "bench/lane.h"
#include "bench/transport.h"
#include "common/clock.h"
#include "common/io.h"

#define PORTS	     2048u	/* at least, of all lanes together */
#define REST_NS	     (50 * CLOCK_MS)
#define LATE_NS	     (1 * CLOCK_S)
#define ANSWER_BYTES 4096

enum port_state {
	PORT_CLOSED,
	PORT_RUNNING,
	PORT_RESTING,	/* answered */
	PORT_LOST,
};

struct port {
	enum port_state state;
	int fd;
	unsigned endpoint;	/* that it is connected to */
	struct request *request;	/* running */
	uint64_t rested_ns;		/* when it may be used again, or closed */
	TAILQ_ENTRY(port) link;
};
TAILQ_HEAD(port_list, port);

struct port_pool {
	struct port *ports;
	uint32_t count;
	struct port_list closed;
	struct port_list *resting;	/* for each endpoint */
	struct port_list lost;
	char answer[ANSWER_BYTES];
};

/* Twice as many as are in flight, or more, so that they can rest; as the descriptors allow. */
static uint32_t ports_wanted(const struct lane *lane)
{
	uint32_t least = PORTS / lane->plan->threads;
	uint32_t wanted = 2 * lane->slots > least ? 2 * lane->slots : least;

	return wanted < lane->fds ? wanted : lane->fds;
}

static int port_open(struct lane *lane)
{
	struct port_pool *state = calloc(1, sizeof(*state));

	lane->state = state;
	if (!state) {
		return -1;
	}
	TAILQ_INIT(&state->closed);
	TAILQ_INIT(&state->lost);
	state->resting = calloc(lane->target->count, sizeof(*state->resting));
	for (unsigned i = 0; state->resting && i < lane->target->count; i++) {
		TAILQ_INIT(&state->resting[i]);
	}
	state->count = ports_wanted(lane);
	state->ports = calloc(state->count, sizeof(*state->ports));
	for (uint32_t i = 0; state->ports && i < state->count; i++) {
		state->ports[i].fd = -1;
		TAILQ_INSERT_TAIL(&state->closed, &state->ports[i], link);
	}
	return state->ports && state->resting ? 0 : -1;
}

static void port_close(struct lane *lane)
{
	struct port_pool *state = lane->state;

	for (uint32_t i = 0; state && state->ports && i < state->count; i++) {
		io_close(&state->ports[i].fd);
	}
	if (state) {
		free(state->ports);
		free(state->resting);
	}
	free(state);
	lane->state = NULL;
}

/* PORT, which is on no list, is of no use any more. */
static void retire(struct port_pool *state, struct port *port)
{
	io_close(&port->fd);
	port->state = PORT_CLOSED;
	TAILQ_INSERT_HEAD(&state->closed, port, link);
}

static struct port *take_first(struct port_list *list)
{
	struct port *port = TAILQ_FIRST(list);

	TAILQ_REMOVE(list, port, link);
	return port;
}

static bool has_rested(const struct port_list *list, uint64_t now_ns)
{
	return !TAILQ_EMPTY(list) && TAILQ_FIRST(list)->rested_ns <= now_ns;
}

static int open_port(struct lane *lane, struct port *port, unsigned number)
{
	struct port_pool *state = lane->state;
	const struct endpoint *endpoint = &lane->target->endpoints[number];

	port->endpoint = number;
	port->fd = datagram_socket((const struct sockaddr *)&endpoint->sockaddr,
		endpoint->sockaddr_len);
	return port->fd < 0 ? -1 :
		lane_watch_own(lane, port->fd, EPOLLIN, (uint32_t)(port - state->ports));
}

/* The port of another endpoint that can best be spared. */
static struct port *spare_port(struct port_pool *state, unsigned endpoints)
{
	for (unsigned i = 0; i < endpoints; i++) {
		if (!TAILQ_EMPTY(&state->resting[i])) {
			return take_first(&state->resting[i]);
		}
	}
	return TAILQ_EMPTY(&state->lost) ? NULL : take_first(&state->lost);
}

/* A port on no list, with a socket to the endpoint NUMBER. NULL with errno. */
static struct port *take_port(struct lane *lane, unsigned number, uint64_t now_ns)
{
	struct port_pool *state = lane->state;
	struct port_list *resting = &state->resting[number];
	struct port *port;
	int saved;

	while (has_rested(&state->lost, now_ns)) {
		retire(state, take_first(&state->lost));
	}
	if (has_rested(resting, now_ns) || (TAILQ_EMPTY(&state->closed) && !TAILQ_EMPTY(resting))) {
		return take_first(resting);
	}
	if (TAILQ_EMPTY(&state->closed)) {
		port = spare_port(state, lane->target->count);
		if (!port) {
			errno = EMFILE;
			return NULL;
		}
		retire(state, port);
	}
	port = take_first(&state->closed);
	if (open_port(lane, port, number) == 0) {
		return port;
	}
	saved = errno;
	retire(state, port);
	errno = saved;
	/* Rather one that has not rested than none at all. */
	return io_is_shortage(saved) && !TAILQ_EMPTY(resting) ? take_first(resting) : NULL;
}

/* A UNIX server that was started again is found under its name. */
static ssize_t send_byte(struct lane *lane, struct port *port)
{
	const char byte = '?';
	const struct endpoint *endpoint = &lane->target->endpoints[port->endpoint];
	ssize_t sent = send(port->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	int error = errno;

	if (sent < 0 && (error == ECONNREFUSED || error == ENOTCONN) &&
	    datagram_reconnect(port->fd, (const struct sockaddr *)&endpoint->sockaddr,
		endpoint->sockaddr_len) == 0) {
		return send(port->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	errno = error;
	return sent;
}

static enum transport_start port_start(struct lane *lane, struct request *request)
{
	struct port_pool *state = lane->state;
	struct port *port = take_port(lane, request->endpoint, request->sent_ns);

	if (!port) {
		lane_end(lane, request, outcome_of_errno(errno), clock_now_ns());
		return TRANSPORT_STARTED;
	}
	request->ticket = (uint64_t)(port - state->ports);
	request->sent_ns = clock_now_ns();
	if (send_byte(lane, port) < 0) {
		int error = errno;

		if (error == EAGAIN || error == ENOBUFS) {
			port->state = PORT_RESTING;
			TAILQ_INSERT_HEAD(&state->resting[port->endpoint], port, link);
			return TRANSPORT_AGAIN;
		}
		retire(state, port);
		lane_end(lane, request, outcome_of_errno(error), clock_now_ns());
		return TRANSPORT_STARTED;
	}
	port->state = PORT_RUNNING;
	port->request = request;
	return TRANSPORT_STARTED;
}

static void end(struct lane *lane, struct port *port, size_t len, uint64_t now_ns)
{
	struct port_pool *state = lane->state;

	lane_end(lane, port->request,
		judge_answer(state->answer, len, true, lane->plan->expect), now_ns);
	port->state = PORT_RESTING;
	port->rested_ns = now_ns + REST_NS;
	TAILQ_INSERT_TAIL(&state->resting[port->endpoint], port, link);
}

static void port_own_event(struct lane *lane, uint32_t number, uint32_t events)
{
	struct port_pool *state = lane->state;
	struct port *port = &state->ports[number];
	uint64_t now_ns;
	ssize_t got;

	(void)events;
	if (port->fd < 0) {
		return;
	}
	got = recv(port->fd, state->answer, sizeof(state->answer), MSG_DONTWAIT);
	now_ns = clock_now_ns();
	if (got < 0) {
		if (port->state == PORT_RUNNING && errno != EAGAIN && errno != EINTR) {
			lane_end(lane, port->request, outcome_of_errno(errno), now_ns);
			retire(state, port);
		}
		return;
	}
	if (port->state == PORT_RUNNING) {
		end(lane, port, (size_t)got, now_ns);
	} else if (port->state == PORT_RESTING) {
		lane_count_duplicate(lane);
	} else if (port->state == PORT_LOST) {
		lane_count_late(lane);
	}
}

static void port_abandon(struct lane *lane, struct request *request)
{
	struct port_pool *state = lane->state;
	struct port *port = &state->ports[request->ticket];

	/* One that could not even be sent has no port. */
	if (!request->again && port->state == PORT_RUNNING && port->request == request) {
		port->state = PORT_LOST;
		port->rested_ns = clock_now_ns() + LATE_NS;
		TAILQ_INSERT_TAIL(&state->lost, port, link);
	}
}

const struct transport transport_port = {
	.fds_per_request = 2,
	.open = port_open,
	.close = port_close,
	.start = port_start,
	.own_event = port_own_event,
	.abandon = port_abandon,
};
