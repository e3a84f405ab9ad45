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

#include "client/transport.h"
#include "common/clock.h"
#include "common/io.h"

static const struct transport *const tcp_way = &client_transport_stream;
static const struct transport *const udp_way = &client_transport_datagram;

#define LINE	    " up 1 day\n"
#define DEADLINE_NS 1000
#define PATIENCE_MS 5000

static const struct address tcp = { .scheme = ADDRESS_TCP };
static const struct address udp = { .scheme = ADDRESS_UDP };

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
	void *talk = tcp_way->open(&tcp);
	struct answer answer;
	struct peer refusing;
	struct peer good;

	peer_open(&good, SOCK_STREAM, NULL);
	peer_open(&refusing, SOCK_STREAM, &good);
	ck_assert_int_eq(listen(good.fd, 1), 0);
	tcp_way->start(talk, &refusing.info, DEADLINE_NS);
	ck_assert_int_eq(tcp_way->step(talk, 0, &answer), TRANSPORT_PENDING);
	wait_watched(tcp_way, talk);
	ck_assert_int_eq(tcp_way->step(talk, 0, &answer), TRANSPORT_PENDING);
	answer_connection(&good);
	ck_assert_int_eq(step_until_decided(tcp_way, talk, 7, &answer),
		TRANSPORT_ANSWERED);
	ck_assert_str_eq(answer.line, LINE);
	ck_assert_uint_eq(answer.rtt_ns, 7);
	tcp_way->close(talk);
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
	void *talk = tcp_way->open(&tcp);
	struct answer answer;
	struct peer silent;
	struct peer good;
	uint64_t wake_ns;
	int conn_fd;

	peer_open(&good, SOCK_STREAM, NULL);
	peer_open(&silent, SOCK_STREAM, &good);
	ck_assert_int_eq(listen(good.fd, 1), 0);
	conn_fd = fill_backlog(&silent);
	tcp_way->start(talk, &silent.info, DEADLINE_NS);
	ck_assert_int_eq(tcp_way->step(talk, 0, &answer), TRANSPORT_PENDING);
	ck_assert_uint_eq(count_watched(tcp_way, talk, &wake_ns), 1);
	ck_assert_uint_eq(wake_ns, DEADLINE_NS / 2);
	ck_assert_int_eq(tcp_way->step(talk, wake_ns - 1, &answer), TRANSPORT_PENDING);
	ck_assert_int_eq(tcp_way->step(talk, wake_ns, &answer), TRANSPORT_PENDING);
	answer_connection(&good);
	ck_assert_int_eq(step_until_decided(tcp_way, talk, DEADLINE_NS / 2 + 1, &answer),
		TRANSPORT_ANSWERED);
	ck_assert_uint_eq(answer.rtt_ns, 1);
	tcp_way->close(talk);
	io_close(&conn_fd);
	io_close(&good.fd);
	io_close(&silent.fd);
}
END_TEST

START_TEST(test_tcp_times_out_connecting)
{
	void *talk = tcp_way->open(&tcp);
	struct answer answer;
	struct peer silent;
	uint64_t wake_ns;
	int conn_fd;

	peer_open(&silent, SOCK_STREAM, NULL);
	conn_fd = fill_backlog(&silent);
	/* Two tries of one talk: the second one begins anew. */
	for (uint64_t began_ns = 0; began_ns <= DEADLINE_NS; began_ns += DEADLINE_NS) {
		tcp_way->start(talk, &silent.info, began_ns + DEADLINE_NS);
		ck_assert_int_eq(tcp_way->step(talk, began_ns, &answer), TRANSPORT_PENDING);
		ck_assert_int_eq(tcp_way->step(talk, began_ns + DEADLINE_NS, &answer),
			TRANSPORT_FAILED);
		ck_assert_str_eq(answer.reason, strerror(ETIMEDOUT));
		ck_assert_str_eq(answer.line, "");
		/* Nothing goes on between the tries. */
		ck_assert_uint_eq(count_watched(tcp_way, talk, &wake_ns), 0);
		ck_assert_uint_eq(wake_ns, CLOCK_NEVER);
		ck_assert_int_eq(tcp_way->step(talk, CLOCK_NEVER, &answer),
			TRANSPORT_PENDING);
	}
	tcp_way->close(talk);
	io_close(&conn_fd);
	io_close(&silent.fd);
}
END_TEST

