/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/reply/reply.h"
#include "unit/process.h"
#include "unit/random.h"
#include "unit/sockets.h"

#define LINE "12:00:00 up 1 min,  0 users,  load average: 0.00, 0.00, 0.00\n"

/* More than one sendmmsg() takes. */
#define MANY 150

static const struct listener stream_listener = { .address = { .scheme = ADDRESS_TCP }, .fd = -1 };

static struct request_pool *pool;
static struct stats_counters counters;
static struct connections *connections;
static struct lingering *lingering;
static struct uptime_line line;

static void set_line(bool ok, const char *text)
{
	line.ok = ok;
	line.len = strlen(text);
	memcpy(line.text, text, line.len);
}

static void set_up(void)
{
	/* Should MSG_NOSIGNAL be forgotten, it kills the test. */
	signal(SIGPIPE, SIG_DFL);
	memset(&counters, 0, sizeof(counters));
	pool = request_pool_new(2 * MANY);
	connections = connections_new(4 * MANY, 4 * MANY, NULL);
	lingering = lingering_new(2 * MANY, connections);
	set_line(true, LINE);
}

static void tear_down(void)
{
	lingering_free(lingering);
	/* Whatever became of a stream, it is counted out. */
	ck_assert_uint_eq(connections_open(connections), 0);
	connections_free(connections);
	request_pool_free(pool);
}

static struct request *add_client(struct request_batch *batch, int conn_fd, unsigned descriptors)
{
	const union connections_peer peer = { .in = { .sin_family = AF_INET } };
	struct request *request = request_pool_take(pool);

	connections_enter(connections, conn_fd, descriptors, &peer, &request->source);
	request->listener = &stream_listener;
	request->conn_fd = conn_fd;
	request_batch_add(batch, request);
	return request;
}

static struct request *add_stream(struct request_batch *batch, int conn_fd)
{
	return add_client(batch, conn_fd, 1);
}

static void reply(struct request_batch *batch)
{
	const struct reply all = { &line, &counters, lingering, connections };

	reply_batch(&all, batch->first, 1, 1);
	*batch = (struct request_batch){ NULL, NULL, 0 };
}

START_TEST(test_streams)
{
	struct request_batch batch = { NULL, NULL, 0 };
	struct sockets_pair pairs[3] = { sockets_tcp_pair(), sockets_unix_pair(),
		sockets_tcp_pair() };
	char text[256];

	for (int i = 0; i < 3; i++) {
		add_stream(&batch, pairs[i].server_fd);
		ck_assert_int_eq(send(pairs[i].client_fd, "hello", 5, 0), 5);
	}
	reply(&batch);
	ck_assert_uint_eq(counters.replies[ADDRESS_TCP], 3);
	ck_assert_uint_eq(lingering_count(lingering), 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(sockets_read_all(pairs[i].client_fd, text, sizeof(text)),
			strlen(LINE));
		ck_assert_str_eq(text, LINE);
		io_close(&pairs[i].client_fd);
	}
}
END_TEST

