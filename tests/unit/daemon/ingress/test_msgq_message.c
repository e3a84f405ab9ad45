/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ingress/msgq_message.h"
#include "unit/guard.h"
#include "unit/random.h"

static struct guard guard;

static void set_up(void)
{
	guard_init(&guard);
}

static void tear_down(void)
{
	guard_fini(&guard);
}

/* At both ends of the page: a byte read too far in either direction is death. */
static int32_t parse(const char *text, size_t len)
{
	int32_t type = msgq_message_parse_request(guard_at_end(&guard, text, len), len);

	ck_assert_int_eq(msgq_message_parse_request(guard_at_start(&guard, text, len), len), type);
	return type;
}

static const struct {
	const char *text;
	size_t len;
	int32_t type;
} texts[] = {
#define TEXT(text, type) { text, sizeof(text) - 1, type }
	TEXT("uptime 1", 1),
	TEXT("uptime 42", 42),
	TEXT("uptime 2147483647", INT32_MAX),
	TEXT("uptime 0000000000000000000000000000000000000000007", 7),
	TEXT("uptime 7\n", 7),
	TEXT("uptime 7\0", 7),
	TEXT("uptime 7\n\0", 7),
	TEXT("", 0),
	TEXT("\n", 0),
	TEXT("\0", 0),
	TEXT("\n\0", 0),
	TEXT("u", 0),
	TEXT("uptime", 0),
	TEXT("uptime ", 0),
	TEXT("uptime \n", 0),
	TEXT("uptime \0", 0),
	TEXT("uptime 0", 0),
	TEXT("uptime -1", 0),
	TEXT("uptime +1", 0),
	TEXT("uptime 2147483648", 0),
	TEXT("uptime 4294967297", 0),
	TEXT("uptime 9223372036854775808", 0),
	TEXT("uptime 18446744073709551617", 0),
	TEXT("uptime 99999999999999999999999999999999999999", 0),
	TEXT("uptime 1 ", 0),
	TEXT("uptime  1", 0),
	TEXT(" uptime 1", 0),
	TEXT("Uptime 1", 0),
	TEXT("uptime\t1", 0),
	TEXT("uptime 1x", 0),
	TEXT("uptime 0x1", 0),
	TEXT("uptime 1.0", 0),
	TEXT("uptime 7\r\n", 0),
	TEXT("uptime 7\n\n", 0),
	TEXT("uptime 7\0\n", 0),
	TEXT("uptime 7\0\0", 0),
	TEXT("uptime 1\0002", 0),
	TEXT("uptime 1\nuptime 2", 0),
#undef TEXT
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

START_TEST(test_parse)
{
	ck_assert_int_eq(parse(texts[_i].text, texts[_i].len), texts[_i].type);
}
END_TEST

/* Every prefix of a request is none, but for those that end within the number. */
START_TEST(test_prefixes)
{
	static const char text[] = "uptime 123456789";

	int32_t type = 0;

	for (size_t len = 0; len < sizeof(text); len++) {
		if (len > 7) {
			type = 10 * type + (text[len - 1] - '0');
		}
		ck_assert_int_eq(parse(text, len), type);
	}
}
END_TEST

START_TEST(test_show)
{
	static const char text[] = "a\x01\x7f\x80\xff\n\\ z\0";
	char *shown = malloc(MESSAGE_SHOWN_BYTES(sizeof(text)));

	ck_assert_ptr_nonnull(shown);
	msgq_message_show(guard_at_end(&guard, text, sizeof(text) - 1), sizeof(text) - 1, shown);
	ck_assert_str_eq(shown, "a\\x01\\x7f\\x80\\xff\\x0a\\ z");
	msgq_message_show(text, 0, shown);
	ck_assert_str_eq(shown, "");
	msgq_message_show("\0", 1, shown);
	ck_assert_str_eq(shown, "");
	msgq_message_show("\0\0", 2, shown);
	ck_assert_str_eq(shown, "\\x00");
	free(shown);
}
END_TEST

/* The largest result has just the room that is promised for it. */
START_TEST(test_show_fits)
{
	char printable[96] = "";
	char bytes[512];

	for (int c = ' '; c <= '~'; c++) {
		printable[c - ' '] = (char)c;
	}

	random_init();
	for (int i = 0; i < 2000; i++) {
		size_t len = random_below(sizeof(bytes));
		char *shown = malloc(MESSAGE_SHOWN_BYTES(len));

		random_fill(bytes, len);
		msgq_message_show(guard_at_end(&guard, bytes, len), len, shown);
		ck_assert_uint_le(strlen(shown), 4 * len);
		ck_assert_uint_eq(strspn(shown, printable), strlen(shown));
		free(shown);
	}
}
END_TEST

/* Whatever the bytes are: a type from 0 up, and no byte beyond them is read. */
START_TEST(test_random)
{
	static const char alphabet[] = "uptime 0123456789\n";
	char bytes[64];

	random_init();
	for (int i = 0; i < 100000; i++) {
		size_t len = random_below(sizeof(bytes));
		size_t start = random_below(2) ? 7 : 0;

		memcpy(bytes, "uptime ", 7);
		for (size_t at = start; at < len; at++) {
			bytes[at] = alphabet[random_below(sizeof(alphabet))];
		}
		ck_assert_int_ge(parse(bytes, len), 0);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("msgq_message");
	TCase *tcase = tcase_create("message");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, test_parse, 0, (int)TEXTS);
	tcase_add_test(tcase, test_prefixes);
	tcase_add_test(tcase, test_show);
	tcase_add_test(tcase, test_show_fits);
	tcase_add_test(tcase, test_random);
	suite_add_tcase(suite, tcase);
	return suite;
}
