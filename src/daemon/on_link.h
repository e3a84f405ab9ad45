/* SPDX-License-Identifier: MIT */
/*
 * The networks that this host is on: those of its interfaces that are up, as they were when last
 * read. One thread at a time.
 */
#ifndef RUPTIME_DAEMON_ON_LINK_H
#define RUPTIME_DAEMON_ON_LINK_H

#include <ifaddrs.h>
#include <stdbool.h>

#include "common/prefix.h"

/* Empty when zero-initialized. */
struct on_link {
	struct prefix *networks;	/* owned */
	unsigned network_count;
	struct in6_addr *broadcasts;	/* owned; IPv4 only */
	unsigned broadcast_count;
};

/*
 * Ask the kernel for the networks of now. Some ten microseconds for each interface, no waiting.
 * Returns 0, or -1 with errno and what was known before.
 */
int on_link_read(struct on_link *on_link);

/* The same with what LIST, as of getifaddrs(3), says. */
int on_link_take(struct on_link *on_link, const struct ifaddrs *list);

void on_link_free(struct on_link *on_link);

/* Is ADDRESS in one of the networks? */
bool on_link_has(const struct on_link *on_link, const struct in6_addr *address);

/* Does ADDRESS mean all hosts of one of the networks? */
bool on_link_is_broadcast(const struct on_link *on_link, const struct in6_addr *address);

#endif
