/* SPDX-License-Identifier: MIT */
/*
 * The table for people, as the classic ruptime shows it:
 *
 *	web1  up 3+04:05,  2 users,  load 0.01, 0.02, 0.05
 *	web2  down  timed out
 *
 * One thread at a time.
 */
#ifndef RUPTIME_CLIENT_SHOW_TABLE_H
#define RUPTIME_CLIENT_SHOW_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "client/show/report.h"

#define TABLE_ROW_BYTES 4096

/* The widths of the columns: all rows have the same. */
struct table {
	int name;
	int uptime;
	int users;
	int load;
};

/* Find the widths for the COUNT rows whose places are in ORDER. */
void table_init(struct table *table, const struct report *report, const uint32_t *order,
	size_t count);

/* Row AT, without an end of line, in BUF, of TABLE_ROW_BYTES. */
void table_format(const struct table *table, const struct report *report, size_t at, char *buf);

/* How often and how fast: fping's "NAME : sent/answered/%loss = 5/5/0%, min/avg/max = ..." */
void table_format_count(const struct table *table, const struct report *report, size_t at,
	char *buf);

#endif
