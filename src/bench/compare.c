/* SPDX-License-Identifier: MIT */
#include "bench/compare.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench/progress.h"
#include "bench/run.h"
#include "bench/splitmix.h"
#include "common/clock.h"

#define ROUND_MIN_NS	    (25 * CLOCK_MS)
#define WARMUP_MIN_NS	    (100 * CLOCK_MS)
#define ANSWERS_IN_A_ROW    20	/* that come one after the other in a round, at least */
#define SETTLE_SHARE	    10		/* of a round, before it counts */
#define ROUNDS_IN_BLOCK	    4
#define LEAST_DIFFERENCE    0.01
#define STANDSTILL	    1000
#define FAILED_LARGE	    0.05
#define FAILED_TINY	    0.001

static double figure_of(const struct comparison *comparison, const struct result *round)
{
	if (comparison->of_latency) {
		return (double)histogram_quantile_ns(&round->measured->latency, 0.5) / CLOCK_US;
	}
	return result_throughput_rps(round);
}

static double failed_share(const struct tally *tally)
{
	return tally->sent > 0 ? (double)tally_failed(tally) / (double)tally->sent : NAN;
}

/* One side of the comparison. */
struct side {
	const char *name;
	struct plan plan;		/* of a round */
	const struct target *target;
	struct result *sum;
	double *figures;
	double *failed;
	unsigned done;
};

static int run_round(struct side *side, const struct comparison *comparison)
{
	struct result round;

	if (run(&side->plan, side->target, &round) < 0) {
		return -1;
	}
	side->figures[side->done] = figure_of(comparison, &round);
	side->failed[side->done] = failed_share(round.measured);
	side->done++;
	result_merge(side->sum, &round);
	result_fini(&round);
	return 0;
}

static void announce(const struct side *side, unsigned rounds_left)
{
	const struct plan *plan = &side->plan;

	progress_announce(plan->progress, rounds_left * (plan->warmup_ns + plan->duration_ns),
		"%s, round %u of %u", side->name, side->done + 1, COMPARISON_ROUNDS);
}

