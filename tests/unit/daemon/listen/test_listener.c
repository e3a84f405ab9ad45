/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "daemon/listen/listener.h"
#include "daemon/listen/udp_socket.h"
#include "unit/process.h"
#include "unit/sockets.h"

static struct listener_set set;
static struct listener_failure failure;
static unsigned descriptors;

static void set_up(void)
{
	set = (struct listener_set){ .all = NULL };
	descriptors = process_descriptors();
}

static void tear_down(void)
{
	listener_close_all(&set);
	ck_assert_uint_eq(set.count, 0);
	ck_assert_ptr_null(set.all);
	ck_assert_uint_eq(process_descriptors(), descriptors);
}

static int open_at(const char *text)
{
	struct address address;
	const char *why;

	ck_assert_int_eq(address_parse(&address, text, strlen(text), &why), 0);
	return listener_open(&set, &address, getuid(), getgid(), &failure);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

START_TEST(test_open)
{
	static const char *const texts[] = { "tcp://127.0.0.1:0", "udp://127.0.0.1:0" };

	for (unsigned i = 0; i < 2; i++) {
		const struct listener *listener;

		ck_assert_int_eq(open_at(texts[i]), 0);
		ck_assert_uint_eq(set.count, i + 1);
		listener = &set.all[i];
		ck_assert_int_eq(listener_is_stream(listener), i == 0);
		ck_assert_int_eq(listener_is_datagram(listener), i == 1);
		ck_assert_str_eq(listener->address.host, "127.0.0.1");
		ck_assert_str_ne(listener->address.port, "0");
		ck_assert_int_ne(fcntl(listener->fd, F_GETFD) & FD_CLOEXEC, 0);
		ck_assert_int_ne(fcntl(listener->fd, F_GETFL) & O_NONBLOCK, 0);
		ck_assert_int_eq(option(listener->fd, SOL_SOCKET, SO_ACCEPTCONN), i == 0);
		/* Who is bound to one address answers from it, without being told. */
		if (i == 1) {
			ck_assert_int_eq(option(listener->fd, IPPROTO_IP, IP_PKTINFO), 0);
		}
	}
}
END_TEST

/* '*' is a socket for each family, on the same port, and shown as what it was. */
START_TEST(test_any_address)
{
	const char *text = _i ? "udp://*:0" : "tcp://*:0";

	ck_assert_int_eq(open_at(text), 0);
	ck_assert_uint_ge(set.count, 1);
	for (unsigned i = 0; i < set.count; i++) {
		ck_assert_str_eq(set.all[i].address.host, "");
		ck_assert_str_eq(set.all[i].address.port, set.all[0].address.port);
		int family = option(set.all[i].fd, SOL_SOCKET, SO_DOMAIN);

		if (family == AF_INET6) {
			ck_assert_int_eq(option(set.all[i].fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
		}
		if (_i && family == AF_INET) {
			ck_assert_int_eq(option(set.all[i].fd, IPPROTO_IP, IP_PKTINFO), 1);
		}
	}
}
END_TEST

START_TEST(test_taken)
{
	char text[64];

	ck_assert_int_eq(open_at("tcp://127.0.0.1:0"), 0);
	snprintf(text, sizeof(text), "tcp://127.0.0.1:%s", set.all[0].address.port);
	ck_assert_int_eq(open_at(text), -1);
	ck_assert_uint_eq(set.count, 1);
	ck_assert_ptr_nonnull(strstr(failure.why, strerror(EADDRINUSE)));
	ck_assert(!failure.not_permitted);
}
END_TEST

/* What all the hosts of a network are asked by is no address of a server. */
START_TEST(test_of_many)
{
	static const char *const texts[] = { "udp://224.0.0.1:0", "udp://255.255.255.255:0",
		"udp://127.255.255.255:0", "udp://[ff02::1]:0" };

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert_int_eq(open_at(texts[i]), -1);
		ck_assert_ptr_nonnull(strstr(failure.why, strerror(EADDRNOTAVAIL)));
		ck_assert_uint_eq(set.count, 0);
	}
}
END_TEST

/* More than fits: what was lost is known to the datagram. */
START_TEST(test_kernel_drops)
{
	struct listener *listener = sockets_listen(&set, ADDRESS_UDP);
	int client_fd = sockets_connect(listener);
	int little = 1;
	unsigned received = 0;
	char text[8];

	ck_assert_int_gt(udp_socket_buffer_bytes(listener->fd), 100000);
	ck_assert_uint_eq(udp_socket_kernel_drops(listener->fd), 0);
	setsockopt(listener->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	for (unsigned i = 0; i < 1000; i++) {
		ck_assert_int_eq(send(client_fd, "1", 1, 0), 1);
	}
	while (recv(listener->fd, text, sizeof(text), 0) == 1) {
		received++;
	}
	ck_assert_uint_lt(received, 1000);
	ck_assert_uint_eq(udp_socket_kernel_drops(listener->fd), 1000 - received);
	io_close(&client_fd);
}
END_TEST

START_TEST(test_not_ours)
{
	ck_assert_int_eq(open_at("tcp://192.0.2.1:0"), -1);
	ck_assert_ptr_nonnull(strstr(failure.why, strerror(EADDRNOTAVAIL)));
	ck_assert_uint_eq(set.count, 0);
	ck_assert_int_eq(open_at("tcp://no-such-host.invalid:0"), -1);
	ck_assert_str_ne(failure.why, "");
	ck_assert_uint_eq(set.count, 0);
}
END_TEST

/* On loopback a SYN has had its effect when a non-blocking connect() returns. */
START_TEST(test_shut_stream_door)
{
	struct listener *listener = sockets_listen(&set, ADDRESS_TCP);
	struct sockaddr_storage to;
	socklen_t len = sizeof(to);
	int early_fd = sockets_connect(listener);
	int late_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd late = { .fd = late_fd, .events = POLLOUT };
	int conn_fd;
	char byte = 0;

	ck_assert_int_ge(early_fd, 0);
	ck_assert_int_eq(listener_shut_door(listener), 0);
	getsockname(listener->fd, (struct sockaddr *)&to, &len);
	ck_assert_int_eq(connect(late_fd, (struct sockaddr *)&to, len), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	/* Who was there is served, data in both directions included. */
	conn_fd = accept(listener->fd, NULL, NULL);
	ck_assert_int_ge(conn_fd, 0);
	ck_assert_int_eq(send(early_fd, "a", 1, 0), 1);
	ck_assert_int_eq(recv(conn_fd, &byte, 1, 0), 1);
	ck_assert_int_eq(send(conn_fd, "b", 1, 0), 1);
	io_close(&conn_fd);
	ck_assert_int_eq(recv(early_fd, &byte, 1, 0), 1);
	ck_assert_int_eq(recv(early_fd, &byte, 1, 0), 0);
	ck_assert_int_eq(accept(listener->fd, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	/* Who comes late is refused, and need not wait for it. */
	ck_assert_int_eq(poll(&late, 1, -1), 1);
	ck_assert_int_eq(option(late_fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	io_close(&early_fd);
	io_close(&late_fd);
}
END_TEST

START_TEST(test_shut_datagram_door)
{
	struct listener *listener = sockets_listen(&set, ADDRESS_UDP);
	int client_fd = sockets_connect(listener);
	char text[8];

	ck_assert_int_eq(send(client_fd, "1", 1, 0), 1);
	ck_assert_int_eq(listener_shut_door(listener), 0);
	ck_assert_int_eq(send(client_fd, "2", 1, 0), 1);
	ck_assert_int_eq(recv(listener->fd, text, sizeof(text), 0), 1);
	ck_assert_int_eq(text[0], '1');
	ck_assert_int_eq(recv(listener->fd, text, sizeof(text), 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	io_close(&client_fd);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("listener");
	TCase *tcase = tcase_create("listener");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, test_open);
	tcase_add_loop_test(tcase, test_any_address, 0, 2);
	tcase_add_test(tcase, test_taken);
	tcase_add_test(tcase, test_of_many);
	tcase_add_test(tcase, test_kernel_drops);
	tcase_add_test(tcase, test_not_ours);
	tcase_add_test(tcase, test_shut_stream_door);
	tcase_add_test(tcase, test_shut_datagram_door);
	suite_add_tcase(suite, tcase);
	return suite;
}
