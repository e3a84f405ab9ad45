/* SPDX-License-Identifier: MIT */
#include "bench/baseline.h"

#include <math.h>
#include <stddef.h>

#include "common/clock.h"

const char *baseline_mismatch(const struct baseline *baseline, const struct result *result)
{
	const struct plan *plan = &result->plan;

	if (baseline->open_loop != plan->open_loop) {
		return "one is an open loop, the other a closed one";
	}
	if (plan->open_loop && fabs(baseline->rate_rps - plan->rate_rps) > 0.001 * plan->rate_rps) {
		return "they were measured at different rates";
	}
	if (isnan(baseline->p50_us) || result->measured->latency.count == 0) {
		return "one of them has no answer";
	}
	return baseline->throughput_rps > 0 ? NULL : "the saved one has no throughput";
}

double baseline_ratio(const struct baseline *baseline, const struct result *result)
{
	if (baseline_mismatch(baseline, result)) {
		return NAN;
	}
	if (result->plan.open_loop) {
		return (double)histogram_quantile_ns(&result->measured->latency, 0.5) / CLOCK_US /
			baseline->p50_us;
	}
	return result_throughput_rps(result) / baseline->throughput_rps;
}
