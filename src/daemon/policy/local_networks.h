/* SPDX-License-Identifier: MIT */
/*
 * The networks that this host is on: those of its interfaces that are up, as they were when last
 * read. One thread at a time.
 */
#ifndef RUPTIME_DAEMON_POLICY_LOCAL_NETWORKS_H
#define RUPTIME_DAEMON_POLICY_LOCAL_NETWORKS_H

#include <ifaddrs.h>
#include <stdbool.h>

#include "common/prefix.h"

/* Empty when zero-initialized. */
struct local_networks {
	struct prefix *networks;	/* owned */
	unsigned network_count;
	struct in6_addr *broadcasts;	/* owned; IPv4 only */
	unsigned broadcast_count;
};

/*
 * Ask the kernel for the networks of now. Some ten microseconds for each interface, no waiting.
 * Returns 0, or -1 with errno and what was known before.
 */
int local_networks_read(struct local_networks *networks);

/* The same with what LIST, as of getifaddrs(3), says. */
int local_networks_take(struct local_networks *networks, const struct ifaddrs *list);

void local_networks_free(struct local_networks *networks);

/* Is ADDRESS in one of the networks? */
bool local_networks_has(const struct local_networks *networks, const struct in6_addr *address);

/* Does ADDRESS mean all hosts of one of the networks? */
bool local_networks_is_broadcast(
	const struct local_networks *networks, const struct in6_addr *address);

#endif
