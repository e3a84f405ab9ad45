/* SPDX-License-Identifier: MIT */
/*
 * --ramp: an open loop at one rate after the other, to see how latency grows with the load, and
 * where the knee is: the highest rate up to which the server kept up with every rate
 * (rate_try.h).
 */
#ifndef RUPTIME_BENCH_RAMP_H
#define RUPTIME_BENCH_RAMP_H

#include <stdbool.h>

#include "bench/plan.h"
#include "bench/rate_try.h"
#include "bench/result.h"
#include "bench/target.h"

#define RAMP_STEPS_MAX 200

struct ramp_range {
	double from_rps;
	double to_rps;		/* the last step is at most that */
	double step_rps;
};

struct ramp {
	struct ramp_range range;
	double knee_rps;	/* 0: it kept up with no rate */
	bool reached;		/* false: it kept up with all of them, so the knee is beyond */
	bool interrupted;
	unsigned count;
	struct rate_try tries[RAMP_STEPS_MAX];
};

/*
 * "FROM:TO:STEP". Returns 0, or -1 with errno: EINVAL, or ERANGE for more than RAMP_STEPS_MAX
 * steps.
 */
int ramp_parse(struct ramp_range *range, const char *text);

unsigned ramp_steps(const struct ramp_range *range);

/*
 * Measure at each rate of RANGE, with PLAN's warm-up, duration and threads. Returns 0 with RAMP and
 * the RESULT at the knee (or, if there is none, at the first rate), judged, for the caller to
 * result_fini(), or -1 with errno. A step that plan->stop_fd has cut short counts for nothing.
 */
int ramp_run(const struct plan *plan, const struct target *target, const struct ramp_range *range,
	struct result *result, struct ramp *ramp);

#endif
