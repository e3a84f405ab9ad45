/* SPDX-License-Identifier: MIT */
#include "client/hosts/targets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/resolve.h"

#define FIRST_ROOM 16

/* The services file is read once for each scheme, and not once for each host. */
static void find_default_port(struct targets *targets, enum address_scheme scheme)
{
	struct address address = { .scheme = scheme };
	const char *why;

	/* It cannot fail: what the system does not know has a number of its own. */
	(void)resolve_port(&address, &why);
	memcpy(targets->default_ports[scheme], address.port, sizeof(address.port));
}

int targets_init(struct targets *targets, enum address_scheme bare)
{
	*targets = (struct targets){ .bare = bare };
	find_default_port(targets, ADDRESS_TCP);
	find_default_port(targets, ADDRESS_UDP);
	return siphash_key_init(&targets->key);
}

void targets_fini(struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++) {
		free(targets->list[i].text);
	}
	free(targets->list);
	free(targets->table);
	*targets = (struct targets){ .count = 0 };
}

static int parse(const struct targets *targets, const char *text, struct address *address,
	const char **why)
{
	if (address_parse_target(address, targets->bare, text, strlen(text), why) < 0) {
		return -1;
	}
	if (address_is_inet(address) && !address->port[0]) {
		memcpy(address->port, targets->default_ports[address->scheme],
			sizeof(address->port));
	}
	return resolve_port(address, why);
}

void targets_address(const struct targets *targets, size_t at, struct address *address)
{
	const char *why;

	/* It has been parsed before. */
	(void)parse(targets, targets->list[at].text, address, &why);
}

static uint64_t hash_of(const struct targets *targets, const struct address *address)
{
	char canonical[ADDRESS_TEXT_MAX];
	size_t len = address_format(address, canonical, sizeof(canonical));

	return siphash(&targets->key, canonical, len);
}

/* The place in the table of ADDRESS, or the empty one where it belongs. */
static size_t find(const struct targets *targets, const struct address *address, uint64_t hash)
{
	size_t at = hash & (targets->table_room - 1);

	while (targets->table[at]) {
		size_t index = targets->table[at] - 1;
		struct address other;

		if (targets->list[index].hash == hash) {
			targets_address(targets, index, &other);
			if (address_equal(&other, address)) {
				break;
			}
		}
		at = (at + 1) & (targets->table_room - 1);
	}
	return at;
}

/* At most half of the table is used. */
static int grow_table(struct targets *targets)
{
	size_t room = targets->table_room ? 2 * targets->table_room : 2 * FIRST_ROOM;
	uint32_t *table = calloc(room, sizeof(*table));

	if (!table) {
		return -1;
	}
	for (size_t i = 0; i < targets->count; i++) {
		size_t at = targets->list[i].hash & (room - 1);

		while (table[at]) {
			at = (at + 1) & (room - 1);
		}
		table[at] = (uint32_t)i + 1;
	}
	free(targets->table);
	targets->table = table;
	targets->table_room = room;
	return 0;
}

static int grow_list(struct targets *targets)
{
	size_t room = targets->room ? 2 * targets->room : FIRST_ROOM;
	struct target *list = reallocarray(targets->list, room, sizeof(*list));

	if (!list) {
		return -1;
	}
	targets->list = list;
	targets->room = room;
	return 0;
}

int targets_add(struct targets *targets, const char *text, const char **why)
{
	struct address address;
	uint64_t hash;
	size_t at;
	char *copy;

	if (parse(targets, text, &address, why) < 0) {
		return -1;
	}
	*why = strerror(ENOMEM);
	if ((2 * targets->count >= targets->table_room && grow_table(targets) < 0) ||
	    (targets->count == targets->room && grow_list(targets) < 0)) {
		return -1;
	}
	hash = hash_of(targets, &address);
	at = find(targets, &address, hash);
	if (targets->table[at]) {
		return 0;
	}
	copy = strdup(text);
	if (!copy) {
		return -1;
	}
	targets->list[targets->count++] = (struct target){ .text = copy, .hash = hash };
	targets->table[at] = (uint32_t)targets->count;
	return 0;
}
