/* SPDX-License-Identifier: MIT */
/*
 * UNIX datagrams are not lost, but the server's buffer can be full: then its sender waits. A client
 * has to have a name to be answered; the kernel gives it one that is in no directory.
 *
 * Every request leaves from a socket of its own, connected to the server's: the kernel drops what
 * comes from elsewhere, and the socket tells which request an answer belongs to, also when it comes
 * after the next one was sent. What is asked when: see transport_udp.c.
 */
#include "client/ask/transport.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common/io.h"

/* Datagrams taken from one socket in a row, so that a flood cannot hide the deadline. */
#define RECEIVE_BURST 64

/* One request, and the socket that waits for its answer. */
struct shot {
	int sock_fd;
	unsigned try;
	bool extended_due;	/* the extended request is still to be sent */
	bool plain_due;		/* the one byte is */
	bool plain;		/* it is one of two ways to ask here: see above */
	uint8_t nonce[PROTOCOL_NONCE_BYTES];
	uint64_t sent_ns;
};

struct datagram_talk {
	bool once;
	struct shot shots[TRANSPORT_WATCHED_MAX];	/* a ring: the oldest gives way */
	unsigned fired;			/* shots so far */
	unsigned tries;			/* the last of them may be under way */
	bool trying;
	const struct addrinfo *to;	/* in this try */
	bool asked;			/* the first shot of this try has been fired */
	uint64_t repeat_ns;		/* when to fire another one; CLOCK_NEVER: no more */
	uint64_t deadline_ns;		/* of the try */
	int error;			/* what the last failed shot of this try met, or 0 */
};

static void *datagram_open(const struct address *address, const struct transport_common *common,
	uint64_t owner)
{
	struct datagram_talk *talk = calloc(1, sizeof(*talk));

	(void)address;
	(void)owner;
	if (talk) {
		talk->once = common->once;
		for (unsigned i = 0; i < TRANSPORT_WATCHED_MAX; i++) {
			talk->shots[i].sock_fd = -1;
		}
	}
	return talk;
}

static void datagram_close(void *opaque)
{
	struct datagram_talk *talk = opaque;

	for (unsigned i = 0; i < TRANSPORT_WATCHED_MAX; i++) {
		io_close(&talk->shots[i].sock_fd);
	}
	free(talk);
}

static void datagram_start(void *opaque, const struct addrinfo *addresses, uint64_t deadline_ns)
{
	struct datagram_talk *talk = opaque;

	talk->tries++;
	talk->trying = true;
	talk->to = addresses;
	talk->asked = false;
	talk->repeat_ns = CLOCK_NEVER;
	talk->deadline_ns = deadline_ns;
	talk->error = 0;
}

static bool is_due(const struct shot *shot)
{
	return shot->extended_due || shot->plain_due;
}

/* Is SHOT one of the try that is under way? */
static bool is_current(const struct datagram_talk *talk, const struct shot *shot)
{
	return shot->sock_fd >= 0 && shot->try == talk->tries;
}

static unsigned datagram_watch(const void *opaque, struct pollfd *fds, uint64_t *wake_ns)
{
	const struct datagram_talk *talk = opaque;
	uint64_t wake_at_ns = talk->repeat_ns < talk->deadline_ns ? talk->repeat_ns
								  : talk->deadline_ns;
	unsigned count = 0;

	for (unsigned i = 0; i < TRANSPORT_WATCHED_MAX; i++) {
		const struct shot *shot = &talk->shots[i];

		if (shot->sock_fd < 0) {
			continue;
		}
		fds[count].fd = shot->sock_fd;
		fds[count].events = is_due(shot) ? POLLIN | POLLOUT : POLLIN;
		count++;
	}
	if (talk->trying && *wake_ns > wake_at_ns) {
		*wake_ns = wake_at_ns;
	}
	return count;
}

/* Returns -1 with errno EAGAIN as long as something is due. */
static int send_due(struct shot *shot)
{
	uint8_t request[PROTOCOL_EXTENDED_MAX_BYTES];

	if (shot->extended_due) {
		protocol_write_request(request, sizeof(request), shot->nonce);
		if (send(shot->sock_fd, request, sizeof(request), MSG_NOSIGNAL) < 0) {
			return -1;
		}
		shot->extended_due = false;
	}
	if (shot->plain_due) {
		if (send(shot->sock_fd, "\n", 1, MSG_NOSIGNAL) < 0) {
			return -1;
		}
		shot->plain_due = false;
	}
	return 0;
}

static int open_socket(void)
{
	static const struct sockaddr unnamed = { .sa_family = AF_UNIX };
	int sock_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (sock_fd >= 0 && bind(sock_fd, &unnamed, sizeof(unnamed.sa_family)) < 0) {
		io_close(&sock_fd);
	}
	return sock_fd;
}