START_TEST(test_stream_error)
{
	struct request_batch batch = { NULL, NULL, 0 };
	struct sockets_pair pair = sockets_tcp_pair();
	char text[256];

	set_line(false, "error: no luck\n");
	add_stream(&batch, pair.server_fd);
	reply(&batch);
	ck_assert_uint_eq(counters.replies[ADDRESS_TCP], 0);
	ck_assert_uint_eq(counters.dropped[ADDRESS_TCP][STATS_RUN_FAILED], 1);
	ck_assert_int_gt(sockets_read_all(pair.client_fd, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "error: no luck\n");
	io_close(&pair.client_fd);
}
END_TEST

/* Those who are gone, and one whose buffer is full, do not keep the next one from its line. */
START_TEST(test_stream_lost)
{
	static char much[1 << 20];
	struct request_batch batch = { NULL, NULL, 0 };
	struct linger abort_it = { .l_onoff = 1, .l_linger = 0 };
	struct sockets_pair reset = sockets_tcp_pair();
	struct sockets_pair gone = sockets_unix_pair();
	struct sockets_pair full = sockets_unix_pair();
	struct sockets_pair fine = sockets_unix_pair();
	struct pollfd arrived = { .fd = reset.server_fd, .events = POLLIN };
	unsigned descriptors = process_descriptors();
	char text[256];

	setsockopt(reset.client_fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it));
	io_close(&reset.client_fd);
	ck_assert_int_eq(poll(&arrived, 1, -1), 1);
	io_close(&gone.client_fd);
	while (send(full.server_fd, much, sizeof(much), MSG_DONTWAIT) > 0) {
	}
	add_stream(&batch, reset.server_fd);
	add_stream(&batch, gone.server_fd);
	add_stream(&batch, full.server_fd);
	add_stream(&batch, fine.server_fd);
	reply(&batch);
	ck_assert_uint_eq(counters.dropped[ADDRESS_TCP][STATS_CLIENT_GONE], 2);
	ck_assert_uint_eq(counters.dropped[ADDRESS_TCP][STATS_SEND_FAILED], 1);
	ck_assert_uint_eq(counters.replies[ADDRESS_TCP], 1);
	ck_assert_uint_eq(lingering_count(lingering), 1);
	ck_assert_uint_eq(process_descriptors(), descriptors - 5);
	ck_assert_int_eq(sockets_read_all(fine.client_fd, text, sizeof(text)), strlen(LINE));
	io_close(&full.client_fd);
	io_close(&fine.client_fd);
}
END_TEST

static struct listener_set listeners;
static int client_fd;

static void open_datagrams(void)
{
	listeners = (struct listener_set){ .all = NULL };
	client_fd = sockets_connect(sockets_listen(&listeners, ADDRESS_UDP));
}

static void close_datagrams(void)
{
	io_close(&client_fd);
	listener_close_all(&listeners);
}

/* LEN 1: a plain request. Otherwise an extended one with a nonce of VALUE. */
static struct request_datagram *add_datagram(struct request_batch *batch, uint16_t len,
	uint8_t value)
{
	struct request *request = request_pool_take(pool);
	struct request_datagram *datagram = &request->datagram;

	request->listener = &listeners.all[0];
	datagram->peer_len = sizeof(datagram->peer);
	ck_assert_int_eq(getsockname(client_fd, &datagram->peer.any, &datagram->peer_len), 0);
	datagram->len_bytes = len;
	datagram->control_len = 0;
	datagram->asked.kind = len == 1 ? PROTOCOL_PLAIN : PROTOCOL_EXTENDED;
	memset(datagram->asked.nonce, value, sizeof(datagram->asked.nonce));
	request_batch_add(batch, request);
	return datagram;
}

/* Returns 0 if there is none: over the loopback interface a datagram that was sent is there. */
static size_t receive(char *text, size_t size)
{
	ssize_t got = recv(client_fd, text, size, MSG_DONTWAIT);

	return got < 0 ? 0 : (size_t)got;
}

START_TEST(test_datagrams)
{
	struct request_batch batch = { NULL, NULL, 0 };
	char text[1024];
	const char *found;
	size_t found_len;
	uint8_t nonce[PROTOCOL_NONCE_BYTES];

	open_datagrams();
	for (unsigned i = 0; i < MANY; i++) {
		add_datagram(&batch, i % 2 ? 512 : 1, (uint8_t)i);
	}
	reply(&batch);
	ck_assert_uint_eq(counters.replies[ADDRESS_UDP], MANY);
	for (unsigned i = 0; i < MANY; i++) {
		size_t len = receive(text, sizeof(text));

		if (i % 2 == 0) {
			ck_assert_uint_eq(len, strlen(LINE));
			ck_assert_mem_eq(text, LINE, len);
			continue;
		}
		memset(nonce, (int)i, sizeof(nonce));
		found = protocol_parse_answer(text, len, nonce, &found_len);
		ck_assert_ptr_nonnull(found);
		ck_assert_uint_eq(found_len, strlen(LINE));
		ck_assert_mem_eq(found, LINE, found_len);
	}
	ck_assert_uint_eq(receive(text, sizeof(text)), 0);
	close_datagrams();
}
END_TEST

