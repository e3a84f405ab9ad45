/* SPDX-License-Identifier: MIT */
/*
 * One connection a try: connect to the first address that lets us, read until the server closes.
 * Nothing is sent, so there is nothing to shut down.
 *
 * fdpass sends its standard output when it is connected, and reads a status instead of a line. The
 * server may have written to a descriptor that it has received, whatever became of the status: then
 * another try could make two lines of one, and the talk is over.
 */
#include "client/transport.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/io.h"

struct stream_talk {
	bool passes;			/* fdpass */
	bool passed;			/* the server has the descriptor, or may have it */
	bool trying;
	bool connected;
	int conn_fd;
	const struct addrinfo *address;	/* whose turn it is; NULL: there are no more */
	uint64_t deadline_ns;		/* of the try */
	uint64_t turn_ends_ns;		/* of connecting to ADDRESS */
	uint64_t began_ns;		/* connecting to ADDRESS */
	uint64_t knock_ns;		/* when to try connect() again; CLOCK_NEVER: poll() tells */
	size_t len;
	char text[PROTOCOL_TRUSTED_LINE_MAX_BYTES + 1];	/* one more: to see what is too much */
};

static void *stream_open(const struct address *address)
{
	struct stream_talk *talk = calloc(1, sizeof(*talk));

	if (talk) {
		talk->conn_fd = -1;
		talk->passes = address->scheme == ADDRESS_FDPASS;
	}
	return talk;
}

static void stream_close(void *opaque)
{
	struct stream_talk *talk = opaque;

	io_close(&talk->conn_fd);
	free(talk);
}

static void stream_start(void *opaque, const struct addrinfo *addresses, uint64_t deadline_ns)
{
	struct stream_talk *talk = opaque;

	io_close(&talk->conn_fd);
	talk->trying = true;
	talk->connected = false;
	talk->passed = false;
	talk->address = addresses;
	talk->deadline_ns = deadline_ns;
}

static unsigned stream_watch(const void *opaque, struct pollfd *fds, uint64_t *wake_ns)
{
	const struct stream_talk *talk = opaque;
	uint64_t wake_at_ns = talk->connected ? talk->deadline_ns : talk->turn_ends_ns;

	if (!talk->trying) {
		return 0;
	}
	if (!talk->connected && wake_at_ns > talk->knock_ns) {
		wake_at_ns = talk->knock_ns;
	}
	if (*wake_ns > wake_at_ns) {
		*wake_ns = wake_at_ns;
	}
	if (!talk->connected && talk->knock_ns != CLOCK_NEVER) {
		return 0;
	}
	fds[0].fd = talk->conn_fd;
	fds[0].events = talk->connected ? POLLIN : POLLOUT;
	return 1;
}

static enum transport_state decide(struct stream_talk *talk, enum transport_state state)
{
	io_close(&talk->conn_fd);
	talk->trying = false;
	return state == TRANSPORT_FAILED && talk->passed ? TRANSPORT_DECLINED : state;
}

static enum transport_state fail(struct stream_talk *talk, struct answer *answer, const char *why)
{
	answer_fail(answer, why);
	return decide(talk, TRANSPORT_FAILED);
}

/*
 * Begin to connect to the address whose turn it is, or see how that goes: connect() called again
 * tells how the first call ended. Returns 0 when connected, EINPROGRESS, or what went wrong.
 *
 * A UNIX socket with a full backlog says EAGAIN and forgets that we were there.
 */
static int connect_on(struct stream_talk *talk, uint64_t now_ns)
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
	talk->knock_ns = CLOCK_NEVER;
	if (connect(talk->conn_fd, address->ai_addr, address->ai_addrlen) == 0 ||
	    errno == EISCONN) {
		return 0;
	}
	if (errno == EAGAIN && address->ai_family == AF_UNIX) {
		talk->knock_ns = transport_look_again_ns(talk->began_ns, now_ns);
	} else if (errno != EINPROGRESS && errno != EALREADY) {
		return errno;
	}
	return now_ns < talk->turn_ends_ns ? EINPROGRESS : ETIMEDOUT;
}

/* A message that fails is not sent in part, so its descriptor has gone nowhere. */
static enum transport_state pass(struct stream_talk *talk, struct answer *answer)
{
	if (fdpass_send(talk->conn_fd, STDOUT_FILENO) < 0) {
		return decide(talk, transport_fail(answer, errno));
	}
	talk->passed = true;
	return TRANSPORT_PENDING;
}

static enum transport_state step_connecting(struct stream_talk *talk, uint64_t now_ns,
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
			return talk->passes ? pass(talk, answer) : TRANSPORT_PENDING;
		}
		state = transport_fail(answer, error);
		io_close(&talk->conn_fd);
		talk->address = talk->address->ai_next;
	}
	return decide(talk, state);
}

static enum transport_state finish(struct stream_talk *talk, uint64_t now_ns, struct answer *answer)
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
	if (talk->passes) {
		return fail(talk, answer, "a line came instead of a status");
	}
	return decide(talk, TRANSPORT_ANSWERED);
}

/* The line went its own way. */
static enum transport_state confirm(struct stream_talk *talk, uint64_t now_ns,
	struct answer *answer)
{
	*answer = (struct answer){ .rtt_ns = now_ns - talk->began_ns };
	return decide(talk, TRANSPORT_ANSWERED);
}

/*
 * A connection is reset by a server that has not read what we sent, and so cannot have taken the
 * descriptor: it ended while we waited at its door.
 */
static enum transport_state fail_reading(struct stream_talk *talk, int error,
	struct answer *answer)
{
	if (error == ECONNRESET) {
		talk->passed = false;
	}
	return decide(talk, transport_fail(answer, error));
}

/* Reads until the end or until nothing is there; what has been read always fits. */
static enum transport_state step_reading(struct stream_talk *talk, uint64_t now_ns,
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
			return fail_reading(talk, errno, answer);
		}
		talk->len += (size_t)got;
		if (talk->passes && talk->text[0] == FDPASS_OK_BYTE) {
			return confirm(talk, now_ns, answer);
		}
		if (answer_scan(talk->text, talk->len, &why) < 0) {
			return fail(talk, answer, why);
		}
	}
	if (now_ns < talk->deadline_ns) {
		return TRANSPORT_PENDING;
	}
	return fail(talk, answer, "timed out");
}

static enum transport_state stream_step(void *opaque, uint64_t now_ns, struct answer *answer)
{
	struct stream_talk *talk = opaque;

	if (!talk->trying) {
		return TRANSPORT_PENDING;
	}
	if (!talk->connected) {
		enum transport_state state = step_connecting(talk, now_ns, answer);

		if (!talk->connected || state != TRANSPORT_PENDING) {
			return state;
		}
	}
	return step_reading(talk, now_ns, answer);
}

const struct transport transport_stream = {
	.open = stream_open,
	.close = stream_close,
	.start = stream_start,
	.watch = stream_watch,
	.step = stream_step,
};