/* Ask, perhaps again. Failing, sets the talk's error. */
static void fire(struct datagram_talk *talk, bool again, uint64_t now_ns)
{
	const struct addrinfo *to = talk->to;
	struct shot *shot = &talk->shots[talk->fired++ % TRANSPORT_WATCHED_MAX];

	io_close(&shot->sock_fd);
	shot->try = talk->tries;
	shot->extended_due = true;
	shot->plain = again || talk->once || talk->tries > 1;
	shot->plain_due = shot->plain;
	shot->sent_ns = now_ns;
	shot->sock_fd = open_socket();
	if (shot->sock_fd < 0 || connect(shot->sock_fd, to->ai_addr, to->ai_addrlen) < 0 ||
	    getrandom(shot->nonce, sizeof(shot->nonce), 0) != sizeof(shot->nonce) ||
	    (send_due(shot) < 0 && errno != EAGAIN)) {
		talk->error = errno;
		io_close(&shot->sock_fd);
	}
}

/* Is this datagram, one byte longer in its buffer if it was cut, the answer to that shot? */
static bool believe(const struct shot *shot, const char *datagram, size_t len,
	struct answer *answer)
{
	const char *line = datagram;
	size_t line_len = len;

	if (len > PROTOCOL_EXTENDED_MAX_BYTES) {
		return false;
	}
	if (protocol_is_answer(datagram, len)) {
		line = protocol_parse_answer(datagram, len, shot->nonce, &line_len);
	} else if (!shot->plain) {
		return false;
	}
	return line && answer_take_datagram(answer, line, line_len) == 0;
}

/* SHOT has met an error: that is the end of it. */
static void give_up(struct datagram_talk *talk, struct shot *shot)
{
	if (shot->try == talk->tries) {
		talk->error = errno;
	}
	io_close(&shot->sock_fd);
}

/* Returns true if SHOT has met its answer; gives it up if it has met an error. */
static bool receive(struct datagram_talk *talk, struct shot *shot, struct answer *answer)
{
	char datagram[PROTOCOL_EXTENDED_MAX_BYTES + 1];

	for (unsigned i = 0; i < RECEIVE_BURST; i++) {
		ssize_t got = recv(shot->sock_fd, datagram, sizeof(datagram), 0);

		if (got < 0 && errno == EAGAIN) {
			break;
		}
		if (got < 0) {
			give_up(talk, shot);
			break;
		}
		if (believe(shot, datagram, (size_t)got, answer)) {
			return true;
		}
	}
	return false;
}

static bool try_is_open(const struct datagram_talk *talk)
{
	for (unsigned i = 0; i < TRANSPORT_WATCHED_MAX; i++) {
		if (is_current(talk, &talk->shots[i])) {
			return true;
		}
	}
	return false;
}

/* What a repeated request meets on its way out says nothing about the one that is awaited. */
static void repeat(struct datagram_talk *talk, uint64_t now_ns)
{
	int error = talk->error;

	talk->repeat_ns = CLOCK_NEVER;
	fire(talk, true, now_ns);
	talk->error = error;
}

static enum transport_state step_trying(struct datagram_talk *talk, uint64_t now_ns,
	struct answer *answer)
{
	if (!talk->asked) {
		talk->asked = true;
		talk->repeat_ns = talk->once ? CLOCK_NEVER : now_ns + TRANSPORT_REPEAT_NS;
		fire(talk, false, now_ns);
	} else if (now_ns >= talk->repeat_ns && now_ns < talk->deadline_ns && try_is_open(talk)) {
		repeat(talk, now_ns);
	}
	if (io_is_shortage(talk->error) || !try_is_open(talk)) {
		talk->trying = false;
		return transport_fail(answer, talk->error);
	}
	if (now_ns >= talk->deadline_ns) {
		talk->trying = false;
		answer_fail(answer, "timed out");
		return TRANSPORT_FAILED;
	}
	return TRANSPORT_PENDING;
}

static enum transport_state datagram_step(void *opaque, uint64_t now_ns, struct answer *answer)
{
	struct datagram_talk *talk = opaque;

	for (unsigned i = 0; i < TRANSPORT_WATCHED_MAX; i++) {
		struct shot *shot = &talk->shots[i];

		if (shot->sock_fd >= 0 && is_due(shot) && send_due(shot) < 0 && errno != EAGAIN) {
			give_up(talk, shot);
		}
		if (shot->sock_fd >= 0 && receive(talk, shot, answer)) {
			answer->rtt_ns = now_ns - shot->sent_ns;
			talk->trying = false;
			return TRANSPORT_ANSWERED;
		}
	}
	return talk->trying ? step_trying(talk, now_ns, answer) : TRANSPORT_PENDING;
}

const struct transport client_transport_unix_dgram = {
	.open = datagram_open,
	.close = datagram_close,
	.start = datagram_start,
	.watch = datagram_watch,
	.step = datagram_step,
};
