/* SPDX-License-Identifier: MIT */
/*
 * --find-max: the highest rate of an open loop at which a condition holds. From a quarter of what a
 * closed loop reaches the rate is doubled until it fails, then bisected to within 5 %. Every rate
 * is tried until two tries agree. One that fails and is invalid is not counted; four of them are a
 * failure, of the generator. A try also fails if more than one request in a hundred got no good
 * answer: a figure of the others would be worth nothing.
 */
#ifndef RUPTIME_BENCH_FIND_MAX_H
#define RUPTIME_BENCH_FIND_MAX_H

#include <stdbool.h>

#include "bench/condition.h"
#include "bench/plan.h"
#include "bench/result.h"
#include "bench/target.h"

#define FIND_MAX_TRIES 128

struct find_max_try {
	double rate_rps;
	double throughput_rps;
	double p50_us;
	double p99_us;
	bool valid;
	bool held;
};

struct find_max {
	struct condition condition;
	double rate_rps;		/* the answer; 0: it held at no rate */
	bool own_limit;			/* it ended where the generator could do no more */
	unsigned count;
	struct find_max_try tries[FIND_MAX_TRIES];
};

/*
 * Search, with PLAN's warm-up, duration and threads for each try. Blocks for some 20 of them.
 * Returns 0 with FIND and the RESULT of the last try that held (or, if none did, of the last), for
 * the caller to result_fini(), or -1 with errno.
 */
int find_max(const struct plan *plan, const struct target *target,
	const struct condition *condition, struct result *result, struct find_max *find);

#endif
