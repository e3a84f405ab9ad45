/* SPDX-License-Identifier: MIT */
/*
 * The UDP requests that wait for an answer, by the address that was asked: the receiver finds
 * those that an answer may be for. The hash has a secret key: no peer chooses what collides.
 *
 * One thread at a time.
 */
#ifndef RUPTIME_CLIENT_ASK_UDP_TABLE_H
#define RUPTIME_CLIENT_ASK_UDP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/siphash.h"

/* Part of a request. All zeros: not in the table. */
struct udp_entry {
	struct udp_entry *next;
	struct udp_entry **link;		/* what points at this one; NULL: none does */
	const struct sockaddr *address;		/* IPv4 or IPv6; the owner's */
};

struct udp_table {
	struct udp_entry **buckets;
	size_t room;				/* a power of two */
	struct siphash_key key;
};

/* Room for about COUNT entries; more make it slower only. Returns 0, or -1 with errno. */
int udp_table_init(struct udp_table *table, size_t count);
void udp_table_fini(struct udp_table *table);

void udp_table_add(struct udp_table *table, struct udp_entry *entry,
	const struct sockaddr *address);
void udp_table_remove(struct udp_entry *entry);

/* The first entry whose address is ADDRESS, or the next one behind AT; NULL: no more. */
struct udp_entry *udp_table_find(const struct udp_table *table, const struct sockaddr *address);
struct udp_entry *udp_table_next(const struct udp_entry *at);

#endif
