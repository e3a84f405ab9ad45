/* SPDX-License-Identifier: MIT */
/*
 * One connection a try: connect to the first address that lets us, read a line and the end. Nothing
 * is sent, so there is nothing to shut down. A server that does not close has given its line all
 * the same, but only the deadline tells that there is no more of it.
 *
 * fdpass sends a descriptor when it is connected, and reads a status instead of a line. The
 * server may have written to a descriptor that it has received, whatever became of the status: then
 * another try could make two lines of one, and the talk is over.
 */
#include "client/ask/transport.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/ask/race.h"
#include "common/fdpass.h"
#include "common/io.h"

struct stream_talk {
	bool passes;			/* fdpass */
	int pass_fd;			/* what it passes */
	int line_fd;			/* that is a file of its own; -1: the line is not for us */
	bool passed;			/* the server has the descriptor, or may have it */
	bool trying;
	int conn_fd;			/* connected; -1: not yet */
	struct race race;		/* until then */
	uint64_t deadline_ns;		/* of the try */
	uint64_t began_ns;		/* connecting */
	uint64_t heard_ns;		/* the last of what has been read */
	size_t len;
	char text[PROTOCOL_TRUSTED_LINE_MAX_BYTES + 1];	/* one more: to see what is too much */
};

static void *stream_open(const struct address *address, const struct transport_common *common,
	uint64_t owner)
{
	struct stream_talk *talk = calloc(1, sizeof(*talk));

	(void)owner;
	if (talk) {
		talk->conn_fd = -1;
		talk->line_fd = -1;
		talk->passes = address->scheme == ADDRESS_FDPASS;
		talk->pass_fd = common->pass_fd;
	}
	return talk;
}

static void stream_close(void *opaque)
{
	struct stream_talk *talk = opaque;

	race_stop(&talk->race);
	io_close(&talk->conn_fd);
	io_close(&talk->line_fd);
	free(talk);
}

static void stream_start(void *opaque, const struct addrinfo *addresses, uint64_t deadline_ns)
{
	struct stream_talk *talk = opaque;

	race_stop(&talk->race);
	io_close(&talk->conn_fd);
	io_close(&talk->line_fd);
	race_start(&talk->race, addresses, deadline_ns);
	talk->trying = true;
	talk->passed = false;
	talk->len = 0;
	talk->deadline_ns = deadline_ns;
}

static unsigned stream_watch(const void *opaque, struct pollfd *fds, uint64_t *wake_ns)
{
	const struct stream_talk *talk = opaque;

	if (!talk->trying) {
		return 0;
	}
	if (talk->conn_fd < 0) {
		return race_watch(&talk->race, fds, wake_ns);
	}
	if (*wake_ns > talk->deadline_ns) {
		*wake_ns = talk->deadline_ns;
	}
	fds[0].fd = talk->conn_fd;
	fds[0].events = POLLIN;
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

/* A message that fails is not sent in part, so its descriptor has gone nowhere. */
static enum transport_state pass(struct stream_talk *talk, struct answer *answer)
{
	if (talk->pass_fd < 0) {
		talk->line_fd = memfd_create("line", MFD_CLOEXEC);
		if (talk->line_fd < 0) {
			return decide(talk, transport_fail(answer, errno));
		}
	}
	if (fdpass_send(talk->conn_fd, talk->pass_fd < 0 ? talk->line_fd : talk->pass_fd) < 0) {
		return decide(talk, transport_fail(answer, errno));
	}
	talk->passed = true;
	return TRANSPORT_PENDING;
}

static enum transport_state step_connecting(struct stream_talk *talk, uint64_t now_ns,
	struct answer *answer)
{
	talk->conn_fd = race_step(&talk->race, now_ns, &talk->began_ns);
	if (talk->conn_fd < 0) {
		return errno == EINPROGRESS ? TRANSPORT_PENDING
					    : decide(talk, transport_fail(answer, errno));
	}
	return talk->passes ? pass(talk, answer) : TRANSPORT_PENDING;
}

/* Nothing more is coming. */
static enum transport_state finish(struct stream_talk *talk, struct answer *answer)
{
	const char *why = "no line";

	if (!talk->len) {
		return fail(talk, answer, "closed without an answer");
	}
	if (answer_scan(talk->text, talk->len, &why) <= 0) {
		return fail(talk, answer, "incomplete line");
	}
	answer->rtt_ns = talk->heard_ns - talk->began_ns;
	if (answer_take_line(answer, talk->text, talk->len) < 0) {
		return decide(talk, TRANSPORT_DECLINED);
	}
	if (talk->passes) {
		return fail(talk, answer, "a line came instead of a status");
	}
	return decide(talk, TRANSPORT_ANSWERED);
}

/* The server has written the line: its own way, or to our file. */
static enum transport_state confirm(struct stream_talk *talk, struct answer *answer)
{
	ssize_t len;

	if (talk->line_fd < 0) {
		*answer = (struct answer){ .rtt_ns = talk->heard_ns - talk->began_ns };
		return decide(talk, TRANSPORT_ANSWERED);
	}
	len = pread(talk->line_fd, talk->text, sizeof(talk->text), 0);
	talk->len = len < 0 ? 0 : (size_t)len;
	talk->passes = false;
	return finish(talk, answer);
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
	const char *why = "no line";

	for (;;) {
		ssize_t got = recv(talk->conn_fd, talk->text + talk->len,
			sizeof(talk->text) - talk->len, 0);

		if (got == 0) {
			return finish(talk, answer);
		}
		if (got < 0 && errno == EAGAIN) {
			break;
		}
		if (got < 0) {
			return fail_reading(talk, errno, answer);
		}
		talk->len += (size_t)got;
		talk->heard_ns = now_ns;
		if (talk->passes && talk->text[0] == FDPASS_OK_BYTE) {
			return confirm(talk, answer);
		}
		if (answer_scan(talk->text, talk->len, &why) < 0) {
			return fail(talk, answer, why);
		}
	}
	if (now_ns < talk->deadline_ns) {
		return TRANSPORT_PENDING;
	}
	return answer_scan(talk->text, talk->len, &why) > 0 ? finish(talk, answer)
							    : fail(talk, answer, "timed out");
}

static enum transport_state stream_step(void *opaque, uint64_t now_ns, struct answer *answer)
{
	struct stream_talk *talk = opaque;

	if (!talk->trying) {
		return TRANSPORT_PENDING;
	}
	if (talk->conn_fd < 0) {
		enum transport_state state = step_connecting(talk, now_ns, answer);

		if (talk->conn_fd < 0 || state != TRANSPORT_PENDING) {
			return state;
		}
	}
	return step_reading(talk, now_ns, answer);
}

const struct transport client_transport_stream = {
	.open = stream_open,
	.close = stream_close,
	.start = stream_start,
	.watch = stream_watch,
	.step = stream_step,
};
