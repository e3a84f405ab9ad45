/* SPDX-License-Identifier: MIT */
/*
 * --find-max: the highest rate of an open loop that the server can keep up with (rate_try.h)
 * while a condition holds. The search starts from what a closed loop reaches, steps up or down
 * with growing steps until the verdict changes, and bisects. Every rate is tried until two tries
 * agree, and between tries the server is let come to rest. A try that fails and is invalid is not
 * counted; four of them are a failure, of the generator.
 */
#ifndef RUPTIME_BENCH_FIND_MAX_H
#define RUPTIME_BENCH_FIND_MAX_H

#include <stdbool.h>

#include "bench/condition.h"
#include "bench/plan.h"
#include "bench/rate_try.h"
#include "bench/result.h"
#include "bench/target.h"

#define FIND_MAX_TRIES	   128
#define FIND_MAX_PRECISION 1.015	/* the lowest that fails by the highest that holds */

struct find_max {
	struct condition condition;
	double rate_rps;		/* the answer; 0: it held at no rate */
	double fails_rps;		/* the lowest rate that failed; 0: none did */
	bool own_limit;			/* it ended where the generator could do no more */
	bool interrupted;		/* the search did not come to its end */
	unsigned count;
	struct rate_try tries[FIND_MAX_TRIES];
};

/*
 * Search, with PLAN's warm-up, duration and threads for each try. Blocks for some 25 of them.
 * Returns 0 with FIND and the RESULT of all tries that held at the highest rate (or, if none did,
 * of the last one that was completed; nothing if there was none), for the caller to
 * result_fini(), or -1 with errno. A try that is cut short by plan->stop_fd counts for nothing.
 */
int find_max(const struct plan *plan, const struct target *target,
	const struct condition *condition, struct result *result, struct find_max *find);

#endif
