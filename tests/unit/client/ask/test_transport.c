/* SPDX-License-Identifier: MIT */
/*
 * A host with several addresses, on a clock that the test sets: only loopback sockets are real.
 */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/ask/transport.h"
#include "common/clock.h"
#include "common/io.h"

#define LINE	    " up 1 day\n"
#define DEADLINE_NS 1000
#define PATIENCE_MS 5000

static const struct address tcp = { .scheme = ADDRESS_TCP };
static const struct transport *const way = &client_transport_stream;
static const struct transport_common common = { .pass_fd = -1 };

/* A peer: a socket bound to 127.0.0.1, and its place in the list of the host's addresses. */
struct peer {
	int fd;
	struct sockaddr_in address;
	struct addrinfo info;
};

static void peer_open(struct peer *peer, int type, struct peer *next)
{
	socklen_t len = sizeof(peer->address);

	*peer = (struct peer){
		.address = { .sin_family = AF_INET },
		.info = { .ai_family = AF_INET, .ai_socktype = type, .ai_addrlen = len },
	};
	peer->info.ai_addr = (struct sockaddr *)&peer->address;
	peer->info.ai_next = next ? &next->info : NULL;
	peer->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer->fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(peer->fd, 0);
	ck_assert_int_eq(bind(peer->fd, peer->info.ai_addr, len), 0);
	ck_assert_int_eq(getsockname(peer->fd, peer->info.ai_addr, &len), 0);
}

static void wait_readable(int fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(poll(&readable, 1, PATIENCE_MS), 1);
}

/* Wait until something that the talk watches is ready. Returns its wake-up time. */
static uint64_t wait_watched(const struct transport *transport, void *talk)
{
	struct pollfd fds[TRANSPORT_WATCHED_MAX];
	uint64_t wake_ns = CLOCK_NEVER;
	unsigned count = transport->watch(talk, fds, &wake_ns);

	ck_assert_uint_gt(count, 0);
	ck_assert_int_gt(poll(fds, count, PATIENCE_MS), 0);
	return wake_ns;
}

static unsigned count_watched(const struct transport *transport, void *talk, uint64_t *wake_ns)
{
	struct pollfd fds[TRANSPORT_WATCHED_MAX];

	*wake_ns = CLOCK_NEVER;
	return transport->watch(talk, fds, wake_ns);
}

