/* SPDX-License-Identifier: MIT */
/*
 * Targets that wait for their turn, first come, first served. One thread at a time.
 */
#ifndef RUPTIME_CLIENT_ASK_BACKLOG_H
#define RUPTIME_CLIENT_ASK_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backlog {
	uint32_t *targets;
	size_t count;
	size_t taken;		/* of these */
	size_t room;
};

/* A backlog begins as all zeros. Returns 0, or -1 with errno. */
int backlog_add(struct backlog *backlog, size_t target);

bool backlog_is_empty(const struct backlog *backlog);

/* The one that waits longest; the backlog is not empty. */
size_t backlog_take(struct backlog *backlog);

void backlog_fini(struct backlog *backlog);

#endif
