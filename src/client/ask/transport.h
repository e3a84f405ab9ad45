/* SPDX-License-Identifier: MIT */
/*
 * How one host is asked: one set of functions for each way, none of which ever blocks.
 *
 * A talk is the state of asking one host, over all tries. Its owner starts a try and then calls
 * step() at once, and again whenever a descriptor that watch() names is ready or the moment it
 * names has come, until step() decides. Between two tries a talk may still watch for the late
 * answer to an earlier one; step() then says PENDING or ANSWERED and nothing else.
 *
 *	open -> start -> step, watch, step, ... -> decided -> start -> ... -> close
 *
 * A talk belongs to one thread at a time; different talks share nothing. A transport does not know
 * how its descriptors are waited for: with poll() for one talk, or epoll for thousands.
 */
#ifndef RUPTIME_CLIENT_ASK_TRANSPORT_H
#define RUPTIME_CLIENT_ASK_TRANSPORT_H

#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/ask/answer.h"
#include "common/address.h"
#include "common/clock.h"

/* The most descriptors that watch() names. */
#define TRANSPORT_WATCHED_MAX 16

/* The most addresses of one host that are tried. */
#define TRANSPORT_ADDRESSES_MAX 16

/* When a datagram that asks is repeated, once in a try. */
#define TRANSPORT_REPEAT_NS (250 * CLOCK_MS)

/* When an address has not answered for so long, the next one gets its turn, too (RFC 8305, 5). */
#define TRANSPORT_TURN_NS (250 * CLOCK_MS)

enum transport_state {
	TRANSPORT_PENDING,
	TRANSPORT_ANSWERED,	/* the answer has its line; nothing more is to be done */
	TRANSPORT_FAILED,	/* this try has failed; another one may not */
	TRANSPORT_DECLINED,	/* the server said no: to ask again at once is useless */
	TRANSPORT_BROKEN,	/* it is this machine that cannot, as in io_is_shortage() */
};

struct udp_pool;

/* What the talks of one loop have in common. */
struct transport_common {
	struct udp_pool *udp;
	int pass_fd;		/* what fdpass passes; -1: a file of its own, for the line */
	bool once;		/* a try sends one request, which is never repeated */

	/* What is known, from earlier rounds, of the host for which open() is called. */
	bool has_nonces;	/* it has answered with one: with ONCE, it needs no plain request */
	unsigned asked;		/* so many requests were sent, about */
};

struct transport {
	/*
	 * Returns a talk with the server at ADDRESS, which is not kept, or NULL with errno. COMMON
	 * is borrowed until close(). OWNER is any number, for transport_udp_owner().
	 */
	void *(*open)(const struct address *address, const struct transport_common *common,
		uint64_t owner);

	/* Closes every descriptor of TALK and frees it. */
	void (*close)(void *talk);

	/*
	 * Begin a try that ends at DEADLINE_NS. ADDRESSES are what resolve_sockets() has found,
	 * and borrowed until the try is decided, or close() is called.
	 */
	void (*start)(void *talk, const struct addrinfo *addresses, uint64_t deadline_ns);

	/*
	 * Fill FDS, of TRANSPORT_WATCHED_MAX elements, and lower *WAKE_NS to the moment by which
	 * step() must be called even if they stay quiet. Returns how many were filled.
	 */
	unsigned (*watch)(const void *talk, struct pollfd *fds, uint64_t *wake_ns);

	/* Do all that can be done at NOW_NS. ANSWER has the line, or the reason, once decided. */
	enum transport_state (*step)(void *talk, uint64_t now_ns, struct answer *answer);
};

/* tcp, unix, unix-seqpacket, fdpass */
extern const struct transport client_transport_stream;
extern const struct transport client_transport_udp;
extern const struct transport client_transport_unix_dgram;
extern const struct transport client_transport_msgq;

/* The transport for a scheme. */
const struct transport *transport_find(enum address_scheme scheme);

/*
 * The order in which the addresses of LIST have their turns, as RFC 8305, section 4, has it: the
 * first family and the others in turn, and as they come within a family.
 * Fills ORDER, of TRANSPORT_ADDRESSES_MAX elements, and returns how many were filled.
 */
unsigned transport_order(const struct addrinfo *list, const struct addrinfo **order);

/*
 * When the next address gets its turn if this one, which LEFT - 1 others follow, is asked at
 * NOW_NS: after TRANSPORT_TURN_NS, or earlier if the time until DEADLINE_NS would not do for all.
 */
uint64_t transport_turn_ends_ns(unsigned left, uint64_t now_ns, uint64_t deadline_ns);

/*
 * When to look again for what cannot be polled and has been awaited since BEGAN_NS: after an eighth
 * of the time that passed, but at least 1 ms and at most 20 ms. So the wait lasts hardly longer
 * than it must, and one of 2 s costs about a hundred looks.
 */
uint64_t transport_look_again_ns(uint64_t began_ns, uint64_t now_ns);

/*
 * UDP: the talks of a loop share sockets, and hear from the loop, which takes the pool's events,
 * what has come. OWNER says for which talk an event is, and TAKE whether it decides the talk:
 * ANSWERED, or PENDING. After an event with an error, step() must be called.
 */
struct udp_event;
uint64_t transport_udp_owner(const struct udp_event *event);
enum transport_state transport_udp_take(const struct udp_event *event, uint64_t now_ns,
	struct answer *answer);

/* Note why ANSWER has no line. Returns BROKEN for a shortage, else FAILED. */
enum transport_state transport_fail(struct answer *answer, int error);

#endif
