/* SPDX-License-Identifier: MIT */
#include "client/ask/udp_table.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_ROOM 64

int udp_table_init(struct udp_table *table, size_t count)
{
	*table = (struct udp_table){ .room = LEAST_ROOM };
	while (table->room < count) {
		table->room *= 2;
	}
	table->buckets = calloc(table->room, sizeof(*table->buckets));
	return table->buckets ? siphash_key_init(&table->key) : -1;
}

void udp_table_fini(struct udp_table *table)
{
	free(table->buckets);
	*table = (struct udp_table){ .room = 0 };
}

/* What makes an address, without padding and flow labels. Returns its length. */
static size_t key_of(const struct sockaddr *address, uint8_t *key)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->sa_family == AF_INET) {
		memcpy(key, &v4->sin_port, 2);
		memcpy(key + 2, &v4->sin_addr, 4);
		return 6;
	}
	memcpy(key, &v6->sin6_port, 2);
	memcpy(key + 2, &v6->sin6_addr, 16);
	memcpy(key + 18, &v6->sin6_scope_id, 4);
	return 22;
}

static bool is_same(const struct sockaddr *a, const struct sockaddr *b)
{
	uint8_t keys[2][22];
	size_t len = key_of(a, keys[0]);

	return a->sa_family == b->sa_family && key_of(b, keys[1]) == len &&
	       memcmp(keys[0], keys[1], len) == 0;
}

static struct udp_entry **bucket_of(const struct udp_table *table, const struct sockaddr *address)
{
	uint8_t key[22];
	size_t len = key_of(address, key);

	return &table->buckets[siphash(&table->key, key, len) & (table->room - 1)];
}

void udp_table_add(struct udp_table *table, struct udp_entry *entry, const struct sockaddr *address)
{
	struct udp_entry **bucket = bucket_of(table, address);

	entry->address = address;
	entry->next = *bucket;
	entry->link = bucket;
	if (*bucket) {
		(*bucket)->link = &entry->next;
	}
	*bucket = entry;
}

void udp_table_remove(struct udp_entry *entry)
{
	if (!entry->link) {
		return;
	}
	*entry->link = entry->next;
	if (entry->next) {
		entry->next->link = entry->link;
	}
	entry->link = NULL;
}

static struct udp_entry *find_from(struct udp_entry *at, const struct sockaddr *address)
{
	while (at && !is_same(at->address, address)) {
		at = at->next;
	}
	return at;
}

struct udp_entry *udp_table_find(const struct udp_table *table, const struct sockaddr *address)
{
	return find_from(*bucket_of(table, address), address);
}

struct udp_entry *udp_table_next(const struct udp_entry *at)
{
	return find_from(at->next, at->address);
}
