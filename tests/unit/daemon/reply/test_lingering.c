/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/reply/lingering.h"
#include "unit/process.h"
#include "unit/sockets.h"

/* Nothing here looks at a clock: the time is what we say it is. */
#define NOW_NS (1000 * CLOCK_S)

/* As lingering.h says. */
#define FIRST_NS (8 * CLOCK_MS)
#define LOOKS	 7

#define CAPACITY 4

/* More than three quarters of it are a crowd. */
#define ROOM 8

static struct connections *connections;
static struct lingering *lingering;

static void set_up(void)
{
	connections = connections_new(ROOM, ROOM, NULL);
	lingering = lingering_new(CAPACITY, connections);
	ck_assert_ptr_nonnull(lingering);
}

static void tear_down(void)
{
	lingering_free(lingering);
	ck_assert_uint_eq(connections_open(connections), 0);
	connections_free(connections);
}

/* Returns what it counts for. */
static unsigned enter(int conn_fd)
{
	const union connections_peer peer = {
		.in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) },
	};
	unsigned source;

	ck_assert_int_eq(connections_enter(connections, conn_fd, 1, &peer, &source),
		CONNECTIONS_WELCOME);
	return source;
}

/* Answer on the server's side, and give it away. Returns the client's side. */
static int add(struct sockets_pair pair, uint64_t now_ns)
{
	ck_assert_int_eq(send(pair.server_fd, "line\n", 5, MSG_MORE | MSG_NOSIGNAL), 5);
	lingering_add(lingering, pair.server_fd, enter(pair.server_fd), false, false, now_ns);
	return pair.client_fd;
}

/* Until what the client did has reached the server's end. */
static void await(int fd, short events)
{
	struct pollfd item = { .fd = fd, .events = events };

	ck_assert_int_eq(poll(&item, 1, (int)(process_slow_ns(5 * CLOCK_S) / CLOCK_MS)), 1);
}

static bool is_closed(int client_fd)
{
	struct pollfd item = { .fd = client_fd, .events = 0 };

	/* POLLHUP: both directions are over; ours is not, as long as the server's end is open. */
	return poll(&item, 1, 0) == 1 && (item.revents & (POLLHUP | POLLERR));
}

START_TEST(test_empty)
{
	ck_assert_uint_eq(lingering_count(lingering), 0);
	ck_assert_uint_eq(lingering_due_ns(lingering), CLOCK_NEVER);
	lingering_sweep(lingering, NOW_NS);
	lingering_free(NULL);
}
END_TEST

START_TEST(test_closed_at_the_first_look)
{
	struct sockets_pair pair = _i ? sockets_tcp_pair() : sockets_unix_pair();
	int server_fd = pair.server_fd;
	int client_fd = add(pair, NOW_NS);
	unsigned open = process_descriptors();

	io_close(&client_fd);
	await(server_fd, POLLRDHUP);
	ck_assert_uint_eq(lingering_due_ns(lingering), NOW_NS + FIRST_NS);
	lingering_sweep(lingering, NOW_NS + FIRST_NS - 1);
	ck_assert_uint_eq(lingering_count(lingering), 1);
	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 0);
	ck_assert_uint_eq(lingering_due_ns(lingering), CLOCK_NEVER);
	ck_assert_uint_eq(process_descriptors(), open - 2);
}
END_TEST

/* 8 + 16 + 32 + ... + 512 ms, each look on time. */
START_TEST(test_waits_double)
{
	int client_fd = add(sockets_unix_pair(), NOW_NS);
	uint64_t now_ns = NOW_NS;

	for (unsigned look = 0; look < LOOKS; look++) {
		ck_assert_uint_eq(lingering_count(lingering), 1);
		ck_assert(!is_closed(client_fd));
		ck_assert_uint_eq(lingering_due_ns(lingering), now_ns + (FIRST_NS << look));
		now_ns += FIRST_NS << look;
		lingering_sweep(lingering, now_ns - 1);
		ck_assert_uint_eq(lingering_due_ns(lingering), now_ns);
		lingering_sweep(lingering, now_ns);
	}
	ck_assert_uint_eq(now_ns - NOW_NS, 127 * FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 0);
	ck_assert(is_closed(client_fd));
	io_close(&client_fd);
}
END_TEST

