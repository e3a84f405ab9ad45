/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <math.h>
#include <string.h>

#include "bench/compare.h"
#include "bench/signed_rank.h"
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

/* The median of the means of all pairs; far values hardly move it. */
START_TEST(test_estimate)
{
	const double values[] = { 1000, 3, 1, 2, 4, 5, 6, 7, 8, -1000 };
	const double three[] = { 1, 2, 30 };
	const double one = 7;

	ck_assert_double_eq(signed_rank_interval(values, 10, 0.99).estimate, 4.5);
	/* Of 1, 1.5, 2, 15.5, 16 and 30. */
	ck_assert_double_eq(signed_rank_interval(three, 3, 0.5).estimate, 8.75);
	ck_assert_double_eq(signed_rank_interval(&one, 1, 0.99).estimate, 7);
}
END_TEST

/* The critical values of the tables: 3 of ten values at 99 %, 37 of twenty, 8 of ten at 95 %. */
START_TEST(test_critical_sums)
{
	double values[20];
	struct interval interval;

	for (int i = 0; i < 20; i++) {
		values[i] = i;
	}
	/* Their means of pairs, in order: 0, 0.5, 1, 1, 1.5, 1.5, 2, 2, 2, ... */
	interval = signed_rank_interval(values, 10, 0.99);
	ck_assert_double_eq(interval.low, 1);
	ck_assert_double_eq(interval.high, 8);
	interval = signed_rank_interval(values, 10, 0.95);
	ck_assert_double_eq(interval.low, 2);
	interval = signed_rank_interval(values, 20, 0.99);
	ck_assert_double_eq(interval.low, 5.5);
}
END_TEST

START_TEST(test_equal_values_have_no_width)
{
	const double values[] = { 2, 2, 2, 2, 2, 2 };
	struct interval interval;

	interval = signed_rank_interval(values, 6, 0.99);
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
		interval = signed_rank_interval(values, 20, 0.95);
		held += interval.low <= 10 && interval.high >= 10;
	}
	ck_assert_msg(held >= 265 && held < 300, "%u of 300", held);
}
END_TEST

/* One of 99 % misses in some 1 of 100 cases, also where values are few and far ones not rare. */
START_TEST(test_coverage_of_99)
{
	unsigned missed = 0;

	random_init();
	for (int i = 0; i < 4000; i++) {
		double values[20];
		struct interval interval;

		for (int j = 0; j < 20; j++) {
			values[j] = random_normal() * (random_below(10) == 0 ? 5 : 1);
		}
		interval = signed_rank_interval(values, 20, 0.99);
		missed += interval.low > 0 || interval.high < 0;
	}
	/* 30 to 40 are usual; five standard deviations more are never by chance. */
	ck_assert_msg(missed >= 8 && missed <= 72, "%u of 4000", missed);
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
	compare_judge(&comparison);
	return comparison.verdict;
}

START_TEST(test_same_is_no_difference)
{
	unsigned wrong = 0;

	random_init();
	for (int i = 0; i < 2000; i++) {
		wrong += judge_synthetic(1, 0.05, false) != COMPARISON_NO_DIFFERENCE;
	}
	/* 20 at most are usual; five standard deviations more are never by chance. */
	ck_assert_msg(wrong <= 42, "%u of 2000", wrong);
}
END_TEST

/* In 19 of 20 cases. */
START_TEST(test_a_fifth_is_seen)
{
	unsigned missed = 0;

	random_init();
	for (int i = 0; i < 600; i++) {
		missed += judge_synthetic(0.8, 0.05, false) != COMPARISON_SLOWER;
		missed += judge_synthetic(1.25, 0.05, false) != COMPARISON_FASTER;
		missed += judge_synthetic(1.25, 0.05, true) != COMPARISON_SLOWER;
	}
	ck_assert_msg(missed <= 1800 / 20, "%u of 1800", missed);
}
END_TEST

START_TEST(test_no_answer_is_not_judged)
{
	static struct comparison comparison;

	comparison.rounds = COMPARISON_ROUNDS;
	compare_judge(&comparison);
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
	compare_judge(&comparison);
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
		/* The others are as fast as A, a little more or less. */
		comparison.b_rounds[i] = i % 8 < 4 ? 0 : i % 16 < 8 ? 1001 : 999;
	}
	compare_judge(&comparison);
	ck_assert(comparison.verdict == COMPARISON_SLOWER);
	ck_assert(isfinite(comparison.ratio.low) && comparison.ratio.low > 0);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("compare");
	TCase *tcase = tcase_create("compare");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, test_estimate);
	tcase_add_test(tcase, test_critical_sums);
	tcase_add_test(tcase, test_equal_values_have_no_width);
	tcase_add_test(tcase, test_coverage);
	tcase_add_test(tcase, test_coverage_of_99);
	tcase_add_test(tcase, test_same_is_no_difference);
	tcase_add_test(tcase, test_a_fifth_is_seen);
	tcase_add_test(tcase, test_no_answer_is_not_judged);
	tcase_add_test(tcase, test_failures_are_compared);
	tcase_add_test(tcase, test_stalled_rounds_count);
	suite_add_tcase(suite, tcase);
	return suite;
}