/* Accept the connection that waits at PEER, or is about to, and answer it. */
static void answer_connection(struct peer *peer)
{
	int conn_fd;

	wait_readable(peer->fd);
	conn_fd = accept4(peer->fd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(conn_fd, 0);
	ck_assert_int_eq(io_write_all(conn_fd, LINE, strlen(LINE)), 0);
	io_close(&conn_fd);
}

static enum transport_state step_until_decided(const struct transport *transport, void *talk,
	uint64_t now_ns, struct answer *answer)
{
	enum transport_state state;

	while ((state = transport->step(talk, now_ns, answer)) == TRANSPORT_PENDING) {
		wait_watched(transport, talk);
	}
	return state;
}

static const struct {
	uint64_t waited_ns;
	uint64_t rest_ns;
} looks[] = {
	{ 0, CLOCK_MS },
	{ 8 * CLOCK_MS - 1, CLOCK_MS },
	{ 16 * CLOCK_MS, 2 * CLOCK_MS },
	{ 160 * CLOCK_MS, 20 * CLOCK_MS },
	{ 161 * CLOCK_MS, 20 * CLOCK_MS },
	{ 365 * 24 * 3600 * CLOCK_S, 20 * CLOCK_MS },
};

START_TEST(test_look_again)
{
	uint64_t now_ns = 7 + looks[_i].waited_ns;

	ck_assert_uint_eq(transport_look_again_ns(7, now_ns), now_ns + looks[_i].rest_ns);
}
END_TEST

START_TEST(test_tcp_goes_on_after_a_refusal)
{
	void *talk = way->open(&tcp, &common, 0);
	struct answer answer;
	struct peer refusing;
	struct peer good;

	peer_open(&good, SOCK_STREAM, NULL);
	peer_open(&refusing, SOCK_STREAM, &good);
	ck_assert_int_eq(listen(good.fd, 1), 0);
	way->start(talk, &refusing.info, DEADLINE_NS);
	ck_assert_int_eq(way->step(talk, 0, &answer), TRANSPORT_PENDING);
	wait_watched(way, talk);
	ck_assert_int_eq(way->step(talk, 0, &answer), TRANSPORT_PENDING);
	answer_connection(&good);
	ck_assert_int_eq(step_until_decided(way, talk, 7, &answer),
		TRANSPORT_ANSWERED);
	ck_assert_str_eq(answer.line, LINE);
	ck_assert_uint_eq(answer.rtt_ns, 7);
	way->close(talk);
	io_close(&good.fd);
	io_close(&refusing.fd);
}
END_TEST

/* Make the kernel drop what else would connect to PEER. Returns the connection that fills it. */
static int fill_backlog(struct peer *peer)
{
	int conn_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(listen(peer->fd, 0), 0);
	ck_assert_int_eq(connect(conn_fd, peer->info.ai_addr, peer->info.ai_addrlen), 0);
	return conn_fd;
}

START_TEST(test_tcp_turns)
{
	void *talk = way->open(&tcp, &common, 0);
	struct answer answer;
	struct peer silent;
	struct peer good;
	uint64_t wake_ns;
	int conn_fd;

	peer_open(&good, SOCK_STREAM, NULL);
	peer_open(&silent, SOCK_STREAM, &good);
	ck_assert_int_eq(listen(good.fd, 1), 0);
	conn_fd = fill_backlog(&silent);
	way->start(talk, &silent.info, DEADLINE_NS);
	ck_assert_int_eq(way->step(talk, 0, &answer), TRANSPORT_PENDING);
	ck_assert_uint_eq(count_watched(way, talk, &wake_ns), 1);
	ck_assert_uint_eq(wake_ns, DEADLINE_NS / 2);
	ck_assert_int_eq(way->step(talk, wake_ns - 1, &answer), TRANSPORT_PENDING);
	ck_assert_int_eq(way->step(talk, wake_ns, &answer), TRANSPORT_PENDING);
	answer_connection(&good);
	ck_assert_int_eq(step_until_decided(way, talk, DEADLINE_NS / 2 + 1, &answer),
		TRANSPORT_ANSWERED);
	ck_assert_uint_eq(answer.rtt_ns, 1);
	way->close(talk);
	io_close(&conn_fd);
	io_close(&good.fd);
	io_close(&silent.fd);
}
END_TEST

START_TEST(test_tcp_times_out_connecting)
{
	void *talk = way->open(&tcp, &common, 0);
	struct answer answer;
	struct peer silent;
	uint64_t wake_ns;
	int conn_fd;

	peer_open(&silent, SOCK_STREAM, NULL);
	conn_fd = fill_backlog(&silent);
	/* Two tries of one talk: the second one begins anew. */
	for (uint64_t began_ns = 0; began_ns <= DEADLINE_NS; began_ns += DEADLINE_NS) {
		way->start(talk, &silent.info, began_ns + DEADLINE_NS);
		ck_assert_int_eq(way->step(talk, began_ns, &answer), TRANSPORT_PENDING);
		ck_assert_int_eq(way->step(talk, began_ns + DEADLINE_NS, &answer),
			TRANSPORT_FAILED);
		ck_assert_str_eq(answer.reason, strerror(ETIMEDOUT));
		ck_assert_str_eq(answer.line, "");
		/* Nothing goes on between the tries. */
		ck_assert_uint_eq(count_watched(way, talk, &wake_ns), 0);
		ck_assert_uint_eq(wake_ns, CLOCK_NEVER);
		ck_assert_int_eq(way->step(talk, CLOCK_NEVER, &answer),
			TRANSPORT_PENDING);
	}
	way->close(talk);
	io_close(&conn_fd);
	io_close(&silent.fd);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("transport");
	TCase *addresses = tcase_create("addresses");

	tcase_add_loop_test(addresses, test_look_again, 0, sizeof(looks) / sizeof(looks[0]));
	tcase_add_test(addresses, test_tcp_goes_on_after_a_refusal);
	tcase_add_test(addresses, test_tcp_turns);
	tcase_add_test(addresses, test_tcp_times_out_connecting);
	suite_add_tcase(suite, addresses);
	return suite;
}
