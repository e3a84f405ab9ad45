/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <fcntl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/server.h"
#include "unit/capture.h"
#include "unit/process.h"
#include "unit/scratch.h"
#include "unit/sockets.h"

/* Linked with --wrap: every call of pthread_create() comes here. */
static int refused_thread = -1;
static int threads_asked_for;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*main)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*main)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*main)(void *), void *argument)
{
	return threads_asked_for++ == refused_thread
		       ? EAGAIN
		       : __real_pthread_create(thread, attributes, main, argument);
}

static struct scratch_path command;
static struct runner_config config;
static struct runner *runner;
static struct listener_set listeners;
static struct server *server;
static unsigned descriptors;

static void start(const char *script, unsigned queue)
{
	struct message_report failed;
	struct settings settings = { .workers = 2, .queue = queue, .max_per_source = 64,
		.run_timeout_ns = 50 * CLOCK_S };

	command = scratch_command("uptime", script);
	config = (struct runner_config){ .command = command.text };
	runner = runner_new(&config, &failed);
	descriptors = process_descriptors();
	listeners = (struct listener_set){ .all = NULL };
	sockets_listen(&listeners, ADDRESS_TCP);
	sockets_listen(&listeners, ADDRESS_UDP);
	server = server_start(&settings, &listeners, runner);
	ck_assert_ptr_nonnull(server);
}

static void stop(void)
{
	server_stop(server);
	server_free(server);
	listener_close_all(&listeners);
	ck_assert_uint_eq(process_descriptors(), descriptors);
	runner_free(runner);
}

static void assert_line(int fd)
{
	char text[64];

	ck_assert_int_eq(sockets_read_all(fd, text, sizeof(text)), 5);
	ck_assert_str_eq(text, "line\n");
}

static void assert_datagram(int fd)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };
	char text[64] = "";

	ck_assert_int_eq(poll(&input, 1, (int)(process_slow_ns(5 * CLOCK_S) / CLOCK_MS)), 1);
	ck_assert_int_eq(recv(fd, text, sizeof(text) - 1, 0), 5);
	ck_assert_str_eq(text, "line\n");
}

START_TEST(test_serves)
{
	int stream_fd;
	int datagram_fd;

	start("echo line", 4096);
	stream_fd = sockets_connect(&listeners.all[0]);
	datagram_fd = sockets_connect(&listeners.all[1]);
	assert_line(stream_fd);
	ck_assert_int_eq(send(datagram_fd, "?", 1, 0), 1);
	assert_datagram(datagram_fd);
	io_close(&stream_fd);
	io_close(&datagram_fd);
	stop();
}
END_TEST

/* A queue of one: the kernel keeps the others until their turn, and none is lost. */
START_TEST(test_back_pressure)
{
	int stream_fds[50];
	int datagram_fd;

	start("echo line", 1);
	datagram_fd = sockets_connect(&listeners.all[1]);
	for (int i = 0; i < 50; i++) {
		stream_fds[i] = sockets_connect(&listeners.all[0]);
		ck_assert_int_eq(send(datagram_fd, "?", 1, 0), 1);
	}
	for (int i = 0; i < 50; i++) {
		assert_line(stream_fds[i]);
		io_close(&stream_fds[i]);
		assert_datagram(datagram_fd);
	}
	io_close(&datagram_fd);
	stop();
}
END_TEST

/* A client that had connected or sent before the stop is answered by it, even from the backlog. */
START_TEST(test_stop_serves_all)
{
	int running_fd = scratch_fifo("running");
	char script[256];
	int fds[40];
	char byte;

	snprintf(script, sizeof(script), "echo >%s; echo line", scratch_path("running").text);
	start(script, 2);
	for (int i = 0; i < 40; i++) {
		fds[i] = sockets_connect(&listeners.all[i % 2]);
		ck_assert_int_eq(send(fds[i], "?", 1, 0), 1);
		ck_assert_int_eq(shutdown(fds[i], SHUT_WR), 0);
	}
	ck_assert_int_eq(read(running_fd, &byte, 1), 1);
	server_stop(server);
	for (int i = 0; i < 40; i++) {
		if (i % 2) {
			assert_datagram(fds[i]);
		} else {
			assert_line(fds[i]);
		}
		io_close(&fds[i]);
	}
	server_free(server);
	listener_close_all(&listeners);
	runner_free(runner);
	io_close(&running_fd);
}
END_TEST

/* accept() then fails though no client waits: stopping must not wait for it to succeed. */
START_TEST(test_stop_without_descriptors)
{
	struct rlimit limit;
	struct rlimit none;

	start("echo line", 64);
	capture_begin();
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	ck_assert_int_eq(dup(0), -1);
	server_stop(server);
	setrlimit(RLIMIT_NOFILE, &limit);
	capture_end();
	stop();
}
END_TEST

/* What waits while there is no descriptor is served once there is one again. */
START_TEST(test_starved)
{
	struct rlimit limit;
	struct rlimit none;
	char text[512];
	int fds[4];

	start("echo line", 64);
	capture_begin();
	for (int i = 0; i < 4; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	for (int i = 0; i < 4; i++) {
		struct sockaddr_storage to;
		socklen_t len = sizeof(to);

		getsockname(listeners.all[0].fd, (struct sockaddr *)&to, &len);
		ck_assert_int_eq(connect(fds[i], (struct sockaddr *)&to, len), 0);
	}
	/* The acceptor says once that it pauses. */
	while (capture_take(text, sizeof(text)) == 0) {
		poll(NULL, 0, 1);
	}
	ck_assert_ptr_nonnull(strstr(text, "accepting pauses: "));
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 4; i++) {
		assert_line(fds[i]);
		io_close(&fds[i]);
	}
	capture_end();
	stop();
}
END_TEST

