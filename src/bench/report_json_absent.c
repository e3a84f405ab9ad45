/* SPDX-License-Identifier: MIT */
/* In place of report_json.c, where jansson is missing. */
#include "bench/report.h"

#include <errno.h>

#include "bench/baseline.h"

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

int baseline_read(struct baseline *baseline, const char *path, const char **why)
{
	(void)baseline;
	(void)path;
	*why = "needs jansson, which this ruptime-bench was configured without";
	return -1;
}
