/* SPDX-License-Identifier: MIT */
#include "bench/rate_try.h"

#include <math.h>

#include "bench/run.h"
#include "common/clock.h"

#define FAILED_SHARE_MAX 0.01
#define GROWTH_MAX	 0.01
#define IDLE_PROBES	 5
#define REST_TIMEOUTS	 10		/* a rest takes at most so many */
#define REST_ANSWERS	 2		/* in a row, as fast as when idle */
#define REST_FACTOR	 4
#define REST_FLOOR_NS	 (2 * CLOCK_MS)

static bool falls_behind(const struct tally *tally)
{
	double noise = tally->latency.count ? 1 / sqrt((double)tally->latency.count) : 0;

	return tally_growth(tally) > GROWTH_MAX + noise;
}

int rate_try_run(const struct plan *plan, const struct target *target, double rate_rps,
	struct result *result, struct rate_try *try)
{
	struct plan open = *plan;
	const struct tally *tally;
	double wanted;

	open.open_loop = true;
	open.rate_rps = rate_rps;
	open.counted = true;
	if (run(&open, target, result) < 0) {
		return -1;
	}
	result_judge(result);
	tally = result->measured;
	wanted = (double)(tally->sent + tally->unsent);
	*try = (struct rate_try){
		.rate_rps = rate_rps,
		.throughput_rps = result_throughput_rps(result),
		.p50_us = (double)histogram_quantile_ns(&tally->latency, 0.5) / CLOCK_US,
		.p99_us = (double)histogram_quantile_ns(&tally->latency, 0.99) / CLOCK_US,
		.growth = tally_growth(tally),
		.failed_share = wanted > 0 ?
			(double)(tally_failed(tally) + tally->unsent) / wanted : 0,
		.valid = !result->invalid[0],
	};
	try->fell_behind = falls_behind(tally);
	try->kept_up = tally->sent > 0 && try->failed_share <= FAILED_SHARE_MAX &&
		!try->fell_behind;
	return 0;
}

double rate_try_sustained_rps(const struct rate_try *try)
{
	return try->rate_rps / (1 + fmax(try->growth, 0));
}

/* One request to each endpoint. *ANSWERED: all have answered, after WORST_NS at most. */
static int probe(const struct plan *plan, const struct target *target, bool *answered,
	uint64_t *worst_ns)
{
	struct plan single = *plan;
	struct result result;

	single.open_loop = false;
	single.in_flight = target->count;
	single.threads = 1;
	single.requests = target->count;
	single.warmup_ns = 0;
	single.duration_ns = 0;
	single.server_pid = 0;
	if (run(&single, target, &result) < 0) {
		return -1;
	}
	*answered = result.measured->outcomes[OUTCOME_ANSWERED] == target->count;
	*worst_ns = result.measured->latency.max_ns;
	result_fini(&result);
	return 0;
}

int rate_try_idle(const struct plan *plan, const struct target *target, uint64_t *idle_ns)
{
	*idle_ns = 0;
	for (unsigned i = 0; i < IDLE_PROBES && !run_is_stopped(plan); i++) {
		uint64_t worst_ns;
		bool answered;

		if (probe(plan, target, &answered, &worst_ns) < 0) {
			return -1;
		}
		if (!answered) {
			return 0;
		}
		*idle_ns = worst_ns > *idle_ns ? worst_ns : *idle_ns;
	}
	return 0;
}

int rate_try_rest(const struct plan *plan, const struct target *target, uint64_t idle_ns)
{
	uint64_t deadline_ns = clock_now_ns() + REST_TIMEOUTS * plan->timeout_ns;
	uint64_t fast_ns = idle_ns * REST_FACTOR + REST_FLOOR_NS;
	unsigned fast = 0;

	while (idle_ns > 0 && fast < REST_ANSWERS && clock_now_ns() < deadline_ns &&
	       !run_is_stopped(plan)) {
		uint64_t worst_ns;
		bool answered;

		if (probe(plan, target, &answered, &worst_ns) < 0) {
			return -1;
		}
		fast = answered && worst_ns <= fast_ns ? fast + 1 : 0;
	}
	return 0;
}
