/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include "client/verdict.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	size_t up;
	size_t total;
	size_t broken;
	bool has_min_up;
	double min_up;
	bool is_percent;
	enum verdict verdict;
} cases[] = {
	{ 3, 3, 0, false, 0, false, VERDICT_ALL },
	{ 2, 3, 0, false, 0, false, VERDICT_SOME },
	{ 0, 3, 0, false, 0, false, VERDICT_NONE },
	{ 2, 3, 1, false, 0, false, VERDICT_SYSTEM },
	/* a number of hosts */
	{ 0, 3, 0, true, 0, false, VERDICT_ALL },
	{ 1, 3, 0, true, 1, false, VERDICT_ALL },
	{ 1, 3, 0, true, 2, false, VERDICT_SOME },
	{ 0, 3, 0, true, 1, false, VERDICT_NONE },
	{ 3, 3, 0, true, 4, false, VERDICT_SOME },
	{ 3, 3, 1, true, 1, false, VERDICT_SYSTEM },
	/* a share: of 300 hosts 95 % are 285, and a part of a host is a whole one */
	{ 0, 3, 0, true, 0, true, VERDICT_ALL },
	{ 285, 300, 0, true, 95, true, VERDICT_ALL },
	{ 284, 300, 0, true, 95, true, VERDICT_SOME },
	{ 286, 301, 0, true, 95, true, VERDICT_ALL },
	{ 285, 301, 0, true, 95, true, VERDICT_SOME },
	{ 300, 300, 0, true, 100, true, VERDICT_ALL },
	{ 299, 300, 0, true, 100, true, VERDICT_SOME },
	{ 299, 300, 0, true, 99.99, true, VERDICT_SOME },
	/* in binary, 7 % of 100 are a little more than 7 */
	{ 7, 100, 0, true, 7, true, VERDICT_ALL },
	{ 999999, 1000000, 0, true, 99.9999, true, VERDICT_ALL },
	{ 999998, 1000000, 0, true, 99.9999, true, VERDICT_SOME },
};

START_TEST(test_cases)
{
	const struct targets targets = { .count = cases[_i].total };
	const struct options options = {
		.has_min_up = cases[_i].has_min_up,
		.min_up = cases[_i].min_up,
		.min_up_is_percent = cases[_i].is_percent,
	};
	const struct report report = {
		.targets = &targets,
		.up = cases[_i].up,
		.down = cases[_i].total - cases[_i].up,
		.broken = cases[_i].broken,
	};

	ck_assert_int_eq(verdict_judge(&options, &report), cases[_i].verdict);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("verdict");
	TCase *tcase = tcase_create("verdict");

	tcase_add_loop_test(tcase, test_cases, 0, ROWS(cases));
	suite_add_tcase(suite, tcase);
	return suite;
}
