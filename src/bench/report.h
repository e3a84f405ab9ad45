/* SPDX-License-Identifier: MIT */
/*
 * The same figures in three forms: for a person at a terminal, for a program, and as a page.
 */
#ifndef RUPTIME_BENCH_REPORT_H
#define RUPTIME_BENCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/baseline.h"
#include "bench/compare.h"
#include "bench/condition.h"
#include "bench/environment.h"
#include "bench/find_max.h"
#include "bench/ramp.h"
#include "bench/result.h"

struct report {
	const struct result *result;
	const struct comparison *comparison;	/* NULL without --vs */
	const struct find_max *find;		/* NULL without --find-max */
	const struct ramp *ramp;		/* NULL without --ramp */
	const struct baseline *baseline;	/* NULL without --baseline */
	const struct environment *environment;
	const struct condition *conditions;	/* of --fail-if */
	const struct condition_verdict *verdicts;	/* for each of them */
	unsigned condition_count;
	const struct percentile *percentiles;	/* that are shown */
	unsigned percentile_count;
	bool hgrm_of_both;	/* one .hgrm holds the distributions of both sides */
};

/* For one glance. Returns 0, or -1 with errno. */
int report_text(const struct report *report, FILE *out);

/* One object, as doc/ruptime-bench.schema.json has it. Returns 0, or -1 with errno. */
int report_json(const struct report *report, FILE *out);

/* Is the JSON report built in? */
bool report_has_json(void);

/* One page of HTML with its plots, which needs nothing else. Returns 0, or -1 with errno. */
int report_html(const struct report *report, FILE *out);

/* The run in words: "closed loop, 64 in flight", "open loop, 200/s (Poisson), ...". */
void report_describe(const struct plan *plan, char *buf, size_t size);

/* The comparison's result as a sentence. A is the other side. */
void report_describe_comparison(const struct comparison *comparison, const struct result *a,
	char *buf, size_t size);

/* That of --find-max. */
void report_describe_find_max(const struct find_max *find, char *buf, size_t size);

/* That of --ramp, and that with --baseline. */
void report_describe_ramp(const struct ramp *ramp, char *buf, size_t size);
void report_describe_baseline(const struct baseline *baseline, const struct result *result,
	char *buf, size_t size);

/* What a reader of the latter must know. */
const char *report_baseline_warning(void);

/* Of --find-max: "holds", "fails" ... Of --ramp: did it keep up? */
const char *report_try_word(const struct rate_try *try);
const char *report_step_word(const struct rate_try *try);

#endif
