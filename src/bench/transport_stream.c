/* SPDX-License-Identifier: MIT */
/*
 * tcp, unix, unix-seqpacket: one connection for each request; the answer is all that comes until
 * the server closes.
 */
#include "bench/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/lane.h"
#include "common/clock.h"
#include "common/io.h"

/* How many of 127/8 a lane goes round: 127.1.0.1 to 127.1.255.255 is the first lane's. */
#define SOURCES 65535u

struct stream_state {
	uint32_t source;
	char record[LINE_RECORD_BYTES];		/* unix-seqpacket */
};

static int stream_open(struct lane *lane)
{
	lane->state = calloc(1, sizeof(struct stream_state));
	return lane->state ? 0 : -1;
}

static void stream_close(struct lane *lane)
{
	free(lane->state);
	lane->state = NULL;
}

/*
 * Come from another address each time, so that neither ports in use nor those in TIME_WAIT run out.
 * The port is chosen at connect(), when the whole four-tuple is known.
 */
static int bind_source(struct lane *lane, int fd)
{
	struct stream_state *state = lane->state;
	const int one = 1;
	struct sockaddr_in source = { .sin_family = AF_INET };
	uint32_t host = (lane->number % 126 + 1) << 16 | (state->source++ % SOURCES + 1);

	source.sin_addr.s_addr = htonl(((uint32_t)IN_LOOPBACKNET << 24) | host);
	/* qemu-user lacks it: there bind() chooses, among the ports of this source alone. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, (const struct sockaddr *)&source, sizeof(source));
}

static enum transport_start stream_start(struct lane *lane, struct request *request)
{
	const struct endpoint *endpoint = &lane->target->endpoints[request->endpoint];
	int fd = socket(endpoint->family, lane->target->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || (endpoint->spread_sources && bind_source(lane, fd) < 0)) {
		goto fail;
	}
	if (connect(fd, (const struct sockaddr *)&endpoint->sockaddr, endpoint->sockaddr_len) < 0 &&
	    errno != EINPROGRESS) {
		if (errno == EAGAIN && endpoint->family == AF_UNIX) {
			/* The backlog is full, and no event will tell when it is not. */
			io_close(&fd);
			return TRANSPORT_AGAIN;
		}
		goto fail;
	}
	if (lane_watch(lane, fd, EPOLLIN | EPOLLRDHUP, request, TRANSPORT_CONN) < 0) {
		goto fail;
	}
	request->conn_fd = fd;
	return TRANSPORT_STARTED;
fail:
	io_close(&fd);
	lane_end(lane, request, outcome_of_errno(errno), clock_now_ns());
	return TRANSPORT_STARTED;
}

static enum line_read read_answer(struct lane *lane, struct request *request, uint32_t events)
{
	struct stream_state *state = lane->state;

	if (lane->target->socktype == SOCK_SEQPACKET) {
		return line_read_records(&request->line, request->conn_fd, state->record);
	}
	return line_read(&request->line, request->conn_fd, events & (EPOLLRDHUP | EPOLLHUP));
}

static void stream_event(struct lane *lane, struct request *request, enum transport_role role,
	uint32_t events)
{
	struct line *line = &request->line;
	enum outcome outcome;

	(void)role;
	switch (read_answer(lane, request, events)) {
	case LINE_MORE:
		return;
	case LINE_FAILED:
		outcome = outcome_of_errno(errno);
		break;
	default:
		outcome = line_judge(line, lane->plan->expect, &request->tally->duplicate);
		break;
	}
	/* The time is taken first: closing is our cost, not the server's. */
	lane_end(lane, request, outcome, clock_now_ns());
	io_close(&request->conn_fd);
}

static void stream_abandon(struct lane *lane, struct request *request)
{
	(void)lane;
	io_close(&request->conn_fd);
}

const struct transport bench_transport_stream = {
	.fds_per_request = 1,
	.open = stream_open,
	.close = stream_close,
	.start = stream_start,
	.event = stream_event,
	.abandon = stream_abandon,
};
