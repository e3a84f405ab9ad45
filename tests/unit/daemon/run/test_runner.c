/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/run/runner.h"
#include "unit/kept.h"
#include "unit/process.h"
#include "unit/scratch.h"

START_TEST(test_runs)
{
	struct command_result result;

	kept_use_command("echo $$", KEPT_FAR_NS);
	kept_start();
	for (int i = 0; i < 20; i++) {
		runner_run(kept_runner, kept_timeout_ns, &result);
		ck_assert_msg(result.ok, "%s", result.text);
	}
	kept_kill(0); /* exactly one process, and it lives */
}
END_TEST

START_TEST(test_failing_command)
{
	struct command_result result;

	kept_use_command("echo good; exit 3", KEPT_FAR_NS);
	kept_start();
	for (int i = 0; i < 3; i++) {
		runner_run(kept_runner, kept_timeout_ns, &result);
		ck_assert(!result.ok);
		ck_assert_str_eq(result.text, "the command exited with status 3");
	}
}
END_TEST

/* Each run has its own deadline, and says whether it was that which ended it. */
START_TEST(test_deadlines)
{
	struct command_result result;

	kept_use_command("exec sleep 60", 20 * CLOCK_MS);
	kept_start();
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "the command did not finish within 20 ms");
	ck_assert(result.timed_out);
	runner_run(kept_runner, 2 * kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "the command did not finish within 40 ms");
	ck_assert(result.timed_out);
	kept_use_command("exit 3", KEPT_FAR_NS);
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert(!result.ok && !result.timed_out);
	kept_use_command("echo good", KEPT_FAR_NS);
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert(result.ok && !result.timed_out);
}
END_TEST

START_TEST(test_longest_line)
{
	struct command_result result;

	kept_use_command("printf '%04095d\\n' 7", KEPT_FAR_NS);
	kept_start();
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert(result.ok);
	ck_assert_uint_eq(strlen(result.text), 4095);
	/* The shorter answer that follows is not mixed up with it. */
	kept_use_command("echo short", KEPT_FAR_NS);
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "short");
}
END_TEST

START_TEST(test_started_with_sigchld_ignored)
{
	struct command_result result;
	pthread_t thread;

	signal(SIGCHLD, SIG_IGN);
	kept_use_command("echo good", KEPT_FAR_NS);
	kept_start();
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "good");
	kept_kill(SIGKILL);
	kept_begin_run(&thread, &result);
	kept_revive();
	pthread_join(thread, NULL);
	ck_assert_str_eq(result.text, "good");
}
END_TEST

START_TEST(test_killed_while_idle)
{
	struct command_result result;
	pthread_t thread;

	kept_use_command("echo good", KEPT_FAR_NS);
	kept_start();
	for (int i = 0; i < 5; i++) {
		kept_kill(SIGKILL);
		kept_begin_run(&thread, &result);
		kept_revive();
		pthread_join(thread, NULL);
		ck_assert_msg(result.ok, "%s", result.text);
	}
}
END_TEST

/* The run is answered all the same, by another; and what the first one ran is gone. */
START_TEST(test_killed_during_a_run)
{
	struct command_result result;
	char expected[64];
	pthread_t thread;
	pid_t first;
	pid_t second;

	kept_use_gated_command(KEPT_FAR_NS);
	kept_start();
	kept_begin_run(&thread, &result);
	first = kept_await_command();
	kept_kill(SIGKILL);
	kept_revive();
	ck_assert_int_eq(kill(first, 0), -1);
	second = kept_await_command();
	ck_assert_int_ne(first, second);
	kept_let_end("late\n");
	pthread_join(thread, NULL);
	snprintf(expected, sizeof(expected), "%d late", (int)second);
	ck_assert_str_eq(result.text, expected);
	ck_assert(result.ok);
}
END_TEST

/* Twice is enough: a command that kills its kept_runner must not be run for ever. */
START_TEST(test_killed_during_two_runs)
{
	struct command_result result;
	pthread_t thread;

	kept_use_gated_command(KEPT_FAR_NS);
	kept_start();
	kept_begin_run(&thread, &result);
	for (int i = 0; i < 2; i++) {
		kept_await_command();
		kept_kill(SIGKILL);
		kept_revive();
	}
	pthread_join(thread, NULL);
	ck_assert(!result.ok);
	ck_assert_str_eq(result.text, "the runner process does not answer");
}
END_TEST

START_TEST(test_stopped_process)
{
	struct command_result result;
	uint64_t began_ns;

	kept_use_command("echo good", 100 * CLOCK_MS);
	kept_start();
	kept_kill(SIGSTOP);
	began_ns = clock_now_ns();
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert(!result.ok);
	ck_assert_str_eq(result.text, "the runner process does not answer");
	ck_assert(result.timed_out);
	ck_assert_uint_ge(clock_now_ns() - began_ns, kept_timeout_ns);
	ck_assert_uint_lt(
		clock_now_ns() - began_ns, kept_timeout_ns + process_slow_ns(3 * CLOCK_S));
	kept_revive();
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "good");
}
END_TEST

START_TEST(test_give_up_during_a_run)
{
	struct command_result result;
	uint64_t began_ns;
	pthread_t thread;
	pid_t pid;

	kept_use_gated_command(KEPT_FAR_NS);
	kept_start();
	kept_begin_run(&thread, &result);
	pid = kept_await_command();
	began_ns = clock_now_ns();
	runner_give_up(kept_runner);
	pthread_join(thread, NULL);
	ck_assert_uint_lt(clock_now_ns() - began_ns, process_slow_ns(KEPT_MARGIN_NS));
	ck_assert_str_eq(result.text, "the server is stopping");
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "the server is stopping");
	runner_free(kept_runner); /* while the keeper has not heard of it yet, perhaps */
	kept_runner = NULL;
	ck_assert_int_eq(kill(pid, 0), -1);
}
END_TEST

/* What stops a whole service ends this run, too, once or twice: another one is made in time. */
START_TEST(test_stopped_command)
{
	struct command_result result;
	char script[400];

	snprintf(script, sizeof(script), "echo >>%s; [ $(wc -l <%s) = 3 ] || kill -TERM $$;"
		" echo good", scratch_path("runs").text, scratch_path("runs").text);
	kept_use_command(script, KEPT_FAR_NS);
	kept_start();
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "good");
	kept_use_command("kill -TERM $$", KEPT_FAR_NS);
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "the command was killed by signal 15");
}
END_TEST

START_TEST(test_free_without_a_run)
{
	kept_use_command("echo good", KEPT_FAR_NS);
	kept_start();
	runner_free(NULL);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("runner");
	TCase *tcase = tcase_create("runner");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, kept_set_up, kept_tear_down);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, test_runs);
	tcase_add_test(tcase, test_failing_command);
	tcase_add_test(tcase, test_deadlines);
	tcase_add_test(tcase, test_longest_line);
	tcase_add_test(tcase, test_started_with_sigchld_ignored);
	tcase_add_test(tcase, test_killed_while_idle);
	tcase_add_test(tcase, test_killed_during_a_run);
	tcase_add_test(tcase, test_killed_during_two_runs);
	tcase_add_test(tcase, test_stopped_process);
	tcase_add_test(tcase, test_give_up_during_a_run);
	tcase_add_test(tcase, test_stopped_command);
	tcase_add_test(tcase, test_free_without_a_run);
	suite_add_tcase(suite, tcase);
	return suite;
}
