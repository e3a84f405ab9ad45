/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/io.h"
#include "unit/process.h"
#include "unit/sockets.h"

static struct sockets_pair pair;
static unsigned open_before;

static void set_up(void)
{
	pair = sockets_unix_pair();
	open_before = process_descriptors();
}

static void tear_down(void)
{
	ck_assert_uint_eq(process_descriptors(), open_before);
	sockets_close(&pair);
}

/* COUNT duplicates of FD with LEN bytes. */
static void send_many(int fd, unsigned count, size_t len)
{
	static const char data[4096];
	_Alignas(struct cmsghdr) char control[FDPASS_CONTROL_BYTES] = { 0 };
	struct iovec part = { (char *)(uintptr_t)data, len };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

	if (count) {
		struct cmsghdr *c;

		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		for (unsigned i = 0; i < count; i++) {
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
		}
	}
	ck_assert_int_eq(sendmsg(pair.client_fd, &header, MSG_NOSIGNAL), (ssize_t)len);
}

static enum fdpass_result receive(int *passed_fd)
{
	return fdpass_receive(pair.server_fd, passed_fd);
}

START_TEST(test_one)
{
	struct stat sent;
	struct stat got;
	int passed_fd;

	ck_assert_int_eq(fdpass_send(pair.client_fd, STDIN_FILENO), 0);
	ck_assert_int_eq(receive(&passed_fd), FDPASS_GOT);
	ck_assert_int_eq(fstat(STDIN_FILENO, &sent), 0);
	ck_assert_int_eq(fstat(passed_fd, &got), 0);
	ck_assert(sent.st_dev == got.st_dev && sent.st_ino == got.st_ino);
	ck_assert_int_eq(fcntl(passed_fd, F_GETFD), FD_CLOEXEC);
	fdpass_discard(&passed_fd);
	ck_assert_int_eq(passed_fd, -1);
	fdpass_discard(&passed_fd);
}
END_TEST

START_TEST(test_other_counts)
{
	static const unsigned counts[] = { 0, 2, 3, 5, FDPASS_MAX };
	int passed_fd = 77;

	send_many(STDIN_FILENO, counts[_i], 1);
	ck_assert_int_eq(receive(&passed_fd), counts[_i] ? FDPASS_TOO_MANY : FDPASS_NONE);
	ck_assert_int_eq(passed_fd, -1);
}
END_TEST

START_TEST(test_nothing_yet_and_the_end)
{
	int passed_fd = 77;

	ck_assert_int_eq(receive(&passed_fd), FDPASS_LATER);
	ck_assert_int_eq(passed_fd, -1);
	io_close(&pair.client_fd);
	open_before--;
	ck_assert_int_eq(receive(&passed_fd), FDPASS_END);
	ck_assert_int_eq(passed_fd, -1);
}
END_TEST

/* The limit that leaves COUNT numbers free: what the test inherited may have gaps. */
static rlim_t limit_leaving(unsigned count)
{
	int fd = 0;

	for (unsigned left = count + 1;; fd++) {
		left -= fcntl(fd, F_GETFD) < 0;
		if (left == 0) {
			return (rlim_t)fd;
		}
	}
}

/* Does a limit that we set reach the kernel? valgrind keeps it to itself. */
static bool limits_are_real(struct rlimit limit)
{
	unsigned long long soft = 0;
	char line[256];
	FILE *limits;

	limit.rlim_cur--;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	limits = fopen("/proc/self/limits", "re");
	ck_assert_ptr_nonnull(limits);
	while (fgets(line, sizeof(line), limits) &&
	       sscanf(line, "Max open files %llu", &soft) != 1) {
	}
	fclose(limits);
	return soft == limit.rlim_cur;
}

