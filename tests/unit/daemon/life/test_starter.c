/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "daemon/life/starter.h"

struct trace {
	pthread_t thread;
	bool entered;
	unsigned jobs;
};

static int enter(void *argument)
{
	struct trace *trace = argument;

	trace->thread = pthread_self();
	trace->entered = true;
	return 0;
}

static int refuse(void *argument)
{
	(void)argument;
	errno = EXDEV;
	return -1;
}

static void job(void *argument)
{
	struct trace *trace = argument;

	ck_assert(pthread_equal(trace->thread, pthread_self()));
	trace->jobs++;
}

START_TEST(test_jobs)
{
	struct trace trace = { .entered = false };
	struct starter *starter = starter_new(enter, &trace);

	ck_assert_ptr_nonnull(starter);
	ck_assert(trace.entered);
	ck_assert(!pthread_equal(trace.thread, pthread_self()));
	starter_await(starter);
	for (unsigned i = 0; i < 100; i++) {
		starter_begin(starter, job, &trace);
		starter_await(starter);
		ck_assert_uint_eq(trace.jobs, i + 1);
	}
	/* Nobody waits for the last one but the end. */
	starter_begin(starter, job, &trace);
	starter_free(starter);
	ck_assert_uint_eq(trace.jobs, 101);
	starter_free(NULL);
}
END_TEST

START_TEST(test_refused)
{
	errno = 0;
	ck_assert_ptr_null(starter_new(refuse, NULL));
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("starter");
	TCase *tcase = tcase_create("starter");

	tcase_add_test(tcase, test_jobs);
	tcase_add_test(tcase, test_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
