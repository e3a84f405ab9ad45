/* SPDX-License-Identifier: MIT */
#include "common/prefix.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct in6_addr map(const struct in_addr *in)
{
	struct in6_addr mapped = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	memcpy(&mapped.s6_addr[12], in, sizeof(*in));
	return mapped;
}

/* A number of at most MAX bits, or -1. */
static int parse_bits(const char *text, int max)
{
	size_t len = strspn(text, "0123456789");
	int bits;

	if (len == 0 || len > 3 || text[len]) {
		return -1;
	}
	bits = atoi(text);
	return bits <= max ? bits : -1;
}

int prefix_parse(struct prefix *prefix, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char host[INET6_ADDRSTRLEN];
	struct in6_addr address;
	struct in_addr in;
	int before = 0;
	int bits;

	errno = EINVAL;
	if (len >= sizeof(host)) {
		return -1;
	}
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &in) == 1) {
		address = map(&in);
		before = PREFIX_MAPPED_BITS;
	} else if (inet_pton(AF_INET6, host, &address) != 1) {
		errno = EINVAL;
		return -1;
	}
	bits = PREFIX_ALL_BITS - before;
	if (slash) {
		bits = parse_bits(slash + 1, bits);
	}
	if (bits < 0) {
		return -1;
	}
	*prefix = prefix_of(&address, (unsigned)(before + bits));
	return 0;
}

struct prefix prefix_of(const struct in6_addr *address, unsigned bits)
{
	struct prefix prefix = { .bits = bits };
	unsigned whole = bits / 8;

	memcpy(&prefix.address, address, whole);
	if (bits % 8) {
		prefix.address.s6_addr[whole] =
			address->s6_addr[whole] & (uint8_t)(0xff00 >> bits % 8);
	}
	return prefix;
}

bool prefix_contains(const struct prefix *prefix, const struct in6_addr *address)
{
	unsigned bits = prefix->bits;
	uint64_t ours[2];
	uint64_t theirs[2];

	if (bits < PREFIX_MAPPED_BITS && IN6_IS_ADDR_V4MAPPED(address)) {
		return false;
	}
	memcpy(ours, &prefix->address, sizeof(ours));
	memcpy(theirs, address, sizeof(theirs));
	/* A word cannot be shifted by all of its bits. */
	if (bits == 0) {
		return true;
	}
	if (bits <= 64) {
		return be64toh(ours[0] ^ theirs[0]) >> (64 - bits) == 0;
	}
	return ours[0] == theirs[0] && be64toh(ours[1] ^ theirs[1]) >> (128 - bits) == 0;
}

struct in6_addr prefix_address(const struct sockaddr *sockaddr)
{
	if (sockaddr->sa_family == AF_INET6) {
		return ((const struct sockaddr_in6 *)(const void *)sockaddr)->sin6_addr;
	}
	return map(&((const struct sockaddr_in *)(const void *)sockaddr)->sin_addr);
}

const char *prefix_show(const struct in6_addr *address, char *buf)
{
	bool mapped = IN6_IS_ADDR_V4MAPPED(address);

	return mapped ? inet_ntop(AF_INET, &address->s6_addr[12], buf, INET6_ADDRSTRLEN)
		      : inet_ntop(AF_INET6, address, buf, INET6_ADDRSTRLEN);
}

const char *prefix_format(const struct prefix *prefix, char *buf)
{
	bool mapped = prefix->bits >= PREFIX_MAPPED_BITS && IN6_IS_ADDR_V4MAPPED(&prefix->address);
	size_t len;

	/* ::ffff:0:0 with fewer bits is no network of IPv4, and has no other form. */
	if (mapped) {
		prefix_show(&prefix->address, buf);
	} else {
		inet_ntop(AF_INET6, &prefix->address, buf, INET6_ADDRSTRLEN);
	}
	len = strlen(buf);
	snprintf(buf + len, PREFIX_TEXT_BYTES - len, "/%u",
		prefix->bits - (mapped ? PREFIX_MAPPED_BITS : 0));
	return buf;
}
