/* SPDX-License-Identifier: MIT */
/*
 * Hosts with several addresses of this machine: those that let the client in, refuse it, or say
 * nothing because their backlog is full. The clock is the test's.
 */
#include "unit/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "client/ask/race.h"
#include "common/clock.h"
#include "common/io.h"
#include "unit/process.h"

#define START_NS    (1000 * CLOCK_S)
#define TURN_NS	    (250 * CLOCK_MS)
#define DEADLINE_NS (START_NS + 2 * CLOCK_S)

enum manner { OPEN, REFUSING, SILENT };

struct place {
	int listen_fd;
	int fill_fds[2];	/* what fills its backlog */
	struct sockaddr_in at;
	struct addrinfo info;
};

static struct place places[3];
static unsigned place_count;
static struct race race;
static unsigned descriptors;

/* One more address of the host. */
static void add(enum manner manner)
{
	struct place *place = &places[place_count++];
	socklen_t len = sizeof(place->at);

	place->fill_fds[0] = -1;
	place->fill_fds[1] = -1;
	place->at.sin_family = AF_INET;
	place->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	place->at.sin_port = 0;
	place->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(place->listen_fd, (struct sockaddr *)&place->at, len), 0);
	ck_assert_int_eq(getsockname(place->listen_fd, (struct sockaddr *)&place->at, &len), 0);
	if (manner != REFUSING) {
		ck_assert_int_eq(listen(place->listen_fd, manner == SILENT ? 0 : 8), 0);
	}
	/* A backlog of 0 has room for one; the second handshake is not answered. */
	for (int i = 0; i < 2 && manner == SILENT; i++) {
		int type = SOCK_STREAM | SOCK_CLOEXEC | (i ? SOCK_NONBLOCK : 0);

		place->fill_fds[i] = socket(AF_INET, type, 0);
		ck_assert_int_eq(connect(place->fill_fds[i], (struct sockaddr *)&place->at, len),
			i ? -1 : 0);
	}
	place->info = (struct addrinfo){ .ai_family = AF_INET, .ai_socktype = SOCK_STREAM,
		.ai_addr = (struct sockaddr *)&place->at, .ai_addrlen = len };
	if (place_count > 1) {
		places[place_count - 2].info.ai_next = &place->info;
	}
}

static void set_up(void)
{
	memset(places, 0, sizeof(places));
	place_count = 0;
	descriptors = process_descriptors();
}

static void tear_down(void)
{
	for (unsigned i = 0; i < place_count; i++) {
		io_close(&places[i].listen_fd);
		io_close(&places[i].fill_fds[0]);
		io_close(&places[i].fill_fds[1]);
	}
	ck_assert_uint_eq(process_descriptors(), descriptors);
}

static void start(void)
{
	race_start(&race, &places[0].info, DEADLINE_NS);
}

/* FD is connected to place AT, and nothing is left of the race but FD. */
static void assert_connected(int fd, unsigned at)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	struct pollfd ready = { .fd = fd, .events = POLLOUT };

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(poll(&ready, 1, 10000), 1);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	ck_assert_int_eq(peer.sin_port, places[at].at.sin_port);
	ck_assert_uint_eq(race.running, 0);
	io_close(&fd);
}

/* Step at NOW_NS, and again whenever a descriptor is ready, until that decides it. */
static int step_until_decided(uint64_t now_ns, uint64_t *began_ns)
{
	int fd = race_step(&race, now_ns, began_ns);

	while (fd < 0 && errno == EINPROGRESS) {
		struct pollfd fds[TRANSPORT_ADDRESSES_MAX];
		uint64_t wake_ns = CLOCK_NEVER;
		unsigned count = race_watch(&race, fds, &wake_ns);

		ck_assert_int_gt(poll(fds, count, 10000), 0);
		fd = race_step(&race, now_ns, began_ns);
	}
	return fd;
}

