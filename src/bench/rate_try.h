/* SPDX-License-Identifier: MIT */
/*
 * One try of an open loop at a rate, and whether that rate could go on: a short try hides that the
 * answers fall behind, so it is looked for. At a server that is overloaded by a tenth, the last
 * request of a try waits a tenth of the try longer than the first; the slope of latency over time
 * is measured by least squares.
 *
 * Random arrivals alone make a slope of some 1/sqrt(N) in N requests at a server just below its
 * limit. A try that shows no more than that, and a hundredth, has not failed; by what slope it
 * shows its rate is lowered to what was really served. (Simulated for M/D/1 and M/M/1 at 90 to
 * 103 % of capacity and 160 to 10,000 requests.)
 */
#ifndef RUPTIME_BENCH_RATE_TRY_H
#define RUPTIME_BENCH_RATE_TRY_H

#include <stdbool.h>

#include "bench/plan.h"
#include "bench/result.h"
#include "bench/target.h"

struct rate_try {
	double rate_rps;
	double throughput_rps;
	double p50_us;
	double p99_us;
	double growth;		/* of latency, in seconds a second */
	double failed_share;	/* without a good answer, or unsent */
	bool valid;		/* the generator kept up */
	bool fell_behind;	/* the server did not: latency grew, and it was busy all the time */
	bool kept_up;		/* it did, and good answers came: it could go on */
	bool held;		/* and the condition of --find-max held */
};

/*
 * Ask TARGET at RATE_RPS as PLAN says otherwise. Blocks as run() does. Returns 0 with TRY (but for
 * HELD) and RESULT, judged, for the caller to result_fini(), or -1 with errno.
 */
int rate_try_run(const struct plan *plan, const struct target *target, double rate_rps,
	struct result *result, struct rate_try *try);

/* What was served in the long run by TRY's rate: less than that if latency grew. */
double rate_try_sustained_rps(const struct rate_try *try);

/* How long an idle server takes for an answer, in ns; 0 if it gives none. */
int rate_try_idle(const struct plan *plan, const struct target *target, uint64_t *idle_ns);

/*
 * Wait until TARGET, which was overloaded, answers single requests as fast again as it did when
 * idle (IDLE_NS), but for a limited time only. Returns 0, or -1 with errno.
 */
int rate_try_rest(const struct plan *plan, const struct target *target, uint64_t idle_ns);

#endif
