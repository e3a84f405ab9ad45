/* SPDX-License-Identifier: MIT */
#include "bench/target.h"

#include <errno.h>
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

struct nonce_state {
	int fd;
	bool full;			/* waiting for room to send */
	struct ticket_book *book;
	struct request **waiting;	/* to be sent, in order */
	uint32_t waiting_count;
	uint8_t requests[BATCH][TARGET_REQUEST_BYTES];
	char answers[BATCH][ANSWER_BYTES];
	struct iovec request_iovs[BATCH];
	struct iovec answer_iovs[BATCH];
	struct mmsghdr out[BATCH];
	struct mmsghdr in[BATCH];
};

static void nonce_close(struct lane *lane)
{
	struct nonce_state *state = lane->state;

	if (state) {
		io_close(&state->fd);
		free(state->book);
		free(state->waiting);
		free(state);
	}
	lane->state = NULL;
}

static int nonce_open(struct lane *lane)
{
	struct nonce_state *state = calloc(1, sizeof(*state));
	uint64_t first_id = 0;

	lane->state = state;
	if (!state) {
		return -1;
	}
	state->fd = target_socket(lane->target);
	/* Random, so that answers to an earlier run's requests are nobody's. */
	if (state->fd < 0 || getrandom(&first_id, sizeof(first_id), 0) < 0) {
		return -1;
	}
	state->book = ticket_book_new(first_id);
	state->waiting = calloc(lane->slots, sizeof(struct request *));
	for (unsigned i = 0; i < BATCH; i++) {
		state->request_iovs[i] = (struct iovec){ state->requests[i],
			TARGET_REQUEST_BYTES };
		state->out[i].msg_hdr.msg_iov = &state->request_iovs[i];
		state->out[i].msg_hdr.msg_iovlen = 1;
		state->answer_iovs[i] = (struct iovec){ state->answers[i], ANSWER_BYTES };
		state->in[i].msg_hdr.msg_iov = &state->answer_iovs[i];
		state->in[i].msg_hdr.msg_iovlen = 1;
	}
	if (!state->book || !state->waiting) {
		return -1;
	}
	return lane_watch_own(lane, state->fd, EPOLLIN, 0);
}

static enum transport_start nonce_start(struct lane *lane, struct request *request)
{
	struct nonce_state *state = lane->state;

	request->ticket = ticket_issue(state->book, request->index);
	state->waiting[state->waiting_count++] = request;
	return TRANSPORT_STARTED;
}

static void forget_waiting(struct nonce_state *state, uint32_t count)
{
	state->waiting_count -= count;
	memmove(state->waiting, state->waiting + count,
		state->waiting_count * sizeof(struct request *));
}

static void watch_room(struct lane *lane, bool full)
{
	struct nonce_state *state = lane->state;

	if (state->full != full) {
		state->full = full;
		lane_rewatch_own(lane, state->fd, EPOLLIN | (full ? EPOLLOUT : 0u), 0);
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
	lane_end(lane, request, outcome, now_ns);
}

/*
 * The socket has an error to tell, of a datagram sent earlier. If nobody listens at the other end,
 * none of those under way will be answered.
 */
static void take_error(struct lane *lane, int error)
{
	struct nonce_state *state = lane->state;
	const struct target *target = lane->target;
	uint64_t now_ns = clock_now_ns();
	struct request *request;

	state->waiting_count = 0;
	while ((request = TAILQ_FIRST(&lane->running)) != NULL) {
		end_request(lane, request, outcome_of_errno(error), TICKET_LOST, now_ns);
	}
	if (target->family == AF_UNIX) {
		/* Its successor has another inode of the same name. */
		(void)!connect(state->fd, (const struct sockaddr *)&target->sockaddr,
			target->sockaddr_len);
	}
}

static void nonce_flush(struct lane *lane)
{
	struct nonce_state *state = lane->state;

	while (state->waiting_count > 0) {
		uint32_t count = state->waiting_count < BATCH ? state->waiting_count : BATCH;
		uint64_t now_ns = clock_now_ns();
		int sent;

		for (uint32_t i = 0; i < count; i++) {
			uint8_t nonce[PROTOCOL_NONCE_BYTES];

			memcpy(nonce, &state->waiting[i]->ticket, sizeof(nonce));
			protocol_write_request(state->requests[i], TARGET_REQUEST_BYTES, nonce);
			state->waiting[i]->sent_ns = now_ns;
		}
		sent = sendmmsg(state->fd, state->out, count, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			watch_room(lane, true);
			return;
		}
		if (sent < 0) {
			take_error(lane, errno == ENOTCONN ? ECONNREFUSED : errno);
			break;
		}
		forget_waiting(state, (uint32_t)sent);
	}
	watch_room(lane, false);
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

static void nonce_own_event(struct lane *lane, uint32_t number, uint32_t events)
{
	struct nonce_state *state = lane->state;
	uint64_t now_ns;
	int got;

	(void)number;
	if (!(events & (EPOLLIN | EPOLLERR))) {
		return;		/* room to send: flush is called anyway */
	}
	got = recvmmsg(state->fd, state->in, BATCH, MSG_DONTWAIT, NULL);
	now_ns = clock_now_ns();
	if (got < 0 && errno != EAGAIN && errno != EINTR) {
		take_error(lane, errno);
	}
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
	for (uint32_t i = 0; i < state->waiting_count; i++) {
		if (state->waiting[i] == request) {
			state->waiting_count--;
			memmove(&state->waiting[i], &state->waiting[i + 1],
				(state->waiting_count - i) * sizeof(struct request *));
			return;
		}
	}
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
