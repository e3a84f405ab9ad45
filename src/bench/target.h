/* SPDX-License-Identifier: MIT */
/*
 * Whom to ask, and in which dialect. Read-only once found.
 */
#ifndef RUPTIME_BENCH_TARGET_H
#define RUPTIME_BENCH_TARGET_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/address.h"

/* The size of an extended request, so of the longest answer to it; a line of uptime has some 70. */
#define TARGET_REQUEST_BYTES 128

struct target {
	struct address address;
	char text[ADDRESS_TEXT_MAX];	/* the address as reports show it */
	struct sockaddr_storage sockaddr;	/* all but msgq */
	socklen_t sockaddr_len;
	int family;
	int socktype;
	/* Datagrams: does the server answer extended requests, which carry a nonce? */
	bool extended;
	/* An IPv4 loopback address: we may come from anywhere in 127/8. */
	bool loopback;
};

/*
 * Find out all of TARGET from the address in TEXT. Resolves names, and asks the server a few
 * datagrams (for 300 ms at most to each of its addresses, less if it answers) to learn its dialect;
 * a server that does not answer is taken for one that knows single bytes only.
 *
 * Returns 0, or -1 with *WHY (a constant) and errno: EINVAL if TEXT is at fault.
 */
int target_find(struct target *target, const char *text, const char **why);

/* What is sent to it, in words: "one byte", "extended requests", "connections" or "messages". */
const char *target_dialect(const struct target *target);

/*
 * A non-blocking socket connected to TARGET, with a name of its own to answer to and a large
 * receive buffer. Connected, because a server's answers to a UNIX socket are then not limited to
 * ten, and because a UDP socket then hears that nobody listens. Returns it, or -1 with errno.
 */
int target_socket(const struct target *target);

#endif
