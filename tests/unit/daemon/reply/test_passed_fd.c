/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/reply/passed_fd.h"
#include "unit/process.h"
#include "unit/scratch.h"

static const char line[] =
	" 12:34:56 up 3 days,  4:05,  2 users,  load average: 0.01, 0.02, 0.05\n";
#define LINE_BYTES (sizeof(line) - 1)

#define NOW	  "the descriptor cannot take the line now"
#define GONE	  "nobody reads from the descriptor any more"
#define SPACE	  "no space left"
#define CANNOT	  "the line cannot be written to the descriptor"
#define READ_ONLY "the descriptor is not open for writing"
#define NO_KIND	  "the descriptor is no file, pipe, socket or terminal"

static void set_up(void)
{
	sigset_t all;

	/* As in a worker. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	ck_assert_int_eq(passed_fd_thread_init(), 0);
}

static void tear_down(void)
{
	passed_fd_thread_fini();
}

/*
 * Write the line to FD and compare with WHY (NULL: it is written). Whatever FD is, it takes no
 * longer than the patience, and the flags that others share with us are as they were.
 */
static void write_line(int fd, const char *why)
{
	int flags = fcntl(fd, F_GETFL);
	unsigned open = process_descriptors();
	uint64_t began_ns = clock_now_ns();
	const char *result = passed_fd_write(fd, line, LINE_BYTES);
	uint64_t took_ns = clock_now_ns() - began_ns;

	ck_assert_pstr_eq(result, why);
	ck_assert_uint_lt(took_ns, process_slow_ns(10 * DESCRIPTOR_PATIENCE_MS * CLOCK_MS));
	ck_assert_int_eq(fcntl(fd, F_GETFL), flags);
	ck_assert_uint_eq(process_descriptors(), open);
}

static void read_line(int fd)
{
	char got[256];

	ck_assert_int_eq(read(fd, got, sizeof(got)), (ssize_t)LINE_BYTES);
	ck_assert_mem_eq(got, line, LINE_BYTES);
}

/* Blocking, as strangers have them, but for the filling. */
static void fill(int fd)
{
	static const char bytes[4096];
	int flags = fcntl(fd, F_GETFL);

	ck_assert_int_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
	for (size_t size = sizeof(bytes); size > 0; size /= 2) {
		while (write(fd, bytes, size) > 0) {
		}
	}
	ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
}

/* A terminal's bytes go through several buffers: until there is no room for a while. */
static void fill_terminal(int tty_fd)
{
	struct pollfd room = { .fd = tty_fd, .events = POLLOUT };

	do {
		fill(tty_fd);
	} while (poll(&room, 1, 50) == 1);
}

START_TEST(test_file)
{
	struct scratch_path path = scratch_file("file", "before\n", 0600);
	int fd = open(path.text, O_RDWR | O_APPEND | O_CLOEXEC);

	write_line(fd, NULL);
	ck_assert_int_eq(lseek(fd, 7, SEEK_SET), 7);
	read_line(fd);
	io_close(&fd);
}
END_TEST

START_TEST(test_not_for_writing)
{
	struct scratch_path path = scratch_file("file", "", 0600);
	static const struct {
		const char *path;	/* NULL: the file */
		int flags;
	} cases[] = {
		{ NULL, O_RDONLY },
		{ NULL, O_PATH },
		{ "/tmp", O_RDONLY | O_DIRECTORY },
		{ "/tmp", O_PATH | O_DIRECTORY },
		{ "/dev/null", O_RDONLY },
		{ "/proc/self/status", O_RDONLY },
	};
	int fd = open(cases[_i].path ? cases[_i].path : path.text, cases[_i].flags | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	write_line(fd, READ_ONLY);
	io_close(&fd);
}
END_TEST

START_TEST(test_devices)
{
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int full_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	write_line(null_fd, NULL);
	write_line(full_fd, SPACE);
	io_close(&null_fd);
	io_close(&full_fd);
}
END_TEST

START_TEST(test_no_kind_of_ours)
{
	int fd = _i ? eventfd(0, EFD_CLOEXEC) : epoll_create1(EPOLL_CLOEXEC);

	write_line(fd, NO_KIND);
	io_close(&fd);
	ck_assert_str_eq(passed_fd_write(fd, line, LINE_BYTES), "the descriptor is of no use");
	ck_assert_str_eq(passed_fd_write(9999, line, LINE_BYTES), "the descriptor is of no use");
}
END_TEST

START_TEST(test_pipe)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	write_line(ends[0], READ_ONLY);
	write_line(ends[1], NULL);
	read_line(ends[0]);
	fill(ends[1]);
	write_line(ends[1], NOW);
	io_close(&ends[0]);
	write_line(ends[1], GONE);
	io_close(&ends[1]);
}
END_TEST

/* A FIFO that is read and written by one descriptor. */
START_TEST(test_fifo)
{
	int fd = scratch_fifo("fifo");

	write_line(fd, NULL);
	read_line(fd);
	fill(fd);
	write_line(fd, NOW);
	io_close(&fd);
}
END_TEST

START_TEST(test_socketpair)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, types[_i] | SOCK_CLOEXEC, 0, ends), 0);
	write_line(ends[1], NULL);
	read_line(ends[0]);
	fill(ends[1]);
	write_line(ends[1], NOW);
	io_close(&ends[0]);
	/* A datagram socket's peer does not break the pipe: it refuses, or has reset. */
	if (types[_i] == SOCK_DGRAM) {
		ck_assert_ptr_nonnull(passed_fd_write(ends[1], line, LINE_BYTES));
	} else {
		write_line(ends[1], GONE);
	}
	io_close(&ends[1]);
}
END_TEST

