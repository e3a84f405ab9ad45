/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <pthread.h>

#include "daemon/life/starter.h"

struct trace {
	pthread_t thread;
	unsigned jobs;
};

static void job(void *argument)
{
	struct trace *trace = argument;

	ck_assert(!trace->jobs || pthread_equal(trace->thread, pthread_self()));
	trace->thread = pthread_self();
	trace->jobs++;
}

START_TEST(test_jobs)
{
	struct trace trace = { .jobs = 0 };
	struct starter *starter = starter_new();

	ck_assert_ptr_nonnull(starter);
	starter_await(starter);
	for (unsigned i = 0; i < 100; i++) {
		starter_begin(starter, job, &trace);
		starter_await(starter);
		ck_assert_uint_eq(trace.jobs, i + 1);
	}
	ck_assert(!pthread_equal(trace.thread, pthread_self()));
	/* Only the end waits for the last one. */
	starter_begin(starter, job, &trace);
	starter_free(starter);
	ck_assert_uint_eq(trace.jobs, 101);
	starter_free(NULL);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("starter");
	TCase *tcase = tcase_create("starter");

	tcase_add_test(tcase, test_jobs);
	suite_add_tcase(suite, tcase);
	return suite;
}
