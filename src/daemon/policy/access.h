/* SPDX-License-Identifier: MIT */
/*
 * Who may ask over TCP and UDP: the most specific of the networks of --allow and --deny that holds
 * an address decides. An address in none of them may ask unless there is an --allow. No address is
 * exempt, those of loopback neither.
 *
 * Not changed after access_init(), so any number of threads may use one.
 */
#ifndef RUPTIME_DAEMON_POLICY_ACCESS_H
#define RUPTIME_DAEMON_POLICY_ACCESS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "daemon/settings.h"

/* Zero-initialized, it allows none. */
struct access {
	bool by_default;
	unsigned count;
	struct settings_access rules[SETTINGS_ACCESS_MAX];	/* the most specific ones first */
};

/* Copies what it needs of SETTINGS. */
void access_init(struct access *access, const struct settings *settings);

/* May ADDRESS, IPv4 as IPv4-mapped, ask? */
bool access_allows(const struct access *access, const struct in6_addr *address);

#endif
