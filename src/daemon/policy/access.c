/* SPDX-License-Identifier: MIT */
#include "daemon/policy/access.h"

#include <stdlib.h>

static int compare_bits(const void *a, const void *b)
{
	const struct settings_access *first = a;
	const struct settings_access *second = b;

	return (int)second->network.bits - (int)first->network.bits;
}

void access_init(struct access *access, const struct settings *settings)
{
	access->by_default = true;
	access->count = settings->access_count;
	for (unsigned i = 0; i < access->count; i++) {
		access->rules[i] = settings->access[i];
		access->by_default = access->by_default && !access->rules[i].allowed;
	}
	qsort(access->rules, access->count, sizeof(access->rules[0]), compare_bits);
}

bool access_allows(const struct access *access, const struct in6_addr *address)
{
	for (unsigned i = 0; i < access->count; i++) {
		if (prefix_contains(&access->rules[i].network, address)) {
			return access->rules[i].allowed;
		}
	}
	return access->by_default;
}
