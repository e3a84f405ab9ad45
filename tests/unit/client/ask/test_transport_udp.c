/* SPDX-License-Identifier: MIT */
/*
 * UDP talks and the sockets they share, on a clock that the test sets: only loopback sockets are
 * real.
 */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/ask/transport.h"
#include "client/ask/udp_pool.h"
#include "common/io.h"

#define LINE	    " up 1 day\n"
#define DEADLINE_NS (10 * CLOCK_S)
#define TURN_NS	    TRANSPORT_TURN_NS
#define REPEAT_NS   TRANSPORT_REPEAT_NS
#define PATIENCE_MS 5000

static const struct address udp = { .scheme = ADDRESS_UDP };

/* A peer: a socket bound to 127.0.0.1, and its place in the list of the host's addresses. */
struct peer {
	int fd;
	struct sockaddr_in address;
	struct addrinfo info;
};

/* What a loop has: the pool, one talk, and what was decided last. */
static struct {
	int epoll_fd;
	struct transport_common common;
	void *talk;
	uint64_t now_ns;
	uint64_t owner;
	unsigned events;
	unsigned errors;
	enum transport_state state;
	struct answer answer;
} loop;

static struct peer peers[2];

static void handle(void *context, const struct udp_event *event)
{
	(void)context;
	loop.events++;
	loop.errors += !event->line;
	loop.owner = transport_udp_owner(event);
	loop.state = transport_udp_take(event, loop.now_ns, &loop.answer);
}

static void peer_open(struct peer *peer, struct peer *next)
{
	socklen_t len = sizeof(peer->address);

	*peer = (struct peer){
		.address = { .sin_family = AF_INET },
		.info = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM, .ai_addrlen = len },
	};
	peer->info.ai_addr = (struct sockaddr *)&peer->address;
	peer->info.ai_next = next ? &next->info : NULL;
	peer->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(peer->fd, 0);
	ck_assert_int_eq(bind(peer->fd, peer->info.ai_addr, len), 0);
	ck_assert_int_eq(getsockname(peer->fd, peer->info.ai_addr, &len), 0);
}

static void set_up(void)
{
	memset(&loop, 0, sizeof(loop));
	loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop.common.udp = udp_pool_open(loop.epoll_fd, 100, 16, handle, NULL);
	ck_assert_ptr_nonnull(loop.common.udp);
	loop.talk = client_transport_udp.open(&udp, &loop.common, 77);
	peer_open(&peers[1], NULL);
	peer_open(&peers[0], &peers[1]);
}

static void tear_down(void)
{
	client_transport_udp.close(loop.talk);
	udp_pool_close(loop.common.udp);
	io_close(&loop.epoll_fd);
	io_close(&peers[0].fd);
	io_close(&peers[1].fd);
}

/* Ask only the second peer. */
static void start_with_one(uint64_t deadline_ns)
{
	client_transport_udp.start(loop.talk, &peers[1].info, deadline_ns);
}

static enum transport_state step(uint64_t now_ns)
{
	enum transport_state state;

	loop.now_ns = now_ns;
	state = client_transport_udp.step(loop.talk, now_ns, &loop.answer);
	ck_assert(udp_pool_flush(loop.common.udp));
	return state;
}

/* Wait until something comes, and take it at NOW_NS. */
static enum transport_state receive(uint64_t now_ns)
{
	struct epoll_event events[UDP_POOL_TAGS];
	int count = epoll_wait(loop.epoll_fd, events, UDP_POOL_TAGS, PATIENCE_MS);

	ck_assert_int_gt(count, 0);
	loop.now_ns = now_ns;
	loop.state = TRANSPORT_PENDING;
	for (int i = 0; i < count; i++) {
		udp_pool_receive(loop.common.udp, events[i].data.u64, events[i].events);
	}
	return loop.state;
}

static uint64_t wake_ns(void)
{
	struct pollfd fds[TRANSPORT_WATCHED_MAX];
	uint64_t wake_ns = CLOCK_NEVER;

	ck_assert_uint_eq(client_transport_udp.watch(loop.talk, fds, &wake_ns), 0);
	return wake_ns;
}

