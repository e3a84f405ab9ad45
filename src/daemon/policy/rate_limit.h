/* SPDX-License-Identifier: MIT */
/*
 * How often a source may ask: a token bucket for each address and for each network around it, in
 * a table of fixed size.
 *
 *	an address		RATE a second, 2.5 times that at once
 *	an IPv4 /24		32 times as much
 *	an IPv6 /64		twice as much
 *
 * What one address asks beyond its limit does not count for its network, so that no neighbour
 * can use up what is meant for all of them.
 *
 * A bucket is 8 bytes: a tag, and the time at which it will be full again (the virtual scheduling
 * of ATM's GCRA). A full bucket is a free slot; so the table needs no sweeping, and holds as many
 * sources as ask within a bucket's few seconds. When a line of 8 has no free slot, the fullest
 * bucket there is given up, and its source begins anew. Lines are chosen by SipHash with a random
 * key, so that no client can aim at another's.
 *
 * All functions but new and free may be called by any number of threads at a time; none blocks.
 */
#ifndef RUPTIME_DAEMON_POLICY_RATE_LIMIT_H
#define RUPTIME_DAEMON_POLICY_RATE_LIMIT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define RATE_LIMIT_MAX	       100000u	/* a second and address */
#define RATE_LIMIT_TABLE_BYTES (1u << 20)

struct rate_limit;

/* A limit of RATE, 1 to RATE_LIMIT_MAX. Returns NULL with errno. */
struct rate_limit *rate_limit_new(unsigned rate);
void rate_limit_free(struct rate_limit *limit);

/*
 * A request comes from ADDRESS (IPv4 as IPv4-mapped) at NOW_NS, which never goes back. May it
 * be answered? If so, a token was taken from each of its buckets.
 */
bool rate_limit_take(struct rate_limit *limit, const struct in6_addr *address, uint64_t now_ns);

#endif
