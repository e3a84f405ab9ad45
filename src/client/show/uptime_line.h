/* SPDX-License-Identifier: MIT */
/*
 * What the line of uptime says, in whichever dialect: procps, busybox, toybox, coreutils, uutils,
 * the BSDs, macOS, Solaris. What is not understood is unknown, and nothing is an error.
 *
 * Pure and thread-safe, no locale.
 */
#ifndef RUPTIME_CLIENT_SHOW_UPTIME_LINE_H
#define RUPTIME_CLIENT_SHOW_UPTIME_LINE_H

#include <stdbool.h>
#include <stdint.h>

#define UPTIME_LINE_LOADS 3

struct uptime_facts {
	int64_t uptime_s;	/* -1: unknown */
	int64_t users;		/* -1: unknown */
	bool has_loads;
	double loads[UPTIME_LINE_LOADS];	/* of 1, 5 and 15 minutes */
};

void uptime_line_parse(const char *line, struct uptime_facts *facts);

#endif
