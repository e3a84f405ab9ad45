/* SPDX-License-Identifier: MIT */
/*
 * One connection a try: connect to the first address that lets us, read until the server closes.
 * Nothing is sent, so there is nothing to shut down.
 */
#include "client/transport.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/io.h"

struct tcp_talk {
	bool trying;
	bool connected;
	int conn_fd;
	const struct addrinfo *address;	/* whose turn it is; NULL: there are no more */
	uint64_t deadline_ns;		/* of the try */
	uint64_t turn_ends_ns;		/* of connecting to ADDRESS */
	uint64_t began_ns;		/* connecting to ADDRESS */
	size_t len;
	char text[PROTOCOL_TRUSTED_LINE_MAX_BYTES + 1];	/* one more: to see what is too much */
};

static void *tcp_open(void)
{
	struct tcp_talk *talk = calloc(1, sizeof(*talk));

	if (talk) {
		talk->conn_fd = -1;
	}
	return talk;
}

static void tcp_close(void *opaque)
{
	struct tcp_talk *talk = opaque;

	io_close(&talk->conn_fd);
	free(talk);
}

static void tcp_start(void *opaque, const struct addrinfo *addresses, uint64_t deadline_ns)
{
	struct tcp_talk *talk = opaque;

	io_close(&talk->conn_fd);
	talk->trying = true;
	talk->connected = false;
	talk->address = addresses;
	talk->deadline_ns = deadline_ns;
}

static unsigned tcp_watch(const void *opaque, struct pollfd *fds, uint64_t *wake_ns)
{
	const struct tcp_talk *talk = opaque;
	uint64_t wake_at_ns = talk->connected ? talk->deadline_ns : talk->turn_ends_ns;

	if (!talk->trying) {
		return 0;
	}
	if (*wake_ns > wake_at_ns) {
		*wake_ns = wake_at_ns;
	}
	fds[0].fd = talk->conn_fd;
	fds[0].events = talk->connected ? POLLIN : POLLOUT;
	return 1;
}

static enum transport_state decide(struct tcp_talk *talk, enum transport_state state)
{
	io_close(&talk->conn_fd);
	talk->trying = false;
	return state;
}

static enum transport_state fail(struct tcp_talk *talk, struct answer *answer, const char *why)
{
	answer_fail(answer, why);
	return decide(talk, TRANSPORT_FAILED);
}

/*
 * Begin to connect to the address whose turn it is, or see how that goes: connect() called again
 * tells how the first call ended. Returns 0 when connected, EINPROGRESS, or what went wrong.
 */
static int connect_on(struct tcp_talk *talk, uint64_t now_ns)
{
	const struct addrinfo *address = talk->address;

	if (talk->conn_fd < 0) {
		talk->conn_fd = socket(address->ai_family,
			address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
		if (talk->conn_fd < 0) {
			return errno;
		}
		talk->began_ns = now_ns;
		talk->turn_ends_ns = transport_turn_ends_ns(address, now_ns, talk->deadline_ns);
	}
	if (connect(talk->conn_fd, address->ai_addr, address->ai_addrlen) == 0 ||
	    errno == EISCONN) {
		return 0;
	}
	if (errno != EINPROGRESS && errno != EALREADY) {
		return errno;
	}
	return now_ns < talk->turn_ends_ns ? EINPROGRESS : ETIMEDOUT;
}

static enum transport_state step_connecting(struct tcp_talk *talk, uint64_t now_ns,
	struct answer *answer)
{
	enum transport_state state = TRANSPORT_FAILED;

	while (talk->address && state == TRANSPORT_FAILED) {
		int error = connect_on(talk, now_ns);

		if (error == EINPROGRESS) {
			return TRANSPORT_PENDING;
		}
		if (!error) {
			talk->connected = true;
			talk->len = 0;
			return TRANSPORT_PENDING;
		}
		state = transport_fail(answer, error);
		io_close(&talk->conn_fd);
		talk->address = talk->address->ai_next;
	}
	return decide(talk, state);
}

static enum transport_state finish(struct tcp_talk *talk, uint64_t now_ns, struct answer *answer)
{
	const char *why;

	if (!talk->len) {
		return fail(talk, answer, "closed without an answer");
	}
	if (answer_scan(talk->text, talk->len, &why) <= 0) {
		return fail(talk, answer, "incomplete line");
	}
	answer->rtt_ns = now_ns - talk->began_ns;
	if (answer_take_line(answer, talk->text, talk->len) < 0) {
		return decide(talk, TRANSPORT_DECLINED);
	}
	return decide(talk, TRANSPORT_ANSWERED);
}

/* Reads until the end or until nothing is there; what has been read always fits. */
static enum transport_state step_reading(struct tcp_talk *talk, uint64_t now_ns,
	struct answer *answer)
{
	const char *why;

	for (;;) {
		ssize_t got = recv(talk->conn_fd, talk->text + talk->len,
			sizeof(talk->text) - talk->len, 0);

		if (got == 0) {
			return finish(talk, now_ns, answer);
		}
		if (got < 0 && errno == EAGAIN) {
			break;
		}
		if (got < 0) {
			return decide(talk, transport_fail(answer, errno));
		}
		talk->len += (size_t)got;
		if (answer_scan(talk->text, talk->len, &why) < 0) {
			return fail(talk, answer, why);
		}
	}
	if (now_ns < talk->deadline_ns) {
		return TRANSPORT_PENDING;
	}
	return fail(talk, answer, "timed out");
}

static enum transport_state tcp_step(void *opaque, uint64_t now_ns, struct answer *answer)
{
	struct tcp_talk *talk = opaque;

	if (!talk->trying) {
		return TRANSPORT_PENDING;
	}
	if (!talk->connected) {
		enum transport_state state = step_connecting(talk, now_ns, answer);

		if (!talk->connected) {
			return state;
		}
	}
	return step_reading(talk, now_ns, answer);
}

const struct transport transport_tcp = {
	.open = tcp_open,
	.close = tcp_close,
	.start = tcp_start,
	.watch = tcp_watch,
	.step = tcp_step,
};
