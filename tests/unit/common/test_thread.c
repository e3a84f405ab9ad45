/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <string.h>
#include <sys/resource.h>

#include "common/thread.h"

/* Of this much stack, a quarter is left for the C library and for a debugger. */
#define USED_BYTES (THREAD_STACK_BYTES / 4 * 3)

static void *use_stack(void *argument)
{
	char array[USED_BYTES];

	memset(array, 1, sizeof(array));
	*(int *)argument = array[0] + array[USED_BYTES - 1];
	return NULL;
}

static void expect_stack(void)
{
	pthread_t thread;
	int sum = 0;

	ck_assert_int_eq(thread_start(&thread, use_stack, &sum), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(sum, 2);
}

/* The limit is looked at when a program begins, and by some C libraries later. */
START_TEST(test_whatever_the_limit)
{
	static const rlim_t limits[] = { 16ul << 10, 1ul << 20, 64ull << 30 };

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit limit;

		ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
		limit.rlim_cur = limits[i] < limit.rlim_max ? limits[i] : limit.rlim_max;
		ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
		expect_stack();
	}
}
END_TEST

START_TEST(test_main_stack)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
	limit.rlim_cur = 2 * THREAD_MAIN_STACK_BYTES;
	ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
	ck_assert_int_eq(thread_raise_main_stack(), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, 2 * THREAD_MAIN_STACK_BYTES);
	limit.rlim_cur = THREAD_MAIN_STACK_BYTES - 1;
	ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
	ck_assert_int_eq(thread_raise_main_stack(), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, THREAD_MAIN_STACK_BYTES);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("thread");
	TCase *tcase = tcase_create("thread");

	tcase_add_test(tcase, test_whatever_the_limit);
	tcase_add_test(tcase, test_main_stack);
	suite_add_tcase(suite, tcase);
	return suite;
}