struct request {
	size_t len;
	uint8_t nonce[PROTOCOL_NONCE_BYTES];
	struct sockaddr_in sender;
};

/* Take one request from PEER's socket. */
static struct request take_request(struct peer *peer)
{
	struct pollfd readable = { .fd = peer->fd, .events = POLLIN };
	uint8_t datagram[1024];
	struct request taken = { .len = 0 };
	socklen_t len = sizeof(taken.sender);
	struct protocol_request request;
	ssize_t got;

	ck_assert_int_eq(poll(&readable, 1, PATIENCE_MS), 1);
	got = recvfrom(peer->fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&taken.sender,
		&len);
	ck_assert_int_gt(got, 0);
	taken.len = (size_t)got;
	protocol_parse_request(datagram, taken.len, &request);
	ck_assert_int_ne(request.kind, PROTOCOL_MALFORMED);
	memcpy(taken.nonce, request.nonce, sizeof(taken.nonce));
	return taken;
}

static void send_to(struct peer *peer, const struct request *request, const void *bytes, size_t len)
{
	ck_assert_int_eq(sendto(peer->fd, bytes, len, 0,
				 (const struct sockaddr *)&request->sender,
				 sizeof(request->sender)),
		(ssize_t)len);
}

static void answer_with(struct peer *peer, const struct request *request, const uint8_t *nonce)
{
	char datagram[PROTOCOL_ANSWER_HEADER_BYTES + sizeof(LINE) - 1];

	protocol_write_answer_header(datagram, nonce);
	memcpy(datagram + PROTOCOL_ANSWER_HEADER_BYTES, LINE, sizeof(LINE) - 1);
	send_to(peer, request, datagram, sizeof(datagram));
}

static void answer_request(struct peer *peer, const struct request *request)
{
	answer_with(peer, request, request->nonce);
}

START_TEST(test_answer)
{
	struct request request;

	start_with_one(DEADLINE_NS);
	ck_assert_int_eq(step(1), TRANSPORT_PENDING);
	request = take_request(&peers[1]);
	ck_assert_uint_eq(request.len, PROTOCOL_EXTENDED_MAX_BYTES);
	answer_request(&peers[1], &request);
	ck_assert_int_eq(receive(8), TRANSPORT_ANSWERED);
	ck_assert_uint_eq(loop.owner, 77);
	ck_assert_uint_eq(loop.answer.rtt_ns, 7);
	ck_assert_str_eq(loop.answer.line, LINE);
}
END_TEST

/* The repeated request leaves from another socket, with another nonce, the one byte behind it. */
START_TEST(test_repeat)
{
	struct request first;
	struct request second;
	struct request byte;

	start_with_one(DEADLINE_NS);
	ck_assert_int_eq(step(1), TRANSPORT_PENDING);
	first = take_request(&peers[1]);
	ck_assert_uint_eq(wake_ns(), 1 + REPEAT_NS);
	ck_assert_int_eq(step(REPEAT_NS), TRANSPORT_PENDING);
	ck_assert_int_eq(step(1 + REPEAT_NS), TRANSPORT_PENDING);
	second = take_request(&peers[1]);
	byte = take_request(&peers[1]);
	ck_assert_uint_eq(second.len, PROTOCOL_EXTENDED_MAX_BYTES);
	ck_assert_uint_eq(byte.len, 1);
	ck_assert_int_ne(first.sender.sin_port, second.sender.sin_port);
	ck_assert_int_eq(byte.sender.sin_port, second.sender.sin_port);
	ck_assert_int_ne(memcmp(first.nonce, second.nonce, sizeof(first.nonce)), 0);
	ck_assert_uint_eq(wake_ns(), DEADLINE_NS);
	/* A late answer to the first one is told from one to the second: by its time. */
	answer_request(&peers[1], &first);
	ck_assert_int_eq(receive(2 + REPEAT_NS), TRANSPORT_ANSWERED);
	ck_assert_uint_eq(loop.answer.rtt_ns, 1 + REPEAT_NS);
}
END_TEST

