/* SPDX-License-Identifier: MIT */
#include "daemon/config/given.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/option_table.h"

int given_add(struct given_list *list, const struct given *given)
{
	struct given *grown = realloc(list->all, (list->count + 1) * sizeof(*grown));
	struct given *added;

	if (!grown) {
		return -1;
	}
	list->all = grown;
	added = &grown[list->count++];
	*added = *given;
	added->text = strdup(given->text);
	added->file = given->file ? strdup(given->file) : NULL;
	return added->text && (!given->file || added->file) ? 0 : -1;
}

bool given_has(const struct given_list *list, int key)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (list->all[i].key == key) {
			return true;
		}
	}
	return false;
}

void given_clear(struct given_list *list)
{
	for (unsigned i = 0; i < list->count; i++) {
		free(list->all[i].text);
		free(list->all[i].file);
	}
	free(list->all);
	*list = (struct given_list){ NULL, 0 };
}

void given_show_source(const struct given *given, char *buf, size_t size)
{
	switch (given->source) {
	case GIVEN_DEFAULT:
		snprintf(buf, size, "default");
		break;
	case GIVEN_FILE:
		snprintf(buf, size, "%s:%u", given->file, given->line);
		break;
	case GIVEN_OPTION:
		snprintf(buf, size, "--%s", option_of(given->key)->cli.name);
		break;
	}
}
