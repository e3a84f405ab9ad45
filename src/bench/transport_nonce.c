/* SPDX-License-Identifier: MIT */
#include "bench/datagram.h"

#include <errno.h>
#include <time.h> /* linux/errqueue.h relies on its struct timespec */

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "bench/judge.h"
#include "bench/lane.h"
#include "bench/ticket.h"
#include "bench/transport.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/protocol.h"

#define BATCH	     64
#define ANSWER_BYTES 2048

/* One for each endpoint. */
struct nonce_socket {
	int fd;
	bool full;			/* waiting for room to send */
	struct request_list waiting;	/* to be sent, in order */
};

struct nonce_state {
	struct nonce_socket *sockets;
	struct ticket_book *book;
	uint8_t requests[BATCH][DATAGRAM_REQUEST_BYTES];
	char answers[BATCH][ANSWER_BYTES];
	struct iovec request_iovs[BATCH];
	struct iovec answer_iovs[BATCH];
	struct mmsghdr out[BATCH];
	struct mmsghdr in[BATCH];
};

static void nonce_close(struct lane *lane)
{
	struct nonce_state *state = lane->state;

	for (unsigned i = 0; state && state->sockets && i < lane->target->count; i++) {
		io_close(&state->sockets[i].fd);
	}
	if (state) {
		free(state->sockets);
		free(state->book);
		free(state);
	}
	lane->state = NULL;
}

/* The kernel then tells which datagram met an error, by giving it back. UNIX sockets cannot. */
static void ask_for_errors(int fd, int family)
{
	const int one = 1;

	if (family == AF_INET) {
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
	} else if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	}
}

static int open_sockets(struct lane *lane, struct nonce_state *state)
{
	for (unsigned i = 0; i < lane->target->count; i++) {
		state->sockets[i].fd = -1;
		TAILQ_INIT(&state->sockets[i].waiting);
	}
	for (unsigned i = 0; i < lane->target->count; i++) {
		const struct endpoint *endpoint = &lane->target->endpoints[i];
		int fd = datagram_socket((const struct sockaddr *)&endpoint->sockaddr,
			endpoint->sockaddr_len);

		state->sockets[i].fd = fd;
		if (fd < 0 || lane_watch_own(lane, fd, EPOLLIN, i) < 0) {
			return -1;
		}
		ask_for_errors(fd, endpoint->family);
	}
	return 0;
}

static int nonce_open(struct lane *lane)
{
	struct nonce_state *state = calloc(1, sizeof(*state));
	uint64_t first_id = 0;

	lane->state = state;
	if (!state) {
		return -1;
	}
	/* Random, so that answers to an earlier run's requests belong to none of this one's. */
	if (getrandom(&first_id, sizeof(first_id), 0) < 0) {
		return -1;
	}
	state->book = ticket_book_new(first_id);
	state->sockets = calloc(lane->target->count, sizeof(*state->sockets));
	for (unsigned i = 0; i < BATCH; i++) {
		state->request_iovs[i] = (struct iovec){ state->requests[i],
			DATAGRAM_REQUEST_BYTES };
		state->out[i].msg_hdr.msg_iov = &state->request_iovs[i];
		state->out[i].msg_hdr.msg_iovlen = 1;
		state->answer_iovs[i] = (struct iovec){ state->answers[i], ANSWER_BYTES };
		state->in[i].msg_hdr.msg_iov = &state->answer_iovs[i];
		state->in[i].msg_hdr.msg_iovlen = 1;
	}
	if (!state->book || !state->sockets) {
		return -1;
	}
	return open_sockets(lane, state);
}

static enum transport_start nonce_start(struct lane *lane, struct request *request)
{
	struct nonce_state *state = lane->state;

	request->ticket = ticket_issue(state->book, request->index);
	request->waiting = true;
	TAILQ_INSERT_TAIL(&state->sockets[request->endpoint].waiting, request, wait_link);
	return TRANSPORT_STARTED;
}

static void stop_waiting(struct nonce_state *state, struct request *request)
{
	if (request->waiting) {
		TAILQ_REMOVE(&state->sockets[request->endpoint].waiting, request, wait_link);
		request->waiting = false;
	}
}

static void watch_room(struct lane *lane, unsigned number, bool full)
{
	struct nonce_state *state = lane->state;
	struct nonce_socket *out = &state->sockets[number];

	if (out->full != full) {
		out->full = full;
		lane_rewatch_own(lane, out->fd, EPOLLIN | (full ? EPOLLOUT : 0u), number);
	}
}

static void end_request(struct lane *lane, struct request *request, enum outcome outcome,
	enum ticket_state fate, uint64_t now_ns)
{
	struct nonce_state *state = lane->state;
	struct ticket *ticket = ticket_find(state->book, request->ticket);

	if (ticket) {
		ticket->state = fate;
	}
	stop_waiting(state, request);
	lane_end(lane, request, outcome, now_ns);
}

static void write_requests(struct nonce_state *state, const struct nonce_socket *out,
	unsigned *count)
{
	uint64_t now_ns = clock_now_ns();
	struct request *request;

	*count = 0;
	TAILQ_FOREACH(request, &out->waiting, wait_link) {
		uint8_t nonce[PROTOCOL_NONCE_BYTES];

		if (*count == BATCH) {
			break;
		}
		memcpy(nonce, &request->ticket, sizeof(nonce));
		protocol_write_request(state->requests[(*count)++], DATAGRAM_REQUEST_BYTES, nonce);
		request->sent_ns = now_ns;
	}
}

/*
 * Sending failed: is it worth another try? What the socket has to tell of an earlier datagram comes
 * once, and the error queue has it too; a server that was started again is found under its name.
 */
