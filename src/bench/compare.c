/* SPDX-License-Identifier: MIT */
#include "bench/compare.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <string.h>

#include "bench/run.h"
#include "bench/splitmix.h"
#include "common/clock.h"

#define ROUND_MIN_NS	    (25 * CLOCK_MS)
#define WARMUP_MIN_NS	    (100 * CLOCK_MS)
#define ANSWERS_IN_A_ROW    20	/* that come one after the other in a round, at least */
#define SETTLE_SHARE	    10		/* of a round, before it counts */
#define ROUNDS_IN_BLOCK	    4
#define LEAST_DIFFERENCE    0.01

static bool is_stopped(const struct plan *plan)
{
	struct pollfd poll_fd = { .fd = plan->stop_fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

static double figure_of(const struct comparison *comparison, const struct result *round)
{
	if (comparison->of_latency) {
		return (double)histogram_quantile_ns(&round->measured->latency, 0.5) / CLOCK_US;
	}
	return result_throughput_rps(round);
}

static int run_round(const struct plan *plan, const struct target *target, struct result *sum,
	const struct comparison *comparison, double *figure)
{
	struct result round;

	if (run(plan, target, &round) < 0) {
		return -1;
	}
	*figure = figure_of(comparison, &round);
	result_merge(sum, &round);
	result_fini(&round);
	return 0;
}

static int run_block(const struct plan *plan, const struct target *a, const struct target *b,
	bool b_first, struct result *result, struct comparison *comparison)
{
	unsigned a_done = comparison->rounds;
	unsigned b_done = comparison->rounds;

	for (unsigned i = 0; i < ROUNDS_IN_BLOCK; i++) {
		/* The outer two are of one side, the inner two of the other. */
		bool is_outer = i == 0 || i == ROUNDS_IN_BLOCK - 1;
		bool is_b = is_outer == b_first;
		double *figure = is_b ? &comparison->b_rounds[b_done++] :
			&comparison->a_rounds[a_done++];

		if (run_round(plan, is_b ? b : a, is_b ? &comparison->b : result, comparison,
			figure) < 0) {
			return -1;
		}
	}
	if (!is_stopped(plan)) {
		comparison->rounds += 2;
	}
	return 0;
}

/* Let TARGET warm up, and make *ROUND_NS long enough for some answers to come in a round. */
static int warm_up(const struct plan *plan, const struct target *target, uint64_t *round_ns)
{
	struct plan only = *plan;
	struct result result;
	uint64_t needed_ns;

	only.warmup_ns = 0;
	only.duration_ns = plan->warmup_ns > WARMUP_MIN_NS ? plan->warmup_ns : WARMUP_MIN_NS;
	if (run(&only, target, &result) < 0) {
		return -1;
	}
	needed_ns = ANSWERS_IN_A_ROW * histogram_quantile_ns(&result.measured->service, 0.5);
	if (*round_ns < needed_ns) {
		*round_ns = needed_ns;
	}
	result_fini(&result);
	return 0;
}

/* Do both rounds of a block have a figure? */
static bool is_complete(const double *rounds)
{
	return rounds[0] > 0 && rounds[1] > 0;
}

static enum comparison_verdict verdict_of(const struct comparison *comparison)
{
	const struct interval *ratio = &comparison->ratio;
	double distance = fabs(log(ratio->estimate));
	/* One round against one scatters by the root of two more than two against two. */
	double noise = fabs(log(comparison->noise.estimate)) / sqrt(2);
	double floor = fmax(noise, LEAST_DIFFERENCE);
	bool below = ratio->high < 1;

	if ((!below && ratio->low <= 1) || distance <= floor) {
		return COMPARISON_NO_DIFFERENCE;
	}
	return below == comparison->of_latency ? COMPARISON_FASTER : COMPARISON_SLOWER;
}

static void from_logarithm(struct interval *interval)
{
	*interval = (struct interval){
		exp(interval->estimate), exp(interval->low), exp(interval->high),
	};
}

int compare_judge(struct comparison *comparison, uint64_t seed)
{
	const double *a = comparison->a_rounds;
	const double *b = comparison->b_rounds;
	double ratios[COMPARISON_BLOCKS];
	double noises[COMPARISON_BLOCKS];
	unsigned blocks = 0;

	comparison->verdict = COMPARISON_NOT_JUDGED;
	comparison->ratio = (struct interval){ NAN, NAN, NAN };
	comparison->noise = comparison->ratio;
	for (unsigned i = 0; i + 1 < comparison->rounds; i += 2) {
		if (is_complete(&a[i]) && is_complete(&b[i])) {
			ratios[blocks] = log((b[i] + b[i + 1]) / (a[i] + a[i + 1]));
			noises[blocks++] = log(a[i + 1] / a[i]);
		}
	}
	if (blocks < COMPARISON_BLOCKS / 2) {
		return 0;
	}
	if (bootstrap_interval(ratios, blocks, COMPARISON_CONFIDENCE, seed,
		&comparison->ratio) < 0 ||
	    bootstrap_interval(noises, blocks, COMPARISON_CONFIDENCE, seed,
		&comparison->noise) < 0) {
		return -1;
	}
	from_logarithm(&comparison->ratio);
	from_logarithm(&comparison->noise);
	comparison->verdict = verdict_of(comparison);
	return 0;
}

int compare(const struct plan *plan, const struct target *a, const struct target *b,
	struct result *result, struct comparison *comparison)
{
	struct plan round = *plan;
	uint64_t seed = clock_now_ns();

	memset(comparison, 0, sizeof(*comparison));
	comparison->of_latency = plan->open_loop;
	round.duration_ns = plan->duration_ns / COMPARISON_ROUNDS;
	if (round.duration_ns < ROUND_MIN_NS) {
		round.duration_ns = ROUND_MIN_NS;
	}
	if (result_init(result, &round, a) < 0 || result_init(&comparison->b, &round, b) < 0 ||
	    warm_up(plan, a, &round.duration_ns) < 0 ||
	    warm_up(plan, b, &round.duration_ns) < 0) {
		goto fail;
	}
	round.warmup_ns = round.duration_ns / SETTLE_SHARE;
	for (unsigned i = 0; i < COMPARISON_BLOCKS && !is_stopped(plan); i++) {
		/* Which side is first is drawn: a rhythm of the machine's must not favour one. */
		bool b_first = splitmix_next(&seed) >> 63;

		if (run_block(&round, a, b, b_first, result, comparison) < 0) {
			goto fail;
		}
	}
	if (compare_judge(comparison, seed) < 0) {
		goto fail;
	}
	result->plan = *plan;
	comparison->b.plan = *plan;
	return 0;
fail:
	result_fini(result);
	compare_fini(comparison);
	return -1;
}

void compare_fini(struct comparison *comparison)
{
	result_fini(&comparison->b);
}

const char *compare_verdict_name(enum comparison_verdict verdict)
{
	static const char *const names[] = {
		[COMPARISON_NO_DIFFERENCE] = "no difference",
		[COMPARISON_SLOWER] = "slower",
		[COMPARISON_FASTER] = "faster",
		[COMPARISON_NOT_JUDGED] = "not judged",
	};

	return names[verdict];
}

double compare_change(const struct comparison *comparison)
{
	return fabs(comparison->ratio.estimate - 1);
}
