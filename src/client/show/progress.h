/* SPDX-License-Identifier: MIT */
/*
 * One line on a terminal that tells how far it is, when it takes long. One thread at a time.
 */
#ifndef RUPTIME_CLIENT_SHOW_PROGRESS_H
#define RUPTIME_CLIENT_SHOW_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/show/report.h"

struct progress {
	bool wanted;		/* standard error is a terminal, and nothing else is shown there */
	bool shown;
	uint64_t next_ns;	/* when to show it, or to show it anew */
};

/* Not wanted: nothing is ever shown. */
void client_progress_init(struct progress *progress, bool wanted);

/* Show it if it is time. */
void client_progress_show(struct progress *progress, const struct report *report);

/* Wipe it away: before something else is written to the terminal, and at the end. */
void client_progress_clear(struct progress *progress);

/* When client_progress_show() is to be called again; CLOCK_NEVER: never. */
uint64_t client_progress_wake_ns(const struct progress *progress);

#endif
