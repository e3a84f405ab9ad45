/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/compat.h"
#include "common/io.h"
#include "unit/old_kernel.h"

START_TEST(test_close)
{
	int fd = dup(0);
	int copy = fd;

	errno = ENOTTY;
	io_close(&fd);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(fcntl(copy, F_GETFD), -1);
	errno = ENOTTY;
	io_close(&fd);
	ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

/* With the call, and, second, without it. Holes and the ends of the range do not matter. */
START_TEST(test_close_range)
{
	int fds[40];

	for (int i = 0; i < 40; i++) {
		fds[i] = fcntl(0, F_DUPFD, 100 + 3 * i);
		ck_assert_int_eq(fds[i], 100 + 3 * i);
	}
	if (_i) {
		old_kernel(SYS_close_range);
		ck_assert_int_eq(close_range(100, 100, 0), -1);
	}
	ck_assert_int_eq(io_close_range(103, 214), 0);
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(fcntl(fds[i], F_GETFD) >= 0, i == 0 || i == 39);
	}
	ck_assert_int_eq(io_close_range(100, UINT_MAX), 0);
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), -1);
	ck_assert_int_eq(fcntl(fds[39], F_GETFD), -1);
}
END_TEST

struct reader {
	int fd;
	size_t count;
	int in_order;
};

static void *read_slowly(void *arg)
{
	struct reader *reader = arg;
	unsigned char chunk[777];
	ssize_t len;

	reader->in_order = 1;
	while ((len = read(reader->fd, chunk, sizeof(chunk))) > 0) {
		for (ssize_t i = 0; i < len; i++) {
			reader->in_order &= chunk[i] == (unsigned char)(reader->count++ % 251);
		}
	}
	return NULL;
}

/* More than a pipe holds, so that write() returns short. */
START_TEST(test_write_all)
{
	static unsigned char data[1 << 20];
	struct reader reader = { 0 };
	pthread_t thread;
	int ends[2];

	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = (unsigned char)(i % 251);
	}
	ck_assert_int_eq(pipe(ends), 0);
	reader.fd = ends[0];
	pthread_create(&thread, NULL, read_slowly, &reader);
	ck_assert_int_eq(io_write_all(ends[1], data, sizeof(data)), 0);
	close(ends[1]);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(reader.count, sizeof(data));
	ck_assert(reader.in_order);
	close(ends[0]);
}
END_TEST

START_TEST(test_write_to_nobody)
{
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(ends), 0);
	close(ends[0]);
	ck_assert_int_eq(io_write_all(ends[1], "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	close(ends[1]);
}
END_TEST

START_TEST(test_event)
{
	int event_fd = io_event_open();
	struct pollfd item = { .fd = event_fd, .events = POLLIN };

	ck_assert_int_ge(event_fd, 0);
	ck_assert_int_ne(fcntl(event_fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(poll(&item, 1, 0), 0);
	io_event_set(event_fd);
	io_event_set(event_fd);
	ck_assert_int_eq(poll(&item, 1, 0), 1);
	ck_assert_int_eq(poll(&item, 1, 0), 1);
	close(event_fd);
}
END_TEST

START_TEST(test_shortage)
{
	ck_assert(io_is_shortage(EMFILE));
	ck_assert(io_is_shortage(ENFILE));
	ck_assert(io_is_shortage(ENOBUFS));
	ck_assert(io_is_shortage(ENOMEM));
	ck_assert(!io_is_shortage(0));
	ck_assert(!io_is_shortage(ECONNREFUSED));
	ck_assert(!io_is_shortage(EAGAIN));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("io");
	TCase *tcase = tcase_create("io");

	tcase_add_test(tcase, test_close);
	tcase_add_loop_test(tcase, test_close_range, 0, 2);
	tcase_add_test(tcase, test_write_all);
	tcase_add_test(tcase, test_write_to_nobody);
	tcase_add_test(tcase, test_event);
	tcase_add_test(tcase, test_shortage);
	suite_add_tcase(suite, tcase);
	return suite;
}