/* With 0 to 4 numbers left, and 1 to 5 descriptors on their way. */
START_TEST(test_near_the_limit)
{
	unsigned left = (unsigned)_i / 5;
	unsigned count = (unsigned)_i % 5 + 1;
	struct rlimit before;
	struct rlimit limit;
	int passed_fd;
	enum fdpass_result result;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	if (!limits_are_real(before)) {
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
		return;
	}
	limit = (struct rlimit){ limit_leaving(left), before.rlim_max };
	send_many(STDIN_FILENO, count, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	result = receive(&passed_fd);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(result == FDPASS_GOT, left > 0 && count == 1);
	if (result == FDPASS_GOT) {
		ck_assert_uint_eq(count, 1);
		fdpass_discard(&passed_fd);
	} else {
		/* How many came is not known if there was no room for even one. */
		ck_assert_int_eq(result, left ? FDPASS_TOO_MANY : FDPASS_SHORTAGE);
	}
	ck_assert_int_eq(passed_fd, -1);
	ck_assert(process_descriptors() == open_before);
}
END_TEST

/* A TCP socket whose close() waits 30 s for a peer that does not read. */
static int lingering_socket(struct sockets_pair *tcp)
{
	static const char bytes[65536];
	struct linger linger = { .l_onoff = 1, .l_linger = 30 };

	*tcp = sockets_tcp_pair();
	while (send(tcp->client_fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
	}
	ck_assert_int_eq(setsockopt(tcp->client_fd, SOL_SOCKET, SO_LINGER, &linger,
		sizeof(linger)), 0);
	return tcp->client_fd;
}

/* Received for itself, among too many, or by who wants nothing of the kind. */
START_TEST(test_lingering_sockets_do_not_block)
{
	struct sockets_pair tcp;
	int fd = lingering_socket(&tcp);
	uint64_t began_ns;
	int passed_fd = -1;
	char bytes[16];

	send_many(fd, _i == 0 ? 1 : 3, 1);
	/* Only what is on its way is left of it; nothing waits in this process. */
	ck_assert_int_eq(dup2(STDIN_FILENO, fd), fd);
	began_ns = clock_now_ns();
	if (_i == 2) {
		ck_assert_int_eq(fdpass_skip(pair.server_fd, bytes, sizeof(bytes)), 1);
	} else {
		ck_assert_int_eq(receive(&passed_fd), _i ? FDPASS_TOO_MANY : FDPASS_GOT);
		fdpass_discard(&passed_fd);
	}
	ck_assert_uint_lt(clock_now_ns() - began_ns, process_slow_ns(CLOCK_S));
	sockets_close(&tcp);
}
END_TEST

START_TEST(test_skip)
{
	char bytes[4096];

	errno = 0;
	ck_assert_int_eq(fdpass_skip(pair.server_fd, bytes, sizeof(bytes)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	for (unsigned count = 0; count <= FDPASS_MAX; count += 11) {
		send_many(STDIN_FILENO, count, 100);
		ck_assert_int_eq(fdpass_skip(pair.server_fd, bytes, sizeof(bytes)), 100);
		ck_assert_uint_eq(process_descriptors(), open_before);
	}
	shutdown(pair.client_fd, SHUT_WR);
	ck_assert_int_eq(fdpass_skip(pair.server_fd, bytes, sizeof(bytes)), 0);
}
END_TEST

/* Where the kernel knows no such option, what comes is discarded in the end. */
START_TEST(test_refuse)
{
	char bytes[16];

	fdpass_refuse(pair.server_fd);
	if (fdpass_send(pair.client_fd, STDIN_FILENO) == 0) {
		ck_assert_int_eq(fdpass_skip(pair.server_fd, bytes, sizeof(bytes)), 1);
	} else {
		ck_assert_int_eq(errno, EPERM);
	}
	send_many(-1, 0, 1);
	ck_assert_int_eq(fdpass_skip(pair.server_fd, bytes, sizeof(bytes)), 1);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("fdpass");
	TCase *tcase = tcase_create("fdpass");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_one);
	tcase_add_loop_test(tcase, test_other_counts, 0, 5);
	tcase_add_test(tcase, test_nothing_yet_and_the_end);
	tcase_add_loop_test(tcase, test_near_the_limit, 0, 25);
	tcase_add_loop_test(tcase, test_lingering_sockets_do_not_block, 0, 3);
	tcase_add_test(tcase, test_skip);
	tcase_add_test(tcase, test_refuse);
	suite_add_tcase(suite, tcase);
	return suite;
}
