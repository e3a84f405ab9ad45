/* SPDX-License-Identifier: MIT */
/*
 * What to measure, and in which dialect to ask it. Read-only once found.
 */
#ifndef RUPTIME_BENCH_TARGET_H
#define RUPTIME_BENCH_TARGET_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/address.h"
#include "common/text.h"

#define TARGET_ENDPOINTS_MAX 32
#define TARGET_TEXT_MAX	     (TEXT_ESCAPED_BYTES * ADDRESS_TEXT_MAX)

/* A server: one of those that take the requests in turn. */
struct endpoint {
	struct sockaddr_storage sockaddr;	/* all but msgq */
	socklen_t sockaddr_len;
	int family;
	bool loopback;
	/* An IPv4 loopback address on a host that has all of 127/8 for sources. */
	bool spread_sources;
	char text[TARGET_TEXT_MAX];	/* the address that is really asked, without names */
};

struct target {
	struct address address;		/* of the first */
	char text[TARGET_TEXT_MAX];	/* as the user wrote it, fit to be shown */
	struct endpoint endpoints[TARGET_ENDPOINTS_MAX];
	unsigned count;
	int socktype;
	/* Datagrams: do those that answer take extended requests, which carry a nonce? */
	bool extended;
	bool plain;		/* one at least does not */
};

/*
 * Add the server at the address in TEXT to TARGET, which is all zero before the first. All of
 * them must be of one scheme. Resolves names, and may block for as long as a name server takes.
 * Where a name has several addresses they are raced (pick.h). A datagram server is asked a few
 * datagrams to learn its dialect, for 300 ms at most; one that does not answer is taken for one
 * that knows single bytes only.
 *
 * Returns 0, or -1 with *WHY (a constant) and errno.
 */
int target_add(struct target *target, const char *text, const char **why);

/* What is sent to it, in words: "requests of one byte", "extended requests", "connections" ... */
const char *target_dialect(const struct target *target);

#endif
