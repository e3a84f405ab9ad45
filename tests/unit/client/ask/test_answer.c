/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <string.h>

#include "client/ask/answer.h"
#include "unit/guard.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define TEXT(text)  text, sizeof(text) - 1

static struct guard guard;

static void set_up(void)
{
	guard_init(&guard);
}

static void tear_down(void)
{
	guard_fini(&guard);
}

/* WHY: NULL for a line, "" for "more is needed". */
static const struct {
	const char *text;
	size_t len;
	const char *why;
} streams[] = {
	{ TEXT(" 12:00:00 up 1 day,  2 users,  load average: 0.00, 0.01, 0.05\n"), NULL },
	{ TEXT("x\n"), NULL },
	{ TEXT("~ \n"), NULL },
	{ TEXT(""), "" },
	{ TEXT("x"), "" },
	{ TEXT("no end"), "" },
	{ TEXT("\n"), "empty line" },
	{ TEXT("\n\n"), "empty line" },
	{ TEXT("x\n\n"), "more than one line" },
	{ TEXT("x\ny"), "more than one line" },
	{ TEXT("x\n\0"), "more than one line" },
	{ TEXT("\r\n"), "empty line" },
	{ TEXT("x\r\n\r\n"), "more than one line" },
	{ TEXT("\0"), "" },
	{ TEXT("x\r"), "" },
	{ TEXT("x\0\n"), NULL },
	{ TEXT("x\r\n"), NULL },
	{ TEXT("\033[2Jx\n"), NULL },
	{ TEXT("x\xff\n"), NULL },
};

static void check_stream(const char *text, size_t len, const char *expected)
{
	const char *why = NULL;
	ssize_t result = answer_scan(text, len, &why);

	if (!expected) {
		ck_assert_int_eq(result, (ssize_t)len);
	} else if (!*expected) {
		ck_assert_int_eq(result, 0);
	} else {
		ck_assert_int_eq(result, -1);
		ck_assert_str_eq(why, expected);
	}
}

START_TEST(test_streams)
{
	for (size_t i = 0; i < ROWS(streams); i++) {
		size_t len = streams[i].len;

		check_stream(guard_at_end(&guard, streams[i].text, len), len, streams[i].why);
		check_stream(guard_at_start(&guard, streams[i].text, len), len, streams[i].why);
	}
}
END_TEST

/* What comes in one piece is judged as what drips: never a line before its last byte. */
START_TEST(test_streams_byte_by_byte)
{
	static const char line[] = " 12:00:00 up 1 day\n";
	const size_t len = sizeof(line) - 1;

	for (size_t i = 0; i < len; i++) {
		check_stream(guard_at_end(&guard, line, i), i, "");
	}
	check_stream(guard_at_end(&guard, line, len), len, NULL);
}
END_TEST

START_TEST(test_length)
{
	char text[600];

	memset(text, 'x', sizeof(text));
	check_stream(guard_at_end(&guard, text, 511), 511, "");
	check_stream(guard_at_end(&guard, text, 512), 512, "line longer than 512 bytes");
	check_stream(guard_at_end(&guard, text, 600), 600, "line longer than 512 bytes");
	text[511] = '\n';
	check_stream(guard_at_end(&guard, text, 512), 512, NULL);
	check_stream(guard_at_end(&guard, text, 513), 513, "more than one line");
	text[511] = 'x';
	text[512] = '\n';
	check_stream(guard_at_end(&guard, text, 513), 513, "line longer than 512 bytes");
}
END_TEST

/* What is shown of a line; text_escape() is tried elsewhere. */
static const struct {
	const char *text;
	size_t len;
	const char *shown;
} lines[] = {
	{ TEXT("x\n"), "x\n" },
	{ TEXT("x\r\n"), "x\r\n" },
	{ TEXT("x\r\r\n"), "x\\x0d\r\n" },
	{ TEXT("\rx\n"), "\\x0dx\n" },
	{ TEXT("\033[2Jx\0\n"), "\\x1b[2Jx\\x00\n" },
	{ TEXT("caf\xc3\xa9\n"), "caf\xc3\xa9\n" },
	{ TEXT("caf\xc3\n"), "caf\\xc3\n" },
};

