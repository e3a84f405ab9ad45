/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <sys/stat.h>
#include <time.h>

#include "common/compat.h"

/* glibc has the choice since 2.34. */
#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 34)
#define TIME_BYTES sizeof(long)
#else
#define TIME_BYTES 8
#endif

/* On 32 bits, too: a file whose inode, size or time takes more than that is one like any other. */
START_TEST(test_wide_numbers)
{
	struct stat st;

	ck_assert_uint_eq(sizeof(st.st_ino), 8);
	ck_assert_uint_eq(sizeof(st.st_size), 8);
	ck_assert_uint_eq(sizeof(time_t), TIME_BYTES);
}
END_TEST

/* With the C library's or with ours: to where the file is, which a pipe always is. */
START_TEST(test_pwritev2)
{
	char text[] = "to be read";
	struct iovec part = { text, sizeof(text) };
	char got[32];
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(pwritev2(ends[1], &part, 1, -1, 0), sizeof(text));
	ck_assert_int_eq(read(ends[0], got, sizeof(got)), sizeof(text));
	ck_assert_str_eq(got, text);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("compat");
	TCase *tcase = tcase_create("compat");

	tcase_add_test(tcase, test_wide_numbers);
	tcase_add_test(tcase, test_pwritev2);
	suite_add_tcase(suite, tcase);
	return suite;
}