/* Of a socket that keeps boundaries, an empty message is not the end; and what follows is read. */
START_TEST(test_empty_record)
{
	int fds[2];
	char text[16];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(send(fds[0], "", 0, 0), 0);
	ck_assert_int_eq(send(fds[0], "more", 4, 0), 4);
	ck_assert_int_eq(send(fds[1], "line\n", 5, 0), 5);
	lingering_add(lingering, fds[1], enter(fds[1]), true, false, NOW_NS);
	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 1);
	ck_assert_int_eq(recv(fds[0], text, sizeof(text), 0), 5);
	ck_assert_int_eq(shutdown(fds[0], SHUT_WR), 0);
	lingering_sweep(lingering, NOW_NS + 3 * FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 0);
	ck_assert_int_eq(recv(fds[0], text, sizeof(text), 0), 0);
	io_close(&fds[0]);
}
END_TEST

/* A sweep that comes very late is one look, and not all of them at once. */
START_TEST(test_late_sweep_is_one_look)
{
	int client_fd = add(sockets_unix_pair(), NOW_NS);

	lingering_sweep(lingering, NOW_NS + 10 * CLOCK_S);
	ck_assert_uint_eq(lingering_count(lingering), 1);
	ck_assert_uint_eq(lingering_due_ns(lingering), NOW_NS + 10 * CLOCK_S + 2 * FIRST_NS);
	io_close(&client_fd);
}
END_TEST

START_TEST(test_due_is_the_earliest)
{
	int older_fd = add(sockets_unix_pair(), NOW_NS);
	int newer_fd;

	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	lingering_sweep(lingering, NOW_NS + 3 * FIRST_NS);
	newer_fd = add(sockets_unix_pair(), NOW_NS + 4 * FIRST_NS);
	/* The newer one's first look is due before the older one's third. */
	ck_assert_uint_eq(lingering_due_ns(lingering), NOW_NS + 5 * FIRST_NS);
	lingering_sweep(lingering, NOW_NS + 5 * FIRST_NS);
	/* Both are due after seven first waits now. */
	ck_assert_uint_eq(lingering_due_ns(lingering), NOW_NS + 7 * FIRST_NS);
	io_close(&older_fd);
	io_close(&newer_fd);
	lingering_sweep(lingering, NOW_NS + 7 * FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 0);
}
END_TEST

