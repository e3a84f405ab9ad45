/* SPDX-License-Identifier: MIT */
/*
 * Ask all hosts, once or a number of times, and show what has come of it: the table, JSON, CSV.
 *
 * For main.
 */
#ifndef RUPTIME_CLIENT_SURVEY_H
#define RUPTIME_CLIENT_SURVEY_H

#include "client/hosts/targets.h"
#include "client/options.h"

/* Exit codes of ruptime. */
enum survey_exit {
	SURVEY_ALL = 0,			/* have answered; or enough of them */
	SURVEY_SOME = 1,
	SURVEY_NONE = 2,
	SURVEY_USAGE = 3,
	SURVEY_SYSTEM = 4,
	SURVEY_INTERRUPTED = 130,	/* 128 and the signal */
};

/* Blocks until all is done. Says on stderr what is to be said. */
enum survey_exit survey_run(const struct options *options, const struct targets *targets);

/* What REPORT's totals come to. */
enum survey_exit survey_judge(const struct options *options, const struct report *report);

#endif
