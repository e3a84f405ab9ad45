/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/own_lock.h"
#include "unit/scratch.h"

#define NAME "lock"

static int dir_fd;

static void set_up(void)
{
	dir_fd = open(scratch_path("").text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unlinkat(dir_fd, NAME, 0);
}

static void tear_down(void)
{
	close(dir_fd);
}

/* A lock is a process's: it takes another one to meet it. Returns that one's errno, or 0. */
static int take_elsewhere(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int lock_fd = own_lock_take(dir_fd, NAME);
		int error = lock_fd < 0 ? errno : 0;

		own_lock_drop(dir_fd, NAME, &lock_fd);
		_exit(error);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(test_take_and_drop)
{
	int lock_fd = own_lock_take(dir_fd, NAME);
	struct stat st;

	ck_assert_int_ge(lock_fd, 0);
	ck_assert_int_ne(fcntl(lock_fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(fstatat(dir_fd, NAME, &st, 0), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(take_elsewhere(), EAGAIN);
	errno = ENOTTY;
	own_lock_drop(dir_fd, NAME, &lock_fd);
	ck_assert_int_eq(errno, ENOTTY);
	ck_assert_int_eq(lock_fd, -1);
	ck_assert_int_eq(faccessat(dir_fd, NAME, F_OK, 0), -1);
	ck_assert_int_eq(take_elsewhere(), 0);
	own_lock_drop(dir_fd, NAME, &lock_fd);
}
END_TEST

/* What a process that was killed left behind is a lock like another. */
START_TEST(test_stale)
{
	scratch_file(NAME, "", 0600);
	ck_assert_int_eq(take_elsewhere(), 0);
}
END_TEST

/* What others may open, they may lock. */
START_TEST(test_not_ours)
{
	static const int modes[] = { 0644, 0606, 0660 };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		scratch_file(NAME, "", modes[i]);
		ck_assert_int_eq(take_elsewhere(), EPERM);
	}
	ck_assert_int_eq(unlinkat(dir_fd, NAME, 0), 0);
	ck_assert_int_eq(mkfifoat(dir_fd, NAME, 0600), 0);
	ck_assert_int_eq(take_elsewhere(), EPERM);
	ck_assert_int_eq(unlinkat(dir_fd, NAME, 0), 0);
	ck_assert_int_eq(symlinkat("elsewhere", dir_fd, NAME), 0);
	ck_assert_int_eq(take_elsewhere(), ELOOP);
	if (geteuid() == 0) {
		ck_assert_int_eq(unlinkat(dir_fd, NAME, 0), 0);
		scratch_file(NAME, "", 0600);
		ck_assert_int_eq(fchownat(dir_fd, NAME, 65534, 65534, 0), 0);
		ck_assert_int_eq(take_elsewhere(), EPERM);
	}
}
END_TEST

/* Many at once, each of which removes the file: never two have it. */
START_TEST(test_never_two)
{
	int inside[2];

	/* One byte: who has the lock takes it out, and puts it back. */
	ck_assert_int_eq(pipe2(inside, O_NONBLOCK), 0);
	ck_assert_int_eq(write(inside[1], "", 1), 1);
	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			for (int got = 0; got < 200;) {
				int lock_fd = own_lock_take(dir_fd, NAME);
				char byte;

				if (lock_fd < 0) {
					continue;
				}
				if (read(inside[0], &byte, 1) != 1 ||
				    write(inside[1], &byte, 1) != 1) {
					_exit(1);
				}
				own_lock_drop(dir_fd, NAME, &lock_fd);
				got++;
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++) {
		int status;

		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("own_lock");
	TCase *tcase = tcase_create("own_lock");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_take_and_drop);
	tcase_add_test(tcase, test_stale);
	tcase_add_test(tcase, test_not_ours);
	tcase_add_test(tcase, test_never_two);
	suite_add_tcase(suite, tcase);
	return suite;
}
