/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/life/activation.h"

/* What a manager says. */
struct words {
	const char *pid;	/* NULL: the right one */
	const char *count;
	const char *names;
};

static void bring(const struct words *words)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", words->pid ? words->pid : pid, 1);
	setenv("LISTEN_FDS", words->count, 1);
	unsetenv("LISTEN_FDNAMES");
	if (words->names) {
		setenv("LISTEN_FDNAMES", words->names, 1);
	}
	/* Three are there: descriptors that the tests' own process needs. */
	for (int fd = ACTIVATION_FIRST_FD; fd < ACTIVATION_FIRST_FD + 3; fd++) {
		dup2(STDIN_FILENO, fd);
	}
}

/* 0 if CHECK returns true in a process that is told WORDS. */
static int in_child(const struct words *words, bool (*check)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		bring(words);
		_exit(check() ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static bool takes_none(void)
{
	return activation_take() == 0 && activation_count() == 0 &&
	       fcntl(ACTIVATION_FIRST_FD, F_GETFD) == 0;
}

START_TEST(test_none)
{
	ck_assert_int_eq(activation_take(), 0);
	ck_assert_uint_eq(activation_count(), 0);
	ck_assert_int_eq(in_child(&(struct words){ NULL, "0", NULL }, takes_none), 0);
	/* Those of another process, whose environment was inherited. */
	ck_assert_int_eq(in_child(&(struct words){ "1", "3", NULL }, takes_none), 0);
	ck_assert_int_eq(in_child(&(struct words){ "x", "3", NULL }, takes_none), 0);
}
END_TEST

static bool takes_three(void)
{
	if (activation_take() != 3 || activation_count() != 3) {
		return false;
	}
	for (int fd = ACTIVATION_FIRST_FD; fd < ACTIVATION_FIRST_FD + 3; fd++) {
		if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC)) {
			return false;
		}
	}
	/* No other process is to take them for its own. */
	return strcmp(activation_name(0), "fdpass") == 0 && strcmp(activation_name(1), "") == 0 &&
	       strcmp(activation_name(2), "a b") == 0 && !getenv("LISTEN_PID") &&
	       !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES");
}

START_TEST(test_some)
{
	ck_assert_int_eq(in_child(&(struct words){ NULL, "3", "fdpass::a b" }, takes_three), 0);
}
END_TEST

static bool takes_two_without_names(void)
{
	return activation_take() == 2 && strcmp(activation_name(0), "") == 0 &&
	       strcmp(activation_name(1), "") == 0;
}

START_TEST(test_without_names)
{
	ck_assert_int_eq(in_child(&(struct words){ NULL, "2", NULL }, takes_two_without_names), 0);
}
END_TEST

static bool refuses_nonsense(void)
{
	return activation_take() == -1 && errno == EINVAL && activation_count() == 0;
}

static bool refuses_closed(void)
{
	return activation_take() == -1 && errno == EBADF && activation_count() == 0;
}

START_TEST(test_nonsense)
{
	static const char *const counts[] = { "", "x", "-1", "1x", "257", "99999999999999999999" };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		const struct words words = { NULL, counts[i], NULL };

		ck_assert_msg(in_child(&words, refuses_nonsense) == 0, "'%s'", counts[i]);
	}
	ck_assert_int_eq(in_child(&(struct words){ NULL, "256", NULL }, refuses_closed), 0);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("activation");
	TCase *tcase = tcase_create("activation");

	tcase_add_test(tcase, test_none);
	tcase_add_test(tcase, test_some);
	tcase_add_test(tcase, test_without_names);
	tcase_add_test(tcase, test_nonsense);
	suite_add_tcase(suite, tcase);
	return suite;
}