/* Take one request from PEER's socket; NONCE and SENDER are for the answer. */
static size_t receive_request(struct peer *peer, uint8_t *nonce, struct sockaddr_in *sender)
{
	uint8_t datagram[1024];
	socklen_t len = sizeof(*sender);
	struct protocol_request request;
	ssize_t got;

	wait_readable(peer->fd);
	got = recvfrom(peer->fd, datagram, sizeof(datagram), 0, (struct sockaddr *)sender, &len);
	ck_assert_int_gt(got, 0);
	protocol_parse_request(datagram, (size_t)got, &request);
	ck_assert_int_ne(request.kind, PROTOCOL_MALFORMED);
	if (request.kind == PROTOCOL_EXTENDED) {
		memcpy(nonce, request.nonce, sizeof(request.nonce));
	}
	return (size_t)got;
}

static void answer_request(struct peer *peer, const uint8_t *nonce,
	const struct sockaddr_in *sender)
{
	char datagram[PROTOCOL_ANSWER_HEADER_BYTES + sizeof(LINE) - 1];

	protocol_write_answer_header(datagram, nonce);
	memcpy(datagram + PROTOCOL_ANSWER_HEADER_BYTES, LINE, sizeof(LINE) - 1);
	ck_assert_int_eq(sendto(peer->fd, datagram, sizeof(datagram), 0,
				 (const struct sockaddr *)sender, sizeof(*sender)),
		sizeof(datagram));
}

/* LATE: it is the first address that answers, after the second one's turn has begun. */
static void check_udp_turns(int late)
{
	void *talk = udp_way->open(&udp);
	uint8_t nonces[2][PROTOCOL_NONCE_BYTES];
	struct sockaddr_in senders[2];
	struct answer answer;
	struct peer peers[2];
	uint64_t wake_ns;
	int who = late ? 0 : 1;

	peer_open(&peers[1], SOCK_DGRAM, NULL);
	peer_open(&peers[0], SOCK_DGRAM, &peers[1]);
	udp_way->start(talk, &peers[0].info, DEADLINE_NS);
	ck_assert_int_eq(udp_way->step(talk, 0, &answer), TRANSPORT_PENDING);
	ck_assert_uint_eq(receive_request(&peers[0], nonces[0], &senders[0]), 512);
	ck_assert_uint_eq(count_watched(udp_way, talk, &wake_ns), 1);
	ck_assert_uint_eq(wake_ns, DEADLINE_NS / 2);
	ck_assert_int_eq(udp_way->step(talk, wake_ns, &answer), TRANSPORT_PENDING);
	ck_assert_uint_eq(receive_request(&peers[1], nonces[1], &senders[1]), 512);
	ck_assert_uint_eq(count_watched(udp_way, talk, &wake_ns), 2);
	ck_assert_uint_eq(wake_ns, DEADLINE_NS);
	/* The other one's nonce does not do. */
	answer_request(&peers[who], nonces[1 - who], &senders[who]);
	wait_watched(udp_way, talk);
	ck_assert_int_eq(udp_way->step(talk, 600, &answer), TRANSPORT_PENDING);
	answer_request(&peers[who], nonces[who], &senders[who]);
	ck_assert_int_eq(step_until_decided(udp_way, talk, 700, &answer),
		TRANSPORT_ANSWERED);
	ck_assert_uint_eq(answer.rtt_ns, late ? 700 : 200);
	ck_assert_str_eq(answer.line, LINE);
	udp_way->close(talk);
	io_close(&peers[0].fd);
	io_close(&peers[1].fd);
}

START_TEST(test_udp_turns)
{
	check_udp_turns(0);
}
END_TEST

START_TEST(test_udp_first_address_answers_late)
{
	check_udp_turns(1);
}
END_TEST

