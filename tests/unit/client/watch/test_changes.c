/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <math.h>

#include "client/watch/changes.h"
#include "common/clock.h"

#define UNKNOWN (-1)

static struct changes changes;
static uint64_t now_s;

static void set_up(void)
{
	now_s = 1000;
	ck_assert_int_eq(changes_init(&changes, 2), 0);
}

static void tear_down(void)
{
	changes_fini(&changes);
}

/* After SECONDS host 0 is up, and has been for UPTIME_S. */
static enum change up(uint64_t seconds, int64_t uptime_s)
{
	const struct report_row row = {
		.state = REPORT_UP,
		.facts = { .uptime_s = uptime_s, .has_loads = true, .loads = { 0.5 } },
	};

	now_s += seconds;
	return changes_note(&changes, 0, &row, now_s * CLOCK_S, (time_t)now_s);
}

static enum change down(uint64_t seconds)
{
	const struct report_row row = { .state = REPORT_DOWN };

	now_s += seconds;
	return changes_note(&changes, 0, &row, now_s * CLOCK_S, (time_t)now_s);
}

START_TEST(test_down_and_back)
{
	ck_assert_int_eq(up(0, 600), CHANGE_NONE);
	ck_assert_int_eq(up(2, 600), CHANGE_NONE);
	ck_assert_int_eq(changes.hosts[0].since, 1000);
	ck_assert_int_eq(down(2), CHANGE_DOWN);
	ck_assert_int_eq(changes.hosts[0].since, 1004);
	ck_assert_int_eq(down(2), CHANGE_NONE);
	ck_assert_int_eq(changes.hosts[0].last, CHANGE_DOWN);
	ck_assert_int_eq(up(100, 660), CHANGE_BACK);
	ck_assert_int_eq(changes.hosts[0].last, CHANGE_BACK);
	changes_clear(&changes);
	ck_assert_int_eq(changes.hosts[0].last, CHANGE_NONE);
}
END_TEST

/* What was down from the beginning has not gone down, and comes for the first time. */
START_TEST(test_first_look)
{
	ck_assert_int_eq(down(0), CHANGE_NONE);
	ck_assert_int_eq(up(2, 100000), CHANGE_BACK);
}
END_TEST

START_TEST(test_rebooted_between_two_looks)
{
	ck_assert_int_eq(up(0, 86400), CHANGE_NONE);
	ck_assert_int_eq(up(2, 0), CHANGE_REBOOTED);
	ck_assert_int_eq(changes.hosts[0].since, 1002);
	ck_assert_int_eq(up(2, 0), CHANGE_NONE);
}
END_TEST

START_TEST(test_rebooted_while_down)
{
	ck_assert_int_eq(up(0, 300), CHANGE_NONE);
	ck_assert_int_eq(down(2), CHANGE_DOWN);
	/* Up for longer than it was before, and for less than it was away. */
	ck_assert_int_eq(up(3600, 1800), CHANGE_REBOOTED);
}
END_TEST

/* Uptimes are cut to minutes, and a line need not say one. */
START_TEST(test_not_rebooted)
{
	ck_assert_int_eq(up(0, 360), CHANGE_NONE);
	ck_assert_int_eq(up(59, 360), CHANGE_NONE);
	ck_assert_int_eq(up(2, 420), CHANGE_NONE);
	ck_assert_int_eq(up(2, UNKNOWN), CHANGE_NONE);
	ck_assert_int_eq(up(2, 0), CHANGE_NONE);
	ck_assert_int_eq(down(2), CHANGE_DOWN);
	ck_assert_int_eq(up(60, 60), CHANGE_BACK);
}
END_TEST

START_TEST(test_loads)
{
	for (unsigned i = 0; i < CHANGES_HISTORY + 10; i++) {
		up(2, UNKNOWN);
	}
	ck_assert_float_eq(changes_load(&changes, 0, CHANGES_HISTORY - 1), 0.5f);
	ck_assert(isnan(changes_load(&changes, 0, CHANGES_HISTORY)));
	down(2);
	ck_assert(isnan(changes_load(&changes, 0, 0)));
	ck_assert_float_eq(changes_load(&changes, 0, 1), 0.5f);
	ck_assert(isnan(changes_load(&changes, 1, 0)));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("changes");
	TCase *tcase = tcase_create("hosts");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_down_and_back);
	tcase_add_test(tcase, test_first_look);
	tcase_add_test(tcase, test_rebooted_between_two_looks);
	tcase_add_test(tcase, test_rebooted_while_down);
	tcase_add_test(tcase, test_not_rebooted);
	tcase_add_test(tcase, test_loads);
	suite_add_tcase(suite, tcase);
	return suite;
}