/* A line without nonce counts where the one byte was sent, and nowhere else. */
START_TEST(test_plain_line)
{
	struct request first;
	struct request second;

	start_with_one(DEADLINE_NS);
	ck_assert_int_eq(step(1), TRANSPORT_PENDING);
	first = take_request(&peers[1]);
	ck_assert_int_eq(step(1 + REPEAT_NS), TRANSPORT_PENDING);
	second = take_request(&peers[1]);
	send_to(&peers[1], &first, LINE, sizeof(LINE) - 1);
	ck_assert_int_eq(receive(2 + REPEAT_NS), TRANSPORT_PENDING);
	ck_assert_uint_eq(loop.events, 0);
	send_to(&peers[1], &second, LINE, sizeof(LINE) - 1);
	ck_assert_int_eq(receive(3 + REPEAT_NS), TRANSPORT_ANSWERED);
	ck_assert_uint_eq(loop.answer.rtt_ns, 2);
}
END_TEST

/* What is no answer: another nonce, another socket, another source, another shape. */
START_TEST(test_forged)
{
	struct request first;
	struct request second;
	char cut[PROTOCOL_ANSWER_HEADER_BYTES];

	start_with_one(DEADLINE_NS);
	ck_assert_int_eq(step(1), TRANSPORT_PENDING);
	first = take_request(&peers[1]);
	ck_assert_int_eq(step(1 + REPEAT_NS), TRANSPORT_PENDING);
	second = take_request(&peers[1]);
	answer_with(&peers[1], &second, first.nonce);
	answer_with(&peers[1], &first, second.nonce);
	answer_request(&peers[0], &first);
	send_to(&peers[0], &second, LINE, sizeof(LINE) - 1);
	protocol_write_answer_header(cut, first.nonce);
	send_to(&peers[1], &first, cut, sizeof(cut));
	answer_request(&peers[1], &first);
	while (receive(9 + REPEAT_NS) == TRANSPORT_PENDING) {
	}
	ck_assert_uint_eq(loop.events, 1);
}
END_TEST

/* LATE: it is the first address that answers, after the second one's turn has begun. */
static void check_turns(int late)
{
	struct request requests[2];
	int who = late ? 0 : 1;

	client_transport_udp.start(loop.talk, &peers[0].info, DEADLINE_NS);
	ck_assert_int_eq(step(0), TRANSPORT_PENDING);
	requests[0] = take_request(&peers[0]);
	ck_assert_uint_eq(wake_ns(), TURN_NS);
	ck_assert_int_eq(step(TURN_NS), TRANSPORT_PENDING);
	requests[1] = take_request(&peers[1]);
	answer_with(&peers[who], &requests[who], requests[1 - who].nonce);
	ck_assert_int_eq(receive(TURN_NS + 100), TRANSPORT_PENDING);
	answer_request(&peers[who], &requests[who]);
	ck_assert_int_eq(receive(TURN_NS + 200), TRANSPORT_ANSWERED);
	ck_assert_uint_eq(loop.answer.rtt_ns, late ? TURN_NS + 200 : 200);
}

START_TEST(test_turns)
{
	check_turns(0);
}
END_TEST

START_TEST(test_first_address_answers_late)
{
	check_turns(1);
}
END_TEST

