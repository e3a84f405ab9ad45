/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "daemon/crew.h"

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
	struct crew *crew = crew_new(enter, &trace);

	ck_assert_ptr_nonnull(crew);
	ck_assert(trace.entered);
	ck_assert(!pthread_equal(trace.thread, pthread_self()));
	crew_await(crew);
	for (unsigned i = 0; i < 100; i++) {
		crew_begin(crew, job, &trace);
		crew_await(crew);
		ck_assert_uint_eq(trace.jobs, i + 1);
	}
	/* Nobody waits for the last one but the end. */
	crew_begin(crew, job, &trace);
	crew_free(crew);
	ck_assert_uint_eq(trace.jobs, 101);
	crew_free(NULL);
}
END_TEST

START_TEST(test_refused)
{
	errno = 0;
	ck_assert_ptr_null(crew_new(refuse, NULL));
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("crew");
	TCase *tcase = tcase_create("crew");

	tcase_add_test(tcase, test_jobs);
	tcase_add_test(tcase, test_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
