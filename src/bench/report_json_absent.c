/* SPDX-License-Identifier: MIT */
/* In place of report_json.c, where jansson is missing. */
#include "bench/report.h"

#include <errno.h>

bool report_has_json(void)
{
	return false;
}

int report_json(const struct report *report, FILE *out)
{
	(void)report;
	(void)out;
	errno = ENOSYS;
	return -1;
}
