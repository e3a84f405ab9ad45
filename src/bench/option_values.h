/* SPDX-License-Identifier: MIT */
/*
 * The values of options. What is wrong with one is reported with the option and the range. Main
 * only, at start. All return 0, or -1 after a line on stderr.
 */
#ifndef RUPTIME_BENCH_OPTION_VALUES_H
#define RUPTIME_BENCH_OPTION_VALUES_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/condition.h"
#include "bench/percentile.h"
#include "bench/ramp.h"

/* Complain that ARGUMENT of the option KEY WHY. Returns -1. */
int option_wrong(int key, const char *argument, const char *why);

int option_take_count(int key, const char *argument, uint64_t min, uint64_t max, uint64_t *count);
int option_take_rate(int key, const char *argument, double min, double max, double *rate);

/* MIN_NS is 0 or a millisecond. */
int option_take_duration(int key, const char *argument, uint64_t min_ns, uint64_t *ns);
int option_take_condition(int key, const char *argument, struct condition *condition);

int option_take_ramp(int key, const char *argument, struct ramp_range *range);

/* "A" or "A,B"; *B is 0 without it. */
int option_take_pids(int key, const char *argument, pid_t *a, pid_t *b);

/* "50,p99,99.9", PERCENTILES_MAX at most. */
int option_take_percentiles(int key, const char *argument, struct percentile *percentiles,
	unsigned *count);

#endif
