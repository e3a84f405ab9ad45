/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "client/watch/on_change.h"

static char reason[] = "timed out";
static const struct report_row down = { .state = REPORT_DOWN, .reason = reason };

/* SIGCHLD ends the wait for a command; nothing else is to be done at it. */
static void wake(int number)
{
	(void)number;
}

static void set_up(void)
{
	const struct sigaction action = { .sa_handler = wake };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	ck_assert_int_eq(sigaction(SIGCHLD, &action, NULL), 0);
}

/* Step until COUNT commands have failed. */
static void wait_for_failures(struct on_change *on_change, unsigned count)
{
	unsigned failed = on_change_step(on_change);
	sigset_t none;

	sigemptyset(&none);
	while (failed < count) {
		ck_assert(ppoll(NULL, 0, NULL, &none) < 0 && errno == EINTR);
		failed += on_change_step(on_change);
	}
	ck_assert_uint_eq(failed, count);
}

START_TEST(test_no_word)
{
	ck_assert_ptr_null(on_change_open(" \t ", true));
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* More commands than may run at a time: all of them run, and each failure is counted once. */
START_TEST(test_all_run)
{
	struct on_change *on_change = on_change_open("false", true);
	const unsigned count = 3 * ON_CHANGE_RUNNING_MAX;

	ck_assert_ptr_nonnull(on_change);
	for (unsigned i = 0; i < count; i++) {
		ck_assert_int_eq(on_change_add(on_change, "a", CHANGE_DOWN, &down), 0);
	}
	wait_for_failures(on_change, count);
	on_change_close(on_change);
}
END_TEST

START_TEST(test_one_too_many_is_dropped)
{
	struct on_change *on_change = on_change_open("no-such-command-anywhere", true);

	ck_assert_ptr_nonnull(on_change);
	for (unsigned i = 0; i < ON_CHANGE_WAITING_MAX; i++) {
		ck_assert_int_eq(on_change_add(on_change, "a", CHANGE_DOWN, &down), 0);
	}
	ck_assert_int_lt(on_change_add(on_change, "a", CHANGE_DOWN, &down), 0);
	ck_assert_int_eq(errno, ENOBUFS);
	/* Those that cannot be started, and the one that was dropped. */
	ck_assert_uint_eq(on_change_step(on_change), ON_CHANGE_WAITING_MAX + 1);
	on_change_close(on_change);
}
END_TEST

/* What our own environment has by such a name is not what the command sees. */
START_TEST(test_environment)
{
	struct on_change *on_change;

	ck_assert_int_eq(setenv("RUPTIME_TARGET", "stale", 1), 0);
	/* grep fails if it does not find it. */
	on_change = on_change_open("grep -qzx RUPTIME_TARGET=stale /proc/self/environ", true);
	ck_assert_ptr_nonnull(on_change);
	ck_assert_int_eq(on_change_add(on_change, "udp://a", CHANGE_DOWN, &down), 0);
	wait_for_failures(on_change, 1);
	on_change_close(on_change);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("on_change");
	TCase *tcase = tcase_create("commands");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, test_no_word);
	tcase_add_test(tcase, test_all_run);
	tcase_add_test(tcase, test_one_too_many_is_dropped);
	tcase_add_test(tcase, test_environment);
	suite_add_tcase(suite, tcase);
	return suite;
}
