/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "client/watch/view.h"

#define HOSTS 30

static struct targets targets;
static struct report report;
static struct changes changes;
static struct view view;

static void note(size_t at, double load)
{
	static struct ask_outcome outcome;

	outcome = (struct ask_outcome){ .status = load < 0 ? ASK_UNANSWERED : ASK_ANSWERED };
	if (load < 0) {
		answer_fail(&outcome.answer, "timed out");
	} else {
		snprintf(outcome.answer.line, sizeof(outcome.answer.line),
			"up 1 day, load average: %.2f, 0.00, 0.00\n", load);
	}
	ck_assert_int_eq(report_take(&report, at, &outcome), 0);
	changes_note(&changes, at, &report.rows[at], 1, 1);
}

static void set_up(void)
{
	const char *why;

	ck_assert_int_eq(targets_init(&targets, ADDRESS_TCP), 0);
	for (unsigned i = 0; i < HOSTS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "web%u", i);
		ck_assert_int_eq(targets_add(&targets, name, &why), 0);
	}
	ck_assert_int_eq(report_init(&report, &targets, false), 0);
	ck_assert_int_eq(changes_init(&changes, HOSTS), 0);
	for (unsigned i = 0; i < HOSTS; i++) {
		note(i, i);
	}
	view_init(&view, &report, &changes, REPORT_BY_NAME, false);
	view_resize(&view, 10);
	ck_assert_int_eq(view_update(&view), 0);
}

static void tear_down(void)
{
	view_fini(&view);
	changes_fini(&changes);
	report_fini(&report);
	targets_fini(&targets);
}

static void type(const char *keys)
{
	for (; *keys; keys++) {
		view_take_key(&view, *keys);
		ck_assert_int_eq(view_update(&view), 0);
	}
}

static void press(int key)
{
	view_take_key(&view, key);
	ck_assert_int_eq(view_update(&view), 0);
}

START_TEST(test_moving)
{
	ck_assert_uint_eq(view.count, HOSTS);
	ck_assert_uint_eq(view_chosen(&view), 0);
	press(VIEW_KEY_UP);
	ck_assert_uint_eq(view_chosen(&view), 0);
	type("jj");
	ck_assert_uint_eq(view_chosen(&view), 2);
	press(VIEW_KEY_PAGE_DOWN);
	ck_assert_uint_eq(view_chosen(&view), 12);
	ck_assert_uint_eq(view.top, 3);
	press(VIEW_KEY_END);
	ck_assert_uint_eq(view_chosen(&view), HOSTS - 1);
	ck_assert_uint_eq(view.top, HOSTS - 10);
	press(VIEW_KEY_DOWN);
	ck_assert_uint_eq(view_chosen(&view), HOSTS - 1);
	press(VIEW_KEY_HOME);
	ck_assert_uint_eq(view.top, 0);
}
END_TEST

/* Who has chosen no host sees the first rows; who has, follows it wherever it is sorted. */
START_TEST(test_following)
{
	type("l");
	ck_assert_uint_eq(view_chosen(&view), HOSTS - 1);
	ck_assert_uint_eq(view.top, 0);
	type("jj");
	ck_assert_uint_eq(view_chosen(&view), HOSTS - 3);
	note(HOSTS - 3, 0);
	ck_assert_int_eq(view_update(&view), 0);
	ck_assert_uint_eq(view_chosen(&view), HOSTS - 3);
	ck_assert_uint_ge(view.chosen, HOSTS - 2);
	type("r");
	ck_assert_uint_eq(view_chosen(&view), HOSTS - 3);
	ck_assert_uint_le(view.chosen, 1);
}
END_TEST

START_TEST(test_filter)
{
	note(7, -1);
	type("/EB2");
	ck_assert(view.filtering);
	ck_assert_uint_eq(view.count, 11);
	press(VIEW_KEY_BACKSPACE);
	ck_assert_uint_eq(view.count, HOSTS);
	press(VIEW_KEY_ESCAPE);
	ck_assert(!view.filtering);
	type("/down");
	ck_assert_uint_eq(view.count, 1);
	ck_assert_uint_eq(view_chosen(&view), 7);
	press(VIEW_KEY_ENTER);
	ck_assert(!view.filtering);
	ck_assert_uint_eq(view.count, 1);
	type("/xxx");
	ck_assert_uint_eq(view.count, 0);
	ck_assert_uint_eq(view_chosen(&view), SIZE_MAX);
	press(VIEW_KEY_DOWN);
	ck_assert_uint_eq(view.chosen, 0);
	/* As many characters as there is room for. */
	for (unsigned i = 0; i < 2 * VIEW_FILTER_BYTES; i++) {
		press('x');
	}
	ck_assert_uint_eq(strlen(view.filter), VIEW_FILTER_BYTES - 1);
}
END_TEST

START_TEST(test_switches)
{
	type(" ");
	ck_assert(view.frozen);
	type(" ");
	ck_assert(!view.frozen);
	press(VIEW_KEY_ENTER);
	ck_assert(view.opened);
	press(VIEW_KEY_ESCAPE);
	ck_assert(!view.opened);
	note(3, -1);
	type("c");
	ck_assert_int_eq(changes.hosts[3].last, CHANGE_NONE);
	ck_assert(!view.quit);
	type("q");
	ck_assert(view.quit);
}
END_TEST

/* The window shrinks and grows: the chosen row stays on it, and no line is left empty. */
START_TEST(test_resize)
{
	press(VIEW_KEY_END);
	view_resize(&view, 3);
	ck_assert_uint_eq(view.top, HOSTS - 3);
	view_resize(&view, 100);
	ck_assert_uint_eq(view.top, 0);
	view_resize(&view, 0);
	ck_assert_uint_eq(view.height, 1);
	ck_assert_uint_eq(view.top, HOSTS - 1);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("view");
	TCase *tcase = tcase_create("keys");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_moving);
	tcase_add_test(tcase, test_following);
	tcase_add_test(tcase, test_filter);
	tcase_add_test(tcase, test_switches);
	tcase_add_test(tcase, test_resize);
	suite_add_tcase(suite, tcase);
	return suite;
}
