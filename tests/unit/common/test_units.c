/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>

#include "common/clock.h"
#include "common/units.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	const char *text;
	uint64_t ns;
} durations[] = {
	{ "0", 0 },
	{ "1", CLOCK_S },
	{ "007s", 7 * CLOCK_S },
	{ "250us", 250 * CLOCK_US },
	{ "250ms", 250 * CLOCK_MS },
	{ "1.5s", 1500 * CLOCK_MS },
	{ "0.001ms", CLOCK_US },
	{ "0.0005us", 0 },
	{ "1.9999999999s", 1999999999 },
	{ "0.33333333333333333333333333333333s", 333333333 },
	{ "0.5m", 30 * CLOCK_S },
	{ "5min", 300 * CLOCK_S },
	{ "2h", 7200 * CLOCK_S },
	{ "8784h", 8784 * 3600 * CLOCK_S },
	{ "31622400", 31622400 * CLOCK_S },
};

START_TEST(test_durations)
{
	for (size_t i = 0; i < ROWS(durations); i++) {
		const char *text = durations[i].text;
		uint64_t ns;

		ck_assert_msg(units_parse_duration(text, &ns) == 0, "'%s' is refused", text);
		ck_assert_msg(ns == durations[i].ns, "'%s' is %ju", text, (uintmax_t)ns);
	}
}
END_TEST

static const struct {
	const char *text;
	int error;
} bad_durations[] = {
	{ "", EINVAL },
	{ " 1s", EINVAL },
	{ "1 s", EINVAL },
	{ "1s ", EINVAL },
	{ "+1s", EINVAL },
	{ "-1s", EINVAL },
	{ ".5s", EINVAL },
	{ "1.s", EINVAL },
	{ "1..5s", EINVAL },
	{ "1,5s", EINVAL },
	{ "s", EINVAL },
	{ "1S", EINVAL },
	{ "1d", EINVAL },
	{ "1ns", EINVAL },
	{ "0x10s", EINVAL },
	{ "1e3", EINVAL },
	{ "inf", EINVAL },
	{ "31622401", ERANGE },
	{ "8785h", ERANGE },
	{ "8784.5h", ERANGE },
	{ "18446744073709551615", ERANGE },
	{ "18446744073709551616", ERANGE },
	{ "99999999999999999999999999us", ERANGE },
};

START_TEST(test_bad_durations)
{
	for (size_t i = 0; i < ROWS(bad_durations); i++) {
		const char *text = bad_durations[i].text;
		uint64_t ns = 4711;

		errno = 0;
		ck_assert_msg(units_parse_duration(text, &ns) == -1, "'%s' is taken", text);
		ck_assert_msg(errno == bad_durations[i].error, "'%s': errno %d", text, errno);
		ck_assert_uint_eq(ns, 4711);
	}
}
END_TEST

static const struct {
	const char *text;
	uint64_t min;
	uint64_t max;
	uint64_t count;
} counts[] = {
	{ "0", 0, 10, 0 },
	{ "10", 1, 10, 10 },
	{ "0010", 1, 10, 10 },
	{ "10k", 1, 10000, 10000 },
	{ "2M", 1, UINT64_MAX, 2000000 },
	{ "0M", 0, 1, 0 },
	{ "18446744073709551615", 0, UINT64_MAX, UINT64_MAX },
};

START_TEST(test_counts)
{
	for (size_t i = 0; i < ROWS(counts); i++) {
		const char *text = counts[i].text;
		uint64_t count;

		ck_assert_msg(units_parse_count(text, counts[i].min, counts[i].max, &count) == 0,
			"'%s' is refused", text);
		ck_assert_msg(count == counts[i].count, "'%s' is %ju", text, (uintmax_t)count);
	}
}
END_TEST

static const struct {
	const char *text;
	int error;
} bad_counts[] = {
	{ "", EINVAL },
	{ "k", EINVAL },
	{ "1 ", EINVAL },
	{ " 1", EINVAL },
	{ "-1", EINVAL },
	{ "+1", EINVAL },
	{ "1K", EINVAL },
	{ "1m", EINVAL },
	{ "1kk", EINVAL },
	{ "1.5k", EINVAL },
	{ "0x10", EINVAL },
	{ "0", ERANGE },
	{ "101", ERANGE },
	{ "1k", ERANGE },
	{ "18446744073709551615M", ERANGE },
	{ "18446744073709551616", ERANGE },
};

/* All of them are refused where 1 to 100 is asked for. */
START_TEST(test_bad_counts)
{
	for (size_t i = 0; i < ROWS(bad_counts); i++) {
		const char *text = bad_counts[i].text;
		uint64_t count = 4711;

		errno = 0;
		ck_assert_msg(units_parse_count(text, 1, 100, &count) == -1, "'%s' is taken", text);
		ck_assert_msg(errno == bad_counts[i].error, "'%s': errno %d", text, errno);
		ck_assert_uint_eq(count, 4711);
	}
}
END_TEST

START_TEST(test_id)
{
	static const char *const wrong[] = {
		"", " ", "-1", "+1", " 1", "1 ", "1k", "0x1", "1.0", "4294967295", "4294967296",
		"18446744073709551616", "99999999999999999999999",
	};
	uint32_t id = 7;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		errno = 0;
		ck_assert_msg(units_parse_id(wrong[i], &id) < 0, "'%s'", wrong[i]);
		ck_assert_int_eq(errno, EINVAL);
		ck_assert_uint_eq(id, 7);
	}
	ck_assert_int_eq(units_parse_id("0", &id), 0);
	ck_assert_uint_eq(id, 0);
	ck_assert_int_eq(units_parse_id("4294967294", &id), 0);
	ck_assert_uint_eq(id, UINT32_MAX - 1);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("units");
	TCase *tcase = tcase_create("units");

	tcase_add_test(tcase, test_durations);
	tcase_add_test(tcase, test_bad_durations);
	tcase_add_test(tcase, test_counts);
	tcase_add_test(tcase, test_bad_counts);
	tcase_add_test(tcase, test_id);
	suite_add_tcase(suite, tcase);
	return suite;
}
