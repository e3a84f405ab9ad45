/* SPDX-License-Identifier: MIT */
/* The figure in /proc/loadavg, as texts of ours and as this machine has it. */
#include "unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/work/loadavg.h"
#include "unit/process.h"

#define SPINNERS_MAX 64

static _Atomic bool done;

START_TEST(test_parse)
{
	ck_assert_int_eq(loadavg_parse("0.00 0.01 0.05 3/217 12345\n"), 3);
	ck_assert_int_eq(loadavg_parse("12.00 10.01 8.05 128/4217 1\n"), 128);
	ck_assert_int_eq(loadavg_parse("0.00 0.01 0.05\n"), 0);
	ck_assert_int_eq(loadavg_parse(""), 0);
}
END_TEST

static void *spin(void *unused)
{
	while (!atomic_load(&done)) {
	}
	return unused;
}

/* More threads than CPUs that never sleep: sooner or later we see that a thread waits. */
START_TEST(test_exceed)
{
	uint64_t end_ns = clock_now_ns() + process_slow_ns(10 * CLOCK_S);
	pthread_t threads[SPINNERS_MAX];
	struct loadavg runnable;
	bool seen = false;
	long count;

	loadavg_init(&runnable);
	ck_assert_int_ge(runnable.fd, 0);
	ck_assert_int_ge(runnable.cpus, 1);
	/* On a large machine a few CPUs will do. */
	if (runnable.cpus > SPINNERS_MAX - 1) {
		runnable.cpus = SPINNERS_MAX - 1;
	}
	count = runnable.cpus + 1;
	for (long i = 0; i < count; i++) {
		ck_assert_int_eq(pthread_create(&threads[i], NULL, spin, NULL), 0);
	}
	while (!seen && clock_now_ns() < end_ns) {
		seen = loadavg_exceeds_cpus(&runnable);
		sched_yield();
	}
	atomic_store(&done, true);
	for (long i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
	}
	ck_assert(seen);
	loadavg_fini(&runnable);
}
END_TEST

START_TEST(test_cannot_tell)
{
	struct loadavg runnable = { .fd = -1, .cpus = 0 };
	int pipe_fds[2];

	ck_assert(!loadavg_exceeds_cpus(&runnable));
	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	runnable.fd = pipe_fds[0];
	ck_assert(!loadavg_exceeds_cpus(&runnable));
	io_close(&pipe_fds[0]);
	io_close(&pipe_fds[1]);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("loadavg");
	TCase *tcase = tcase_create("runnable");

	tcase_add_test(tcase, test_parse);
	tcase_add_test(tcase, test_exceed);
	tcase_add_test(tcase, test_cannot_tell);
	suite_add_tcase(suite, tcase);
	return suite;
}