START_TEST(test_sockets_without_a_peer)
{
	int tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	write_line(tcp_fd, GONE);
	ck_assert_int_eq(listen(tcp_fd, 1), 0);
	write_line(tcp_fd, GONE);
	write_line(udp_fd, CANNOT);
	io_close(&tcp_fd);
	io_close(&udp_fd);
}
END_TEST

/* The two sides of a terminal in its raw state; *TTY_FD is what a program has as its output. */
static int open_terminal(int *tty_fd)
{
	int pty_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios settings;

	ck_assert_int_ge(pty_fd, 0);
	ck_assert_int_eq(grantpt(pty_fd), 0);
	ck_assert_int_eq(unlockpt(pty_fd), 0);
	*tty_fd = open(ptsname(pty_fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(*tty_fd, 0);
	ck_assert_int_eq(tcgetattr(*tty_fd, &settings), 0);
	cfmakeraw(&settings);
	ck_assert_int_eq(tcsetattr(*tty_fd, TCSANOW, &settings), 0);
	return pty_fd;
}

START_TEST(test_terminal)
{
	int tty_fd;
	int pty_fd = open_terminal(&tty_fd);

	write_line(tty_fd, NULL);
	read_line(pty_fd);
	fill_terminal(tty_fd);
	write_line(tty_fd, NOW);
	io_close(&pty_fd);
	ck_assert_ptr_nonnull(passed_fd_write(tty_fd, line, LINE_BYTES));
	io_close(&tty_fd);
}
END_TEST

START_TEST(test_stopped_terminal)
{
	int tty_fd;
	int pty_fd = open_terminal(&tty_fd);

	ck_assert_int_eq(tcflow(tty_fd, TCOOFF), 0);
	write_line(tty_fd, NOW);
	ck_assert_int_eq(tcflow(tty_fd, TCOON), 0);
	write_line(tty_fd, NULL);
	read_line(pty_fd);
	io_close(&pty_fd);
	io_close(&tty_fd);
}
END_TEST

/* There is room, says poll(), but for less than all of a long line: write() would wait. */
START_TEST(test_terminal_with_little_room)
{
	static char text[4000];
	char bytes[512];
	bool met = false;
	int tty_fd;
	int pty_fd = open_terminal(&tty_fd);

	memset(text, 'x', sizeof(text));
	fill_terminal(tty_fd);
	/* Read a little at a time: sooner or later it is too little. */
	for (int i = 0; i < 500 && !met; i++) {
		uint64_t began_ns = clock_now_ns();
		const char *why = passed_fd_write(tty_fd, text, sizeof(text));

		ck_assert_uint_lt(clock_now_ns() - began_ns,
			process_slow_ns(10 * DESCRIPTOR_PATIENCE_MS * CLOCK_MS));
		met = why && strcmp(why, NOW) != 0;
		if (met) {
			ck_assert_str_eq(why, "the descriptor took only a part of the line");
		}
		ck_assert_int_gt(read(pty_fd, bytes, sizeof(bytes)), 0);
	}
	ck_assert(met);
	io_close(&pty_fd);
	io_close(&tty_fd);
}
END_TEST

/* Without a timer of the thread's own no terminal is written to, since nothing would end it. */
START_TEST(test_thread_without_a_timer)
{
	int tty_fd;
	int pty_fd = open_terminal(&tty_fd);

	passed_fd_thread_fini();
	write_line(tty_fd, NOW);
	passed_fd_thread_fini();
	ck_assert_int_eq(passed_fd_thread_init(), 0);
	write_line(tty_fd, NULL);
	io_close(&pty_fd);
	io_close(&tty_fd);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("passed_fd");
	TCase *tcase = tcase_create("descriptor");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_file);
	tcase_add_loop_test(tcase, test_not_for_writing, 0, 6);
	tcase_add_test(tcase, test_devices);
	tcase_add_loop_test(tcase, test_no_kind_of_ours, 0, 2);
	tcase_add_test(tcase, test_pipe);
	tcase_add_test(tcase, test_fifo);
	tcase_add_loop_test(tcase, test_socketpair, 0, 3);
	tcase_add_test(tcase, test_sockets_without_a_peer);
	tcase_add_test(tcase, test_terminal);
	tcase_add_test(tcase, test_stopped_terminal);
	tcase_add_test(tcase, test_terminal_with_little_room);
	tcase_add_test(tcase, test_thread_without_a_timer);
	suite_add_tcase(suite, tcase);
	return suite;
}
