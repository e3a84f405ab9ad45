/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <string.h>

#include "bench/percentile.h"
#include "bench/quantity.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	const char *text;
	uint32_t billionths;
	const char *shown;
} percentiles[] = {
	{ "50", 500000000, "50" },
	{ "5", 50000000, "5" },
	{ "0", 0, "0" },
	{ "99.9", 999000000, "99.9" },
	{ "99.90", 999000000, "99.9" },
	{ "999", 999000000, "99.9" },
	{ "9999", 999900000, "99.99" },
	{ "950", 950000000, "95" },
	{ "99.9999999", 999999999, "99.9999999" },
	{ "0.1", 1000000, "0.1" },
	{ "100", 1000000000, "100" },
	{ "100.0", 1000000000, "100" },
	{ "099.5", 995000000, "99.5" },
};

START_TEST(test_percentiles)
{
	for (size_t i = 0; i < ROWS(percentiles); i++) {
		const char *text = percentiles[i].text;
		struct percentile found;

		ck_assert_msg(percentile_parse(&found, text, strlen(text)) == 0, "'%s'", text);
		ck_assert_msg(found.billionths == percentiles[i].billionths, "'%s' is %u", text,
			(unsigned)found.billionths);
		ck_assert_str_eq(found.text, percentiles[i].shown);
	}
}
END_TEST

static const char *const bad_percentiles[] = {
	"", ".", ".5", "99.", "101", "100.1", "1000", "125", "99.99999999", "9.9.9", "-1", "+5",
	"1e1", "99x", " 99", "9999999999", "0x5",
};

START_TEST(test_bad_percentiles)
{
	for (size_t i = 0; i < ROWS(bad_percentiles); i++) {
		struct percentile found;

		errno = 0;
		ck_assert_msg(percentile_parse(&found, bad_percentiles[i],
			strlen(bad_percentiles[i])) == -1 && errno == EINVAL, "'%s' is taken",
			bad_percentiles[i]);
	}
}
END_TEST

static const struct {
	const char *text;
	double value;
} quantities[] = {
	{ "0.5", 0.5 }, { "1500", 1500 }, { "1.5k", 1500 }, { "10K", 10000 }, { "2M", 2000000 },
	{ "0.25M", 250000 }, { "007", 7 },
};

START_TEST(test_quantities)
{
	uint64_t count;

	for (size_t i = 0; i < ROWS(quantities); i++) {
		double rate;

		ck_assert_msg(quantity_parse_rate(quantities[i].text, 0.1, 1e9, &rate) == 0, "'%s'",
			quantities[i].text);
		ck_assert_double_eq(rate, quantities[i].value);
	}
	ck_assert(quantity_parse_count("1.5k", 1, 2000, &count) == 0 && count == 1500);
	ck_assert(quantity_parse_count("2.5", 1, 2000, &count) == -1 && errno == EINVAL);
	ck_assert(quantity_parse_count("0", 1, 2000, &count) == -1 && errno == ERANGE);
	ck_assert(quantity_parse_count("3k", 1, 2000, &count) == -1 && errno == ERANGE);
}
END_TEST

static const char *const bad_quantities[] = {
	"", "k", ".5", "5.", "1..5", "1.5.5", "-1", "+1", "1e3", "0x10", "inf", "nan", "1kk", "1G",
	"1 k", " 1", "1,5", "1m",
};

START_TEST(test_bad_quantities)
{
	for (size_t i = 0; i < ROWS(bad_quantities); i++) {
		double value;

		ck_assert_msg(quantity_parse(bad_quantities[i], strlen(bad_quantities[i]),
			&value) == -1, "'%s' is taken", bad_quantities[i]);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("values");
	TCase *tcase = tcase_create("values");

	tcase_add_test(tcase, test_percentiles);
	tcase_add_test(tcase, test_bad_percentiles);
	tcase_add_test(tcase, test_quantities);
	tcase_add_test(tcase, test_bad_quantities);
	suite_add_tcase(suite, tcase);
	return suite;
}
