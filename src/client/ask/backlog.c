/* SPDX-License-Identifier: MIT */
#include "client/ask/backlog.h"

#include <stdlib.h>

#define FIRST_ROOM 64

bool backlog_is_empty(const struct backlog *backlog)
{
	return backlog->taken == backlog->count;
}

int backlog_add(struct backlog *backlog, size_t target)
{
	if (backlog_is_empty(backlog)) {
		backlog->taken = 0;
		backlog->count = 0;
	}
	if (backlog->count == backlog->room) {
		size_t room = backlog->room ? 2 * backlog->room : FIRST_ROOM;
		uint32_t *targets = reallocarray(backlog->targets, room, sizeof(*targets));

		if (!targets) {
			return -1;
		}
		backlog->targets = targets;
		backlog->room = room;
	}
	backlog->targets[backlog->count++] = (uint32_t)target;
	return 0;
}

size_t backlog_take(struct backlog *backlog)
{
	return backlog->targets[backlog->taken++];
}

void backlog_fini(struct backlog *backlog)
{
	free(backlog->targets);
	*backlog = (struct backlog){ .room = 0 };
}
