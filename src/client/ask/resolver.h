/* SPDX-License-Identifier: MIT */
/*
 * Look names up beside the loop that asks: a look-up blocks for as long as name servers take, and
 * cannot be interrupted. A few threads do them; the loop is told through a descriptor.
 *
 * All functions are for one thread, the loop's, but the threads of the resolver itself.
 */
#ifndef RUPTIME_CLIENT_ASK_RESOLVER_H
#define RUPTIME_CLIENT_ASK_RESOLVER_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"

struct resolver;

struct resolver_result {
	uint64_t owner;			/* as given to resolver_ask() */
	struct addrinfo *addresses;	/* the taker's, for resolve_free(); NULL: none */
	const char *why;		/* a constant, if there are none */
	int error;			/* as errno of resolve_sockets(), if there are none */
};

/*
 * A resolver that looks up addresses of FAMILY, as resolve_sockets() does, with at most THREADS
 * threads; they are started when there is something to do. Returns NULL with errno.
 */
struct resolver *resolver_start(int family, unsigned threads);

/* Readable as long as there is a result to take. */
int resolver_fd(const struct resolver *resolver);

/*
 * Look ADDRESS up, which is copied, for OWNER. Does not block. Returns 0, or -1 with errno if it
 * cannot: no memory, or not a single thread.
 */
int resolver_ask(struct resolver *resolver, const struct address *address, uint64_t owner);

/* Take one result. Returns false if there is none. */
bool resolver_take(struct resolver *resolver, struct resolver_result *result);

/*
 * Drop all results, present and future. Does not wait for the look-ups that are under way: their
 * threads end by themselves, and the last one frees what they share. NULL is fine.
 */
void resolver_stop(struct resolver *resolver);

#endif
