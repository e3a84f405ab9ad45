/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <math.h>
#include <string.h>

#include "bench/bootstrap.h"
#include "bench/compare.h"
#include "unit/random.h"

/* Normally distributed, by the sum of twelve. */
static double random_normal(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++) {
		sum += (double)random_below(1u << 30) / (1u << 30);
	}
	return sum;
}

START_TEST(test_trimmed_mean)
{
	double values[] = { 1000, 3, 1, 2, 4, 5, 6, 7, 8, -1000 };
	double one = 7;

	ck_assert_double_eq(bootstrap_trimmed_mean(values, 10), 4.5);
	ck_assert_double_eq(bootstrap_trimmed_mean(&one, 1), 7);
}
END_TEST

START_TEST(test_equal_values_have_no_width)
{
	const double values[] = { 2, 2, 2, 2, 2, 2 };
	struct interval interval;

	ck_assert(bootstrap_interval(values, 6, 0.99, 1, &interval) == 0);
	ck_assert(interval.low == 2 && interval.estimate == 2 && interval.high == 2);
}
END_TEST

/* An interval of 95 % holds the truth in some 95 of 100 cases. */
START_TEST(test_coverage)
{
	unsigned held = 0;

	random_init();
	for (int i = 0; i < 300; i++) {
		double values[20];
		struct interval interval;

		for (int j = 0; j < 20; j++) {
			values[j] = 10 + random_normal();
		}
		ck_assert(bootstrap_interval(values, 20, 0.95, random_next(), &interval) == 0);
		held += interval.low <= 10 && interval.high >= 10;
	}
	ck_assert_msg(held >= 265 && held < 300, "%u of 300", held);
}
END_TEST

/* Rounds with a spread of NOISE and one in ten spoiled, of sides whose ratio is RATIO. */
static enum comparison_verdict judge_synthetic(double ratio, double noise, bool of_latency)
{
	static struct comparison comparison;

	memset(&comparison, 0, sizeof(comparison));
	comparison.of_latency = of_latency;
	comparison.rounds = COMPARISON_ROUNDS;
	for (unsigned i = 0; i < COMPARISON_ROUNDS; i++) {
		double spoiled = random_below(10) == 0 ? 0.5 : 1;

		comparison.a_rounds[i] = 1000 * exp(noise * random_normal()) * spoiled;
		spoiled = random_below(10) == 0 ? 0.5 : 1;
		comparison.b_rounds[i] = 1000 * ratio * exp(noise * random_normal()) * spoiled;
	}
	ck_assert(compare_judge(&comparison, random_next()) == 0);
	return comparison.verdict;
}

START_TEST(test_same_is_no_difference)
{
	unsigned wrong = 0;

	random_init();
	for (int i = 0; i < 60; i++) {
		wrong += judge_synthetic(1, 0.05, false) != COMPARISON_NO_DIFFERENCE;
	}
	ck_assert_msg(wrong <= 3, "%u of 60", wrong);
}
END_TEST

/* In 19 of 20 cases. */
START_TEST(test_a_fifth_is_seen)
{
	unsigned missed = 0;

	random_init();
	for (int i = 0; i < 40; i++) {
		missed += judge_synthetic(0.8, 0.05, false) != COMPARISON_SLOWER;
		missed += judge_synthetic(1.25, 0.05, false) != COMPARISON_FASTER;
		missed += judge_synthetic(1.25, 0.05, true) != COMPARISON_SLOWER;
	}
	ck_assert_msg(missed <= 120 / 20, "%u of 120", missed);
}
END_TEST

START_TEST(test_no_answer_is_not_judged)
{
	static struct comparison comparison;

	comparison.rounds = COMPARISON_ROUNDS;
	ck_assert(compare_judge(&comparison, 1) == 0);
	ck_assert(comparison.verdict == COMPARISON_NOT_JUDGED);
}
END_TEST

/*
 * The verdict on failures when the share of each round is A and B, and every EVERY-th of B's
 * more.
 */
static enum comparison_failures judge_failures(double a, double b, unsigned every)
{
	static struct comparison comparison;

	memset(&comparison, 0, sizeof(comparison));
	comparison.rounds = COMPARISON_ROUNDS;
	for (unsigned i = 0; i < COMPARISON_ROUNDS; i++) {
		comparison.a_rounds[i] = 1000;
		comparison.b_rounds[i] = 1000;
		comparison.a_failed[i] = a;
		comparison.b_failed[i] = i % every == 0 ? b : a;
	}
	ck_assert(compare_judge(&comparison, 1) == 0);
	return comparison.failures;
}

START_TEST(test_failures_are_compared)
{
	ck_assert(judge_failures(0, 0, 1) == COMPARISON_FAILS_ALIKE);
	ck_assert(judge_failures(0, 0.98, 1) == COMPARISON_FAILS_MORE);
	ck_assert(judge_failures(0.98, 0, 1) == COMPARISON_FAILS_LESS);
	ck_assert(judge_failures(0, 0.01, 1) == COMPARISON_FAILS_MORE);
	ck_assert(judge_failures(NAN, 0.5, 1) == COMPARISON_FAILS_ALIKE);
	/* Too little to matter, and two accidents. */
	ck_assert(judge_failures(0, 0.0001, 1) == COMPARISON_FAILS_ALIKE);
	ck_assert(judge_failures(0, 0.05, COMPARISON_ROUNDS / 2) == COMPARISON_FAILS_ALIKE);
}
END_TEST

/* A round in which nothing was answered, because the server stalled, is a round. */
START_TEST(test_stalled_rounds_count)
{
	static struct comparison comparison;

	memset(&comparison, 0, sizeof(comparison));
	comparison.rounds = COMPARISON_ROUNDS;
	for (unsigned i = 0; i < COMPARISON_ROUNDS; i++) {
		comparison.a_rounds[i] = 1000;
		comparison.b_rounds[i] = i % 8 < 4 ? 0 : 1000;
	}
	ck_assert(compare_judge(&comparison, 1) == 0);
	ck_assert(comparison.verdict == COMPARISON_SLOWER);
	ck_assert(isfinite(comparison.ratio.low) && comparison.ratio.low > 0);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("compare");
	TCase *tcase = tcase_create("compare");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, test_trimmed_mean);
	tcase_add_test(tcase, test_equal_values_have_no_width);
	tcase_add_test(tcase, test_coverage);
	tcase_add_test(tcase, test_same_is_no_difference);
	tcase_add_test(tcase, test_a_fifth_is_seen);
	tcase_add_test(tcase, test_no_answer_is_not_judged);
	tcase_add_test(tcase, test_failures_are_compared);
	tcase_add_test(tcase, test_stalled_rounds_count);
	suite_add_tcase(suite, tcase);
	return suite;
}
