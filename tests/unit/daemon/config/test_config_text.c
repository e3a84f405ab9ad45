/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"
#include "daemon/config/config_text.h"
#include "unit/guard.h"
#include "unit/random.h"
#include "unit/scratch.h"

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
	const char *blanked;
} texts[] = {
	{ "", "" },
	{ "#", " " },
	{ "# a\nb = c # d\n", "   \nb = c    \n" },
	{ "// a\nb", "    \nb" },
	{ "/* a\nb */ c /**/ d", "    \n     c      d" },
	{ "/* a", "    " },
	{ "/*/ a */b", "        b" },
	{ "/", "/" },
	{ "a = /b/c#d//e/*f*/", "a = /b/c#d//e/*f*/" },
	{ "a = tcp://*", "a = tcp://*" },
	{ "a={\"b#\",#c\n'd//'}//", "a={\"b#\",  \n'd//'}  " },
	{ "\"a\\\"#b\"#c", "\"a\\\"#b\"  " },
	{ "'a\\'#b'#c", "'a\\'#b'  " },
	{ "\"a #", "\"a #" },
	{ "\"a\\", "\"a\\" },
	{ "# \"\na # '", "   \na    " },
};

START_TEST(test_blank_comments)
{
	size_t len = strlen(texts[_i].text);
	char *text = guard_at_end(&guard, texts[_i].text, len);

	config_text_blank_comments(text, len);
	ck_assert_mem_eq(text, texts[_i].blanked, len);
	text = guard_at_start(&guard, texts[_i].text, len);
	config_text_blank_comments(text, len);
	ck_assert_mem_eq(text, texts[_i].blanked, len);
}
END_TEST

/* Whatever the text, its lines stay where they are, and nothing is left to be blanked. */
START_TEST(test_any_text)
{
	static const char alphabet[] = "#/*'\"\\\n a={},";

	for (int round = 0; round < 20000; round++) {
		char before[12];
		char once[sizeof(before)];
		char twice[sizeof(before)];

		for (size_t i = 0; i < sizeof(before); i++) {
			before[i] = alphabet[random_below(sizeof(alphabet) - 1)];
		}
		memcpy(once, before, sizeof(before));
		config_text_blank_comments(once, sizeof(once));
		for (size_t i = 0; i < sizeof(before); i++) {
			ck_assert(once[i] == before[i] || (once[i] == ' ' && before[i] != '\n'));
		}
		memcpy(twice, once, sizeof(once));
		config_text_blank_comments(twice, sizeof(twice));
		ck_assert_mem_eq(twice, once, sizeof(once));
	}
}
END_TEST

START_TEST(test_open)
{
	char text[64] = "";
	int copy_fd = config_text_open(scratch_file("conf", "a # b\nc\n", 0600).text);

	ck_assert_int_ge(copy_fd, 0);
	ck_assert_int_ne(fcntl(copy_fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(pread(copy_fd, text, sizeof(text), 0), 8);
	ck_assert_str_eq(text, "a    \nc\n");
	io_close(&copy_fd);
}
END_TEST

/* What could hold up the reader, or never ends, is no file. */
START_TEST(test_no_file)
{
	struct scratch_path path = scratch_path("fifo");
	int big_fd;

	ck_assert_int_eq(config_text_open(scratch_path("missing").text), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(config_text_open(scratch_path("").text), -1);
	ck_assert_int_eq(errno, EISDIR);
	ck_assert_int_eq(mkfifo(path.text, 0600), 0);
	ck_assert_int_eq(config_text_open(path.text), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(config_text_open("/dev/zero"), -1);
	ck_assert_int_eq(errno, EINVAL);
	path = scratch_file("big", "", 0600);
	big_fd = open(path.text, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(big_fd, CONFIG_TEXT_MAX_BYTES + 1), 0);
	ck_assert_int_eq(config_text_open(path.text), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_int_eq(ftruncate(big_fd, CONFIG_TEXT_MAX_BYTES), 0);
	io_close(&big_fd);
	big_fd = config_text_open(path.text);
	ck_assert_int_ge(big_fd, 0);
	io_close(&big_fd);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("config_text");
	TCase *tcase = tcase_create("config_text");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, test_blank_comments, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(tcase, test_any_text);
	tcase_add_test(tcase, test_open);
	tcase_add_test(tcase, test_no_file);
	suite_add_tcase(suite, tcase);
	return suite;
}