/* Never longer than the request, to the byte. */
START_TEST(test_datagram_room)
{
	struct request_batch batch = { NULL, NULL, 0 };
	uint16_t exact = (uint16_t)(PROTOCOL_ANSWER_HEADER_BYTES + strlen(LINE));
	char text[1024];

	open_datagrams();
	add_datagram(&batch, (uint16_t)(exact - 1), 1);
	add_datagram(&batch, exact, 2);
	add_datagram(&batch, 16, 3);
	reply(&batch);
	ck_assert_uint_eq(counters.replies[ADDRESS_UDP], 1);
	ck_assert_uint_eq(counters.dropped[ADDRESS_UDP][STATS_NO_ROOM], 2);
	ck_assert_uint_eq(receive(text, sizeof(text)), exact);
	ck_assert_int_eq(text[4], 2);
	ck_assert_uint_eq(receive(text, sizeof(text)), 0);
	close_datagrams();
}
END_TEST

/* Any line that a command may print, beginning as a request does if it is for evil. */
static void set_any_line(void)
{
	static char text[PROTOCOL_LINE_MAX_BYTES + 1];
	size_t len = 1 + random_below(random_below(2) ? 20 : PROTOCOL_LINE_MAX_BYTES - 2);

	for (size_t i = 0; i < len; i++) {
		text[i] = (char)(0x20 + random_below(0x5f));
	}
	if (random_below(2)) {
		memcpy(text, "RUq1", len < 4 ? len : 4);
	}
	text[len] = '\n';
	text[len + 1] = '\0';
	set_line(true, text);
}

/*
 * Whatever is asked, and whatever the line: no answer is a request to a server like us, and none to
 * an extended request is longer than that.
 */
START_TEST(test_no_answer_is_a_request)
{
	unsigned answers = 0;

	random_init();
	open_datagrams();
	for (unsigned round = 0; round < 5000; round++) {
		struct request_batch batch = { NULL, NULL, 0 };
		uint16_t asked_len = random_below(2) ? 1 : (uint16_t)(16 + random_below(497));
		char text[2 * PROTOCOL_LINE_MAX_BYTES];
		struct protocol_request request;
		size_t len;

		set_any_line();
		add_datagram(&batch, asked_len, (uint8_t)random_next());
		reply(&batch);
		len = receive(text, sizeof(text));
		if (len) {
			answers++;
			protocol_parse_request(text, len, &request);
			ck_assert_int_eq(request.kind, PROTOCOL_MALFORMED);
			ck_assert(asked_len == 1 || len <= asked_len);
		}
	}
	ck_assert_uint_eq(answers, counters.replies[ADDRESS_UDP]);
	ck_assert_uint_gt(answers, 2500);
	close_datagrams();
}
END_TEST

START_TEST(test_datagram_error)
{
	struct request_batch batch = { NULL, NULL, 0 };
	char text[1024];

	open_datagrams();
	set_line(false, "error: no luck\n");
	add_datagram(&batch, 1, 0);
	add_datagram(&batch, 512, 1);
	reply(&batch);
	ck_assert_uint_eq(counters.replies[ADDRESS_UDP], 0);
	ck_assert_uint_eq(counters.dropped[ADDRESS_UDP][STATS_RUN_FAILED], 2);
	ck_assert_uint_eq(receive(text, sizeof(text)), 0);
	close_datagrams();
}
END_TEST

