/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <stdint.h>
#include <string.h>

#include "daemon/config/config_diff.h"
#include "daemon/config/option_table.h"

static struct given_list before;
static struct given_list after;
static char text[1024];

static void tear_down(void)
{
	given_clear(&before);
	given_clear(&after);
}

static void add(struct given_list *list, int key, const char *value)
{
	const struct given given = { .key = key, .text = (char *)(uintptr_t)value };

	ck_assert_int_eq(given_add(list, &given), 0);
}

START_TEST(test_nothing)
{
	add(&before, 'w', "2");
	add(&after, 'w', "2");
	config_diff(&before, &after, text, sizeof(text));
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(test_values)
{
	add(&before, 'w', "2");
	add(&before, 'q', "4096");
	add(&after, 'q', "4096");
	add(&after, 'w', "7");
	add(&after, 'w', "3");
	add(&after, OPTION_MAX_CONNECTIONS, "9");
	config_diff(&before, &after, text, sizeof(text));
	ck_assert_str_eq(text, "workers = 3, was 2\nmax-connections = 9, was none");
}
END_TEST

START_TEST(test_lists)
{
	add(&before, OPTION_ALLOW, "10.0.0.0/8");
	add(&before, OPTION_ALLOW, "::1");
	add(&before, 'l', "tcp://*");
	add(&after, OPTION_ALLOW, "10.0.0.0/8");
	add(&after, 'l', "udp://*");
	config_diff(&before, &after, text, sizeof(text));
	/* Listeners have lines of their own, once it is known what became of them. */
	ck_assert_str_eq(text, "allow = 10.0.0.0/8, was 10.0.0.0/8 ::1");
}
END_TEST

START_TEST(test_fixed)
{
	add(&before, 'u', "a");
	config_diff(&before, &after, text, sizeof(text));
	ck_assert_str_eq(text, "user = none, was a; it takes a restart");
}
END_TEST

START_TEST(test_little_room)
{
	char little[12];

	add(&before, 'w', "2");
	add(&after, 'w', "3");
	memset(little, '#', sizeof(little));
	config_diff(&before, &after, little, sizeof(little) - 1);
	ck_assert_str_eq(little, "workers = ");
	ck_assert_int_eq(little[sizeof(little) - 1], '#');
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("config_diff");
	TCase *tcase = tcase_create("config_diff");

	tcase_add_checked_fixture(tcase, NULL, tear_down);
	tcase_add_test(tcase, test_nothing);
	tcase_add_test(tcase, test_values);
	tcase_add_test(tcase, test_lists);
	tcase_add_test(tcase, test_fixed);
	tcase_add_test(tcase, test_little_room);
	suite_add_tcase(suite, tcase);
	return suite;
}
