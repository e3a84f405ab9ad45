/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/life/pid_file.h"
#include "unit/scratch.h"

static struct scratch_path path;

static void set_up(void)
{
	path = scratch_path("pid");
	unlink(path.text);
}

static void assert_holds(const char *expected)
{
	char text[64] = "";
	int fd = open(path.text, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	ck_assert_str_eq(text, expected);
}

static const char *our_number(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	return text;
}

START_TEST(test_open_and_close)
{
	int pid_fd = pid_file_open(path.text, false);

	ck_assert_int_ge(pid_fd, 0);
	ck_assert_int_ne(fcntl(pid_fd, F_GETFD) & FD_CLOEXEC, 0);
	assert_holds(our_number());
	pid_file_close(path.text, &pid_fd);
	ck_assert_int_eq(pid_fd, -1);
	ck_assert_int_eq(access(path.text, F_OK), -1);
	pid_file_close(path.text, &pid_fd);
}
END_TEST

/* What a daemon that was killed left behind, longer than what we write. */
START_TEST(test_stale)
{
	int pid_fd;

	scratch_file("pid", "12345678901234567890\nand more\n", 0644);
	pid_fd = pid_file_open(path.text, false);
	ck_assert_int_ge(pid_fd, 0);
	assert_holds(our_number());
	pid_file_close(path.text, &pid_fd);
}
END_TEST

/* A lock is a process's: it takes another one to meet it. Returns that one's errno, or 0. */
static int open_elsewhere(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		_exit(pid_file_open(path.text, false) < 0 ? errno : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(test_held_by_another)
{
	int pid_fd = pid_file_open(path.text, false);

	ck_assert_int_eq(open_elsewhere(), EAGAIN);
	assert_holds(our_number());
	pid_file_close(path.text, &pid_fd);
	ck_assert_int_eq(open_elsewhere(), 0);
}
END_TEST

/* Any user who may read the file may lock it for reading, and keeps no server from its start. */
START_TEST(test_lock_of_a_reader)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int reader_fd;

	scratch_file("pid", "77\n", 0644);
	reader_fd = open(path.text, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fcntl(reader_fd, F_SETLK, &lock), 0);
	ck_assert_int_eq(open_elsewhere(), 0);
	close(reader_fd);
}
END_TEST

/* The same where it waits for the lock, and gets it when the server ends. */
START_TEST(test_reader_that_waits)
{
	int pid_fd = pid_file_open(path.text, false);
	int got[2];
	pid_t pid;

	ck_assert_int_eq(pipe(got), 0);
	pid = fork();
	if (pid == 0) {
		struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
		int reader_fd = open(path.text, O_RDONLY | O_CLOEXEC);

		(void)!write(got[1], "", 1);
		(void)!write(got[1], fcntl(reader_fd, F_SETLKW, &lock) < 0 ? "x" : "", 1);
		(void)pause();
	}
	ck_assert_int_eq(read(got[0], &(char){ 0 }, 1), 1);
	/* As where the file cannot be removed. */
	close(pid_fd);
	ck_assert_int_eq(read(got[0], &(char){ 0 }, 1), 1);
	pid_fd = pid_file_open(path.text, false);
	ck_assert_int_ge(pid_fd, 0);
	/* First: to close a file of that name ends our lock. */
	ck_assert_int_eq(open_elsewhere(), EAGAIN);
	assert_holds(our_number());
	pid_file_close(path.text, &pid_fd);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* Of several that start at once over a stale file one gets it, and it is the one with the name. */
#define STARTERS 8

START_TEST(test_starting_at_once)
{
	int done[2];
	int go[2];
	int winners = 0;
	pid_t winner = 0;
	char text[32];

	scratch_file("pid", "77\n", 0644);
	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(pipe(done), 0);
	for (int i = 0; i < STARTERS; i++) {
		if (fork() == 0) {
			pid_t got = 0;

			close(go[1]);
			(void)!read(go[0], &(char){ 0 }, 1);
			if (pid_file_open(path.text, false) >= 0) {
				got = getpid();
			}
			(void)!write(done[1], &got, sizeof(got));
			(void)pause();
		}
	}
	close(go[1]);
	for (int i = 0; i < STARTERS; i++) {
		pid_t got;

		ck_assert_int_eq(read(done[0], &got, sizeof(got)), sizeof(got));
		winners += got != 0;
		winner = got ? got : winner;
	}
	ck_assert_int_eq(winners, 1);
	snprintf(text, sizeof(text), "%d\n", (int)winner);
	assert_holds(text);
}
END_TEST

/* A file that another put in our file's place is not ours to remove. */
START_TEST(test_replaced)
{
	int pid_fd = pid_file_open(path.text, false);

	scratch_file("pid", "77\n", 0644);
	pid_file_close(path.text, &pid_fd);
	assert_holds("77\n");
}
END_TEST

START_TEST(test_refused)
{
	struct scratch_path link = scratch_path("link");

	ck_assert_int_eq(pid_file_open(scratch_path("missing/pid").text, false), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(pid_file_open(scratch_path("").text, false), -1);
	ck_assert_int_eq(errno, EISDIR);
	/* Root does not write where a link in a directory of others leads. */
	ck_assert_int_eq(symlink(path.text, link.text), 0);
	ck_assert_int_eq(pid_file_open(link.text, false), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(access(path.text, F_OK), -1);
	ck_assert_int_eq(access(scratch_path("pid.new").text, F_OK), -1);
	ck_assert_int_eq(mkfifo(path.text, 0600), 0);
	ck_assert_int_eq(pid_file_open(path.text, false), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* What could not be written is not left behind. */
START_TEST(test_no_space)
{
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	struct rlimit before;
	struct rlimit none;
	int error;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_int_eq(pid_file_open(path.text, false), -1);
	error = errno;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, handler);
	ck_assert_int_eq(error, EFBIG);
	ck_assert_int_eq(access(path.text, F_OK), -1);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("pid_file");
	TCase *tcase = tcase_create("pid_file");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, test_open_and_close);
	tcase_add_test(tcase, test_stale);
	tcase_add_test(tcase, test_held_by_another);
	tcase_add_test(tcase, test_lock_of_a_reader);
	tcase_add_test(tcase, test_reader_that_waits);
	tcase_add_loop_test(tcase, test_starting_at_once, 0, 20);
	tcase_add_test(tcase, test_replaced);
	tcase_add_test(tcase, test_refused);
	tcase_add_test(tcase, test_no_space);
	suite_add_tcase(suite, tcase);
	return suite;
}
