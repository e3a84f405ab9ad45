/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/run/runner.h"
#include "unit/process.h"
#include "unit/scratch.h"

/* A run that is not to end by itself ends long after the test has given up on it. */
#define FAR_NS (50 * CLOCK_S)

/* What a busy machine may add. */
#define MARGIN_NS (2 * CLOCK_S)

/*
 * A command that says when it runs, with its process number, and ends when it is told to. Its
 * FIFOs are held open at both ends here.
 */
static int running_fd;
static int may_end_fd;

static struct scratch_path command;
static struct runner_config config;
static uint64_t timeout_ns;
static struct runner *runner;
static unsigned descriptors;

static void use_command(const char *script, uint64_t longest_ns)
{
	command = scratch_command("uptime", script);
	config = (struct runner_config){ .command = command.text };
	timeout_ns = longest_ns;
}

static void use_gated_command(uint64_t longest_ns)
{
	char script[512];

	running_fd = scratch_fifo("running");
	may_end_fd = scratch_fifo("may-end");
	snprintf(script, sizeof(script), "echo $$ >%s; read word <%s; echo \"$$ $word\"",
		scratch_path("running").text, scratch_path("may-end").text);
	use_command(script, longest_ns);
}

static void set_up(void)
{
	running_fd = may_end_fd = -1;
	descriptors = process_descriptors();
	runner = NULL;
}

/* Whatever a test did, nothing is left of it. */
static void tear_down(void)
{
	runner_free(runner);
	io_close(&running_fd);
	io_close(&may_end_fd);
	ck_assert_msg(!process_has_children(), "a process is left");
	ck_assert_uint_eq(process_descriptors(), descriptors);
}

static void start(void)
{
	runner = runner_new(&config);
	ck_assert_ptr_nonnull(runner);
}

/* The number of the command that runs now. */
static pid_t await_running(void)
{
	char text[32] = "";

	ck_assert_int_gt(read(running_fd, text, sizeof(text) - 1), 0);
	return (pid_t)strtol(text, NULL, 10);
}

static void let_end(const char *word)
{
	ck_assert_int_eq(io_write_all(may_end_fd, word, strlen(word)), 0);
}

/* What main does until there is a new process. Returns how often it was called in vain. */
static unsigned revive(void)
{
	struct pollfd watch = { .fd = runner_watch_fd(runner), .events = POLLIN };
	unsigned in_vain = 0;

	for (;;) {
		ck_assert_int_eq(poll(&watch, 1, (int)(process_slow_ns(MARGIN_NS) / CLOCK_MS)), 1);
		switch (runner_revive(runner)) {
		case 1:
			return in_vain;
		case 0:
			in_vain++;
			break;
		default:
			ck_abort_msg("cannot start a process");
		}
	}
}

static void kill_process(int signal_number)
{
	pid_t pid = process_only_child();

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(kill(pid, signal_number), 0);
}

static void *run_main(void *result)
{
	runner_run(runner, timeout_ns, result);
	return NULL;
}

static void begin_run(pthread_t *thread, struct command_result *result)
{
	ck_assert_int_eq(pthread_create(thread, NULL, run_main, result), 0);
}

START_TEST(test_runs)
{
	struct command_result result;

	use_command("echo $$", FAR_NS);
	start();
	for (int i = 0; i < 20; i++) {
		runner_run(runner, timeout_ns, &result);
		ck_assert_msg(result.ok, "%s", result.text);
	}
	kill_process(0); /* exactly one process, and it lives */
}
END_TEST

START_TEST(test_failing_command)
{
	struct command_result result;

	use_command("echo good; exit 3", FAR_NS);
	start();
	for (int i = 0; i < 3; i++) {
		runner_run(runner, timeout_ns, &result);
		ck_assert(!result.ok);
		ck_assert_str_eq(result.text, "the command exited with status 3");
	}
}
END_TEST

/* Each run has its own deadline, and says whether it was that which ended it. */
START_TEST(test_deadlines)
{
	struct command_result result;

	use_command("exec sleep 60", 20 * CLOCK_MS);
	start();
	runner_run(runner, timeout_ns, &result);
	ck_assert_str_eq(result.text, "the command did not finish within 20 ms");
	ck_assert(result.timed_out);
	runner_run(runner, 2 * timeout_ns, &result);
	ck_assert_str_eq(result.text, "the command did not finish within 40 ms");
	ck_assert(result.timed_out);
	use_command("exit 3", FAR_NS);
	runner_run(runner, timeout_ns, &result);
	ck_assert(!result.ok && !result.timed_out);
	use_command("echo good", FAR_NS);
	runner_run(runner, timeout_ns, &result);
	ck_assert(result.ok && !result.timed_out);
}
END_TEST