static bool may_try_again(const struct endpoint *endpoint, int fd, bool *tried)
{
	if (*tried) {
		return false;
	}
	*tried = true;
	return endpoint->family != AF_UNIX || datagram_reconnect(fd,
		(const struct sockaddr *)&endpoint->sockaddr, endpoint->sockaddr_len) == 0;
}

/* Send what waits for the socket of endpoint NUMBER. An error ends the request that met it. */
static void flush_socket(struct lane *lane, unsigned number)
{
	struct nonce_state *state = lane->state;
	struct nonce_socket *out = &state->sockets[number];
	bool tried = false;

	while (!TAILQ_EMPTY(&out->waiting)) {
		unsigned count;
		int sent;

		write_requests(state, out, &count);
		sent = sendmmsg(out->fd, state->out, count, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			watch_room(lane, number, true);
			return;
		}
		if (sent < 0) {
			int error = errno == ENOTCONN ? ECONNREFUSED : errno;

			if (!may_try_again(&lane->target->endpoints[number], out->fd, &tried)) {
				end_request(lane, TAILQ_FIRST(&out->waiting),
					outcome_of_errno(error), TICKET_LOST, clock_now_ns());
				tried = false;
			}
			continue;
		}
		tried = false;
		for (int i = 0; i < sent; i++) {
			stop_waiting(state, TAILQ_FIRST(&out->waiting));
		}
	}
	watch_room(lane, number, false);
}

static void nonce_flush(struct lane *lane)
{
	for (unsigned i = 0; i < lane->target->count; i++) {
		flush_socket(lane, i);
	}
}

static void take_answer(struct lane *lane, const char *datagram, size_t len, uint64_t now_ns)
{
	struct nonce_state *state = lane->state;
	uint8_t nonce[PROTOCOL_NONCE_BYTES];
	struct request *request;
	struct ticket *ticket;
	const char *line;
	size_t line_len;
	uint64_t id;

	if (len < PROTOCOL_ANSWER_HEADER_BYTES) {
		return;
	}
	memcpy(nonce, datagram + PROTOCOL_ANSWER_HEADER_BYTES - sizeof(nonce), sizeof(nonce));
	memcpy(&id, nonce, sizeof(id));
	line = protocol_parse_answer(datagram, len, nonce, &line_len);
	ticket = line ? ticket_find(state->book, id) : NULL;
	if (!ticket) {
		return;
	}
	if (ticket->state == TICKET_ANSWERED) {
		lane_count_duplicate(lane);
		return;
	}
	if (ticket->state == TICKET_LOST) {
		ticket->state = TICKET_ANSWERED;
		lane_count_late(lane);
		return;
	}
	request = &lane->requests[ticket->slot];
	end_request(lane, request, judge_answer(line, line_len, true, lane->plan->expect),
		TICKET_ANSWERED, now_ns);
}

/* A datagram of LEN bytes came back with ERROR: it ends its own request, and no other. */
static void take_returned(struct lane *lane, const uint8_t *datagram, size_t len, int error)
{
	struct nonce_state *state = lane->state;
	struct protocol_request parsed;
	struct ticket *ticket;
	uint64_t id;

	protocol_parse_request(datagram, len, &parsed);
	if (parsed.kind != PROTOCOL_EXTENDED) {
		return;
	}
	memcpy(&id, parsed.nonce, sizeof(id));
	ticket = ticket_find(state->book, id);
	if (ticket && ticket->state == TICKET_RUNNING) {
		end_request(lane, &lane->requests[ticket->slot], outcome_of_errno(error),
			TICKET_LOST, clock_now_ns());
	}
}

static int error_of(struct msghdr *message)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
		struct sock_extended_err error;

		if ((at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR) ||
		    (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR)) {
			memcpy(&error, CMSG_DATA(at), sizeof(error));
			return (int)error.ee_errno;
		}
	}
	return EIO;
}

static void take_errors(struct lane *lane, int fd)
{
	for (;;) {
		uint8_t datagram[DATAGRAM_REQUEST_BYTES];
		char control[512];
		struct iovec iov = { datagram, sizeof(datagram) };
		struct msghdr message = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = sizeof(control),
		};
		ssize_t got = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);

		if (got < 0) {
			return;
		}
		take_returned(lane, datagram, (size_t)got, error_of(&message));
	}
}

static void nonce_own_event(struct lane *lane, uint32_t number, uint32_t events)
{
	struct nonce_state *state = lane->state;
	int fd = state->sockets[number].fd;
	uint64_t now_ns;
	int got;

	if (events & EPOLLERR) {
		take_errors(lane, fd);
	}
	if (!(events & (EPOLLIN | EPOLLERR))) {
		return;		/* room to send: flush is called anyway */
	}
	/* An error here is that of a datagram sent earlier, which the error queue has told of. */
	got = recvmmsg(fd, state->in, BATCH, MSG_DONTWAIT, NULL);
	now_ns = clock_now_ns();
	for (int i = 0; i < got; i++) {
		take_answer(lane, state->answers[i], state->in[i].msg_len, now_ns);
	}
}

static void nonce_abandon(struct lane *lane, struct request *request)
{
	struct nonce_state *state = lane->state;
	struct ticket *ticket = ticket_find(state->book, request->ticket);

	if (ticket) {
		ticket->state = TICKET_LOST;
	}
	stop_waiting(state, request);
}

const struct transport transport_nonce = {
	.fds_per_request = 0,
	.open = nonce_open,
	.close = nonce_close,
	.start = nonce_start,
	.flush = nonce_flush,
	.own_event = nonce_own_event,
	.abandon = nonce_abandon,
};