/* The point of it all: a client that talks, before or after its line, sees a clean end. */
START_TEST(test_no_reset)
{
	struct sockets_pair pair = sockets_tcp_pair();
	int client_fd = pair.client_fd;
	char text[64];
	int error = -1;
	socklen_t len = sizeof(error);

	ck_assert_int_eq(send(client_fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
	await(pair.server_fd, POLLIN);
	add(pair, NOW_NS);
	ck_assert_int_eq(send(client_fd, "more", 4, 0), 4);
	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 1);
	ck_assert_int_eq(sockets_read_all(client_fd, text, sizeof(text)), 5);
	ck_assert_str_eq(text, "line\n");
	ck_assert_int_eq(getsockopt(client_fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(shutdown(client_fd, SHUT_WR), 0);
	await(pair.server_fd, POLLRDHUP);
	lingering_sweep(lingering, NOW_NS + 3 * FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 0);
	await(client_fd, 0);
	ck_assert_int_eq(getsockopt(client_fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	ck_assert_int_eq(error, 0);
	io_close(&client_fd);
}
END_TEST

/* One look throws away a bounded amount, so that one client cannot keep a worker busy. */
START_TEST(test_talker)
{
	static char much[96 << 10];
	struct sockets_pair pair = sockets_unix_pair();
	int client_fd = add(pair, NOW_NS);
	int bytes = 1 << 20;
	char text[64];

	ck_assert_int_eq(setsockopt(client_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
	ck_assert_int_eq(send(client_fd, much, sizeof(much), MSG_DONTWAIT), sizeof(much));
	ck_assert_int_eq(shutdown(client_fd, SHUT_WR), 0);
	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 1);
	lingering_sweep(lingering, NOW_NS + 3 * FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 0);
	ck_assert_int_eq(sockets_read_all(client_fd, text, sizeof(text)), 5);
	io_close(&client_fd);
}
END_TEST

START_TEST(test_reset_by_client)
{
	struct sockets_pair pair = sockets_tcp_pair();
	struct linger abort_it = { .l_onoff = 1, .l_linger = 0 };
	int client_fd = add(pair, NOW_NS);

	setsockopt(client_fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it));
	io_close(&client_fd);
	await(pair.server_fd, POLLERR);
	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 0);
}
END_TEST

/* The connection that was looked at most often goes first; none goes before there is need. */
START_TEST(test_makes_room)
{
	int clients[CAPACITY + 2];
	uint64_t now_ns = NOW_NS;

	for (int i = 0; i < CAPACITY; i++) {
		clients[i] = add(sockets_unix_pair(), now_ns);
		if (i == 1) {
			now_ns += FIRST_NS;
			lingering_sweep(lingering, now_ns);
		}
	}
	for (int i = CAPACITY; i < CAPACITY + 2; i++) {
		ck_assert(!is_closed(clients[i - CAPACITY]));
		clients[i] = add(sockets_unix_pair(), now_ns);
		ck_assert_uint_eq(lingering_count(lingering), CAPACITY);
		ck_assert(is_closed(clients[i - CAPACITY]));
	}
	for (int i = 2; i < CAPACITY + 2; i++) {
		ck_assert(!is_closed(clients[i]));
	}
	for (int i = 0; i < CAPACITY + 2; i++) {
		io_close(&clients[i]);
	}
	lingering_sweep(lingering, now_ns + 10 * FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 0);
}
END_TEST

/* The one that makes room had talked: what it said is thrown away, so it still gets its line. */
START_TEST(test_room_without_reset)
{
	struct sockets_pair pair = sockets_tcp_pair();
	int client_fd = add(pair, NOW_NS);
	int others[CAPACITY];
	char text[64];

	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	ck_assert_int_eq(send(client_fd, "more", 4, 0), 4);
	await(pair.server_fd, POLLIN);
	for (int i = 0; i < CAPACITY; i++) {
		others[i] = add(sockets_unix_pair(), NOW_NS + FIRST_NS);
	}
	ck_assert_int_eq(sockets_read_all(client_fd, text, sizeof(text)), 5);
	io_close(&client_fd);
	for (int i = 0; i < CAPACITY; i++) {
		io_close(&others[i]);
	}
}
END_TEST

/* When there are too many, the one that was looked at gives way; the newest has its first look. */
START_TEST(test_a_crowd)
{
	int clients[CAPACITY];
	unsigned others[5];

	for (int i = 0; i < 3; i++) {
		clients[i] = add(sockets_unix_pair(), NOW_NS);
	}
	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	clients[3] = add(sockets_unix_pair(), NOW_NS + FIRST_NS);
	for (int i = 0; i < 2; i++) {
		others[i] = enter(-1);
	}
	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), CAPACITY);
	/* Long before they are due, and no more of them than need be. */
	others[2] = enter(-1);
	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), CAPACITY - 1);
	ck_assert(is_closed(clients[0]));
	for (int i = 3; i < 5; i++) {
		others[i] = enter(-1);
	}
	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 1);
	for (int i = 0; i < 3; i++) {
		ck_assert(is_closed(clients[i]));
		io_close(&clients[i]);
	}
	ck_assert(!is_closed(clients[3]));
	/* Now there is nothing else: it has its look early, and then it is like the others. */
	clients[0] = add(sockets_unix_pair(), NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 2);
	ck_assert(!is_closed(clients[3]));
	clients[1] = add(sockets_unix_pair(), NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 2);
	ck_assert(is_closed(clients[3]));
	ck_assert(!is_closed(clients[0]));
	for (int i = 0; i < 5; i++) {
		int none_fd = -1;

		connections_close(connections, &none_fd, others[i]);
	}
	lingering_sweep(lingering, NOW_NS + FIRST_NS);
	ck_assert_uint_eq(lingering_count(lingering), 2);
	io_close(&clients[0]);
	io_close(&clients[1]);
	io_close(&clients[3]);
}
END_TEST

