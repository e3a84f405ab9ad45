/* SPDX-License-Identifier: MIT */
/*
 * Conditions of --fail-if and --find-max: "p99<5ms", "B.lost>1%", "throughput<20k", "invalid".
 *
 *	[SIDE.]METRIC OP VALUE	OP: < <= > >=; blanks are allowed around it
 *
 *	A. B.			the side of --vs that is meant; without: either of the two
 *	min mean max pN		latency; pN is any percentile: p50, p99, p999 (99.9), p99.9
 *	lost late duplicate bad errors unsent failed	a number, or with % of those sent
 *	throughput		answers a second
 *	server-cpu		a duration for each reply (with --pid)
 *	ratio			of --vs or --baseline, a number
 *	invalid			a word for itself, for each side
 *	slower faster fails-more	a word for itself, of --vs
 *
 * What was not measured, be it latency without an answer or a ratio of too few rounds, is neither
 * true nor false: the condition is not judged. Parsing and judging are pure and thread-safe.
 */
#ifndef RUPTIME_BENCH_CONDITION_H
#define RUPTIME_BENCH_CONDITION_H

#include <stdbool.h>

#include "bench/compare.h"
#include "bench/percentile.h"
#include "bench/result.h"

#define CONDITION_TEXT_MAX 63

enum condition_metric {
	CONDITION_LATENCY,	/* at PERCENTILE */
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
	CONDITION_FAILS_MORE,
};

enum condition_side { CONDITION_EITHER, CONDITION_A, CONDITION_B };

enum condition_op { CONDITION_LT, CONDITION_LE, CONDITION_GT, CONDITION_GE };

struct condition {
	char text[CONDITION_TEXT_MAX + 1];
	enum condition_side side;
	enum condition_metric metric;
	struct percentile percentile;
	enum condition_op op;
	bool percent;
	double value;		/* ns, a count, a percentage, a rate or a ratio */
};

/*
 * Returns 0, or -1 with errno EINVAL and *WHY, a constant sentence fragment that fits behind the
 * offending text.
 */
int condition_parse(struct condition *condition, const char *text, const char **why);

enum condition_state {
	CONDITION_FALSE,
	CONDITION_TRUE,
	CONDITION_NOT_JUDGED,
};

/* What became of a condition, for each side that it is about and for the whole. */
struct condition_verdict {
	enum condition_state state;	/* true if it is for one side, else not judged if one is */
	bool of_a;			/* is it about this side? Neither: about the comparison */
	bool of_b;
	enum condition_state a;
	enum condition_state b;
};

/* Is it about a difference, not about one server? */
bool condition_compares(const struct condition *condition);

/* COMPARISON is NULL without --vs. BASELINE_RATIO is NAN without --baseline. */
struct condition_verdict condition_judge(const struct condition *condition,
	const struct result *result, const struct comparison *comparison, double baseline_ratio);

/* "holds for B", "does not hold", "not judged for A: nothing was measured". */
void condition_describe(const struct condition_verdict *verdict, char *buf, size_t size);

#endif