START_TEST(test_lines_are_escaped)
{
	for (size_t i = 0; i < ROWS(lines); i++) {
		const char *text = guard_at_end(&guard, lines[i].text, lines[i].len);
		struct answer answer = { .line = "old", .reason = "old" };

		ck_assert_int_eq(answer_take_line(&answer, text, lines[i].len), 0);
		ck_assert_str_eq(answer.line, lines[i].shown);
		ck_assert_str_eq(answer.reason, "");
	}
}
END_TEST

/* LINE or REASON, the other is NULL. */
static const struct {
	const char *text;
	size_t len;
	const char *line;
	const char *reason;
} datagrams[] = {
	{ TEXT(" up\n"), " up\n", NULL },
	{ TEXT(" up"), " up\n", NULL },
	{ TEXT("error: tired\n"), NULL, "tired" },
	{ TEXT("error: tired"), NULL, "tired" },
	{ TEXT("error: \n"), NULL, "the server failed and gave no reason" },
	{ TEXT("error: \r\n"), NULL, "the server failed and gave no reason" },
	{ TEXT("error: tired\r\n"), NULL, "tired" },
	{ TEXT("error: \033[31mred\n"), NULL, "\\x1b[31mred" },
	{ TEXT("error:\n"), "error:\n", NULL },
	{ TEXT("errors: none\n"), "errors: none\n", NULL },
	{ TEXT(""), NULL, "no line" },
	{ TEXT("\n"), NULL, "empty line" },
	{ TEXT("a\nb"), NULL, "more than one line" },
	{ TEXT("a\n\n"), NULL, "more than one line" },
	{ TEXT("\x1b[31m"), "\\x1b[31m\n", NULL },
};

START_TEST(test_datagrams)
{
	for (size_t i = 0; i < ROWS(datagrams); i++) {
		const char *text = guard_at_end(&guard, datagrams[i].text, datagrams[i].len);
		struct answer answer = { .line = "old", .reason = "old" };
		int result = answer_take_datagram(&answer, text, datagrams[i].len);

		ck_assert_int_eq(result, datagrams[i].line ? 0 : -1);
		ck_assert_str_eq(answer.line, datagrams[i].line ? datagrams[i].line : "");
		ck_assert_str_eq(answer.reason, datagrams[i].reason ? datagrams[i].reason : "");
	}
}
END_TEST

START_TEST(test_datagram_length)
{
	char text[600];
	struct answer answer;

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(answer_take_datagram(&answer, guard_at_end(&guard, text, 511), 511), 0);
	ck_assert_uint_eq(strlen(answer.line), 512);
	ck_assert_int_eq(answer.line[511], '\n');
	ck_assert_int_eq(answer_take_datagram(&answer, guard_at_end(&guard, text, 512), 512), -1);
	text[511] = '\n';
	ck_assert_int_eq(answer_take_datagram(&answer, guard_at_end(&guard, text, 512), 512), 0);
	ck_assert_uint_eq(strlen(answer.line), 512);
	ck_assert_int_eq(answer_take_datagram(&answer, guard_at_end(&guard, text, 513), 513), -1);
}
END_TEST

/* The longest reason there can be, and the longest line, fit where they are kept. */
START_TEST(test_longest_line)
{
	char text[512];
	struct answer answer;

	memset(text, 'x', sizeof(text));
	text[511] = '\n';
	ck_assert_int_eq(answer_take_line(&answer, guard_at_end(&guard, text, 512), 512), 0);
	ck_assert_uint_eq(strlen(answer.line), 512);
	memset(text, '\0', 511);
	ck_assert_int_eq(answer_take_line(&answer, guard_at_end(&guard, text, 512), 512), 0);
	ck_assert_uint_eq(strlen(answer.line), 511 * 4 + 1);
	memset(text, 'x', 511);
	memcpy(text, "error: ", 7);
	ck_assert_int_eq(answer_take_line(&answer, guard_at_end(&guard, text, 512), 512), -1);
	ck_assert_uint_eq(strlen(answer.reason), 512 - 7 - 1);
	ck_assert_str_eq(answer.line, "");
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("answer");
	TCase *tcase = tcase_create("lines");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_streams);
	tcase_add_test(tcase, test_streams_byte_by_byte);
	tcase_add_test(tcase, test_length);
	tcase_add_test(tcase, test_lines_are_escaped);
	tcase_add_test(tcase, test_datagrams);
	tcase_add_test(tcase, test_datagram_length);
	tcase_add_test(tcase, test_longest_line);
	suite_add_tcase(suite, tcase);
	return suite;
}
