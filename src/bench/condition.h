/* SPDX-License-Identifier: MIT */
/*
 * Conditions of --fail-if and --find-max: "p99<5ms", "lost>1%", "throughput<20k", "invalid".
 *
 *	METRIC OP VALUE		OP: < <= > >=; blanks are allowed around it
 *
 *	min mean max pN		latency; pN is any percentile: p50, p99, p999 (99.9), p99.9
 *	lost late duplicate bad errors unsent failed	a number, or with % of those sent
 *	throughput		answers a second
 *	server-cpu		a duration for each reply (with --pid)
 *	ratio			of --vs, a number
 *	invalid slower faster	a word for itself
 *
 * What was not measured, be it latencies without an answer or a ratio without --vs, holds no
 * condition. Parsing and judging are pure and thread-safe.
 */
#ifndef RUPTIME_BENCH_CONDITION_H
#define RUPTIME_BENCH_CONDITION_H

#include <stdbool.h>

#include "bench/compare.h"
#include "bench/result.h"

#define CONDITION_TEXT_MAX 63

enum condition_metric {
	CONDITION_LATENCY,	/* the percentile QUANTILE */
	CONDITION_MIN,
	CONDITION_MEAN,
	CONDITION_MAX,
	CONDITION_LOST,
	CONDITION_LATE,
	CONDITION_DUPLICATE,
	CONDITION_BAD,
	CONDITION_ERRORS,
	CONDITION_UNSENT,
	CONDITION_FAILED,
	CONDITION_THROUGHPUT,
	CONDITION_SERVER_CPU,
	CONDITION_RATIO,
	CONDITION_INVALID,
	CONDITION_SLOWER,
	CONDITION_FASTER,
};

enum condition_op { CONDITION_LT, CONDITION_LE, CONDITION_GT, CONDITION_GE };

struct condition {
	char text[CONDITION_TEXT_MAX + 1];
	enum condition_metric metric;
	double quantile;
	enum condition_op op;
	bool percent;
	double value;		/* ns, a count, a percentage, a rate or a ratio */
};

/*
 * Returns 0, or -1 with errno EINVAL and *WHY, a constant sentence fragment that fits behind the
 * offending text.
 */
int condition_parse(struct condition *condition, const char *text, const char **why);

/* Does it hold for RESULT? COMPARISON is NULL without --vs. */
bool condition_holds(const struct condition *condition, const struct result *result,
	const struct comparison *comparison);

#endif