static int run_block(struct side sides[2], unsigned first, struct comparison *comparison)
{
	unsigned rounds_left = 2 * (COMPARISON_ROUNDS - comparison->rounds);

	for (unsigned i = 0; i < ROUNDS_IN_BLOCK; i++) {
		/* The outer two are of one side, the inner two of the other. */
		bool is_outer = i == 0 || i == ROUNDS_IN_BLOCK - 1;
		struct side *side = &sides[is_outer ? first : 1 - first];

		announce(side, rounds_left - i);
		if (run_round(side, comparison) < 0) {
			return -1;
		}
	}
	if (!run_is_stopped(&sides[0].plan)) {
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
	only.samples = NULL;
	only.server_pid = 0;
	only.duration_ns = plan->warmup_ns > WARMUP_MIN_NS ? plan->warmup_ns : WARMUP_MIN_NS;
	progress_announce(plan->progress, 2 * plan->duration_ns + only.duration_ns, "warm-up");
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

/*
 * The logarithm of B/A of a block, or NAN if there is none. A side that stood still for the block
 * has done a thousandth at most, which is as much as can be said.
 */
static double log_ratio(const struct comparison *comparison, unsigned i)
{
	const double *a = &comparison->a_rounds[i];
	const double *b = &comparison->b_rounds[i];
	double a_sum = a[0] + a[1];
	double b_sum = b[0] + b[1];

	if (comparison->of_latency && !(a[0] > 0 && a[1] > 0 && b[0] > 0 && b[1] > 0)) {
		return NAN;
	}
	if (!(a_sum > 0 || b_sum > 0)) {
		return NAN;
	}
	return log(fmax(b_sum, a_sum / STANDSTILL) / fmax(a_sum, b_sum / STANDSTILL));
}

static double binomial_tail(unsigned n, unsigned least)
{
	double term = pow(0.5, n);
	double tail = 0;

	for (unsigned k = 0; k <= n; k++) {
		tail += k >= least ? term : 0;
		term *= (double)(n - k) / (k + 1);
	}
	return tail;
}

/*
 * A difference in failures is one if it is large, or if it is not tiny and by far the most of the
 * blocks that differ differ in one direction (sign test, 99 %): so a single accident is none.
 */
static enum comparison_failures judge_failures(const struct comparison *comparison)
{
	unsigned more = 0;
	unsigned less = 0;
	unsigned blocks = 0;
	double sum = 0;

	for (unsigned i = 0; i + 1 < comparison->rounds; i += 2) {
		double difference = (comparison->b_failed[i] + comparison->b_failed[i + 1] -
			comparison->a_failed[i] - comparison->a_failed[i + 1]) / 2;

		if (!isnan(difference)) {
			sum += difference;
			more += difference > 0;
			less += difference < 0;
			blocks++;
		}
	}
	if (blocks == 0 || (fabs(sum / blocks) < FAILED_LARGE &&
	    (fabs(sum / blocks) < FAILED_TINY || 2 * binomial_tail(more + less,
		more > less ? more : less) > 1 - COMPARISON_CONFIDENCE))) {
		return COMPARISON_FAILS_ALIKE;
	}
	return sum > 0 ? COMPARISON_FAILS_MORE : COMPARISON_FAILS_LESS;
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

void compare_judge(struct comparison *comparison)
{
	const double *a = comparison->a_rounds;
	double ratios[COMPARISON_BLOCKS];
	double noises[COMPARISON_BLOCKS];
	unsigned blocks = 0;
	unsigned noisy = 0;

	comparison->verdict = COMPARISON_NOT_JUDGED;
	comparison->failures = judge_failures(comparison);
	comparison->ratio = (struct interval){ NAN, NAN, NAN };
	comparison->noise = comparison->ratio;
	for (unsigned i = 0; i + 1 < comparison->rounds; i += 2) {
		double ratio = log_ratio(comparison, i);

		if (!isnan(ratio)) {
			ratios[blocks++] = ratio;
		}
		if (a[i] > 0 && a[i + 1] > 0) {
			noises[noisy++] = log(a[i + 1] / a[i]);
		}
	}
	if (blocks < COMPARISON_BLOCKS / 2 || noisy < COMPARISON_BLOCKS / 2) {
		return;
	}
	comparison->ratio = signed_rank_interval(ratios, blocks, COMPARISON_CONFIDENCE);
	comparison->noise = signed_rank_interval(noises, noisy, COMPARISON_CONFIDENCE);
	from_logarithm(&comparison->ratio);
	from_logarithm(&comparison->noise);
	comparison->verdict = verdict_of(comparison);
}

static void set_round(struct side *side, const struct plan *plan, uint64_t round_ns)
{
	side->plan = *plan;
	side->plan.duration_ns = round_ns;
	side->plan.warmup_ns = round_ns / SETTLE_SHARE;
	side->plan.side = side->name[0];
}

static int run_blocks(const struct plan *plan, struct side sides[2], uint64_t seed,
	struct comparison *comparison)
{
	for (unsigned i = 0; i < COMPARISON_BLOCKS && !run_is_stopped(plan); i++) {
		/* Which side is first is drawn: a rhythm of the machine's must not favour one. */
		unsigned first = splitmix_next(&seed) >> 63;

		if (run_block(sides, first, comparison) < 0) {
			return -1;
		}
	}
	compare_judge(comparison);
	return 0;
}

int compare(const struct plan *plan, pid_t b_pid, const struct target *a, const struct target *b,
	struct result *result, struct comparison *comparison)
{
	uint64_t round_ns = plan->duration_ns / COMPARISON_ROUNDS;
	struct plan b_plan = *plan;
	struct side sides[2] = {
		{ .name = "A", .target = a, .sum = result, .figures = comparison->a_rounds,
		  .failed = comparison->a_failed },
		{ .name = "B", .target = b, .sum = &comparison->b,
		  .figures = comparison->b_rounds, .failed = comparison->b_failed },
	};

	memset(comparison, 0, sizeof(*comparison));
	comparison->of_latency = plan->open_loop;
	b_plan.server_pid = b_pid;
	if (round_ns < ROUND_MIN_NS) {
		round_ns = ROUND_MIN_NS;
	}
	if (result_init(result, plan, a) < 0 || result_init(&comparison->b, &b_plan, b) < 0 ||
	    warm_up(plan, a, &round_ns) < 0 || warm_up(plan, b, &round_ns) < 0) {
		goto fail;
	}
	set_round(&sides[0], plan, round_ns);
	set_round(&sides[1], &b_plan, round_ns);
	if (run_blocks(plan, sides, clock_now_ns(), comparison) < 0) {
		goto fail;
	}
	/* All rounds together have enough requests to judge shares of them. */
	result_judge(result);
	result_judge(&comparison->b);
	result->interrupted |= run_is_stopped(plan);
	comparison->b.interrupted |= run_is_stopped(plan);
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

const char *compare_failures_name(enum comparison_failures failures)
{
	static const char *const names[] = {
		[COMPARISON_FAILS_ALIKE] = "alike",
		[COMPARISON_FAILS_MORE] = "more",
		[COMPARISON_FAILS_LESS] = "less",
	};

	return names[failures];
}

double compare_failed_share(const struct result *result)
{
	return failed_share(result->measured);
}

double compare_change(const struct comparison *comparison)
{
	return fabs(comparison->ratio.estimate - 1);
}