/* More than are asked about at once: at each look, those that have ended are found among them. */
START_TEST(test_silent_crowd)
{
	enum { CROWD = 150 };
	struct connections *all = connections_new(2 * CROWD, 2 * CROWD, NULL);
	struct lingering *mine = lingering_new(CROWD, all);
	struct sockets_pair pairs[CROWD];
	uint64_t now_ns = NOW_NS;
	unsigned left = CROWD;

	for (int i = 0; i < CROWD; i++) {
		union connections_peer peer = { .in.sin_family = AF_INET };
		unsigned source;

		pairs[i] = sockets_unix_pair();
		ck_assert_int_eq(connections_enter(all, pairs[i].server_fd, 1, &peer, &source),
			CONNECTIONS_WELCOME);
		lingering_add(mine, pairs[i].server_fd, source, false, false, now_ns);
	}
	for (unsigned look = 0; look < LOOKS - 1; look++) {
		/* One in seven leaves, and one only has something to say. */
		for (unsigned i = look; i < CROWD; i += LOOKS) {
			io_close(&pairs[i].client_fd);
			left--;
		}
		for (unsigned i = look + 1; i < CROWD; i += LOOKS) {
			ck_assert_int_eq(send(pairs[i].client_fd, "?", 1, MSG_NOSIGNAL), 1);
		}
		now_ns += FIRST_NS << look;
		lingering_sweep(mine, now_ns);
		ck_assert_uint_eq(lingering_count(mine), left);
	}
	now_ns += FIRST_NS << (LOOKS - 1);
	lingering_sweep(mine, now_ns);
	ck_assert_uint_eq(lingering_count(mine), 0);
	for (int i = 0; i < CROWD; i++) {
		io_close(&pairs[i].client_fd);
	}
	lingering_free(mine);
	ck_assert_uint_eq(connections_open(all), 0);
	connections_free(all);
}
END_TEST

START_TEST(test_free_closes)
{
	unsigned open = process_descriptors();
	struct lingering *mine = lingering_new(2, connections);
	struct sockets_pair pair = sockets_unix_pair();

	lingering_add(mine, pair.server_fd, enter(pair.server_fd), false, false, NOW_NS);
	io_close(&pair.client_fd);
	lingering_free(mine);
	ck_assert_uint_eq(process_descriptors(), open);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("lingering");
	TCase *tcase = tcase_create("lingering");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, test_empty);
	tcase_add_loop_test(tcase, test_closed_at_the_first_look, 0, 2);
	tcase_add_test(tcase, test_waits_double);
	tcase_add_test(tcase, test_empty_record);
	tcase_add_test(tcase, test_late_sweep_is_one_look);
	tcase_add_test(tcase, test_due_is_the_earliest);
	tcase_add_test(tcase, test_no_reset);
	tcase_add_test(tcase, test_talker);
	tcase_add_test(tcase, test_reset_by_client);
	tcase_add_test(tcase, test_makes_room);
	tcase_add_test(tcase, test_room_without_reset);
	tcase_add_test(tcase, test_a_crowd);
	tcase_add_test(tcase, test_silent_crowd);
	tcase_add_test(tcase, test_free_closes);
	suite_add_tcase(suite, tcase);
	return suite;
}
