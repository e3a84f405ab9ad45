/* SPDX-License-Identifier: MIT */
/*
 * Connect to the first of a host's addresses that lets us (RFC 8305): one after the other, without
 * waiting long for one that stays silent; all that were begun go on until one has won.
 *
 * One thread at a time; nothing blocks.
 */
#ifndef RUPTIME_CLIENT_ASK_RACE_H
#define RUPTIME_CLIENT_ASK_RACE_H

#include <netdb.h>
#include <poll.h>
#include <stdint.h>

#include "client/ask/transport.h"

struct race_attempt {
	int conn_fd;
	const struct addrinfo *address;
	uint64_t began_ns;
	uint64_t knock_ns;	/* when to call connect() again; CLOCK_NEVER: poll() tells */
};

struct race {
	const struct addrinfo *order[TRANSPORT_ADDRESSES_MAX];
	unsigned count;			/* of the addresses */
	unsigned begun;			/* so many of them */
	unsigned running;		/* attempts */
	uint64_t deadline_ns;
	uint64_t turn_ends_ns;		/* of the attempt that was begun last */
	int error;			/* of the attempt that failed last */
	struct race_attempt attempts[TRANSPORT_ADDRESSES_MAX];
};

/* Begin anew, with addresses that are borrowed until the race is decided or stopped. */
void race_start(struct race *race, const struct addrinfo *addresses, uint64_t deadline_ns);

/*
 * Do all that can be done at NOW_NS. Returns the connected descriptor, which is the caller's, with
 * the moment when connecting to it began in *BEGAN_NS; or -1 with errno: EINPROGRESS as long as
 * nothing is decided, ETIMEDOUT at the deadline, or what the last attempt has met.
 */
int race_step(struct race *race, uint64_t now_ns, uint64_t *began_ns);

/* As a transport's watch(). */
unsigned race_watch(const struct race *race, struct pollfd *fds, uint64_t *wake_ns);

/* Close what is still connecting. Not before race_start(). Keeps errno. */
void race_stop(struct race *race);

#endif
