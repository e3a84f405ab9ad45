/* SPDX-License-Identifier: MIT */
/*
 * What it all comes to: the exit codes of ruptime. Pure and thread-safe.
 */
#ifndef RUPTIME_CLIENT_VERDICT_H
#define RUPTIME_CLIENT_VERDICT_H

#include "client/options.h"
#include "client/show/report.h"

enum verdict {
	VERDICT_ALL = 0,		/* have answered; or enough of them */
	VERDICT_SOME = 1,
	VERDICT_NONE = 2,
	VERDICT_USAGE = 3,
	VERDICT_SYSTEM = 4,
	VERDICT_INTERRUPTED = 130,	/* 128 and the signal */
};

/* What the totals of REPORT come to, by what OPTIONS ask for. */
enum verdict verdict_judge(const struct options *options, const struct report *report);

#endif
