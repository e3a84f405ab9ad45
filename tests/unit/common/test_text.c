/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <string.h>

#include "common/text.h"
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

static const struct {
	const char *text;
	size_t len;
	const char *escaped;
} texts[] = {
	{ TEXT(""), "" },
	{ TEXT(" ~up 1 day"), " ~up 1 day" },
	{ TEXT("\\"), "\\" },
	{ TEXT("\0\t\n\r\x1b\x7f"), "\\x00\\x09\\x0a\\x0d\\x1b\\x7f" },
	{ TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
	/* C1: a terminal may take U+009B for ESC [. */
	{ TEXT("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"), "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f\xc2\xa0" },
	{ TEXT("\xe2\x80\xae"), "\\xe2\\x80\\xae" },		/* right-to-left override */
	{ TEXT("\xe2\x80\xa8"), "\\xe2\\x80\\xa8" },		/* line separator */
	{ TEXT("\xe2\x81\xa6"), "\\xe2\\x81\\xa6" },		/* isolate */
	{ TEXT("a\xe2\x80\x8b"), "a\\xe2\\x80\\x8b" },		/* space of no width */
	{ TEXT("\xe2\x81\xa0"), "\\xe2\\x81\\xa0" },		/* word joiner */
	{ TEXT("\xc2\xad"), "\\xc2\\xad" },			/* soft hyphen */
	{ TEXT("\xef\xbb\xbf"), "\\xef\\xbb\\xbf" },		/* byte order mark */
	/* No UTF-8: alone, cut short, too long, a surrogate, beyond Unicode. */
	{ TEXT("\x80"), "\\x80" },
	{ TEXT("\xff\xfe"), "\\xff\\xfe" },
	{ TEXT("\xc3"), "\\xc3" },
	{ TEXT("\xc3x"), "\\xc3x" },
	{ TEXT("\xe2\x82"), "\\xe2\\x82" },
	{ TEXT("\xe2\x82x"), "\\xe2\\x82x" },
	{ TEXT("\xf0\x9f\x98"), "\\xf0\\x9f\\x98" },
	{ TEXT("\xc0\xaf"), "\\xc0\\xaf" },
	{ TEXT("\xe0\x80\xaf"), "\\xe0\\x80\\xaf" },
	{ TEXT("\xf0\x80\x80\xaf"), "\\xf0\\x80\\x80\\xaf" },
	{ TEXT("\xed\xa0\x80"), "\\xed\\xa0\\x80" },
	{ TEXT("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80" },
	{ TEXT("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80" },
};

START_TEST(test_escape)
{
	const char *text = guard_at_end(&guard, texts[_i].text, texts[_i].len);
	char buf[128];

	ck_assert_uint_eq(text_escape(buf, sizeof(buf), text, texts[_i].len),
		strlen(texts[_i].escaped));
	ck_assert_str_eq(buf, texts[_i].escaped);
}
END_TEST

/* Whatever the bytes, no control byte is left, and shown text stays as it is when shown again. */
START_TEST(test_every_pair_of_bytes)
{
	for (unsigned first = 0; first < 256; first++) {
		for (unsigned second = 0; second < 256; second++) {
			const char text[] = { (char)first, (char)second };
			char once[2 * TEXT_ESCAPED_BYTES + 1];
			char twice[sizeof(once)];
			size_t len = text_escape(once, sizeof(once), text, sizeof(text));

			ck_assert_uint_eq(strlen(once), len);
			for (size_t i = 0; i < len; i++) {
				ck_assert((unsigned char)once[i] >= 0x20 && once[i] != 0x7f);
			}
			text_escape(twice, sizeof(twice), once, len);
			ck_assert_str_eq(twice, once);
		}
	}
}
END_TEST

START_TEST(test_bytes)
{
	static const char text[] = " ~\\\n\x7f\xc3\xa9\x9b";
	char buf[64];

	text_escape_bytes(buf, sizeof(buf), text, sizeof(text) - 1);
	ck_assert_str_eq(buf, " ~\\\\x0a\\x7f\\xc3\\xa9\\x9b");
}
END_TEST

/* What does not fit is left out whole. */
START_TEST(test_little_room)
{
	static const char text[] = "a\xc3\xa9\x1b";
	static const char *const fits[] = { "", "a", "a", "a\xc3\xa9", "a\xc3\xa9", "a\xc3\xa9",
		"a\xc3\xa9", "a\xc3\xa9\\x1b", "a\xc3\xa9\\x1b" };

	for (size_t room = 0; room < ROWS(fits); room++) {
		char buf[16] = "###############";

		ck_assert_uint_eq(text_escape(buf, room + 1, text, sizeof(text) - 1),
			strlen(fits[room]));
		ck_assert_str_eq(buf, fits[room]);
		ck_assert_int_eq(buf[room + 1], '#');
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("text");
	TCase *tcase = tcase_create("escape");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, test_escape, 0, ROWS(texts));
	tcase_add_test(tcase, test_every_pair_of_bytes);
	tcase_add_test(tcase, test_bytes);
	tcase_add_test(tcase, test_little_room);
	suite_add_tcase(suite, tcase);
	return suite;
}
