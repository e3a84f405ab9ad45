/* SPDX-License-Identifier: MIT */
/*
 * What has come of asking: a row for each target, in the order of the targets, and the totals.
 *
 * One thread at a time.
 */
#ifndef RUPTIME_CLIENT_SHOW_REPORT_H
#define RUPTIME_CLIENT_SHOW_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/ask/ask.h"
#include "client/hosts/targets.h"
#include "client/show/uptime_line.h"

enum report_state {
	REPORT_UNKNOWN,		/* not asked yet */
	REPORT_UP,
	REPORT_DOWN,
};

struct report_row {
	enum report_state state;
	unsigned tries;
	uint64_t rtt_ns;	/* of a host that is up */
	char *line;		/* printable, without its end; NULL: none */
	char *reason;		/* why a host is down */
	struct uptime_facts facts;
};

/* How a host answered when it was asked again and again. */
struct report_count {
	unsigned sent;
	unsigned answered;
	uint64_t least_ns;
	uint64_t most_ns;
	uint64_t sum_ns;
};

struct report {
	const struct targets *targets;	/* borrowed */
	struct report_row *rows;
	struct report_count *counts;	/* NULL: asked once */
	size_t up;
	size_t down;
	size_t broken;			/* of these: it was this machine that could not */
};

/* Nothing is known yet. Returns 0, or -1 with errno. */
int report_init(struct report *report, const struct targets *targets, bool counts);
void report_fini(struct report *report);

/* The outcome for target AT, in place of what was known. Returns 0, or -1 with errno ENOMEM. */
int report_take(struct report *report, size_t at, const struct ask_outcome *outcome);

/*
 * Host AT is up, says a source that has FACTS of it and no line; or it is down for REASON, if that
 * is not NULL. In place of what was known. Returns 0, or -1 with errno ENOMEM.
 */
int report_take_facts(struct report *report, size_t at, const struct uptime_facts *facts,
	const char *reason);

/* Forget how many are up and down, to ask again; counts and rows stay. */
void report_begin_round(struct report *report);

/* Count anew how many rows are up and down: also those of an earlier round. */
void report_recount(struct report *report);

/* The target's text, printable: in BUF, of SIZE bytes, if it has to be escaped. */
const char *report_name(const struct report *report, size_t at, char *buf, size_t size);

enum report_sort {
	REPORT_AS_GIVEN,
	REPORT_BY_NAME,
	REPORT_BY_LOAD,		/* the highest first */
	REPORT_BY_UPTIME,	/* the longest first */
	REPORT_BY_USERS,	/* the most first */
};

/*
 * The places of the rows in order, those up first, then those down; for free(). REVERSE turns each
 * of the two around. Returns NULL with errno.
 */
uint32_t *report_sort(const struct report *report, enum report_sort by, bool reverse);

/*
 * One row as it is written to a file for programs: a header, or what else comes first, and a line
 * for each row. Both return 0, or -1 with errno; what OUT has met is for its user to see.
 */
struct report_format {
	int (*begin)(const struct report *report, FILE *out);
	int (*write)(const struct report *report, size_t at, FILE *out);
};

extern const struct report_format csv_format;

/* NULL in a build without jansson. */
extern const struct report_format *const json_format;

#endif
