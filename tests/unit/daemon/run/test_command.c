/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/run/children.h"
#include "daemon/run/command.h"
#include "unit/process.h"
#include "unit/scratch.h"
#include "unit/sockets.h"

/* Those that must meet the deadline are given this one. */
#define DEADLINE_NS (300 * CLOCK_MS)

/* The others must be done long before theirs. */
#define FAR_NS (20 * CLOCK_S)

/* What a busy machine may add. */
#define MARGIN_NS (1500 * CLOCK_MS)

static struct sockets_pair quiet;	/* it could cancel, and does not */
static struct command_result result;
static int child_fd;

/* As the runner is, whatever make has left open. */
static void set_up(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (int fd = 3; fd < 1024; fd++) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	process_adopt_orphans();
	quiet = sockets_unix_pair();
	child_fd = children_watch();
	ck_assert_int_ge(child_fd, 0);
}

static void tear_down(void)
{
	sockets_close(&quiet);
	io_close(&child_fd);
}

/* Run PATH, and check what holds whatever it does. Returns how long it took. */
static uint64_t run(const char *path, uint64_t timeout_ns, int cancel_fd)
{
	unsigned descriptors = process_descriptors();
	uint64_t began_ns = clock_now_ns();
	uint64_t took_ns;

	memset(&result, 'x', sizeof(result));
	command_run(&(struct command){ path, NULL, child_fd, cancel_fd }, timeout_ns, &result);
	took_ns = clock_now_ns() - began_ns;
	ck_assert_msg(!process_has_children(), "a descendant is left");
	ck_assert_uint_eq(process_descriptors(), descriptors);
	ck_assert_ptr_nonnull(memchr(result.text, '\0', sizeof(result.text)));
	ck_assert(protocol_is_printable(result.text, strlen(result.text)));
	return took_ns;
}

static const struct misbehaviour {
	const char *script;
	const char *reason;	/* or the line, if OK */
	bool ok;
	bool late;
} misbehaviours[] = {
	{ "exec sleep 60", "the command did not finish within 300 ms", false, true },
	{ "trap '' TERM HUP INT; while :; do sleep 60; done",
		"the command did not finish within 300 ms", false, true },
	{ "exec head -c 1000000000 /dev/zero", "the command printed more than 4096 bytes", false,
		false },
	{ "exec yes 'a line among many'", "the command printed more than 4096 bytes", false,
		false },
	{ "printf 'no newline'", "the command printed no complete line", false, false },
	{ "printf 'a\\000b\\n'", "the command printed a line that is empty or not printable", false,
		false },
	{ "exit 0", "the command printed nothing", false, false },
	{ "echo; echo second", "the command printed a line that is empty or not printable", false,
		false },
	{ "echo good; exit 1", "the command exited with status 1", false, false },
	{ "echo good; kill -SEGV $$", "the command was killed by signal 11", false, false },
	{ "sleep 60 & echo good", "good", true, false },
	{ "exec >&-; exec sleep 60", "the command did not finish within 300 ms", false, true },
	{ "while :; do printf x; sleep 0.02; done", "the command did not finish within 300 ms",
		false, true },
	{ "i=0; while [ $i -lt 100 ]; do setsid sleep 60 & i=$((i+1)); done; echo good", "good",
		true, false },
	{ "printf '\\033[31mred\\n'", "the command printed a line that is empty or not printable",
		false, false },
	{ "echo good; exec sleep 60", "the command did not finish within 300 ms", false, true },
	{ "printf 'good\\nand\\001more'", "good", true, false },
	{ "(setsid sh -c 'setsid sleep 60 & exec sleep 60' & ) ; exec sleep 60",
		"the command did not finish within 300 ms", false, true },
};
#define MISBEHAVIOURS (int)(sizeof(misbehaviours) / sizeof(misbehaviours[0]))

START_TEST(test_misbehaviour)
{
	const struct misbehaviour *m = &misbehaviours[_i];
	uint64_t timeout_ns = m->late ? DEADLINE_NS : FAR_NS;
	uint64_t took_ns = run(scratch_command("uptime", m->script).text, timeout_ns,
		quiet.server_fd);

	ck_assert_msg(result.ok == m->ok && strcmp(result.text, m->reason) == 0, "%s: %s",
		m->script, result.text);
	if (m->late) {
		ck_assert_uint_ge(took_ns, DEADLINE_NS);
		ck_assert_uint_lt(took_ns, DEADLINE_NS + process_slow_ns(MARGIN_NS));
	} else {
		ck_assert_uint_lt(took_ns, FAR_NS);
	}
}
END_TEST

/* A process that leaves its group for another must not cost the time of a kill that misses. */
START_TEST(test_leaves_its_group)
{
	uint64_t took_ns = run(scratch_fixture("join_group").text, DEADLINE_NS, quiet.server_fd);

	ck_assert_str_eq(result.text, "the command did not finish within 300 ms");
	ck_assert_uint_lt(took_ns, DEADLINE_NS + process_slow_ns(CLOCK_S / 2));
}
END_TEST

/* As much as may be, and one byte more. */
START_TEST(test_longest_line)
{
	char script[64];

	for (int surplus = 0; surplus < 2; surplus++) {
		snprintf(script, sizeof(script), "printf '%%0%dd\\n' 7",
			PROTOCOL_LINE_MAX_BYTES - 1 + surplus);
		run(scratch_command("uptime", script).text, FAR_NS, quiet.server_fd);
		ck_assert_int_eq(result.ok, !surplus);
	}
	ck_assert_str_eq(result.text, "the command printed more than 4096 bytes");
}
END_TEST

