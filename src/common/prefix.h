/* SPDX-License-Identifier: MIT */
/*
 * Networks as ADDRESS/BITS, of both families. An IPv4 address is held as its IPv4-mapped IPv6
 * address, ::ffff:a.b.c.d, and its prefix lengths count from 96: then one comparison does for all,
 * and an IPv4 client is the same one whatever kind of socket it came by.
 *
 * Pure and thread-safe.
 */
#ifndef RUPTIME_COMMON_PREFIX_H
#define RUPTIME_COMMON_PREFIX_H

#include <netinet/in.h>
#include <stdbool.h>

/* Those of any address, and those in front of an IPv4 address. */
#define PREFIX_ALL_BITS	   128
#define PREFIX_MAPPED_BITS 96

struct prefix {
	struct in6_addr address;	/* zero behind BITS */
	unsigned bits;			/* 0 to 128 */
};

/*
 * Parse "10.0.0.0/8", "2001:db8::/32", or an address alone, which is all of its bits. What the
 * address has behind its prefix does not count.
 * Returns 0, or -1 with errno EINVAL.
 */
int prefix_parse(struct prefix *prefix, const char *text);

/* The first BITS bits of ADDRESS. */
struct prefix prefix_of(const struct in6_addr *address, unsigned bits);

/* Is ADDRESS in it? No IPv4 address is in a network of IPv6, not even in ::/0. */
bool prefix_contains(const struct prefix *prefix, const struct in6_addr *address);

/* The address of an AF_INET or AF_INET6 socket address. */
struct in6_addr prefix_address(const struct sockaddr *sockaddr);

/* Write it as prefix_parse() takes it into BUF of PREFIX_TEXT_BYTES. Returns BUF. */
#define PREFIX_TEXT_BYTES (INET6_ADDRSTRLEN + 4)
const char *prefix_format(const struct prefix *prefix, char *buf);

/* Write an address as people do, IPv4 as IPv4, into BUF of INET6_ADDRSTRLEN. Returns BUF. */
const char *prefix_show(const struct in6_addr *address, char *buf);

#endif
