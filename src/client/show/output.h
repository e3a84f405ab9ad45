/* SPDX-License-Identifier: MIT */
/*
 * A whole report, written at the end: sorted, as a table or in a format for programs.
 */
#ifndef RUPTIME_CLIENT_SHOW_OUTPUT_H
#define RUPTIME_CLIENT_SHOW_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "client/show/report.h"

/*
 * Write REPORT to OUT: as FORMAT has it, whose begin() has been called, or as a table if that is
 * NULL. Returns 0, or -1 with errno; what OUT has met is for its user to see.
 */
int output_write(const struct report *report, const struct report_format *format,
	enum report_sort sort, bool reverse, FILE *out);

#endif
