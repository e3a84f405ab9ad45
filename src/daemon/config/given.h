/* SPDX-License-Identifier: MIT */
/*
 * Values of options as they were given, as text, and where: by default, in a file, on the command
 * line.
 */
#ifndef RUPTIME_DAEMON_CONFIG_GIVEN_H
#define RUPTIME_DAEMON_CONFIG_GIVEN_H

#include <stdbool.h>
#include <stddef.h>

enum given_source { GIVEN_DEFAULT, GIVEN_FILE, GIVEN_OPTION };

struct given {
	int key;		/* of the option, see option_table.h */
	enum given_source source;
	char *text;		/* "true" or "false" if the option takes no argument */
	char *file;		/* GIVEN_FILE: where */
	unsigned line;
};

/* Zero-initialized: none. */
struct given_list {
	struct given *all;
	unsigned count;
};

/* Add a copy of GIVEN and its strings. Returns 0, or -1 with errno ENOMEM. */
int given_add(struct given_list *list, const struct given *given);

bool given_has(const struct given_list *list, int key);

/* Forget all of them. */
void given_clear(struct given_list *list);

/* Say where GIVEN comes from: "default", "FILE:LINE" or "--NAME". */
void given_show_source(const struct given *given, char *buf, size_t size);

#endif
