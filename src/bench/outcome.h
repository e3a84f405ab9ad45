/* SPDX-License-Identifier: MIT */
/*
 * How a request can end. Each ends in exactly one of these ways; the names are those of the
 * reports, the JSON and the manual page.
 */
#ifndef RUPTIME_BENCH_OUTCOME_H
#define RUPTIME_BENCH_OUTCOME_H

#include <stdbool.h>

enum outcome {
	OUTCOME_ANSWERED,
	OUTCOME_LOST,			/* nothing, or not all of it, before the timeout */

	OUTCOME_BAD_NOT_TEXT,		/* bytes that no line has */
	OUTCOME_BAD_UNFINISHED,		/* the end came before the line's */
	OUTCOME_BAD_TOO_LONG,
	OUTCOME_BAD_UNEXPECTED,		/* without the text of --expect */
	OUTCOME_BAD_STATUS,		/* fdpass: neither done nor an error */

	OUTCOME_ERROR_REFUSED,
	OUTCOME_ERROR_RESET,
	OUTCOME_ERROR_CLOSED,		/* a clean end without a byte */
	OUTCOME_ERROR_SERVER,		/* "error: REASON" instead of the line */
	OUTCOME_ERROR_UNREACHABLE,
	OUTCOME_ERROR_NOT_THERE,	/* no such socket or queue */
	OUTCOME_ERROR_DENIED,
	OUTCOME_ERROR_TCP_TIMEOUT,	/* the kernel gave up before we did */
	OUTCOME_ERROR_NO_PORTS,
	OUTCOME_ERROR_NO_RESOURCES,	/* descriptors, memory, buffers */
	OUTCOME_ERROR_OTHER,
};
#define OUTCOMES (OUTCOME_ERROR_OTHER + 1)

/* The way into which a system call's errno makes a request end. */
enum outcome outcome_of_errno(int error);

/* One word or two with a hyphen, such as "refused". */
const char *outcome_name(enum outcome outcome);

bool outcome_is_bad(enum outcome outcome);
bool outcome_is_error(enum outcome outcome);

/* Is it this machine, not the server, that was short of something? */
bool outcome_is_own_fault(enum outcome outcome);

#endif
