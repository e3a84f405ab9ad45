/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "client/hosts/range.h"
#include "unit/guard.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static struct guard guard;
static char names[4096];
static unsigned count;

static void set_up(void)
{
	guard_init(&guard);
	names[0] = '\0';
	count = 0;
}

static void tear_down(void)
{
	guard_fini(&guard);
}

static int take(void *context, const char *name, size_t len)
{
	(void)context;
	ck_assert_uint_eq(strlen(name), len);
	if (count++ < 20) {
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			count > 1 ? " " : "", name);
	}
	return 0;
}

/* NAMES are those that the word stands for, or the reason why it is none. */
static const struct {
	const char *word;
	const char *names;
	const char *why;
} words[] = {
	{ "", "", NULL },
	{ "web", "web", NULL },
	{ "web[1-3]", "web1 web2 web3", NULL },
	{ "web[08-11].example:80", "web08.example:80 web09.example:80 web10.example:80 "
				   "web11.example:80", NULL },
	{ "web[01-03,07]", "web01 web02 web03 web07", NULL },
	{ "web[7]", "web7", NULL },
	{ "[1-2]", "1 2", NULL },
	{ "a[1-2]b[3-4]c", "a1b3c a1b4c a2b3c a2b4c", NULL },
	{ "udp://r[1-2]n[01-02]", "udp://r1n01 udp://r1n02 udp://r2n01 udp://r2n02", NULL },
	{ "[::1]", "[::1]", NULL },
	{ "[2001:db8::1]:80", "[2001:db8::1]:80", NULL },
	{ "udp://[fe80::1%eth0]:[1-2]", "udp://[fe80::1%eth0]:1 udp://[fe80::1%eth0]:2", NULL },
	{ "w[9-10]", "w9 w10", NULL },
	{ "w[098-101]", "w098 w099 w100 w101", NULL },
	{ "w]", "w]", NULL },
	{ "w[1-3", NULL, "not closed" },
	{ "w[", NULL, "not closed" },
	{ "w[]", NULL, "no numbers" },
	{ "w[a-c]", NULL, "no numbers" },
	{ "w[1-]", NULL, "no numbers" },
	{ "w[-1]", NULL, "no numbers" },
	{ "w[1,]", NULL, "no numbers" },
	{ "w[,1]", NULL, "no numbers" },
	{ "w[1,,2]", NULL, "no numbers" },
	{ "w[1-2-3]", NULL, "no numbers" },
	{ "w[3-1]", NULL, "no numbers" },
	{ "w[1 2]", NULL, "no numbers" },
	{ "w[1234567890]", NULL, "no numbers" },
	{ "w[0-9][0-9][0-9][0-9][0-9][0-9][0-9]", NULL, "more than a million" },
	{ "w[0-999999999]", NULL, "more than a million" },
	{ "w[1][1][1][1][1][1][1][1][1]", NULL, "too many brackets" },
};

START_TEST(test_words)
{
	size_t len = strlen(words[_i].word);
	const char *text = guard_at_end(&guard, words[_i].word, len);
	const char *why;
	int result = range_expand(text, len, take, NULL, &why);

	if (words[_i].names) {
		ck_assert_int_eq(result, 0);
		ck_assert_str_eq(names, words[_i].names);
	} else {
		ck_assert_int_eq(result, -1);
		ck_assert_msg(why && strstr(why, words[_i].why), "%s: %s", words[_i].word, why);
	}
}
END_TEST

START_TEST(test_million)
{
	static const char word[] = "w[0-999999]";
	const char *why;

	ck_assert_int_eq(range_expand(word, strlen(word), take, NULL, &why), 0);
	ck_assert_uint_eq(count, RANGE_NAMES_MAX);
}
END_TEST

static int refuse(void *context, const char *name, size_t len)
{
	(void)context;
	(void)len;
	return strcmp(name, "w3") == 0 ? -1 : 0;
}

START_TEST(test_taker_ends_it)
{
	const char *why = "old";

	ck_assert_int_eq(range_expand("w[1-9]", 6, refuse, NULL, &why), -1);
	ck_assert_ptr_null(why);
}
END_TEST

START_TEST(test_long_name)
{
	char word[RANGE_NAME_MAX + 8];
	const char *why;

	memset(word, 'x', sizeof(word));
	ck_assert_int_eq(range_expand(word, RANGE_NAME_MAX, take, NULL, &why), 0);
	ck_assert_int_eq(range_expand(word, RANGE_NAME_MAX + 1, take, NULL, &why), -1);
	ck_assert_str_eq(why, "the name is too long");
	memcpy(word + RANGE_NAME_MAX - 1, "[1-20]", 6);
	ck_assert_int_eq(range_expand(word, RANGE_NAME_MAX + 5, take, NULL, &why), -1);
	ck_assert_str_eq(why, "the name is too long");
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("range");
	TCase *tcase = tcase_create("words");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, test_words, 0, ROWS(words));
	tcase_add_test(tcase, test_million);
	tcase_add_test(tcase, test_taker_ends_it);
	tcase_add_test(tcase, test_long_name);
	suite_add_tcase(suite, tcase);
	return suite;
}
