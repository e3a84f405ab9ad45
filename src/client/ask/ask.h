/* SPDX-License-Identifier: MIT */
/*
 * How persistently a host is asked, and what comes of it. Pure and thread-safe.
 */
#ifndef RUPTIME_CLIENT_ASK_ASK_H
#define RUPTIME_CLIENT_ASK_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "client/ask/answer.h"
#include "common/clock.h"

/* There shall be no other try. */
#define ASK_NO_MORE CLOCK_NEVER

struct ask_options {
	int family;		/* AF_UNSPEC, AF_INET or AF_INET6 */
	uint64_t timeout_ns;	/* of one try, looking the name up included */
	unsigned tries;		/* at least 1; not used with WAIT */
	bool wait;		/* keep trying */
	uint64_t wait_ns;	/* for so long; CLOCK_NEVER: until the host answers */
};

enum ask_status {
	ASK_ANSWERED,
	ASK_UNANSWERED,
	ASK_BROKEN,		/* this machine lacks what it takes to ask */
};

struct ask_outcome {
	enum ask_status status;
	unsigned tries;		/* that were begun */
	struct answer answer;	/* the line; or the reason, which is that of the last try */
};

/*
 * How long to rest after TRIES failed ones (at least 1), ELAPSED_NS after the first began, or
 * ASK_NO_MORE. RANDOM is any number; each lengthens or shortens the rest differently.
 *
 * Without WAIT: 100 ms, doubled for each further try, +-25 %. With it: 1, 2, 4, ... s, the last
 * rest clipped so that one try begins when WAIT_NS have passed. Never longer than 64 s.
 */
uint64_t ask_rest_ns(const struct ask_options *options, unsigned tries, uint64_t elapsed_ns,
	uint16_t random);

#endif
