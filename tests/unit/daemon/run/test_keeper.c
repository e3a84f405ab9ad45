/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/run/runner.h"
#include "unit/kept.h"
#include "unit/process.h"
#include "unit/scratch.h"

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

/* They have /dev/null and their sockets, and nothing of ours. */
START_TEST(test_what_the_processes_have)
{
	static const char *const keeper[] = { "/dev/null", "/dev/null", "/dev/null", "socket:",
		"socket:", "anon_inode:[signalfd]", "" };
	static const char *const expected[] = { "/dev/null", "/dev/null", "/dev/null", "socket:",
		"", "anon_inode:[signalfd]", "" };
	struct command_result result;
	int ours[20];

	for (int i = 0; i < 20; i++) {
		ours[i] = dup(2); /* without close-on-exec */
		ck_assert_int_ge(ours[i], 0);
	}
	kept_use_command("echo good", KEPT_FAR_NS);
	kept_start();
	runner_run(kept_runner, kept_timeout_ns, &result); /* so it has settled */
	ck_assert_str_eq(result.text, "good");
	for (int fd = 0; fd < 50; fd++) {
		assert_link(process_only_child(), fd, keeper[fd < 6 ? fd : 6]);
		assert_link(kept_pid(), fd, expected[fd < 6 ? fd : 6]);
	}
	for (int i = 0; i < 20; i++) {
		io_close(&ours[i]);
	}
}
END_TEST

/* It hears of the end of runs, starts no other kept_runner, and tells main of none. */
START_TEST(test_given_up)
{
	struct command_result result;
	pid_t pid;

	kept_use_command("echo good", KEPT_FAR_NS);
	kept_start();
	pid = kept_pid();
	runner_give_up(kept_runner);
	while (kill(pid, 0) == 0) {
		poll(NULL, 0, 1);
	}
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "the server is stopping");
	ck_assert_int_eq(process_only_child_of(process_only_child()), -1);
	runner_free(kept_runner);
	kept_runner = NULL;
}
END_TEST

/* The kept_runner lives on, until it dies, too: then a run ends at once. */
START_TEST(test_without_a_keeper)
{
	struct command_result result;
	pid_t pid;

	process_adopt_orphans();
	kept_use_command("echo good", KEPT_FAR_NS);
	kept_start();
	pid = kept_pid();
	ck_assert_int_eq(kill(process_only_child(), SIGKILL), 0);
	ck_assert_int_eq(kept_hear(), RUNNER_NO_KEEPER);
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "good");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert_str_eq(result.text, "the runner process does not answer");
	runner_free(kept_runner);
	kept_runner = NULL;
	while (wait(NULL) > 0) {
	}
}
END_TEST

/* Whatever becomes of what main keeps: the keeper has its own. */
START_TEST(test_command_is_the_keepers)
{
	struct command_result result;

	kept_use_command("echo good", KEPT_FAR_NS);
	kept_start();
	kept_command = scratch_command("evil", "echo evil");
	kept_config = (struct runner_config){ .command = kept_command.text };
	for (int i = 0; i < 3; i++) {
		runner_run(kept_runner, kept_timeout_ns, &result);
		ck_assert_str_eq(result.text, "good");
		kept_kill(SIGKILL);
		kept_revive();
	}
}
END_TEST

/* A request that was given up is not run before the next one. */
START_TEST(test_last_request_counts)
{
	struct command_result result;
	char text[64];
	char script[256];
	int runs_fd;

	snprintf(script, sizeof(script), "echo >>%s; echo good", scratch_path("last").text);
	kept_use_command(script, 1);
	kept_start();
	kept_kill(SIGSTOP);
	runner_run(kept_runner, kept_timeout_ns, &result);
	ck_assert(result.timed_out);
	kept_revive();
	runner_run(kept_runner, KEPT_FAR_NS, &result);
	ck_assert_str_eq(result.text, "good");
	runs_fd = open(scratch_path("last").text, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(read(runs_fd, text, sizeof(text)), 1);
	io_close(&runs_fd);
}
END_TEST

START_TEST(test_cannot_begin)
{
	static const struct privileges other = { .uid = 1, .gid = 1, .group_count = INT_MAX };
	struct message_report failed;

	kept_use_command("echo good", KEPT_FAR_NS);
	kept_config.privileges = &other;
	ck_assert_ptr_null(runner_new(&kept_config, &failed));
	ck_assert_str_eq(failed.call, "setresuid");
	ck_assert_int_eq(failed.error, geteuid() == 0 ? EINVAL : EPERM);
}
END_TEST

/* One that dies at once is not started more often than every 100 ms. */
START_TEST(test_back_off)
{
	uint64_t began_ns = clock_now_ns();

	kept_use_command("echo good", KEPT_FAR_NS);
	kept_start();
	for (int i = 0; i < 4; i++) {
		kept_kill(SIGKILL);
		kept_revive();
	}
	ck_assert_uint_ge(clock_now_ns() - began_ns, 4 * 100 * CLOCK_MS);
}
END_TEST

/* In a process of its own that dies while it waits for a command that ignores what it can. */
static _Noreturn void be_killed_server(int ready_fd)
{
	struct command_result result;

	kept_start();
	io_write_all(ready_fd, "r", 1);
	runner_run(kept_runner, kept_timeout_ns, &result);
	_exit(1);
}

START_TEST(test_servers_death)
{
	int ready_fd = scratch_fifo("ready");
	char script[256];
	char byte;
	pid_t server;

	process_adopt_orphans();
	kept_running_fd = scratch_fifo("running");
	snprintf(script, sizeof(script), "trap '' HUP TERM PIPE; setsid sleep 60 & echo $$ >%s;"
		" sleep 60; sleep 60", scratch_path("running").text);
	kept_use_command(script, KEPT_FAR_NS);
	server = fork();
	if (server == 0) {
		be_killed_server(ready_fd);
	}
	ck_assert_int_eq(read(ready_fd, &byte, 1), 1);
	kept_await_command();
	ck_assert_int_eq(kill(server, SIGKILL), 0);
	/* All of them come to us: server, keeper, kept_runner, the command and what it started. */
	while (wait(NULL) > 0) {
	}
	ck_assert_int_eq(errno, ECHILD);
	io_close(&ready_fd);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("keeper");
	TCase *tcase = tcase_create("keeper");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, kept_set_up, kept_tear_down);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, test_what_the_processes_have);
	tcase_add_test(tcase, test_given_up);
	tcase_add_test(tcase, test_without_a_keeper);
	tcase_add_test(tcase, test_command_is_the_keepers);
	tcase_add_test(tcase, test_last_request_counts);
	tcase_add_test(tcase, test_cannot_begin);
	tcase_add_test(tcase, test_back_off);
	tcase_add_test(tcase, test_servers_death);
	suite_add_tcase(suite, tcase);
	return suite;
}
