/* SPDX-License-Identifier: MIT */
/*
 * Run a command for each change. It is executed directly, without a shell: words are separated by
 * blanks. It finds in its environment
 *
 *	RUPTIME_TARGET	the address as it was named
 *	RUPTIME_CHANGE	down, back or rebooted
 *	RUPTIME_LINE	the line, if the host is up
 *	RUPTIME_REASON	why it is down, if it is
 *
 * and /dev/null as its standard input. A few run at a time, the others wait; one that waits when
 * there are too many is dropped and counted.
 *
 * One thread at a time; nothing blocks.
 */
#ifndef RUPTIME_CLIENT_WATCH_ON_CHANGE_H
#define RUPTIME_CLIENT_WATCH_ON_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/watch/changes.h"

#define ON_CHANGE_RUNNING_MAX 8
#define ON_CHANGE_WAITING_MAX 1000

struct on_change;

/*
 * For COMMAND, which is copied; SILENT: what it writes goes nowhere, as the terminal is not for it.
 * Returns NULL with errno: EINVAL if it has no word.
 */
struct on_change *on_change_open(const char *command, bool silent);

/* Forget what waits. What runs goes on. NULL is fine. */
void on_change_close(struct on_change *on_change);

/* There is a CHANGE of TARGET, which is as ROW says. Returns 0, or -1 if it is dropped. */
int on_change_add(struct on_change *on_change, const char *target, enum change change,
	const struct report_row *row);

/*
 * Collect commands that have ended, at SIGCHLD, and start others. Returns how many were added but
 * could not be started, or have failed, since the last call.
 */
unsigned on_change_step(struct on_change *on_change);

#endif
