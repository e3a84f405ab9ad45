/* SPDX-License-Identifier: MIT */
/*
 * Who is asked: addresses in the order in which they were named, each of them once.
 *
 * One thread at a time.
 */
#ifndef RUPTIME_CLIENT_HOSTS_TARGETS_H
#define RUPTIME_CLIENT_HOSTS_TARGETS_H

#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/siphash.h"

/* An address is 500 bytes, and most text is short: it is parsed again when its host is asked. */
struct target {
	char *text;		/* as written, ranges expanded */
	uint64_t hash;		/* of the canonical address */
};

struct targets {
	struct target *list;
	size_t count;
	size_t room;
	enum address_scheme bare;	/* of a HOST without a scheme */
	char default_ports[ADDRESS_SCHEMES][ADDRESS_PORT_MAX + 1];
	uint32_t *table;		/* by hash: 1 + the place in LIST; 0: empty */
	size_t table_room;		/* a power of two */
	struct siphash_key key;
};

/* No targets yet. Returns 0, or -1 with errno. */
int targets_init(struct targets *targets, enum address_scheme bare);
void targets_fini(struct targets *targets);

/*
 * Add the address TEXT unless it is there, however it was written.
 * Returns 0, or -1 with *WHY: what is wrong with it, or that there is no memory.
 */
int targets_add(struct targets *targets, const char *text, const char **why);

/* The address of target AT, whose port is a number. */
void targets_address(const struct targets *targets, size_t at, struct address *address);

#endif
