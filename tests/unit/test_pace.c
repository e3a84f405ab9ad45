/* SPDX-License-Identifier: MIT */
/* How the pace follows what runs have been like. */
#include "unit/unit.h"

#include "common/clock.h"
#include "daemon/pace.h"

static const struct pace_run busy = { .connections = 10, .worth = 5, .scarce = true };

static void look(struct pace *pace, struct pace_run run, int times)
{
	while (times--) {
		(void)pace_look(pace, &run);
	}
}

START_TEST(test_grows)
{
	struct pace pace = { 0 };

	ck_assert_uint_eq(pace_look(&pace, &busy), PACE_MIN_NS);
	ck_assert_uint_eq(pace_look(&pace, &busy), 2 * PACE_MIN_NS);
	look(&pace, busy, 20);
	ck_assert_uint_eq(pace.ns, PACE_MAX_NS);
}
END_TEST

START_TEST(test_shrinks_with_cpus_to_spare)
{
	struct pace pace = { PACE_MAX_NS };
	struct pace_run run = busy;

	run.scarce = false;
	ck_assert_uint_eq(pace_look(&pace, &run), PACE_MAX_NS / 2);
	look(&pace, run, 20);
	ck_assert_uint_eq(pace.ns, 0);
}
END_TEST

START_TEST(test_shrinks_without_a_crowd)
{
	struct pace pace = { PACE_MAX_NS };
	struct pace_run run = busy;

	run.connections = PACE_FEW - 1;
	look(&pace, run, 20);
	ck_assert_uint_eq(pace.ns, 0);
}
END_TEST

/* Many are enough; if runs are dear, it takes more of them. */
START_TEST(test_stays_with_many)
{
	struct pace pace = { 4 * PACE_MIN_NS };
	struct pace_run run = busy;

	run.connections = PACE_MANY;
	ck_assert_uint_eq(pace_look(&pace, &run), 4 * PACE_MIN_NS);
	run.worth = PACE_MANY;
	ck_assert_uint_eq(pace_look(&pace, &run), 8 * PACE_MIN_NS);
	run.connections = 2 * PACE_MANY;
	ck_assert_uint_eq(pace_look(&pace, &run), 8 * PACE_MIN_NS);
}
END_TEST

/* Who is back early need not be waited for any longer. */
START_TEST(test_shrinks_when_all_are_back)
{
	struct pace pace = { PACE_MAX_NS };
	struct pace_run run = busy;

	run.back_ns = 100 * CLOCK_US;
	ck_assert_uint_eq(pace_look(&pace, &run), 150 * CLOCK_US);
	ck_assert_uint_eq(pace_look(&pace, &run), 150 * CLOCK_US);
	run.back_ns = 0;
	ck_assert_uint_eq(pace_look(&pace, &run), 300 * CLOCK_US);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("pace");
	TCase *tcase = tcase_create("pace");

	tcase_add_test(tcase, test_grows);
	tcase_add_test(tcase, test_shrinks_with_cpus_to_spare);
	tcase_add_test(tcase, test_shrinks_without_a_crowd);
	tcase_add_test(tcase, test_stays_with_many);
	tcase_add_test(tcase, test_shrinks_when_all_are_back);
	suite_add_tcase(suite, tcase);
	return suite;
}
