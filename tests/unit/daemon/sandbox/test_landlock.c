/* SPDX-License-Identifier: MIT */
/* What no process or thread of ours has any business to do with files. */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/sandbox/landlock.h"
#include "unit/jail.h"

static int probe_write(void)
{
	return open(jail_file, O_WRONLY | O_CLOEXEC);
}

static int probe_truncate(void)
{
	return truncate(jail_file, 0);
}

static int probe_create(void)
{
	return open(jail_absent, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int probe_directory(void)
{
	return mkdir(jail_absent, 0700);
}

static int probe_link(void)
{
	return symlink("x", jail_absent);
}

static int probe_socket(void)
{
	return mknod(jail_absent, S_IFSOCK | 0600, 0);
}

static int probe_unlink(void)
{
	return unlink(jail_file);
}

static int probe_rename(void)
{
	return rename(jail_file, jail_absent);
}

static int probe_read(void)
{
	return open(jail_file, O_RDONLY | O_CLOEXEC);
}

/* One that was brought along. */
static int probe_execute(void)
{
	static char path[] = "/proc/self/cwd/brought";
	char *argv[] = { path, NULL };

	return execve(path, argv, NULL);
}

/* One of the system's that is not the command. */
static int probe_execute_another(void)
{
	static char path[] = "/bin/true";
	char *argv[] = { path, NULL };

	return execve(path, argv, NULL);
}

static const struct jail_probe refused[] = {
	{ NULL, probe_write, JAIL_SERVER, SANDBOX_BASIC },
	{ NULL, probe_truncate, JAIL_SERVER, SANDBOX_BASIC },
	{ NULL, probe_create, JAIL_SERVER, SANDBOX_BASIC },
	{ NULL, probe_directory, JAIL_SERVER, SANDBOX_BASIC },
	{ NULL, probe_link, JAIL_SERVER, SANDBOX_BASIC },
	{ NULL, probe_socket, JAIL_SERVER, SANDBOX_BASIC },
	{ NULL, probe_unlink, JAIL_SERVER, SANDBOX_BASIC },
	{ NULL, probe_rename, JAIL_SERVER, SANDBOX_BASIC },
	{ NULL, probe_execute, JAIL_BOTH, SANDBOX_BASIC },
	{ NULL, probe_read, JAIL_SERVER, SANDBOX_STRICT },
	{ NULL, probe_write, JAIL_RUNNER, SANDBOX_STRICT },
	{ NULL, probe_create, JAIL_RUNNER, SANDBOX_STRICT },
	{ NULL, probe_unlink, JAIL_RUNNER, SANDBOX_STRICT },
	{ NULL, probe_execute_another, JAIL_RUNNER, SANDBOX_STRICT },
};

/* It succeeds outside, and is refused inside. */
static void expect_refused(const struct jail_probe *probe, enum sandbox_role role,
	enum sandbox_level level)
{
	long number = probe - refused;
	int outside = jail_try(probe, role, SANDBOX_OFF).error;
	int inside = jail_try(probe, role, level).error;

	ck_assert_msg(outside == 0 || outside == JAIL_GONE, "%ld outside: %d", number, outside);
	ck_assert_msg(inside == EACCES || inside == EPERM, "%ld of role %d at level %d: %d", number,
		role, level, inside);
}

START_TEST(test_files)
{
	if (sandbox_landlock_version()) {
		jail_try_all(refused, sizeof(refused) / sizeof(refused[0]), expect_refused);
	}
}
END_TEST

/* What the runner has to be able to do, it can; the keeper can do that as well. */
START_TEST(test_may_execute)
{
	const struct jail_probe probe = { NULL, probe_execute_another, 0, SANDBOX_BASIC };

	ck_assert_int_eq(jail_try(&probe, SANDBOX_RUNNER, SANDBOX_BASIC).error, JAIL_GONE);
	ck_assert_int_eq(jail_try(&probe, SANDBOX_KEEPER, SANDBOX_BASIC).error, JAIL_GONE);
	ck_assert_int_eq(jail_try(&probe, SANDBOX_KEEPER, jail_highest()).error, JAIL_GONE);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("landlock");
	TCase *tcase = tcase_create("sandbox_landlock");

	tcase_add_unchecked_fixture(tcase, jail_init, jail_fini);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_files);
	tcase_add_test(tcase, test_may_execute);
	suite_add_tcase(suite, tcase);
	return suite;
}
