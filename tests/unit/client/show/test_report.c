/* SPDX-License-Identifier: MIT */
/*
 * Rows, their order, the table, CSV and the summary.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/show/report.h"
#include "client/show/summary.h"
#include "client/show/table.h"

static struct targets targets;
static struct report report;

static void add(const char *text)
{
	const char *why;

	ck_assert_int_eq(targets_add(&targets, text, &why), 0);
}

static void set_up(void)
{
	ck_assert_int_eq(targets_init(&targets, ADDRESS_TCP), 0);
	add("web10");
	add("web9");
	add("db");
	add("odd");
	add("gone");
	ck_assert_int_eq(report_init(&report, &targets, false), 0);
}

static void tear_down(void)
{
	report_fini(&report);
	targets_fini(&targets);
}

static void up(size_t at, const char *line)
{
	static struct ask_outcome outcome;

	outcome = (struct ask_outcome){ .status = ASK_ANSWERED, .tries = 1 };
	outcome.answer.rtt_ns = 1500 * CLOCK_US;
	snprintf(outcome.answer.line, sizeof(outcome.answer.line), "%s\r\n", line);
	ck_assert_int_eq(report_take(&report, at, &outcome), 0);
}

static void down(size_t at, const char *reason)
{
	static struct ask_outcome outcome;

	outcome = (struct ask_outcome){ .status = ASK_UNANSWERED, .tries = 3 };
	/* Of another host: the outcomes of a fleet are one after the other in the same place. */
	outcome.answer.rtt_ns = 7 * CLOCK_S;
	snprintf(outcome.answer.reason, sizeof(outcome.answer.reason), "%s", reason);
	ck_assert_int_eq(report_take(&report, at, &outcome), 0);
}

static void fill(void)
{
	up(0, "12:00:00 up 3 days,  4:05,  2 users,  load average: 0.01, 0.02, 0.05");
	up(1, "12:00:00 up 5 min,  1 user,  load average: 10.50, 0.02, 0.05");
	up(2, "12:00:00 up 400 days,  1:00,  load average: 1.00, 1.00, 1.00");
	up(3, "fine, thanks");
	down(4, "timed out");
}

static void check_order(enum report_sort by, bool reverse, const char *expected)
{
	uint32_t *order = report_sort(&report, by, reverse);
	char text[256] = "";

	ck_assert_ptr_nonnull(order);
	for (size_t i = 0; i < targets.count; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			targets.list[order[i]].text);
	}
	ck_assert_str_eq(text, expected);
	free(order);
}

START_TEST(test_orders)
{
	fill();
	check_order(REPORT_AS_GIVEN, false, "web10 web9 db odd gone");
	check_order(REPORT_BY_NAME, false, "db odd web9 web10 gone");
	check_order(REPORT_BY_NAME, true, "web10 web9 odd db gone");
	check_order(REPORT_BY_LOAD, false, "web9 db web10 odd gone");
	check_order(REPORT_BY_LOAD, true, "odd web10 db web9 gone");
	check_order(REPORT_BY_UPTIME, false, "db web10 web9 odd gone");
	check_order(REPORT_BY_USERS, false, "web10 web9 db odd gone");
}
END_TEST

START_TEST(test_table)
{
	static const char *const rows[] = {
		"db     up 400+01:00,            load  1.00,  1.00,  1.00",
		"odd    up  fine, thanks",
		"web9   up      0:05,  1 user,   load 10.50,  0.02,  0.05",
		"web10  up   3+04:05,  2 users,  load  0.01,  0.02,  0.05",
		"gone   down  timed out",
	};
	struct table table;
	uint32_t *order;

	fill();
	order = report_sort(&report, REPORT_BY_NAME, false);
	table_init(&table, &report, order, targets.count);
	for (size_t i = 0; i < targets.count; i++) {
		char row[TABLE_ROW_BYTES];

		table_format(&table, &report, order[i], row);
		ck_assert_str_eq(row, rows[i]);
	}
	free(order);
}
END_TEST

START_TEST(test_csv)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	up(0, "12:00:00 up 3 days,  4:05,  2 users,  load average: 0.01, 0.02, 0.05");
	up(3, "a \"b\"");
	down(4, "one, two");
	ck_assert_int_eq(csv_format.begin(&report, out), 0);
	ck_assert_int_eq(csv_format.write(&report, 0, out), 0);
	ck_assert_int_eq(csv_format.write(&report, 3, out), 0);
	ck_assert_int_eq(csv_format.write(&report, 4, out), 0);
	fclose(out);
	ck_assert_str_eq(text,
		"target,status,uptime_seconds,users,load1,load5,load15,rtt_ms,tries,reason,line\n"
		"web10,up,273900,2,0.01,0.02,0.05,1.500,1,,"
		"\"12:00:00 up 3 days,  4:05,  2 users,  load average: 0.01, 0.02, 0.05\"\n"
		"odd,up,,,,,,1.500,1,,\"a \"\"b\"\"\"\n"
		"gone,down,,,,,,,3,\"one, two\",\n");
	free(text);
}
END_TEST

START_TEST(test_summary)
{
	char summary[SUMMARY_BYTES];

	summary_format(&report, summary);
	ck_assert_str_eq(summary, "");
	down(0, "timed out");
	down(1, "Connection refused");
	down(2, "timed out");
	up(3, "fine");
	summary_format(&report, summary);
	ck_assert_str_eq(summary, "3 of 5 hosts are down: 2 timed out, 1 Connection refused");
}
END_TEST

/* With -c a host may be up that has not answered at last: its answer was as fast as it was. */
START_TEST(test_unanswered_leaves_the_time)
{
	up(0, "fine");
	down(0, "timed out");
	ck_assert_uint_eq(report.rows[0].rtt_ns, 1500 * CLOCK_US);
}
END_TEST

/* As many reasons as hosts, each as long as can be. */
START_TEST(test_summary_is_bounded)
{
	char summary[SUMMARY_BYTES];
	char reason[ANSWER_TEXT_BYTES];

	tear_down();
	ck_assert_int_eq(targets_init(&targets, ADDRESS_TCP), 0);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(reason, sizeof(reason), "h%u", i);
		add(reason);
	}
	ck_assert_int_eq(report_init(&report, &targets, false), 0);
	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	for (unsigned i = 0; i < 100; i++) {
		reason[0] = (char)('A' + i / 26);
		reason[1] = (char)('A' + i % 26);
		down(i, reason);
	}
	summary_format(&report, summary);
	ck_assert_uint_lt(strlen(summary), SUMMARY_BYTES);
	ck_assert_ptr_nonnull(strstr(summary, ", 92 for other reasons"));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("report");
	TCase *tcase = tcase_create("rows");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_orders);
	tcase_add_test(tcase, test_table);
	tcase_add_test(tcase, test_csv);
	tcase_add_test(tcase, test_summary);
	tcase_add_test(tcase, test_unanswered_leaves_the_time);
	tcase_add_test(tcase, test_summary_is_bounded);
	suite_add_tcase(suite, tcase);
	return suite;
}
