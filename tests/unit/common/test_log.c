/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "unit/capture.h"

#define THREADS	  4
#define PER_THREAD 2000

static char text[1 << 20];

static void set_up(void)
{
	unsetenv("JOURNAL_STREAM");
	capture_begin();
	log_open_stderr();
	log_set_level(LOG_LEVEL_INFO);
}

static void tear_down(void)
{
	log_end();
	capture_end();
}

/* What was logged, once it is written. */
static size_t take_log(void)
{
	ck_assert(log_flush());
	return capture_take(text, sizeof(text));
}

static void log_one_of_each(void)
{
	log_error("e %d", 1);
	log_warning("w");
	log_info("i");
	log_debug("d");
}

START_TEST(test_levels)
{
	log_one_of_each();
	take_log();
	ck_assert_str_eq(text, "error: e 1\nwarning: w\ni\n");
	log_set_level(LOG_LEVEL_DEBUG);
	log_one_of_each();
	take_log();
	ck_assert_str_eq(text, "error: e 1\nwarning: w\ni\ndebug: d\n");
	log_set_level(LOG_LEVEL_ERROR);
	log_one_of_each();
	take_log();
	ck_assert_str_eq(text, "error: e 1\n");
}
END_TEST

static void set_journal(unsigned long long device, unsigned long long inode)
{
	char stream[64];

	snprintf(stream, sizeof(stream), "%llu:%llu", device, inode);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open_stderr();
}

START_TEST(test_journal_prefix)
{
	struct stat st;

	ck_assert_int_eq(fstat(2, &st), 0);
	set_journal(st.st_dev, st.st_ino);
	log_one_of_each();
	take_log();
	ck_assert_str_eq(text, "<3>e 1\n<4>w\n<6>i\n");
}
END_TEST

/* The variable is inherited by all processes below a unit, also where stderr leads elsewhere. */
START_TEST(test_another_journal_stream)
{
	struct stat st;

	ck_assert_int_eq(fstat(2, &st), 0);
	set_journal(st.st_dev, st.st_ino + 1);
	log_info("i");
	setenv("JOURNAL_STREAM", "nonsense", 1);
	log_open_stderr();
	log_info("j");
	take_log();
	ck_assert_str_eq(text, "i\nj\n");
}
END_TEST

START_TEST(test_errno_survives)
{
	struct log_limit limit = { 0 };

	errno = ENOTTY;
	log_error("x");
	log_debug("x");
	log_limited(&limit, "x");
	log_limited(&limit, "x");
	ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

START_TEST(test_long_line_stays_one_line)
{
	char *much = malloc(5001);
	size_t len;

	memset(much, 'x', 5000);
	much[5000] = '\0';
	log_error("%s", much);
	len = take_log();
	ck_assert_uint_ge(len, 1000);
	ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
	free(much);
}
END_TEST

START_TEST(test_limit)
{
	struct log_limit limit = { 0 };
	struct log_limit other = { 0 };

	for (int i = 0; i < 10; i++) {
		log_limited(&limit, "cause %d", i);
	}
	log_limited(&other, "other");
	take_log();
	ck_assert_str_eq(text, "warning: cause 0\nwarning: other\n");
	limit.next_ns = 0;
	log_limited(&limit, "cause");
	log_limited(&limit, "cause");
	limit.next_ns = 0;
	log_limited(&limit, "cause");
	take_log();
	ck_assert_str_eq(text, "warning: cause (and 9 more like it)\n"
			       "warning: cause (and 1 more like it)\n");
}
END_TEST

START_TEST(test_limit_counts_behind_a_long_line)
{
	struct log_limit limit = { .held_back = 41 };
	char *much = malloc(5001);

	memset(much, 'x', 5000);
	much[5000] = '\0';
	log_limited(&limit, "%s", much);
	take_log();
	ck_assert_ptr_nonnull(strstr(text, "x (and 41 more like it)\n"));
	free(much);
}
END_TEST

static struct log_limit shared_limit;

static void *log_much(void *arg)
{
	for (int i = 0; i < PER_THREAD; i++) {
		log_limited(&shared_limit, "storm");
		log_info("thread %d", *(int *)arg);
	}
	return NULL;
}

/* One line out of all, each of the others counted; and plain lines come whole. */
START_TEST(test_threads)
{
	static const char line[] = "thread N\n";
	pthread_t threads[THREADS];
	int numbers[THREADS];
	size_t len;
	char *storm;

	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, log_much, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	ck_assert_uint_eq(shared_limit.held_back, THREADS * PER_THREAD - 1);
	len = take_log();
	storm = strstr(text, "warning: storm\n");
	ck_assert_ptr_nonnull(storm);
	memmove(storm, storm + 15, strlen(storm + 15) + 1);
	len -= 15;
	ck_assert_uint_eq(len, THREADS * PER_THREAD * (sizeof(line) - 1));
	for (size_t at = 0; at < len; at += sizeof(line) - 1) {
		ck_assert_mem_eq(text + at, "thread ", 7);
		ck_assert_int_eq(text[at + 8], '\n');
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_levels);
	tcase_add_test(tcase, test_journal_prefix);
	tcase_add_test(tcase, test_another_journal_stream);
	tcase_add_test(tcase, test_errno_survives);
	tcase_add_test(tcase, test_long_line_stays_one_line);
	tcase_add_test(tcase, test_limit);
	tcase_add_test(tcase, test_limit_counts_behind_a_long_line);
	tcase_add_test(tcase, test_threads);
	suite_add_tcase(suite, tcase);
	return suite;
}