START_TEST(test_longest_line)
{
	struct command_result result;

	use_command("printf '%04095d\\n' 7", FAR_NS);
	start();
	runner_run(runner, timeout_ns, &result);
	ck_assert(result.ok);
	ck_assert_uint_eq(strlen(result.text), 4095);
	/* The shorter answer that follows is not mixed up with it. */
	use_command("echo short", FAR_NS);
	runner_run(runner, timeout_ns, &result);
	ck_assert_str_eq(result.text, "short");
}
END_TEST

/* Descriptor FD of process PID is a link to what begins with EXPECTED, or closed if that is "". */
static void assert_link(pid_t pid, int fd, const char *expected)
{
	char path[64];
	char target[128] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	(void)!readlink(path, target, sizeof(target) - 1);
	ck_assert_msg(expected[0] ? strncmp(target, expected, strlen(expected)) == 0 : !target[0],
		"%d is '%s'", fd, target);
}

/* It has /dev/null and its socket, and nothing of ours. */
START_TEST(test_what_the_process_has)
{
	static const char *const expected[] = { "/dev/null", "/dev/null", "/dev/null", "socket:",
		"" };
	struct command_result result;
	int ours[20];

	for (int i = 0; i < 20; i++) {
		ours[i] = dup(2); /* without close-on-exec */
		ck_assert_int_ge(ours[i], 0);
	}
	use_command("echo good", FAR_NS);
	start();
	runner_run(runner, timeout_ns, &result); /* so it has settled */
	ck_assert_str_eq(result.text, "good");
	for (int fd = 0; fd < 50; fd++) {
		assert_link(process_only_child(), fd, expected[fd < 4 ? fd : 4]);
	}
	for (int i = 0; i < 20; i++) {
		io_close(&ours[i]);
	}
}
END_TEST

START_TEST(test_started_with_sigchld_ignored)
{
	struct command_result result;
	pthread_t thread;

	signal(SIGCHLD, SIG_IGN);
	use_command("echo good", FAR_NS);
	start();
	runner_run(runner, timeout_ns, &result);
	ck_assert_str_eq(result.text, "good");
	kill_process(SIGKILL);
	begin_run(&thread, &result);
	revive();
	pthread_join(thread, NULL);
	ck_assert_str_eq(result.text, "good");
}
END_TEST

