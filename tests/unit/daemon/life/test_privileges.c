/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/life/privileges.h"

#define NOBODY 65534

static struct privileges privileges;

START_TEST(test_look_up)
{
	ck_assert_int_eq(privileges_look_up("root", &privileges), 0);
	ck_assert_uint_eq(privileges.uid, 0);
	ck_assert_uint_eq(privileges.gid, 0);
	ck_assert_int_ge(privileges.group_count, 1);
	ck_assert_int_eq(privileges_look_up("0", &privileges), 0);
	ck_assert_uint_eq(privileges.uid, 0);
}
END_TEST

START_TEST(test_unknown)
{
	static const char *const users[] = {
		"no-such-user", "", " ", "-1", "+0", " 0", "0x0", "0 ", "1k", "12345x",
		/* Those that end as root, or as no user at all, if cut off to 32 bits. */
		"4294967295", "4294967296", "18446744073709551616", "99999999999999999999999",
	};

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		errno = 0;
		ck_assert_msg(privileges_look_up(users[i], &privileges) < 0, "'%s'", users[i]);
		ck_assert_int_eq(errno, ENOENT);
	}
}
END_TEST

/* As a container's user often is. */
START_TEST(test_number_without_an_entry)
{
	ck_assert_int_eq(privileges_look_up("root", &privileges), 0);
	ck_assert_int_eq(privileges_look_up("999999998", &privileges), 0);
	ck_assert_uint_eq(privileges.uid, 999999998);
	ck_assert_uint_eq(privileges.gid, 999999998);
	ck_assert_int_eq(privileges.group_count, 0);
}
END_TEST

/* What became of a process that took PRIVILEGES: 0, or a number that says what went wrong. */
static int in_child(int (*check)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		_exit(check());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int become_nobody(void)
{
	gid_t groups[PRIVILEGES_GROUPS_MAX];
	uid_t uids[3];
	gid_t gids[3];
	bool was_root = geteuid() == 0;
	int count;

	if (privileges_take(&privileges) < 0) {
		return 1;
	}
	getresuid(&uids[0], &uids[1], &uids[2]);
	getresgid(&gids[0], &gids[1], &gids[2]);
	for (int i = 0; i < 3; i++) {
		if (uids[i] != privileges.uid || gids[i] != privileges.gid) {
			return 2;
		}
	}
	count = getgroups(PRIVILEGES_GROUPS_MAX, groups);
	for (int i = 0; i < count; i++) {
		if (groups[i] == 0) {
			return 3;
		}
	}
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0) {
		return 4;
	}
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
		return 5;
	}
	/* Of an ordinary user it stays what it was, which does not matter. */
	if (was_root && prctl(PR_CAPBSET_READ, CAP_NET_RAW, 0, 0, 0) != 0) {
		return 7;
	}
	/* The same once more is what an ordinary user who names itself does. */
	return privileges_take(&privileges) < 0 ? 6 : 0;
}

static int become_root_again(void)
{
	struct privileges root;

	if (privileges_look_up("root", &root) < 0 || privileges_take(&privileges) < 0) {
		return 1;
	}
	return privileges_take(&root) < 0 && errno == EPERM ? 0 : 2;
}

/* Only root can show it; other users have nothing to give up. */
START_TEST(test_take)
{
	privileges = (struct privileges){ .uid = NOBODY, .gid = NOBODY, .groups = { NOBODY },
		.group_count = 1 };
	if (geteuid() != 0) {
		privileges.uid = getuid();
		privileges.gid = getgid();
	}
	ck_assert_int_eq(in_child(become_nobody), 0);
	ck_assert_int_eq(in_child(become_root_again), 0);
}
END_TEST

static int try_without_a_right(void)
{
	signal(SIGCHLD, SIG_IGN);
	if (prctl(PR_CAPBSET_READ, CAP_SETUID, 0, 0, 0) == 1 &&
	    privileges_try(&privileges) < 0) {
		return 1;
	}
	if (getuid() != 0) {
		return 2;
	}
	privileges_drop_capabilities();
	errno = 0;
	return privileges_try(&privileges) < 0 && errno == EPERM ? 0 : 3;
}

/* Trying changes nothing here, and finds that root alone is not enough. */
START_TEST(test_try)
{
	privileges = (struct privileges){ .uid = NOBODY, .gid = NOBODY, .groups = { NOBODY },
		.group_count = 1 };
	if (geteuid() == 0) {
		ck_assert_int_eq(in_child(try_without_a_right), 0);
	} else {
		/* Not nobody: that may be the user we are. */
		privileges.uid = geteuid() + 1;
		ck_assert_int_eq(privileges_try(&privileges), -1);
		ck_assert_int_eq(errno, EPERM);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("privileges");
	TCase *tcase = tcase_create("privileges");

	tcase_add_test(tcase, test_look_up);
	tcase_add_test(tcase, test_unknown);
	tcase_add_test(tcase, test_number_without_an_entry);
	tcase_add_test(tcase, test_take);
	tcase_add_test(tcase, test_try);
	suite_add_tcase(suite, tcase);
	return suite;
}