/* Connected elsewhere, a peer does not take what others send: they get ICMP's refusal. */
static void refuse(struct peer *peer)
{
	const struct sockaddr_in elsewhere = {
		.sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	ck_assert_int_eq(connect(peer->fd, (const struct sockaddr *)&elsewhere, sizeof(elsewhere)),
		0);
}

START_TEST(test_goes_on_after_a_refusal)
{
	struct request request;

	refuse(&peers[0]);
	client_transport_udp.start(loop.talk, &peers[0].info, DEADLINE_NS);
	ck_assert_int_eq(step(0), TRANSPORT_PENDING);
	ck_assert_int_eq(receive(1), TRANSPORT_PENDING);
	ck_assert_uint_eq(loop.errors, 1);
	ck_assert_int_eq(step(1), TRANSPORT_PENDING);
	request = take_request(&peers[1]);
	answer_request(&peers[1], &request);
	ck_assert_int_eq(receive(2), TRANSPORT_ANSWERED);
}
END_TEST

START_TEST(test_refused)
{
	refuse(&peers[1]);
	start_with_one(DEADLINE_NS);
	ck_assert_int_eq(step(0), TRANSPORT_PENDING);
	ck_assert_int_eq(receive(1), TRANSPORT_PENDING);
	ck_assert_int_eq(step(1), TRANSPORT_FAILED);
	ck_assert_str_eq(loop.answer.reason, strerror(ECONNREFUSED));
}
END_TEST

/* Two talks with the same address: each hears its own answer. */
START_TEST(test_two_talks)
{
	void *other = client_transport_udp.open(&udp, &loop.common, 78);
	struct request requests[2];

	start_with_one(DEADLINE_NS);
	client_transport_udp.start(other, &peers[1].info, DEADLINE_NS);
	ck_assert_int_eq(step(0), TRANSPORT_PENDING);
	requests[0] = take_request(&peers[1]);
	ck_assert_int_eq(client_transport_udp.step(other, 0, &loop.answer), TRANSPORT_PENDING);
	ck_assert(udp_pool_flush(loop.common.udp));
	requests[1] = take_request(&peers[1]);
	ck_assert_int_eq(requests[0].sender.sin_port, requests[1].sender.sin_port);
	answer_request(&peers[1], &requests[1]);
	ck_assert_int_eq(receive(1), TRANSPORT_ANSWERED);
	ck_assert_uint_eq(loop.owner, 78);
	client_transport_udp.close(other);
	answer_request(&peers[1], &requests[0]);
	ck_assert_int_eq(receive(1), TRANSPORT_ANSWERED);
	ck_assert_uint_eq(loop.owner, 77);
}
END_TEST

/* More tries than requests are remembered: the oldest give way, and the youngest still hears. */
START_TEST(test_many_tries)
{
	struct request request = { .len = 0 };

	for (unsigned tries = 1; tries <= 50; tries++) {
		uint64_t began_ns = tries * DEADLINE_NS;

		start_with_one(began_ns + DEADLINE_NS);
		ck_assert_int_eq(step(began_ns), TRANSPORT_PENDING);
		request = take_request(&peers[1]);
		ck_assert_uint_eq(request.len, PROTOCOL_EXTENDED_MAX_BYTES);
		if (tries > 1) {
			ck_assert_uint_eq(take_request(&peers[1]).len, 1);
		}
		ck_assert_int_eq(step(began_ns + DEADLINE_NS), TRANSPORT_FAILED);
		ck_assert_str_eq(loop.answer.reason, "timed out");
		ck_assert_uint_eq(wake_ns(), CLOCK_NEVER);
	}
	answer_request(&peers[1], &request);
	/* Nothing is tried now, and yet the answer counts. */
	ck_assert_int_eq(receive(99 * DEADLINE_NS), TRANSPORT_ANSWERED);
	ck_assert_uint_eq(loop.answer.rtt_ns, 49 * DEADLINE_NS);
}
END_TEST

/* A talk that is closed before its request was sent leaves nothing to be sent. */
START_TEST(test_close_before_flush)
{
	void *other = client_transport_udp.open(&udp, &loop.common, 78);
	struct pollfd readable = { .fd = peers[1].fd, .events = POLLIN };

	client_transport_udp.start(other, &peers[1].info, DEADLINE_NS);
	ck_assert_int_eq(client_transport_udp.step(other, 0, &loop.answer), TRANSPORT_PENDING);
	client_transport_udp.close(other);
	ck_assert(udp_pool_flush(loop.common.udp));
	ck_assert_int_eq(poll(&readable, 1, 0), 0);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("client_transport_udp");
	TCase *tcase = tcase_create("talks");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_answer);
	tcase_add_test(tcase, test_repeat);
	tcase_add_test(tcase, test_plain_line);
	tcase_add_test(tcase, test_forged);
	tcase_add_test(tcase, test_turns);
	tcase_add_test(tcase, test_first_address_answers_late);
	tcase_add_test(tcase, test_goes_on_after_a_refusal);
	tcase_add_test(tcase, test_refused);
	tcase_add_test(tcase, test_two_talks);
	tcase_add_test(tcase, test_many_tries);
	tcase_add_test(tcase, test_close_before_flush);
	suite_add_tcase(suite, tcase);
	return suite;
}