START_TEST(test_killed_while_idle)
{
	struct command_result result;
	pthread_t thread;

	use_command("echo good", FAR_NS);
	start();
	for (int i = 0; i < 5; i++) {
		kill_process(SIGKILL);
		begin_run(&thread, &result);
		revive();
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

	use_gated_command(FAR_NS);
	start();
	begin_run(&thread, &result);
	first = await_running();
	kill_process(SIGKILL);
	revive();
	ck_assert_int_eq(kill(first, 0), -1);
	second = await_running();
	ck_assert_int_ne(first, second);
	let_end("late\n");
	pthread_join(thread, NULL);
	snprintf(expected, sizeof(expected), "%d late", (int)second);
	ck_assert_str_eq(result.text, expected);
	ck_assert(result.ok);
}
END_TEST

/* Twice is enough: a command that kills its runner must not be run for ever. */
START_TEST(test_killed_during_two_runs)
{
	struct command_result result;
	pthread_t thread;

	use_gated_command(FAR_NS);
	start();
	begin_run(&thread, &result);
	for (int i = 0; i < 2; i++) {
		await_running();
		kill_process(SIGKILL);
		revive();
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

	use_command("echo good", 100 * CLOCK_MS);
	start();
	kill_process(SIGSTOP);
	began_ns = clock_now_ns();
	runner_run(runner, timeout_ns, &result);
	ck_assert(!result.ok);
	ck_assert_str_eq(result.text, "the runner process does not answer");
	ck_assert(result.timed_out);
	ck_assert_uint_ge(clock_now_ns() - began_ns, timeout_ns);
	ck_assert_uint_lt(clock_now_ns() - began_ns, timeout_ns + process_slow_ns(3 * CLOCK_S));
	revive();
	runner_run(runner, timeout_ns, &result);
	ck_assert_str_eq(result.text, "good");
}
END_TEST

START_TEST(test_give_up_during_a_run)
{
	struct command_result result;
	uint64_t began_ns;
	pthread_t thread;
	pid_t pid;

	use_gated_command(FAR_NS);
	start();
	begin_run(&thread, &result);
	pid = await_running();
	began_ns = clock_now_ns();
	runner_give_up(runner);
	pthread_join(thread, NULL);
	ck_assert_uint_lt(clock_now_ns() - began_ns, process_slow_ns(MARGIN_NS));
	ck_assert_str_eq(result.text, "the server is stopping");
	runner_run(runner, timeout_ns, &result);
	ck_assert_str_eq(result.text, "the server is stopping");
	ck_assert_int_eq(runner_revive(runner), 0);
	runner_free(runner);
	runner = NULL;
	ck_assert_int_eq(kill(pid, 0), -1);
}
END_TEST

/* Nobody to revive it: the run waits no longer than it says. */
START_TEST(test_never_revived)
{
	struct command_result result;
	uint64_t began_ns = clock_now_ns();

	use_command("echo good", 100 * CLOCK_MS);
	start();
	kill_process(SIGKILL);
	runner_run(runner, timeout_ns, &result);
	ck_assert(!result.ok);
	ck_assert_uint_lt(clock_now_ns() - began_ns, process_slow_ns(4 * CLOCK_S));
}
END_TEST

/* One that dies at once is not started more often than every 100 ms; and nobody spins meanwhile. */
START_TEST(test_back_off)
{
	uint64_t began_ns = clock_now_ns();
	unsigned in_vain = 0;

	use_command("echo good", FAR_NS);
	start();
	for (int i = 0; i < 4; i++) {
		kill_process(SIGKILL);
		in_vain += revive();
	}
	ck_assert_uint_ge(clock_now_ns() - began_ns, 4 * 100 * CLOCK_MS);
	ck_assert_uint_le(in_vain, 4 * 2);
}
END_TEST

/* In a process of its own that dies while it waits for a command that ignores what it can. */
static _Noreturn void be_killed_server(int ready_fd)
{
	struct command_result result;

	start();
	io_write_all(ready_fd, "r", 1);
	runner_run(runner, timeout_ns, &result);
	_exit(1);
}

START_TEST(test_servers_death)
{
	int ready_fd = scratch_fifo("ready");
	char script[256];
	char byte;
	pid_t server;

	process_adopt_orphans();
	running_fd = scratch_fifo("running");
	snprintf(script, sizeof(script), "trap '' HUP TERM PIPE; setsid sleep 60 & echo $$ >%s;"
		" sleep 60; sleep 60", scratch_path("running").text);
	use_command(script, FAR_NS);
	server = fork();
	if (server == 0) {
		be_killed_server(ready_fd);
	}
	ck_assert_int_eq(read(ready_fd, &byte, 1), 1);
	await_running();
	ck_assert_int_eq(kill(server, SIGKILL), 0);
	/* All of them come to us: the server, its runner, the command and what it started. */
	while (wait(NULL) > 0) {
	}
	ck_assert_int_eq(errno, ECHILD);
	io_close(&ready_fd);
}
END_TEST

START_TEST(test_free_without_a_run)
{
	use_command("echo good", FAR_NS);
	start();
	runner_free(NULL);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("runner");
	TCase *tcase = tcase_create("runner");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, test_runs);
	tcase_add_test(tcase, test_failing_command);
	tcase_add_test(tcase, test_deadlines);
	tcase_add_test(tcase, test_longest_line);
	tcase_add_test(tcase, test_what_the_process_has);
	tcase_add_test(tcase, test_started_with_sigchld_ignored);
	tcase_add_test(tcase, test_killed_while_idle);
	tcase_add_test(tcase, test_killed_during_a_run);
	tcase_add_test(tcase, test_killed_during_two_runs);
	tcase_add_test(tcase, test_stopped_process);
	tcase_add_test(tcase, test_give_up_during_a_run);
	tcase_add_test(tcase, test_never_revived);
	tcase_add_test(tcase, test_back_off);
	tcase_add_test(tcase, test_servers_death);
	tcase_add_test(tcase, test_free_without_a_run);
	suite_add_tcase(suite, tcase);
	return suite;
}
