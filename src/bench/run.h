/* SPDX-License-Identifier: MIT */
/*
 * One run: start the lanes, let them warm up and measure, put their tallies together.
 */
#ifndef RUPTIME_BENCH_RUN_H
#define RUPTIME_BENCH_RUN_H

#include "bench/plan.h"
#include "bench/result.h"
#include "bench/target.h"

/*
 * The most that PLAN's threads together may have in flight, by the limit of descriptors; 0 if not
 * even one.
 */
uint32_t run_in_flight_max(const struct plan *plan, const struct target *target);

/* Is PLAN to be carried out no longer? */
bool run_is_stopped(const struct plan *plan);

/*
 * Carry out PLAN against TARGET. Blocks for warm-up, duration and, at most, the timeout; less if
 * plan->stop_fd becomes readable. One run at a time.
 * Returns 0 and RESULT, not yet judged, for the caller to result_fini(), or -1 with errno.
 */
int run(const struct plan *plan, const struct target *target, struct result *result);

#endif
