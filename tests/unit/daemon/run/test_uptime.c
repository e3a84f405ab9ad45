/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/run/uptime.h"
#include "unit/process.h"
#include "unit/scratch.h"

#define FAR_NS (50 * CLOCK_S)

static struct scratch_path command;
static struct runner_config config;
static struct runner *runner;
static struct stats_counters counters;

static void set_up(void)
{
	struct message_report failed;
	memset(&counters, 0, sizeof(counters));
	command = scratch_path("uptime");
	config = (struct runner_config){ .command = command.text };
	runner = runner_new(&config, &failed);
	ck_assert_ptr_nonnull(runner);
}

static void tear_down(void)
{
	runner_free(runner);
	ck_assert(!process_has_children());
}

START_TEST(test_line)
{
	struct uptime *uptime = uptime_new(SETTINGS_EXEC, runner, FAR_NS, 0);
	struct uptime_line line;

	scratch_command("uptime", "echo ' up 3 days'");
	for (unsigned i = 1; i <= 3; i++) {
		uptime_measure(uptime, clock_now_ns(), &counters, &line);
		ck_assert(line.ok);
		ck_assert_uint_eq(line.len, 11);
		ck_assert_mem_eq(line.text, " up 3 days\n", 11);
		ck_assert_uint_eq(counters.runs_ok, i);
	}
	uptime_free(uptime);
}
END_TEST

START_TEST(test_error)
{
	static const char expected[] = "error: the command printed nothing\n";
	struct uptime *uptime = uptime_new(SETTINGS_EXEC, runner, FAR_NS, 0);
	struct uptime_line line;

	scratch_command("uptime", ":");
	uptime_measure(uptime, clock_now_ns(), &counters, &line);
	ck_assert(!line.ok);
	ck_assert_uint_eq(line.len, sizeof(expected) - 1);
	ck_assert_mem_eq(line.text, expected, line.len);
	ck_assert_uint_eq(counters.runs_failed, 1);
	ck_assert_uint_eq(counters.runs_ok, 0);
	uptime_free(uptime);
}
END_TEST

START_TEST(test_longest_line)
{
	struct uptime *uptime = uptime_new(SETTINGS_EXEC, runner, FAR_NS, 0);
	struct uptime_line line;

	scratch_command("uptime", "printf '%04095d\\n' 7");
	uptime_measure(uptime, clock_now_ns(), &counters, &line);
	ck_assert(line.ok);
	ck_assert_uint_eq(line.len, 4096);
	ck_assert_mem_eq(line.text + 4094, "7\n", 2);
	uptime_free(uptime);
}
END_TEST

START_TEST(test_max_age)
{
	struct uptime *uptime = uptime_new(SETTINGS_EXEC, runner, FAR_NS, FAR_NS);
	struct uptime_line first;
	struct uptime_line line;

	/* A failure is not given out again. */
	scratch_command("uptime", "exit 1");
	uptime_measure(uptime, clock_now_ns(), &counters, &line);
	scratch_command("uptime", "echo $$");
	uptime_measure(uptime, clock_now_ns(), &counters, &first);
	ck_assert(first.ok);
	for (unsigned i = 0; i < 5; i++) {
		uptime_measure(uptime, clock_now_ns(), &counters, &line);
		ck_assert_uint_eq(line.len, first.len);
		ck_assert_mem_eq(line.text, first.text, line.len);
	}
	ck_assert_uint_eq(counters.runs_failed, 1);
	ck_assert_uint_eq(counters.runs_ok, 1);
	uptime_free(uptime);
}
END_TEST

/* The age counts from before the run: one that took longer than that is too old at once. */
START_TEST(test_age_counts_from_the_start)
{
	struct uptime *uptime = uptime_new(SETTINGS_EXEC, runner, FAR_NS, 20 * CLOCK_MS);
	struct uptime_line line;

	scratch_command("uptime", "sleep 0.03; echo line");
	for (unsigned i = 1; i <= 3; i++) {
		uptime_measure(uptime, clock_now_ns(), &counters, &line);
		ck_assert_uint_eq(counters.runs_ok, i);
	}
	uptime_free(uptime);
}
END_TEST

START_TEST(test_timeouts)
{
	const uint64_t run_ns = CLOCK_S;

	/* However long they have waited, only a hang before matters. */
	ck_assert_uint_eq(uptime_timeout_ns(run_ns, false, 0), run_ns);
	ck_assert_uint_eq(uptime_timeout_ns(run_ns, false, 5 * CLOCK_S), run_ns);
	/* The oldest knows in time; a client that is alone and new has all of it. */
	ck_assert_uint_eq(uptime_timeout_ns(run_ns, true, 0), run_ns);
	ck_assert_uint_eq(uptime_timeout_ns(run_ns, true, 100 * CLOCK_MS), run_ns);
	ck_assert_uint_eq(uptime_timeout_ns(run_ns, true, 101 * CLOCK_MS), 999 * CLOCK_MS);
	ck_assert_uint_eq(uptime_timeout_ns(run_ns, true, 900 * CLOCK_MS), 200 * CLOCK_MS);
	/* A command that works again has a chance. */
	ck_assert_uint_eq(uptime_timeout_ns(run_ns, true, CLOCK_S), 100 * CLOCK_MS);
	ck_assert_uint_eq(uptime_timeout_ns(run_ns, true, 1100 * CLOCK_MS), 100 * CLOCK_MS);
	ck_assert_uint_eq(uptime_timeout_ns(run_ns, true, 50 * CLOCK_S), 100 * CLOCK_MS);
	ck_assert_uint_eq(uptime_timeout_ns(run_ns, true, UINT64_MAX / 2), 100 * CLOCK_MS);
	/* Never more than one was given. */
	ck_assert_uint_eq(uptime_timeout_ns(CLOCK_MS, true, 50 * CLOCK_S), CLOCK_MS);
}
END_TEST

/* After one that hung, those who waited for it too have a shorter run; its success forgets it. */
START_TEST(test_after_a_hang)
{
	struct uptime *uptime = uptime_new(SETTINGS_EXEC, runner, 200 * CLOCK_MS, 0);
	struct uptime_line line;

	scratch_command("uptime", "exec sleep 60");
	uptime_measure(uptime, clock_now_ns() - FAR_NS, &counters, &line);
	ck_assert_mem_eq(line.text, "error: the command did not finish within 200 ms\n", line.len);
	uptime_measure(uptime, clock_now_ns() - FAR_NS, &counters, &line);
	ck_assert_mem_eq(line.text, "error: the command did not finish within 100 ms\n", line.len);
	scratch_command("uptime", "exit 1");
	uptime_measure(uptime, clock_now_ns(), &counters, &line);
	scratch_command("uptime", "exec sleep 60");
	uptime_measure(uptime, clock_now_ns() - FAR_NS, &counters, &line);
	ck_assert_mem_eq(line.text, "error: the command did not finish within 200 ms\n", line.len);
	uptime_free(uptime);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("uptime");
	TCase *tcase = tcase_create("uptime");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, test_line);
	tcase_add_test(tcase, test_error);
	tcase_add_test(tcase, test_longest_line);
	tcase_add_test(tcase, test_max_age);
	tcase_add_test(tcase, test_age_counts_from_the_start);
	tcase_add_test(tcase, test_timeouts);
	tcase_add_test(tcase, test_after_a_hang);
	suite_add_tcase(suite, tcase);
	return suite;
}
