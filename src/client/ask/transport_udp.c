/* SPDX-License-Identifier: MIT */
/*
 * Datagrams get lost, come twice, come late, and come from anywhere. An answer counts if it comes
 * from the address that was asked, to the socket that asked, with the request's nonce: also when
 * the next request has been sent meanwhile.
 *
 * A try begins with an extended request, and repeats it once after a quarter of a second. A server
 * that does not know these drops them in silence, so all but the very first request are followed by
 * the one byte that every server knows; only a server that was sent that byte may answer with a
 * line that has no nonce. Where answers are counted, a request is sent once: with the one byte
 * until the server has answered with a nonce, so that from then on one answer stands for one
 * datagram.
 *
 * The sockets are the pool's, and so are the system calls: nothing is watched here but the clock.
 */
#include "client/ask/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/ask/udp_pool.h"
#include "common/io.h"

/* Requests that may still be answered. */
#define SHOTS 8

/* One request to one address. */
struct shot {
	struct udp_request request;	/* first: a pointer to it is one to the whole */
	bool open;			/* nothing bad has been heard of it */
	unsigned try;
	unsigned to;			/* the place of the address; valid while its try goes on */
	uint64_t repeat_ns;		/* when to ask again; CLOCK_NEVER: not, or it has been */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
};

struct udp_talk {
	const struct transport_common *common;
	uint64_t owner;
	bool has_nonces;		/* as in transport_common */
	struct shot shots[SHOTS];	/* a ring: the oldest gives way */
	unsigned fired;			/* shots so far, those of earlier rounds included */
	unsigned tries;			/* the last of them may be under way */
	bool trying;
	const struct addrinfo *order[TRANSPORT_ADDRESSES_MAX];
	unsigned count;			/* of the addresses */
	unsigned asked;			/* so many of them, in this try */
	uint64_t deadline_ns;		/* of the try */
	uint64_t turn_ends_ns;		/* then the next address has its turn */
	int error;			/* what the last failed shot of this try met, or 0 */
};

static void *udp_open(const struct address *address, const struct transport_common *common,
	uint64_t owner)
{
	struct udp_talk *talk = calloc(1, sizeof(*talk));

	(void)address;
	if (talk) {
		talk->common = common;
		talk->owner = owner;
		talk->has_nonces = common->has_nonces;
		/* A late line without a nonce is not to meet the next round at its socket. */
		talk->fired = common->asked;
	}
	return talk;
}

static void udp_close(void *opaque)
{
	struct udp_talk *talk = opaque;

	for (unsigned i = 0; i < SHOTS; i++) {
		udp_pool_forget(talk->common->udp, &talk->shots[i].request);
	}
	free(talk);
}

static void udp_start(void *opaque, const struct addrinfo *addresses, uint64_t deadline_ns)
{
	struct udp_talk *talk = opaque;

	talk->tries++;
	talk->trying = true;
	talk->count = transport_order(addresses, talk->order);
	talk->asked = 0;
	talk->deadline_ns = deadline_ns;
	talk->error = 0;
}

/* Is SHOT one of the try that is under way? */
static bool is_current(const struct udp_talk *talk, const struct shot *shot)
{
	return shot->open && shot->try == talk->tries;
}

static unsigned udp_watch(const void *opaque, struct pollfd *fds, uint64_t *wake_ns)
{
	const struct udp_talk *talk = opaque;
	uint64_t wake_at_ns = talk->asked < talk->count ? talk->turn_ends_ns : talk->deadline_ns;

	(void)fds;
	for (unsigned i = 0; i < SHOTS; i++) {
		if (is_current(talk, &talk->shots[i]) && wake_at_ns > talk->shots[i].repeat_ns) {
			wake_at_ns = talk->shots[i].repeat_ns;
		}
	}
	if (talk->trying && *wake_ns > wake_at_ns) {
		*wake_ns = wake_at_ns;
	}
	return 0;
}

/* Ask address TO, perhaps again. Failing, sets the talk's error. */
static void fire(struct udp_talk *talk, unsigned to, bool again, uint64_t now_ns)
{
	const struct addrinfo *address = talk->order[to];
	struct shot *shot = &talk->shots[talk->fired % SHOTS];

	udp_pool_forget(talk->common->udp, &shot->request);
	memcpy(&shot->address, address->ai_addr,
		address->ai_addrlen < sizeof(shot->address) ? address->ai_addrlen
							    : sizeof(shot->address));
	shot->try = talk->tries;
	shot->to = to;
	shot->repeat_ns = again || talk->common->once ? CLOCK_NEVER : now_ns + TRANSPORT_REPEAT_NS;
	shot->request.owner = talk;
	shot->request.sent_ns = now_ns;
	shot->request.plain = talk->common->once ? !talk->has_nonces : again || talk->tries > 1;
	shot->open = udp_pool_send(talk->common->udp, &shot->request, &shot->address.any,
			     address->ai_addrlen, talk->fired++) == 0;
	if (!shot->open) {
		talk->error = errno;
	}
}

static bool try_is_open(const struct udp_talk *talk)
{
	for (unsigned i = 0; i < SHOTS; i++) {
		if (is_current(talk, &talk->shots[i])) {
			return true;
		}
	}
	return false;
}

/* Ask the addresses whose turn has come. */
static void take_turns(struct udp_talk *talk, uint64_t now_ns)
{
	while (talk->asked < talk->count && (!try_is_open(talk) || now_ns >= talk->turn_ends_ns)) {
		talk->turn_ends_ns = transport_turn_ends_ns(talk->count - talk->asked, now_ns,
			talk->deadline_ns);
		fire(talk, talk->asked++, false, now_ns);
		if (io_is_shortage(talk->error)) {
			break;
		}
	}
}

/* What a repeated request meets on its way out says nothing about the one that is awaited. */
static void repeat(struct udp_talk *talk, uint64_t now_ns)
{
	int error = talk->error;

	for (unsigned i = 0; i < SHOTS; i++) {
		struct shot *shot = &talk->shots[i];

		if (is_current(talk, shot) && now_ns >= shot->repeat_ns) {
			shot->repeat_ns = CLOCK_NEVER;
			fire(talk, shot->to, true, now_ns);
		}
	}
	talk->error = error;
}

static enum transport_state udp_step(void *opaque, uint64_t now_ns, struct answer *answer)
{
	struct udp_talk *talk = opaque;

	if (!talk->trying) {
		return TRANSPORT_PENDING;
	}
	if (now_ns < talk->deadline_ns) {
		repeat(talk, now_ns);
	}
	take_turns(talk, now_ns);
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

uint64_t transport_udp_owner(const struct udp_event *event)
{
	const struct udp_talk *talk = event->request->owner;

	return talk->owner;
}

enum transport_state transport_udp_take(const struct udp_event *event, uint64_t now_ns,
	struct answer *answer)
{
	struct udp_talk *talk = event->request->owner;
	struct shot *shot = (struct shot *)event->request;

	if (!event->line) {
		shot->open = false;
		if (shot->try == talk->tries) {
			talk->error = event->error;
		}
		return TRANSPORT_PENDING;
	}
	if (answer_take_datagram(answer, event->line, event->len) < 0) {
		return TRANSPORT_PENDING;
	}
	answer->rtt_ns = now_ns - event->request->sent_ns;
	talk->trying = false;
	return TRANSPORT_ANSWERED;
}

const struct transport client_transport_udp = {
	.open = udp_open,
	.close = udp_close,
	.start = udp_start,
	.watch = udp_watch,
	.step = udp_step,
};