static void listen_at(const char *text)
{
	struct listener_failure failure;
	struct address address;
	const char *why;

	ck_assert_int_eq(address_parse(&address, text, strlen(text), &why), 0);
	ck_assert_int_eq(
		listener_open(&listeners, &address, geteuid(), getegid(), &failure), 0);
}

/* Whichever thread cannot be started: no server, an error that says why, and nothing left. */
START_TEST(test_threads_that_do_not_start)
{
	struct message_report failed;
	struct settings settings = { .workers = 2, .queue = 64, .max_per_source = 64,
		.run_timeout_ns = CLOCK_S };
	char text[256];
	unsigned expected;

	command = scratch_command("uptime", "echo line");
	config = (struct runner_config){ .command = command.text };
	runner = runner_new(&config, &failed);
	descriptors = process_descriptors();
	for (refused_thread = 0;; refused_thread++) {
		listeners = (struct listener_set){ .all = NULL };
		sockets_listen(&listeners, ADDRESS_TCP);
		sockets_listen(&listeners, ADDRESS_UDP);
		snprintf(text, sizeof(text), "fdpass://%s", scratch_path("fdpass").text);
		listen_at(text);
		for (unsigned i = 0; i < 2; i++) {
			snprintf(text, sizeof(text), "msgq://%u",
				0x10000000u + 2 * ((unsigned)getpid() & 0xffffff) + i);
			listen_at(text);
		}
		expected = process_descriptors();
		threads_asked_for = 0;
		server = server_start(&settings, &listeners, runner);
		if (server) {
			break;
		}
		ck_assert_int_eq(errno, EAGAIN);
		ck_assert_int_eq(threads_asked_for, refused_thread + 1);
		/* The ends of the socketpairs that the msgq-K threads had, and closed. */
		ck_assert_uint_le(process_descriptors(), expected);
		listener_close_all(&listeners);
		ck_assert_uint_eq(process_descriptors(), descriptors);
	}
	/*
	 * The fdpass writer, two workers, the acceptor, the UDP receiver, two for the queues, the
	 * dispatcher and the fdpass acceptor.
	 */
	ck_assert_int_eq(refused_thread, 9);
	stop();
}
END_TEST

/* By the server's own clock, which is put forward here. */
START_TEST(test_progress)
{
	uint64_t now_ns;
	int fd;

	start("echo line", 64);
	now_ns = clock_now_ns();
	/* With nothing to do there is nothing to miss. */
	ck_assert(server_makes_progress(server, now_ns));
	ck_assert(server_makes_progress(server, now_ns + 3600 * CLOCK_S));
	stop();
	start("sleep 30; echo line", 64);
	fd = sockets_connect(&listeners.all[0]);
	now_ns = clock_now_ns();
	ck_assert(server_makes_progress(server, now_ns));
	/* A run has its time, and there is some more for all else. */
	while (server_makes_progress(server, now_ns + 3600 * CLOCK_S)) {
		ck_assert_uint_lt(clock_now_ns(), now_ns + process_slow_ns(CLOCK_S));
		poll(NULL, 0, 1);
	}
	ck_assert(server_makes_progress(server, now_ns + 2 * CLOCK_S));
	runner_give_up(runner);
	io_close(&fd);
	stop();
}
END_TEST

START_TEST(test_describe)
{
	char text[256];
	int fd;

	start("echo line", 64);
	server_describe(server, text, sizeof(text));
	ck_assert_str_eq(text, "0 requests: 0 answered, 0 dropped, 0 waiting");
	fd = sockets_connect(&listeners.all[1]);
	ck_assert_int_eq(send(fd, "no request", 10, 0), 10);
	ck_assert_int_eq(send(fd, "?", 1, 0), 1);
	assert_datagram(fd);
	io_close(&fd);
	server_stop(server);
	server_describe(server, text, sizeof(text));
	ck_assert_str_eq(text, "2 requests: 1 answered, 1 dropped, 0 waiting");
	stop();
}
END_TEST

START_TEST(test_state)
{
	char text[1024];
	int fd;

	start("echo line", 64);
	fd = sockets_connect(&listeners.all[1]);
	ck_assert_int_eq(send(fd, "no request", 10, 0), 10);
	ck_assert_int_eq(send(fd, "?", 1, 0), 1);
	assert_datagram(fd);
	io_close(&fd);
	server_stop(server);
	capture_begin();
	server_log_state(server);
	capture_take(text, sizeof(text));
	capture_end();
	ck_assert_msg(strstr(text, "state udp requests=2 replies=1 dropped=1 waiting=0 "
				   "(malformed=1)\n") != NULL,
		"%s", text);
	ck_assert_ptr_null(strstr(text, "state tcp"));
	ck_assert_ptr_nonnull(strstr(text, "state runs ok=1 failed=0 start=cold\n"));
	stop();
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("server");
	TCase *tcase = tcase_create("server");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, test_serves);
	tcase_add_test(tcase, test_back_pressure);
	tcase_add_test(tcase, test_progress);
	tcase_add_test(tcase, test_describe);
	tcase_add_test(tcase, test_stop_serves_all);
	tcase_add_test(tcase, test_stop_without_descriptors);
	tcase_add_test(tcase, test_starved);
	tcase_add_test(tcase, test_threads_that_do_not_start);
	tcase_add_test(tcase, test_state);
	suite_add_tcase(suite, tcase);
	return suite;
}
