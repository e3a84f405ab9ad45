/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/life/notify.h"
#include "unit/process.h"
#include "unit/scratch.h"

static unsigned descriptors;

static void set_up(void)
{
	unsetenv("NOTIFY_SOCKET");
	descriptors = process_descriptors();
}

static void tear_down(void)
{
	notify_close();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	ck_assert_uint_eq(process_descriptors(), descriptors);
}

/* A manager that listens at NAME, '@' in front for an abstract one. */
static int open_manager(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, name, len);
	if (name[0] == '@') {
		address.sun_path[0] = '\0';
	} else {
		unlink(name);
	}
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	notify_open();
	return fd;
}

static void assert_told(int manager_fd, const char *expected)
{
	char text[64] = "";

	ck_assert_int_eq(recv(manager_fd, text, sizeof(text) - 1, 0), strlen(expected));
	ck_assert_str_eq(text, expected);
	ck_assert_int_eq(recv(manager_fd, text, sizeof(text), 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

START_TEST(test_manager)
{
	struct scratch_path path = scratch_path("manager");
	char abstract[64];
	int none = -1;
	int manager_fd;

	snprintf(abstract, sizeof(abstract), "@ruptime-test-%d", (int)getpid());
	manager_fd = open_manager(_i ? abstract : path.text);
	notify_ready(&none);
	assert_told(manager_fd, "READY=1");
	notify_status("1 request");
	assert_told(manager_fd, "STATUS=1 request");
	notify_alive();
	assert_told(manager_fd, "WATCHDOG=1");
	notify_stopping();
	assert_told(manager_fd, "STOPPING=1");
	close(manager_fd);
}
END_TEST

/* It wants to know when the reload began, to tell it from one that it has forgotten. */
START_TEST(test_reloading)
{
	int manager_fd = open_manager(scratch_path("manager").text);
	uint64_t before_us = clock_now_ns() / CLOCK_US;
	unsigned long long usec;
	char text[128] = "";

	notify_reloading();
	ck_assert_int_gt(recv(manager_fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_int_eq(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	ck_assert_uint_ge(usec, before_us);
	ck_assert_uint_le(usec, clock_now_ns() / CLOCK_US);
	close(manager_fd);
}
END_TEST

START_TEST(test_watchdog)
{
	static const struct {
		const char *usec;
		const char *pid;	/* "": this process */
		uint64_t expected_ns;
	} wishes[] = {
		{ NULL, NULL, CLOCK_NEVER },
		{ "3000000", NULL, 1500 * CLOCK_MS },
		{ "3000000", "", 1500 * CLOCK_MS },
		{ "3000000", "1", CLOCK_NEVER },
		{ "0", "", CLOCK_NEVER },
		{ "-1", "", CLOCK_NEVER },
		{ "3s", "", CLOCK_NEVER },
		{ "18446744073709551615", "", CLOCK_NEVER },
		{ "", "", CLOCK_NEVER },
	};

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		char pid[16];
		int manager_fd;

		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (wishes[i].usec) {
			setenv("WATCHDOG_USEC", wishes[i].usec, 1);
		}
		if (wishes[i].pid) {
			setenv("WATCHDOG_PID", wishes[i].pid[0] ? wishes[i].pid : pid, 1);
		}
		manager_fd = open_manager(scratch_path("manager").text);
		ck_assert_uint_eq(notify_watchdog_ns(), wishes[i].expected_ns);
		close(manager_fd);
	}
	/* No manager to tell. */
	setenv("WATCHDOG_USEC", "3000000", 1);
	unsetenv("NOTIFY_SOCKET");
	notify_open();
	ck_assert_uint_eq(notify_watchdog_ns(), CLOCK_NEVER);
}
END_TEST

START_TEST(test_ready_fd)
{
	int fds[2];
	int number;
	char text[8];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	number = fds[1];
	notify_ready(&fds[1]);
	ck_assert_int_eq(fds[1], -1);
	ck_assert_int_eq(fcntl(number, F_GETFD), -1);
	ck_assert_int_eq(read(fds[0], text, sizeof(text)), 1);
	ck_assert_int_eq(text[0], '\n');
	ck_assert_int_eq(read(fds[0], text, sizeof(text)), 0);
	close(fds[0]);
}
END_TEST

/* A manager that does not read, has gone or never was holds up nothing. */
START_TEST(test_nobody_listens)
{
	char longest[200];
	int fds[2];
	int manager_fd;

	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned i = 0; i < 5; i++) {
		static const char *const names[] = { "", "/", "relative", "/nonexistent/socket" };
		int none = -1;

		setenv("NOTIFY_SOCKET", i < 4 ? names[i] : longest, 1);
		notify_open();
		ck_assert(notify_has_manager() == (i == 3));
		notify_ready(&none);
		notify_stopping();
	}
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	notify_ready(&fds[1]);
	ck_assert_int_eq(fds[1], -1);
	/* One that does not read: its buffer fills up, and the server does not wait for it. */
	manager_fd = open_manager(scratch_path("manager").text);
	for (unsigned i = 0; i < 2000; i++) {
		notify_stopping();
	}
	close(manager_fd);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("notify");
	TCase *tcase = tcase_create("notify");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, test_manager, 0, 2);
	tcase_add_test(tcase, test_reloading);
	tcase_add_test(tcase, test_watchdog);
	tcase_add_test(tcase, test_ready_fd);
	tcase_add_test(tcase, test_nobody_listens);
	suite_add_tcase(suite, tcase);
	return suite;
}
