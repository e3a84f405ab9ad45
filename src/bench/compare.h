/* SPDX-License-Identifier: MIT */
/*
 * --vs: is B slower than A? Both are asked in short rounds, in blocks of A B B A or B A A B, so
 * that what drifts on the machine hits both alike. Each block gives one ratio B/A, and one of its
 * two rounds of A against each other: the noise floor. A difference is called one only if the
 * interval of the ratio excludes 1 and the ratio is farther from 1 than A was found to be from
 * itself, and than one part in a hundred, which is as good as nothing.
 *
 * The ratio is of throughputs in a closed loop (below 1: B is slower) and of median latencies in an
 * open one, where the throughput is given (above 1: B is slower).
 */
#ifndef RUPTIME_BENCH_COMPARE_H
#define RUPTIME_BENCH_COMPARE_H

#include <stdbool.h>

#include "bench/bootstrap.h"
#include "bench/plan.h"
#include "bench/result.h"
#include "bench/target.h"

#define COMPARISON_BLOCKS     20
#define COMPARISON_ROUNDS     (2 * COMPARISON_BLOCKS)	/* of each side */
#define COMPARISON_CONFIDENCE 0.99

enum comparison_verdict {
	COMPARISON_NO_DIFFERENCE,
	COMPARISON_SLOWER,	/* B is slower than A */
	COMPARISON_FASTER,
	COMPARISON_NOT_JUDGED,	/* too many rounds without an answer, or interrupted */
};

struct comparison {
	struct result b;		/* all rounds of B; A's go to the run's own result */
	bool of_latency;
	unsigned rounds;		/* of each side; less than planned if interrupted */
	double a_rounds[COMPARISON_ROUNDS];	/* answers/s, or median latency in us */
	double b_rounds[COMPARISON_ROUNDS];
	struct interval ratio;
	struct interval noise;
	enum comparison_verdict verdict;
};

/*
 * Compare: PLAN's duration is that of all rounds of one side together, or longer if answers take
 * so long that a round would see few of them. Blocks for about twice the duration and twice the
 * warm-up. Returns 0 with A's merged RESULT and COMPARISON, for the caller
 * to result_fini() and compare_fini(), or -1 with errno.
 */
int compare(const struct plan *plan, const struct target *a, const struct target *b,
	struct result *result, struct comparison *comparison);
void compare_fini(struct comparison *comparison);

/* "no difference", "slower", "faster" or "not judged". */
const char *compare_verdict_name(enum comparison_verdict verdict);

/* How much slower or faster B is, as a share of A: 0.2 for a fifth of the throughput less. */
double compare_change(const struct comparison *comparison);

/* Fill ratio, noise and verdict from the first ROUNDS of the two rows. For compare() and tests. */
int compare_judge(struct comparison *comparison, uint64_t seed);

#endif
