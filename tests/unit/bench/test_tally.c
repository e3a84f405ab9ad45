/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <stdlib.h>

#include "bench/tally.h"
#include "common/clock.h"

#define START_NS (100 * CLOCK_S)

static struct tally *begun(uint64_t duration_ns)
{
	struct tally *tally = tally_new(duration_ns);

	ck_assert(tally);
	tally->start_ns = START_NS;
	return tally;
}

/* 1000 requests a second for two seconds, at a server that does CAPACITY a second in turn. */
static struct tally *serve(double capacity)
{
	struct tally *tally = begun(2 * CLOCK_S);
	double free_s = 0;

	for (unsigned i = 0; i < 2000; i++) {
		double due_s = i / 1000.0;
		uint64_t due_ns = START_NS + (uint64_t)(due_s * (double)CLOCK_S);

		free_s = (free_s > due_s ? free_s : due_s) + 1 / capacity;
		tally_end(tally, OUTCOME_ANSWERED, due_ns, due_ns,
			START_NS + (uint64_t)(free_s * (double)CLOCK_S));
	}
	return tally;
}

START_TEST(test_growth_is_the_overload)
{
	const double capacities[] = { 500, 800, 950, 990 };
	struct tally *tally;

	for (unsigned i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
		tally = serve(capacities[i]);
		ck_assert_double_eq_tol(tally_growth(tally), 1000 / capacities[i] - 1, 1e-3);
		free(tally);
	}
	tally = serve(1100);
	ck_assert_double_eq_tol(tally_growth(tally), 0, 1e-6);
	free(tally);
	tally = begun(CLOCK_S);
	ck_assert(tally_growth(tally) == 0);
	free(tally);
}
END_TEST

/* Of a run whose length is not known the bins grow wider, and keep what they have. */
START_TEST(test_bins_widen)
{
	struct tally *tally = begun(0);
	struct tally *other = begun(0);
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t done_ns = START_NS + i * CLOCK_S;

		tally_in_window(tally, done_ns - CLOCK_MS - i, done_ns);
	}
	tally_in_window(other, START_NS, START_NS + CLOCK_MS);
	tally_merge(tally, other);
	tally_merge(other, tally);
	for (unsigned i = 0; i < TALLY_BINS; i++) {
		sum += tally->bins[i].answered;
	}
	ck_assert(sum == 1001 && tally->in_window == 1001 && other->in_window == 1002);
	ck_assert(other->bin_ns == tally->bin_ns && tally->bin_ns * TALLY_BINS >= 1000 * CLOCK_S);
	ck_assert(tally->bins[999 * CLOCK_S / tally->bin_ns].worst_ns == CLOCK_MS + 999);
	free(tally);
	free(other);
}
END_TEST

START_TEST(test_taken_over)
{
	struct tally *warm = begun(CLOCK_S);
	struct tally *measured = begun(CLOCK_S);

	warm->sent = 3;
	tally_take_over(measured, warm);
	ck_assert(warm->sent == 2 && measured->sent == 1);
	free(warm);
	free(measured);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("tally");
	TCase *tcase = tcase_create("tally");

	tcase_add_test(tcase, test_growth_is_the_overload);
	tcase_add_test(tcase, test_bins_widen);
	tcase_add_test(tcase, test_taken_over);
	suite_add_tcase(suite, tcase);
	return suite;
}
