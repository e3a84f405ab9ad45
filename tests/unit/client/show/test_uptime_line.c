/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <string.h>

#include "client/show/uptime_line.h"
#include "unit/guard.h"
#include "unit/random.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define MINUTES(n)  ((n) * 60)
#define HOURS(n)    ((n) * 3600)
#define DAYS(n)	    ((n) * 86400)
#define UNKNOWN	    (-1)
#define NO_LOADS    -1, 0, 0

static const struct {
	const char *line;
	int64_t uptime_s;
	int64_t users;
	double loads[UPTIME_LINE_LOADS];
} lines[] = {
	/* procps */
	{ " 12:34:56 up 3 days,  4:05,  2 users,  load average: 0.01, 0.02, 0.05",
		DAYS(3) + HOURS(4) + MINUTES(5), 2, { 0.01, 0.02, 0.05 } },
	{ " 12:34:56 up 1 day,  1:05,  1 user,  load average: 12.34, 5.00, 0.50",
		DAYS(1) + HOURS(1) + MINUTES(5), 1, { 12.34, 5, 0.5 } },
	{ " 12:34:56 up 33 min,  0 user,  load average: 9.53, 8.11, 5.64", MINUTES(33), 0,
		{ 9.53, 8.11, 5.64 } },
	{ " 12:34:56 up 1 min,  0 users,  load average: 0.00, 0.00, 0.00", MINUTES(1), 0,
		{ 0, 0, 0 } },
	{ " 12:34:56 up 0 min,  1 user,  load average: 0,08, 0,03, 0,00", 0, 1,
		{ 0.08, 0.03, 0 } },
	{ " 00:00:00 up 123 days, 14 min,  3 users,  load average: 1,15, 10,20, 100,05",
		DAYS(123) + MINUTES(14), 3, { 1.15, 10.2, 100.05 } },
	{ " 12:34:56 up 23:59, -1 users,  load average: 0.01, 0.02, 0.05",
		HOURS(23) + MINUTES(59), UNKNOWN, { 0.01, 0.02, 0.05 } },
	{ "up 1 week, 3 days, 4 hours, 5 minutes", DAYS(10) + HOURS(4) + MINUTES(5), UNKNOWN,
		{ NO_LOADS } },
	{ "up 1 decade, 2 years, 1 minute", DAYS(4380) + MINUTES(1), UNKNOWN, { NO_LOADS } },
	/* busybox and toybox */
	{ " 12:34:56 up 4 days,  1:02,  load average: 0.01, 0.02, 0.05",
		DAYS(4) + HOURS(1) + MINUTES(2), UNKNOWN, { 0.01, 0.02, 0.05 } },
	{ " 12:34:56 up  1:02,  0 users,  load average: 0.01, 0.02, 0.05", HOURS(1) + MINUTES(2), 0,
		{ 0.01, 0.02, 0.05 } },
	{ "12:34:56 up 0 min, 0 users, load average: 0.00, 0.01, 0.05", 0, 0, { 0, 0.01, 0.05 } },
	/* coreutils and uutils */
	{ " 12:34pm  up 3 days  4:05,  2 users,  load average: 0.01, 0.02, 0.05",
		DAYS(3) + HOURS(4) + MINUTES(5), 2, { 0.01, 0.02, 0.05 } },
	{ " 12:34:56  up   4:05,  1 user,  load average: 0.01, 0.02, 0.05",
		HOURS(4) + MINUTES(5), 1, { 0.01, 0.02, 0.05 } },
	{ " 12:34:56  up ???? days ??:??,  2 users,  load average: 0.01, 0.02, 0.05", UNKNOWN, 2,
		{ 0.01, 0.02, 0.05 } },
	{ " 12:34:56  up 1 day 00:05,  0 users,  load average: 0.01, 0.02, 0.05",
		DAYS(1) + MINUTES(5), 0, { 0.01, 0.02, 0.05 } },
	/* the BSDs and macOS */
	{ "12:34PM  up 3 days,  4:05, 2 users, load averages: 0.01, 0.02, 0.05",
		DAYS(3) + HOURS(4) + MINUTES(5), 2, { 0.01, 0.02, 0.05 } },
	{ "12:34AM  up 5 mins, 1 user, load averages: 0.01, 0.02, 0.05", MINUTES(5), 1,
		{ 0.01, 0.02, 0.05 } },
	{ "12:34AM  up 2 hrs, 1 user, load averages: 0.01, 0.02, 0.05", HOURS(2), 1,
		{ 0.01, 0.02, 0.05 } },
	{ "12:34AM  up 1 day, 1 hr, 0 users, load averages: 0.01, 0.02, 0.05",
		DAYS(1) + HOURS(1), 0, { 0.01, 0.02, 0.05 } },
	{ " 9:07AM  up 45 secs, 1 user, load averages: 0.01, 0.02, 0.05", 45, 1,
		{ 0.01, 0.02, 0.05 } },
	{ "12:34  up 3 days,  4:05, 2 users, load averages: 1.01 2.02 3.05",
		DAYS(3) + HOURS(4) + MINUTES(5), 2, { 1.01, 2.02, 3.05 } },
	{ "12:34  up 3 days,  4:05, 2 users, load averages: 1,01 2,02 3,05",
		DAYS(3) + HOURS(4) + MINUTES(5), 2, { 1.01, 2.02, 3.05 } },
	/* Solaris, AIX */
	{ " 12:34pm  up 3 day(s),  4:05,  2 users,  load average: 0.01, 0.02, 0.05",
		DAYS(3) + HOURS(4) + MINUTES(5), 2, { 0.01, 0.02, 0.05 } },
	{ " 12:34pm  up 2 day(s), 1 hr(s),  1 user,  load average: 0.01, 0.02, 0.05",
		DAYS(2) + HOURS(1), 1, { 0.01, 0.02, 0.05 } },
	{ " 12:34pm  up 5 min(s),  1 user,  load average: 0.01, 0.02, 0.05", MINUTES(5), 1,
		{ 0.01, 0.02, 0.05 } },
	{ "  12:34PM   up 30 days,   4:05,  no users,  load average: 0.01,0.02,0.05",
		DAYS(30) + HOURS(4) + MINUTES(5), 0, { 0.01, 0.02, 0.05 } },
	/* the classic ruptime's own */
	{ "host   up   3+04:05,   2 users,  load 0.01, 0.02, 0.05",
		DAYS(3) + HOURS(4) + MINUTES(5), 2, { 0.01, 0.02, 0.05 } },
	{ " 12:34:56 up  4:05:06,  2 users,  load average: 1, 2, 3", HOURS(4) + MINUTES(5) + 6, 2,
		{ 1, 2, 3 } },
	/* other languages: what is not known stays unknown */
	{ " 12:34:56 up 3 Tage,  4:05,  2 Benutzer,  load average: 0,01, 0,02, 0,05", UNKNOWN,
		UNKNOWN, { 0.01, 0.02, 0.05 } },
	{ " 12:34:56 up 3 \xd0\xb4\xd0\xbd\xd1\x8f, 5 min,  load average: 0,01, 0,02, 0,05",
		UNKNOWN, UNKNOWN, { 0.01, 0.02, 0.05 } },
	{ " 12:34:56 up 3 days,  4:05,  2 utilisateurs,  load average: 0,01, 0,02, 0,05",
		DAYS(3) + HOURS(4) + MINUTES(5), UNKNOWN, { 0.01, 0.02, 0.05 } },
	{ " 12:34:56  an 3 Tage  4:05,  2 Benutzer,  Durchschnittslast: 0,01, 0,02, 0,05", UNKNOWN,
		UNKNOWN, { NO_LOADS } },
	/* more of procps, the BSDs and macOS */
	{ " 13:05:01 up 10 days, 22 min,  0 user,  load average: 0.00, 0.01, 0.05",
		DAYS(10) + MINUTES(22), 0, { 0, 0.01, 0.05 } },
	{ " 1:05PM  up 3 days, 4 hrs, 2 users, load averages: 0.20, 0.15, 0.10",
		DAYS(3) + HOURS(4), 2, { 0.2, 0.15, 0.1 } },
	{ "16:55  up 21 days, 58 mins, 4 users, load averages: 2,13 2,20 2,31",
		DAYS(21) + MINUTES(58), 4, { 2.13, 2.2, 2.31 } },
	{ " 16:01:16 up 1000 days, 23:59, 12 users,  load average: 123.45, 100.00, 99.99",
		DAYS(1000) + HOURS(23) + MINUTES(59), 12, { 123.45, 100, 99.99 } },
	/* what is no such line */
	{ "", UNKNOWN, UNKNOWN, { NO_LOADS } },
	{ "up", UNKNOWN, UNKNOWN, { NO_LOADS } },
	{ "setup 3 days, 4:05", UNKNOWN, UNKNOWN, { NO_LOADS } },
	{ "hello, world", UNKNOWN, UNKNOWN, { NO_LOADS } },
	{ "up 3 days, load average: 0.01, 0.02", DAYS(3), UNKNOWN, { NO_LOADS } },
	{ "up 3 days, load average: x", DAYS(3), UNKNOWN, { NO_LOADS } },
	{ "up -3 days", UNKNOWN, UNKNOWN, { NO_LOADS } },
	{ "up 99999999999999999999999999 days", 1000000000000, UNKNOWN, { NO_LOADS } },
	{ "up 3 day", DAYS(3), UNKNOWN, { NO_LOADS } },
	{ "up 3", UNKNOWN, UNKNOWN, { NO_LOADS } },
	{ "up 3:", UNKNOWN, UNKNOWN, { NO_LOADS } },
};

