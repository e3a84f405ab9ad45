/* SPDX-License-Identifier: MIT */
#include "daemon/config/config_diff.h"

#include <stdio.h>
#include <string.h>

#include "daemon/config/option_table.h"

#define VALUES_BYTES 1024

/* All values of an option, or the one that counts; "" if there is none. */
static void join(const struct option_entry *entry, const struct given_list *list, char *values)
{
	size_t used = 0;

	values[0] = '\0';
	for (unsigned i = 0; i < list->count && used < VALUES_BYTES; i++) {
		if (list->all[i].key != entry->cli.key) {
			continue;
		}
		if (entry->kind == OPTION_ONCE) {
			used = 0;
		}
		used += (size_t)snprintf(values + used, VALUES_BYTES - used, "%s%s",
			used ? " " : "", list->all[i].text);
	}
}

void config_diff(const struct given_list *before, const struct given_list *after, char *buf,
	size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < option_count && used < size; i++) {
		const struct option_entry *entry = &option_table[i];
		char old[VALUES_BYTES];
		char new[VALUES_BYTES];

		if (entry->kind == OPTION_NOW || entry->cli.key == 'l') {
			continue;
		}
		join(entry, before, old);
		join(entry, after, new);
		if (strcmp(old, new) != 0) {
			used += (size_t)snprintf(buf + used, size - used, "%s%s = %s, was %s%s",
				used ? "\n" : "", entry->cli.name, new[0] ? new : "none",
				old[0] ? old : "none",
				entry->fixed ? "; it takes a restart" : "");
		}
	}
}