START_TEST(test_not_runnable)
{
	struct scratch_path busy = scratch_command("busy", "echo good");
	int busy_fd = open(busy.text, O_WRONLY | O_CLOEXEC);
	struct {
		struct scratch_path path;
		int error;
	} const cases[] = {
		{ scratch_path("missing"), ENOENT },
		{ scratch_file("plain", "#!/bin/sh\n", 0644), EACCES },
		{ scratch_file("garbage", "\177garbage", 0755), ENOEXEC },
		{ scratch_file("interpreter", "#!/nonexistent\n", 0755), ENOENT },
		{ scratch_path(""), EACCES },
		{ busy, ETXTBSY },
	};

	ck_assert_int_ge(busy_fd, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[128];

		snprintf(expected, sizeof(expected), "the command cannot be run: %s",
			strerror(cases[i].error));
		run(cases[i].path.text, FAR_NS, quiet.server_fd);
		ck_assert(!result.ok);
		ck_assert_str_eq(result.text, expected);
	}
	io_close(&busy_fd);
	run(busy.text, FAR_NS, quiet.server_fd);
	ck_assert_str_eq(result.text, "good");
}
END_TEST

/* However the caller was started: all blocked, ignored and exported; but for SIGCHLD. */
static void foul_the_nest(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int number = 1; number <= SIGRTMAX; number++) {
		signal(number, SIG_IGN);
	}
	signal(SIGCHLD, SIG_DFL);
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	setenv("LD_BIND_NOW", "1", 1);
	setenv("PATH", "/nowhere", 1);
}

START_TEST(test_what_it_is_given)
{
	foul_the_nest();
	run(scratch_fixture("show_self").text, FAR_NS, quiet.server_fd);
	ck_assert_str_eq(result.text, "show_self argc=1 "
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "
		"0:null 1:pipe 2:null blocked=0 ignored=0 leads=1");
	ck_assert(result.ok);
}
END_TEST

/* Any of 0 to 2 may be free when the pipe is made. */
START_TEST(test_low_descriptors)
{
	struct scratch_path command = scratch_fixture("show_self");
	int saved[3];

	for (unsigned closed = 0; closed < 8; closed++) {
		for (int fd = 0; fd < 3; fd++) {
			saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
			if (closed & 1u << fd) {
				close(fd);
			}
		}
		command_run(&(struct command){ command.text, NULL, child_fd, quiet.server_fd },
			FAR_NS, &result);
		for (int fd = 0; fd < 3; fd++) {
			dup2(saved[fd], fd);
			close(saved[fd]);
		}
		ck_assert_msg(strstr(result.text, " 0:null 1:pipe 2:null blocked") != NULL,
			"closed: %u: %s", closed, result.text);
	}
}
END_TEST

static void *hang_up(void *argument)
{
	char byte;

	/* The command says that it runs. */
	ck_assert_int_eq(read(*(int *)argument, &byte, 1), 1);
	shutdown(quiet.client_fd, SHUT_RDWR);
	return NULL;
}

START_TEST(test_cancel)
{
	int running_fd = scratch_fifo("running");
	char script[256];
	pthread_t thread;
	uint64_t took_ns;

	snprintf(script, sizeof(script), "echo >%s; exec sleep 60", scratch_path("running").text);
	pthread_create(&thread, NULL, hang_up, &running_fd);
	took_ns = run(scratch_command("uptime", script).text, FAR_NS, quiet.server_fd);
	pthread_join(thread, NULL);
	ck_assert(!result.ok);
	ck_assert_str_eq(result.text, "the run was given up");
	ck_assert_uint_lt(took_ns, FAR_NS / 2);
	io_close(&running_fd);
}
END_TEST

START_TEST(test_kill_children)
{
	pid_t spared[2];

	children_kill(NULL, 0);
	for (int i = 0; i < 22; i++) {
		pid_t pid = fork();

		if (pid > 0) {
			spared[i % 2] = pid;
			continue;
		}
		if (i < 20) {
			if (fork() == 0) {
				pause();
			}
		}
		pause();
		_exit(0);
	}
	children_kill(spared, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(waitpid(spared[i], NULL, WNOHANG), 0);
	}
	children_kill(NULL, 0);
	ck_assert(!process_has_children());
}
END_TEST

/* By which signals a service is told to stop, and by which it is not; also as a shell says it. */
START_TEST(test_stopped)
{
	static const struct {
		const char *script;
		bool stopped;
	} cases[] = {
		{ "kill -TERM $$", true }, { "kill -INT $$", true }, { "kill -HUP $$", true },
		{ "kill -QUIT $$", true }, { "exit 143", true }, { "exit 130", true },
		{ "kill -KILL $$", false }, { "kill -SEGV $$", false }, { "exit 15", false },
		{ "exit 139", false }, { "echo good", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run(scratch_command("uptime", cases[i].script).text, FAR_NS, quiet.server_fd);
		ck_assert_msg(result.stopped == cases[i].stopped, "%s", cases[i].script);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("command");
	TCase *tcase = tcase_create("command");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, test_misbehaviour, 0, MISBEHAVIOURS);
	tcase_add_test(tcase, test_leaves_its_group);
	tcase_add_test(tcase, test_longest_line);
	tcase_add_test(tcase, test_not_runnable);
	tcase_add_test(tcase, test_what_it_is_given);
	tcase_add_test(tcase, test_low_descriptors);
	tcase_add_test(tcase, test_cancel);
	tcase_add_test(tcase, test_stopped);
	tcase_add_test(tcase, test_kill_children);
	suite_add_tcase(suite, tcase);
	return suite;
}
