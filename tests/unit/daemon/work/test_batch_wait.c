/* SPDX-License-Identifier: MIT */
/* How the pace follows what runs have been like. */
#include "unit/unit.h"

#include "common/clock.h"
#include "daemon/work/batch_wait.h"

static const struct batch_wait_run busy = {
	.connections = BATCH_WAIT_PEAK,
	.worth = 5,
	.scarce = true,
};

static void look(struct batch_wait *pace, struct batch_wait_run run, int times)
{
	while (times--) {
		(void)batch_wait_adapt(pace, &run);
	}
}

START_TEST(test_grows)
{
	struct batch_wait pace = { .pace_ns = 0 };

	ck_assert_uint_eq(batch_wait_adapt(&pace, &busy), BATCH_WAIT_MIN_NS);
	ck_assert_uint_eq(batch_wait_adapt(&pace, &busy), 2 * BATCH_WAIT_MIN_NS);
	look(&pace, busy, 20);
	ck_assert_uint_eq(pace.pace_ns, BATCH_WAIT_MAX_NS);
}
END_TEST

START_TEST(test_shrinks_with_cpus_to_spare)
{
	struct batch_wait pace = { .pace_ns = BATCH_WAIT_MAX_NS };
	struct batch_wait_run run = busy;

	run.scarce = false;
	ck_assert_uint_eq(batch_wait_adapt(&pace, &run), BATCH_WAIT_MAX_NS / 2);
	look(&pace, run, 20);
	ck_assert_uint_eq(pace.pace_ns, 0);
}
END_TEST

START_TEST(test_shrinks_without_a_crowd)
{
	struct batch_wait pace = { .pace_ns = BATCH_WAIT_MAX_NS };
	struct batch_wait_run run = busy;

	run.connections = BATCH_WAIT_FEW - 1;
	look(&pace, run, 20);
	ck_assert_uint_eq(pace.pace_ns, 0);
}
END_TEST

/* Where no run serves more than a few clients, waiting finds no more of them. */
START_TEST(test_none_for_few_clients)
{
	struct batch_wait pace = { .pace_ns = BATCH_WAIT_MAX_NS };
	struct batch_wait_run run = busy;

	run.connections = BATCH_WAIT_PEAK - 1;
	look(&pace, run, 20);
	ck_assert_uint_eq(pace.pace_ns, 0);
}
END_TEST

/* A large run is remembered for a while: those of a crowd differ in size. */
START_TEST(test_a_large_run_is_remembered)
{
	struct batch_wait pace = { .pace_ns = 0 };
	struct batch_wait_run run = busy;

	run.connections = 2 * BATCH_WAIT_PEAK;
	look(&pace, run, 1);
	run.connections = BATCH_WAIT_FEW;
	look(&pace, run, 5);
	ck_assert_uint_eq(pace.pace_ns, 32 * BATCH_WAIT_MIN_NS);
	look(&pace, run, 2 * BATCH_WAIT_PEAK_RUNS);
	ck_assert_uint_eq(pace.pace_ns, 0);
}
END_TEST

/* Many are enough; if runs are dear, it takes more of them. */
START_TEST(test_stays_with_many)
{
	struct batch_wait pace = { .pace_ns = 4 * BATCH_WAIT_MIN_NS };
	struct batch_wait_run run = busy;

	run.connections = BATCH_WAIT_MANY;
	ck_assert_uint_eq(batch_wait_adapt(&pace, &run), 4 * BATCH_WAIT_MIN_NS);
	run.worth = BATCH_WAIT_MANY;
	ck_assert_uint_eq(batch_wait_adapt(&pace, &run), 8 * BATCH_WAIT_MIN_NS);
	run.connections = 2 * BATCH_WAIT_MANY;
	ck_assert_uint_eq(batch_wait_adapt(&pace, &run), 8 * BATCH_WAIT_MIN_NS);
}
END_TEST

/* Clients that are back early need not be waited for any longer. */
START_TEST(test_shrinks_when_all_are_back)
{
	struct batch_wait pace = { .pace_ns = BATCH_WAIT_MAX_NS };
	struct batch_wait_run run = busy;

	run.back_ns = 100 * CLOCK_US;
	ck_assert_uint_eq(batch_wait_adapt(&pace, &run), 150 * CLOCK_US);
	ck_assert_uint_eq(batch_wait_adapt(&pace, &run), 150 * CLOCK_US);
	run.back_ns = 0;
	ck_assert_uint_eq(batch_wait_adapt(&pace, &run), 300 * CLOCK_US);
}
END_TEST

/* The acceptor rests for a half of the pace; at first not at all. */
START_TEST(test_rest)
{
	struct batch_wait pace = { .pace_ns = 0 };

	ck_assert_uint_eq(batch_wait_rest_ns(&pace), 0);
	pace.pace_ns = 2 * 1234;
	ck_assert_uint_eq(batch_wait_rest_ns(&pace), 1234);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("batch_wait");
	TCase *tcase = tcase_create("pace");

	tcase_add_test(tcase, test_grows);
	tcase_add_test(tcase, test_shrinks_with_cpus_to_spare);
	tcase_add_test(tcase, test_shrinks_without_a_crowd);
	tcase_add_test(tcase, test_none_for_few_clients);
	tcase_add_test(tcase, test_a_large_run_is_remembered);
	tcase_add_test(tcase, test_stays_with_many);
	tcase_add_test(tcase, test_shrinks_when_all_are_back);
	tcase_add_test(tcase, test_rest);
	suite_add_tcase(suite, tcase);
	return suite;
}
