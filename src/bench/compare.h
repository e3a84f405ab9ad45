/* SPDX-License-Identifier: MIT */
/*
 * --vs: is B slower than A? Both are asked in short rounds, in blocks of A B B A or B A A B, so
 * that what drifts on the machine hits both alike. Each block gives one ratio B/A, and one of its
 * two rounds of A against each other: the noise floor. A difference is called one only if the
 * interval of the ratio excludes 1 and the ratio is farther from 1 than A was found to be from
 * itself, and than one part in a hundred, which is as good as nothing.
 *
 * Which of the two fails more is a question of its own, and comes first: the speed of a server that
 * leaves out what it cannot do is no merit.
 *
 * The ratio is of throughputs in a closed loop (below 1: B is slower) and of median latencies in an
 * open one, where the throughput is given (above 1: B is slower).
 */
#ifndef RUPTIME_BENCH_COMPARE_H
#define RUPTIME_BENCH_COMPARE_H

#include <stdbool.h>

#include "bench/plan.h"
#include "bench/result.h"
#include "bench/signed_rank.h"
#include "bench/target.h"

#define COMPARISON_BLOCKS     20
#define COMPARISON_ROUNDS     (2 * COMPARISON_BLOCKS)	/* of each side */
#define COMPARISON_CONFIDENCE 0.99

enum comparison_verdict {
	COMPARISON_NO_DIFFERENCE,
	COMPARISON_SLOWER,	/* B is slower than A */
	COMPARISON_FASTER,
	COMPARISON_NOT_JUDGED,	/* too few rounds with an answer, or interrupted */
};

/* B against A, by the share of requests without a good answer. */
enum comparison_failures {
	COMPARISON_FAILS_ALIKE,
	COMPARISON_FAILS_MORE,
	COMPARISON_FAILS_LESS,
};

struct comparison {
	struct result b;		/* all rounds of B; A's go to the run's own result */
	bool of_latency;
	unsigned rounds;		/* of each side; less than planned if interrupted */
	double a_rounds[COMPARISON_ROUNDS];	/* answers/s, or median latency in us */
	double b_rounds[COMPARISON_ROUNDS];
	double a_failed[COMPARISON_ROUNDS];	/* shares; NAN: nothing was sent */
	double b_failed[COMPARISON_ROUNDS];
	enum comparison_failures failures;
	struct interval ratio;
	struct interval noise;
	enum comparison_verdict verdict;
};

/*
 * Compare: PLAN's duration is that of all rounds of one side together, or longer if answers take
 * so long that a round would see few of them; its server process is A's, B_PID is that of B.
 * Blocks for about twice the duration and twice the warm-up. Returns 0 with A's merged RESULT and
 * COMPARISON, for the caller to result_fini() and compare_fini(), or -1 with errno.
 */
int compare(const struct plan *plan, pid_t b_pid, const struct target *a, const struct target *b,
	struct result *result, struct comparison *comparison);
void compare_fini(struct comparison *comparison);

/* "no difference", "slower", "faster" or "not judged". */
const char *compare_verdict_name(enum comparison_verdict verdict);

/* "alike", "more" or "less". */
const char *compare_failures_name(enum comparison_failures failures);

/* The share of all of a RESULT's requests that have no good answer. */
double compare_failed_share(const struct result *result);

/* How much slower or faster B is, as a share of A: 0.2 for a fifth of the throughput less. */
double compare_change(const struct comparison *comparison);

/*
 * Fill ratio, noise, failures and verdict from the first ROUNDS of the rows. For compare() and
 * tests.
 */
void compare_judge(struct comparison *comparison);

#endif