/* Nothing is decided at NOW_NS, so many attempts run, and the race wants to be looked at again. */
static void assert_pending(uint64_t now_ns, unsigned running, uint64_t wake_at_ns)
{
	struct pollfd fds[TRANSPORT_ADDRESSES_MAX];
	uint64_t wake_ns = CLOCK_NEVER;
	uint64_t began_ns;

	ck_assert_int_eq(race_step(&race, now_ns, &began_ns), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	ck_assert_uint_eq(race_watch(&race, fds, &wake_ns), running);
	ck_assert_uint_eq(wake_ns, wake_at_ns);
}

START_TEST(test_first_lets_in)
{
	uint64_t began_ns = 0;

	add(OPEN);
	add(OPEN);
	start();
	assert_connected(step_until_decided(START_NS, &began_ns), 0);
	ck_assert_uint_eq(began_ns, START_NS);
}
END_TEST

/* A refusal costs no time. */
START_TEST(test_after_a_refusal)
{
	uint64_t began_ns;

	add(REFUSING);
	add(OPEN);
	start();
	assert_connected(step_until_decided(START_NS, &began_ns), 1);
}
END_TEST

/* The second has its turn after 250 ms, and not before; the first goes on. */
START_TEST(test_after_silence)
{
	uint64_t began_ns = 0;

	add(SILENT);
	add(OPEN);
	start();
	assert_pending(START_NS, 1, START_NS + TURN_NS);
	assert_pending(START_NS + TURN_NS - 1, 1, START_NS + TURN_NS);
	assert_connected(step_until_decided(START_NS + TURN_NS, &began_ns), 1);
	ck_assert_uint_eq(began_ns, START_NS + TURN_NS);
}
END_TEST

/* The first lets the client in while the second is silent: what was begun goes on. */
START_TEST(test_first_comes_late)
{
	uint64_t began_ns = 0;
	int fd;

	add(SILENT);
	add(SILENT);
	start();
	assert_pending(START_NS, 1, START_NS + TURN_NS);
	assert_pending(START_NS + TURN_NS, 2, DEADLINE_NS);
	/* Room for one more handshake, which the client's kernel repeats after a second or so. */
	fd = accept4(places[0].listen_fd, NULL, NULL, SOCK_CLOEXEC);
	io_close(&fd);
	io_close(&places[0].fill_fds[1]);
	fd = step_until_decided(START_NS + TURN_NS, &began_ns);
	assert_connected(fd, 0);
	ck_assert_uint_eq(began_ns, START_NS);
}
END_TEST

START_TEST(test_all_refuse)
{
	uint64_t began_ns;

	add(REFUSING);
	add(REFUSING);
	start();
	ck_assert_int_eq(step_until_decided(START_NS, &began_ns), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	ck_assert_uint_eq(race.running, 0);
}
END_TEST

START_TEST(test_deadline)
{
	uint64_t began_ns;

	add(SILENT);
	add(SILENT);
	start();
	assert_pending(START_NS, 1, START_NS + TURN_NS);
	assert_pending(START_NS + TURN_NS, 2, DEADLINE_NS);
	assert_pending(DEADLINE_NS - 1, 2, DEADLINE_NS);
	ck_assert_int_eq(race_step(&race, DEADLINE_NS, &began_ns), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_uint_eq(race.running, 0);
}
END_TEST

/* A race that is given up leaves no descriptor; tear_down() counts them. */
START_TEST(test_stop)
{
	add(SILENT);
	add(SILENT);
	start();
	assert_pending(START_NS, 1, START_NS + TURN_NS);
	assert_pending(START_NS + TURN_NS, 2, DEADLINE_NS);
	race_stop(&race);
	ck_assert_uint_eq(race.running, 0);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("race");
	TCase *tcase = tcase_create("race");

	tcase_set_timeout(tcase, 20);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_first_lets_in);
	tcase_add_test(tcase, test_after_a_refusal);
	tcase_add_test(tcase, test_after_silence);
	tcase_add_test(tcase, test_first_comes_late);
	tcase_add_test(tcase, test_all_refuse);
	tcase_add_test(tcase, test_deadline);
	tcase_add_test(tcase, test_stop);
	suite_add_tcase(suite, tcase);
	return suite;
}