START_TEST(test_udp_goes_on_after_a_refusal)
{
	void *talk = udp_way->open(&udp);
	uint8_t nonce[PROTOCOL_NONCE_BYTES];
	struct sockaddr_in sender;
	struct answer answer;
	struct peer refusing;
	struct peer good;

	peer_open(&good, SOCK_DGRAM, NULL);
	peer_open(&refusing, SOCK_DGRAM, &good);
	/* Connected elsewhere, it does not take what others send: they get ICMP's refusal. */
	ck_assert_int_eq(connect(refusing.fd, good.info.ai_addr, good.info.ai_addrlen), 0);
	udp_way->start(talk, &refusing.info, DEADLINE_NS);
	ck_assert_int_eq(udp_way->step(talk, 0, &answer), TRANSPORT_PENDING);
	wait_watched(udp_way, talk);
	ck_assert_int_eq(udp_way->step(talk, 1, &answer), TRANSPORT_PENDING);
	receive_request(&good, nonce, &sender);
	answer_request(&good, nonce, &sender);
	ck_assert_int_eq(step_until_decided(udp_way, talk, 2, &answer),
		TRANSPORT_ANSWERED);
	udp_way->close(talk);
	io_close(&good.fd);
	io_close(&refusing.fd);
}
END_TEST

/* More tries than sockets: the oldest give way, none leaks, and the youngest still hears. */
START_TEST(test_udp_many_tries)
{
	void *talk = udp_way->open(&udp);
	uint8_t nonce[PROTOCOL_NONCE_BYTES];
	struct sockaddr_in sender;
	struct answer answer;
	struct peer peer;
	uint64_t wake_ns;

	peer_open(&peer, SOCK_DGRAM, NULL);
	for (unsigned tries = 1; tries <= 50; tries++) {
		uint64_t began_ns = tries * DEADLINE_NS;

		udp_way->start(talk, &peer.info, began_ns + DEADLINE_NS);
		ck_assert_int_eq(udp_way->step(talk, began_ns, &answer),
			TRANSPORT_PENDING);
		ck_assert_uint_eq(receive_request(&peer, nonce, &sender), 512);
		if (tries > 1) {
			ck_assert_uint_eq(receive_request(&peer, NULL, &sender), 1);
		}
		ck_assert_uint_eq(count_watched(udp_way, talk, &wake_ns),
			tries < TRANSPORT_WATCHED_MAX ? tries : TRANSPORT_WATCHED_MAX);
		ck_assert_int_eq(udp_way->step(talk, began_ns + DEADLINE_NS, &answer),
			TRANSPORT_FAILED);
		ck_assert_str_eq(answer.reason, "timed out");
	}
	answer_request(&peer, nonce, &sender);
	/* Nothing is tried now, and yet the answer counts. */
	ck_assert_int_eq(step_until_decided(udp_way, talk, 99 * DEADLINE_NS, &answer),
		TRANSPORT_ANSWERED);
	ck_assert_uint_eq(answer.rtt_ns, 49 * DEADLINE_NS);
	udp_way->close(talk);
	io_close(&peer.fd);
}
END_TEST

/* One step takes a bounded number of datagrams: a flood must not keep it from the clock. */
START_TEST(test_udp_flood)
{
	void *talk = udp_way->open(&udp);
	uint8_t nonce[PROTOCOL_NONCE_BYTES];
	struct sockaddr_in sender;
	struct answer answer;
	struct peer peer;

	peer_open(&peer, SOCK_DGRAM, NULL);
	udp_way->start(talk, &peer.info, DEADLINE_NS);
	ck_assert_int_eq(udp_way->step(talk, 0, &answer), TRANSPORT_PENDING);
	receive_request(&peer, nonce, &sender);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(sendto(peer.fd, "x", 1, 0, (struct sockaddr *)&sender,
					 sizeof(sender)), 1);
	}
	answer_request(&peer, nonce, &sender);
	ck_assert_int_eq(udp_way->step(talk, 1, &answer), TRANSPORT_PENDING);
	ck_assert_int_eq(udp_way->step(talk, 2, &answer), TRANSPORT_ANSWERED);
	udp_way->close(talk);
	io_close(&peer.fd);
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
	tcase_add_test(addresses, test_udp_turns);
	tcase_add_test(addresses, test_udp_first_address_answers_late);
	tcase_add_test(addresses, test_udp_goes_on_after_a_refusal);
	tcase_add_test(addresses, test_udp_many_tries);
	tcase_add_test(addresses, test_udp_flood);
	suite_add_tcase(suite, addresses);
	return suite;
}