START_TEST(test_lines)
{
	struct guard guard;
	struct uptime_facts facts;
	const char *line = lines[_i].line;

	guard_init(&guard);
	uptime_line_parse(guard_at_end(&guard, line, strlen(line) + 1), &facts);
	ck_assert_int_eq(facts.uptime_s, lines[_i].uptime_s);
	ck_assert_int_eq(facts.users, lines[_i].users);
	ck_assert_int_eq(facts.has_loads, lines[_i].loads[0] >= 0);
	for (unsigned i = 0; facts.has_loads && i < UPTIME_LINE_LOADS; i++) {
		ck_assert_double_eq(facts.loads[i], lines[_i].loads[i]);
	}
	guard_fini(&guard);
}
END_TEST

/* Lines cut off, and with bytes changed, at the end of readable memory: none is read beyond. */
START_TEST(test_damaged_lines)
{
	struct guard guard;
	struct uptime_facts facts;

	guard_init(&guard);
	for (unsigned round = 0; round < 20000; round++) {
		const char *line = lines[random_below(ROWS(lines))].line;
		size_t len = random_below(strlen(line) + 1);
		char *copy = guard_at_end(&guard, line, len + 1);

		if (len) {
			copy[random_below(len)] = (char)random_below(256);
		}
		copy[len] = '\0';
		uptime_line_parse(copy, &facts);
		ck_assert_int_ge(facts.uptime_s, -1);
		ck_assert_int_ge(facts.users, -1);
	}
	guard_fini(&guard);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("uptime_line");
	TCase *tcase = tcase_create("dialects");

	tcase_add_loop_test(tcase, test_lines, 0, ROWS(lines));
	tcase_add_test(tcase, test_damaged_lines);
	suite_add_tcase(suite, tcase);
	return suite;
}
