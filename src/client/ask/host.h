/* SPDX-License-Identifier: MIT */
/*
 * One host while it is asked: look its name up, try, rest, try again, until it answers or the tries
 * are used up. Knows nothing of any transport, nor of how its descriptors are waited for.
 *
 *	begin -> step, watch, step, ... -> decided -> end
 *
 * One thread at a time; nothing blocks.
 */
#ifndef RUPTIME_CLIENT_ASK_HOST_H
#define RUPTIME_CLIENT_ASK_HOST_H

#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/ask/ask.h"
#include "client/ask/resolver.h"
#include "client/ask/transport.h"
#include "common/address.h"

/* What all hosts of a loop share. */
struct host_common {
	const struct ask_options *options;
	struct transport_common transport;
	struct resolver *resolver;
	unsigned look_ups;		/* that the resolver has not answered yet */
	/* ERROR is a shortage: will others give back what is lacking? */
	bool (*may_wait)(void *context, int error);
	void *context;
};

enum host_phase {
	HOST_LOOKING_UP,
	HOST_TRYING,
	HOST_RESTING,
};

struct host {
	enum host_phase phase;
	const struct transport *transport;
	void *talk;
	struct addrinfo *addresses;
	uint64_t owner;			/* for the resolver and the transport */
	bool looking_up;		/* the resolver has been asked, and has not answered yet */
	struct resolver_result result;	/* of the look-up of this try, if it has failed */
	unsigned tries;			/* that were begun */
	unsigned shortages;		/* that were waited out */
	uint64_t began_ns;		/* the first try */
	uint64_t ends_ns;		/* the try or the rest */
};

enum host_state {
	HOST_PENDING,
	HOST_ANSWERED,
	HOST_UNANSWERED,
	HOST_BROKEN,			/* it is this machine that cannot, as in io_is_shortage() */
};

/*
 * Begin to ask ADDRESS, whose port is a number. ADDRESSES are what resolve_at_once() has found, and
 * the host's from now on, or NULL if the name has to be looked up. Returns 0, or -1 with errno.
 */
int host_begin(struct host *host, struct host_common *common, const struct address *address,
	struct addrinfo *addresses, uint64_t owner, uint64_t now_ns);

/*
 * Do all that can be done at NOW_NS. ANSWER has the line, or the reason, once it is decided.
 * ADDRESS is that of host_begin(); while the phase is HOST_TRYING, it may be NULL.
 */
enum host_state host_step(struct host *host, struct host_common *common,
	const struct address *address, uint64_t now_ns, struct answer *answer);

/* What the resolver has found for this host. Then step() must be called. */
void host_take_addresses(struct host *host, const struct resolver_result *result);

/* As a transport's watch(). */
unsigned host_watch(const struct host *host, struct pollfd *fds, uint64_t *wake_ns);

/* Close and free all. What the resolver still finds is no longer the host's. */
void host_end(struct host *host);

#endif