/* One that cannot be sent costs neither those before it nor those behind it. */
START_TEST(test_datagram_lost)
{
	struct request_batch batch = { NULL, NULL, 0 };
	unsigned lost = 0;
	char text[1024];

	open_datagrams();
	for (unsigned i = 0; i < MANY; i++) {
		struct request_datagram *datagram = add_datagram(&batch, 1, 0);

		if (i % 7 == 0 || i == MANY - 1) {
			datagram->peer.in.sin_port = 0;
			lost++;
		}
	}
	reply(&batch);
	ck_assert_uint_eq(counters.dropped[ADDRESS_UDP][STATS_SEND_FAILED], lost);
	ck_assert_uint_eq(counters.replies[ADDRESS_UDP], MANY - lost);
	for (unsigned i = 0; i < MANY - lost; i++) {
		ck_assert_uint_eq(receive(text, sizeof(text)), strlen(LINE));
	}
	close_datagrams();
}
END_TEST

static void be_too_late(struct request_batch *batch)
{
	const struct reply all = { &line, &counters, lingering, connections };

	reply_batch(&all, batch->first, 1, 2);
	*batch = (struct request_batch){ NULL, NULL, 0 };
}

/* What cannot be mistaken for an answer: a reset, an end without a line, silence. */
START_TEST(test_too_late)
{
	static const struct listener fdpass_listener = { .address = { .scheme = ADDRESS_FDPASS } };
	static const struct listener msgq_listener = { .address = { .scheme = ADDRESS_MSGQ } };
	struct request_batch batch = { NULL, NULL, 0 };
	struct sockets_pair tcp = sockets_tcp_pair();
	struct sockets_pair local = sockets_unix_pair();
	struct sockets_pair visitor = sockets_unix_pair();
	struct sockets_pair passed = sockets_unix_pair();
	unsigned descriptors = process_descriptors();
	struct request *request;
	char text[64];

	add_stream(&batch, tcp.server_fd);
	add_stream(&batch, local.server_fd)->passed_fd = -1;
	be_too_late(&batch);
	ck_assert_int_eq(sockets_read_all(tcp.client_fd, text, sizeof(text)), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	ck_assert_int_eq(sockets_read_all(local.client_fd, text, sizeof(text)), 0);
	request = add_client(&batch, visitor.server_fd, 2);
	request->listener = &fdpass_listener;
	request->passed_fd = passed.server_fd;
	be_too_late(&batch);
	ck_assert_int_eq(sockets_read_all(visitor.client_fd, text, sizeof(text)), 0);
	ck_assert_int_eq(sockets_read_all(passed.client_fd, text, sizeof(text)), 0);
	ck_assert_uint_eq(process_descriptors(), descriptors - 4);
	request = request_pool_take(pool);
	request->listener = &msgq_listener;
	request_batch_add(&batch, request);
	be_too_late(&batch);
	open_datagrams();
	add_datagram(&batch, 1, 0);
	be_too_late(&batch);
	ck_assert_uint_eq(receive(text, sizeof(text)), 0);
	close_datagrams();
	ck_assert_uint_eq(lingering_count(lingering), 0);
	ck_assert_uint_eq(counters.dropped[ADDRESS_TCP][STATS_EXPIRED], 2);
	ck_assert_uint_eq(counters.dropped[ADDRESS_FDPASS][STATS_EXPIRED], 1);
	ck_assert_uint_eq(counters.dropped[ADDRESS_MSGQ][STATS_EXPIRED], 1);
	ck_assert_uint_eq(counters.dropped[ADDRESS_UDP][STATS_EXPIRED], 1);
	io_close(&tcp.client_fd);
	io_close(&local.client_fd);
	io_close(&visitor.client_fd);
	io_close(&passed.client_fd);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("reply");
	TCase *tcase = tcase_create("reply");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, test_streams);
	tcase_add_test(tcase, test_stream_error);
	tcase_add_test(tcase, test_stream_lost);
	tcase_add_test(tcase, test_datagrams);
	tcase_add_test(tcase, test_datagram_room);
	tcase_add_test(tcase, test_no_answer_is_a_request);
	tcase_add_test(tcase, test_datagram_error);
	tcase_add_test(tcase, test_datagram_lost);
	tcase_add_test(tcase, test_too_late);
	suite_add_tcase(suite, tcase);
	return suite;
}
