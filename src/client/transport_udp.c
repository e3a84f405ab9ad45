/* SPDX-License-Identifier: MIT */
/*
 * Datagrams get lost, come twice, come late, and come from anybody. So every request leaves from a
 * socket of its own, connected to one address: the kernel drops what comes from elsewhere, and the
 * socket tells which request an answer belongs to, also when it comes after the next one was sent.
 *
 * The first try sends an extended request. A server that does not know these drops it in silence,
 * so the later tries send, behind it, the one byte that every server knows; only who was sent that
 * byte may answer with a line that has no nonce.
 */
#include "client/transport.h"

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
	bool plain;		/* the one byte was sent, too */
	uint8_t nonce[PROTOCOL_NONCE_BYTES];
	uint64_t sent_ns;
};

struct udp_talk {
	struct shot shots[TRANSPORT_WATCHED_MAX];	/* a ring: the oldest gives way */
	unsigned fired;			/* shots so far */
	unsigned tries;			/* the last of them may be under way */
	bool trying;
	const struct addrinfo *next;	/* address to shoot at in this try; NULL: no more */
	uint64_t deadline_ns;		/* of the try */
	uint64_t turn_ends_ns;		/* then the next address has its turn */
	int error;			/* what the last failed shot of this try met, or 0 */
};

static void *udp_open(void)
{
	struct udp_talk *talk = calloc(1, sizeof(*talk));

	if (talk) {
		for (unsigned i = 0; i < TRANSPORT_WATCHED_MAX; i++) {
			talk->shots[i].sock_fd = -1;
		}
	}
	return talk;
}

static void udp_close(void *opaque)
{
	struct udp_talk *talk = opaque;

	for (unsigned i = 0; i < TRANSPORT_WATCHED_MAX; i++) {
		io_close(&talk->shots[i].sock_fd);
	}
	free(talk);
}

static void udp_start(void *opaque, const struct addrinfo *addresses, uint64_t deadline_ns)
{
	struct udp_talk *talk = opaque;

	talk->tries++;
	talk->trying = true;
	talk->next = addresses;
	talk->deadline_ns = deadline_ns;
	talk->error = 0;
}

static unsigned udp_watch(const void *opaque, struct pollfd *fds, uint64_t *wake_ns)
{
	const struct udp_talk *talk = opaque;
	uint64_t wake_at_ns = talk->next ? talk->turn_ends_ns : talk->deadline_ns;
	unsigned count = 0;

	for (unsigned i = 0; i < TRANSPORT_WATCHED_MAX; i++) {
		if (talk->shots[i].sock_fd >= 0) {
			fds[count].fd = talk->shots[i].sock_fd;
			fds[count].events = POLLIN;
			count++;
		}
	}
	if (talk->trying && *wake_ns > wake_at_ns) {
		*wake_ns = wake_at_ns;
	}
	return count;
}

static int send_requests(struct shot *shot)
{
	uint8_t request[PROTOCOL_EXTENDED_MAX_BYTES];

	if (getrandom(shot->nonce, sizeof(shot->nonce), 0) != sizeof(shot->nonce)) {
		return -1;
	}
	protocol_write_request(request, sizeof(request), shot->nonce);
	if (send(shot->sock_fd, request, sizeof(request), 0) < 0) {
		return -1;
	}
	return shot->plain ? (int)send(shot->sock_fd, "\n", 1, 0) : 0;
}

/* Ask the address whose turn it is. Failing, sets the talk's error. */
static void fire(struct udp_talk *talk, uint64_t now_ns)
{
	const struct addrinfo *to = talk->next;
	struct shot *shot = &talk->shots[talk->fired++ % TRANSPORT_WATCHED_MAX];

	talk->turn_ends_ns = transport_turn_ends_ns(to, now_ns, talk->deadline_ns);
	talk->next = to->ai_next;
	io_close(&shot->sock_fd);
	shot->try = talk->tries;
	shot->plain = talk->tries > 1;
	shot->sent_ns = now_ns;
	shot->sock_fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
		to->ai_protocol);
	if (shot->sock_fd < 0 || connect(shot->sock_fd, to->ai_addr, to->ai_addrlen) < 0 ||
	    send_requests(shot) < 0) {
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

/* Returns true if SHOT has met its answer; closes it if it has met an error. */
static bool receive(struct udp_talk *talk, struct shot *shot, struct answer *answer)
{
	char datagram[PROTOCOL_EXTENDED_MAX_BYTES + 1];

	for (unsigned i = 0; i < RECEIVE_BURST; i++) {
		ssize_t got = recv(shot->sock_fd, datagram, sizeof(datagram), 0);

		if (got < 0 && errno == EAGAIN) {
			break;
		}
		if (got < 0) {
			if (shot->try == talk->tries) {
				talk->error = errno;
			}
			io_close(&shot->sock_fd);
			break;
		}
		if (believe(shot, datagram, (size_t)got, answer)) {
			return true;
		}
	}
	return false;
}

static bool try_is_open(const struct udp_talk *talk)
{
	for (unsigned i = 0; i < TRANSPORT_WATCHED_MAX; i++) {
		if (talk->shots[i].sock_fd >= 0 && talk->shots[i].try == talk->tries) {
			return true;
		}
	}
	return false;
}

static enum transport_state step_trying(struct udp_talk *talk, uint64_t now_ns,
	struct answer *answer)
{
	while (talk->next && (!try_is_open(talk) || now_ns >= talk->turn_ends_ns)) {
		fire(talk, now_ns);
		if (io_is_shortage(talk->error)) {
			break;
		}
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

static enum transport_state udp_step(void *opaque, uint64_t now_ns, struct answer *answer)
{
	struct udp_talk *talk = opaque;

	for (unsigned i = 0; i < TRANSPORT_WATCHED_MAX; i++) {
		struct shot *shot = &talk->shots[i];

		if (shot->sock_fd >= 0 && receive(talk, shot, answer)) {
			answer->rtt_ns = now_ns - shot->sent_ns;
			talk->trying = false;
			return TRANSPORT_ANSWERED;
		}
	}
	return talk->trying ? step_trying(talk, now_ns, answer) : TRANSPORT_PENDING;
}

const struct transport transport_udp = {
	.open = udp_open,
	.close = udp_close,
	.start = udp_start,
	.watch = udp_watch,
	.step = udp_step,
};
