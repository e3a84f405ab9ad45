/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/io.h"
#include "daemon/policy/connections.h"
#include "unit/process.h"
#include "unit/sockets.h"

#define MAX	   64
#define PER_SOURCE 4
#define NOBODY	   65534

static struct connections *connections;

static void set_up(void)
{
	connections = connections_new(MAX, PER_SOURCE, NULL);
	ck_assert_ptr_nonnull(connections);
}

static void tear_down(void)
{
	connections_free(connections);
}

static union connections_peer peer_of(const char *text)
{
	union connections_peer peer = { .in = { .sin_family = AF_INET } };

	if (inet_pton(AF_INET, text, &peer.in.sin_addr) != 1) {
		peer = (union connections_peer){ .in6 = { .sin6_family = AF_INET6 } };
		ck_assert_int_eq(inet_pton(AF_INET6, text, &peer.in6.sin6_addr), 1);
	}
	return peer;
}

static void leave(unsigned source)
{
	int none_fd = -1;

	connections_close(connections, &none_fd, source);
}

/* Enter one from TEXT that stays. Returns whether it may. */
static bool enter(const char *text, unsigned *source)
{
	const union connections_peer peer = peer_of(text);
	enum connections_verdict verdict = connections_enter(connections, -1, 1, &peer, source);

	if (verdict != CONNECTIONS_WELCOME) {
		leave(*source);
	}
	return verdict == CONNECTIONS_WELCOME;
}

/* Have as many from TEXT as there can be, and leave them there. */
static unsigned fill(const char *text)
{
	unsigned source;
	unsigned count = 0;

	while (count < MAX && enter(text, &source)) {
		count++;
	}
	return count;
}

/* Those in one group are one source, and no two groups are. */
static const char *const groups[][4] = {
	{ "192.0.2.1", "::ffff:192.0.2.1" },
	{ "192.0.2.2" },
	{ "2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff:ffff:ffff:ffff" },
	{ "2001:db8:1:3::1" },
	{ "::192.0.2.1", "::ffff:0:192.0.2.1" },
};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

START_TEST(test_sources)
{
	unsigned source;

	for (unsigned g = 0; g < GROUPS; g++) {
		unsigned entered = 0;

		for (unsigned i = 0; entered < PER_SOURCE; entered++) {
			i = i < 3 && groups[g][i + 1] ? i + 1 : 0;
			ck_assert_msg(enter(groups[g][i], &source), "%s", groups[g][i]);
		}
		for (unsigned i = 0; i < 4 && groups[g][i]; i++) {
			ck_assert_msg(!enter(groups[g][i], &source), "%s", groups[g][i]);
		}
	}
	ck_assert_uint_eq(connections_open(connections), GROUPS * PER_SOURCE);
	/* One goes, one comes. */
	ck_assert(!enter("192.0.2.1", &source));
	ck_assert(enter("192.0.2.3", &source));
	leave(source);
}
END_TEST

START_TEST(test_place_again)
{
	unsigned sources[PER_SOURCE];
	unsigned source;

	for (unsigned i = 0; i < PER_SOURCE; i++) {
		ck_assert(enter("192.0.2.1", &sources[i]));
	}
	for (unsigned i = 0; i < 100; i++) {
		ck_assert(!enter("192.0.2.1", &source));
		leave(sources[i % PER_SOURCE]);
		ck_assert(enter("192.0.2.1", &sources[i % PER_SOURCE]));
	}
	ck_assert_uint_eq(connections_open(connections), PER_SOURCE);
}
END_TEST

/* From this machine as many come as there is room for, and no more. */
START_TEST(test_loopback)
{
	static const char *const texts[] = { "127.0.0.1", "127.255.255.254", "::1",
		"::ffff:127.0.0.1" };
	unsigned source;

	for (unsigned i = 0; i < MAX; i++) {
		ck_assert(enter(texts[i % 4], &source));
		ck_assert_uint_eq(source, 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		const union connections_peer peer = peer_of(texts[i]);

		ck_assert_int_eq(connections_enter(connections, -1, 1, &peer, &source),
			CONNECTIONS_TOO_MANY);
		leave(source);
	}
	leave(0);
	ck_assert(enter("::1", &source));
}
END_TEST

/* Far more sources than there is room for, all of them different: the table has room for each. */
START_TEST(test_many_sources)
{
	unsigned sources[MAX];

	for (unsigned i = 0; i < 50 * MAX; i++) {
		char text[64];

		if (i >= MAX) {
			leave(sources[i % MAX]);
		}
		snprintf(text, sizeof(text), i % 2 ? "198.18.%u.%u" : "2001:db8:%x:%x::1", i >> 8,
			i & 255);
		ck_assert(enter(text, &sources[i % MAX]));
		ck_assert_uint_ne(sources[i % MAX], 0);
	}
	for (unsigned i = 0; i < MAX; i++) {
		for (unsigned j = 0; j < i; j++) {
			ck_assert_uint_ne(sources[i], sources[j]);
		}
	}
	ck_assert_uint_eq(connections_open(connections), MAX);
}
END_TEST

START_TEST(test_crowded)
{
	unsigned source;

	for (unsigned i = 0; i < MAX * 3 / 4; i++) {
		ck_assert(!connections_are_crowded(connections));
		ck_assert(enter("127.0.0.1", &source));
	}
	ck_assert(!connections_are_crowded(connections));
	ck_assert(enter("127.0.0.1", &source));
	ck_assert(connections_are_crowded(connections));
	leave(source);
	ck_assert(!connections_are_crowded(connections));
}
END_TEST

/* The room is what there was when no more could be had, until there is more. */
START_TEST(test_shortage)
{
	unsigned source;

	for (unsigned i = 0; i < 8; i++) {
		ck_assert(enter("127.0.0.1", &source));
	}
	ck_assert(!connections_are_crowded(connections));
	connections_shortage(connections);
	for (unsigned i = 0; i < 6; i++) {
		ck_assert(connections_are_crowded(connections));
		leave(0);
	}
	ck_assert(!connections_are_crowded(connections));
	for (unsigned i = 2; i < 16; i++) {
		ck_assert(enter("127.0.0.1", &source));
	}
	for (unsigned i = 0; i < 12; i++) {
		ck_assert(connections_are_crowded(connections));
		leave(0);
	}
	ck_assert(!connections_are_crowded(connections));
	/* So many that there is no shortage any more. */
	for (unsigned i = 4; i < MAX; i++) {
		ck_assert(enter("127.0.0.1", &source));
	}
	for (unsigned i = 0; i < MAX / 4; i++) {
		ck_assert(connections_are_crowded(connections));
		leave(0);
	}
	ck_assert(!connections_are_crowded(connections));
}
END_TEST

START_TEST(test_format)
{
	static const char *const expected[][2] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
	};
	char text[CONNECTIONS_SOURCE_BYTES];

	for (unsigned i = 0; i < 3; i++) {
		const union connections_peer peer = peer_of(expected[i][0]);

		connections_format_source(-1, &peer, text, sizeof(text));
		ck_assert_str_eq(text, expected[i][1]);
	}
}
END_TEST

START_TEST(test_default_max)
{
	static const struct { rlim_t descriptors; unsigned max; } cases[] = {
		{ 16, 64 }, { 64, 64 }, { 127, 64 }, { 128, 64 }, { 129, 65 }, { 1024, 960 },
		{ 16447, 16383 }, { 16448, 16384 }, { 20000, 16384 },
	};
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].descriptors <= limit.rlim_max) {
			limit.rlim_cur = cases[i].descriptors;
			ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
			ck_assert_uint_eq(connections_default_max(), cases[i].max);
		}
	}
}
END_TEST

/* A reset for TCP, the end for UNIX; and none of it is a descriptor any more. */
START_TEST(test_reset)
{
	const union connections_peer peer = peer_of("192.0.2.1");
	struct sockets_pair pair = _i ? sockets_tcp_pair() : sockets_unix_pair();
	unsigned descriptors = process_descriptors();
	char text[16];
	unsigned source;

	connections_enter(connections, pair.server_fd, 1, &peer, &source);
	connections_reset(connections, &pair.server_fd, source);
	ck_assert_int_eq(pair.server_fd, -1);
	ck_assert_uint_eq(process_descriptors(), descriptors - 1);
	ck_assert_uint_eq(connections_open(connections), 0);
	ck_assert_int_eq(sockets_read_all(pair.client_fd, text, sizeof(text)), _i ? -1 : 0);
	sockets_close(&pair);
	ck_assert_uint_eq(fill("192.0.2.1"), PER_SOURCE);
}
END_TEST

#define CLOSERS 4
#define ROUNDS	20000

/* What one thread has entered and another is to close. */
static _Atomic unsigned handed[CLOSERS][MAX / CLOSERS];
static atomic_bool over;

/* A handle is a source and one: 0 is none. */
static void *close_all(void *argument)
{
	_Atomic unsigned *mine = argument;
	bool last = false;

	while (!last) {
		last = atomic_load(&over);
		for (unsigned i = 0; i < MAX / CLOSERS; i++) {
			unsigned handle = atomic_exchange(&mine[i], 0);

			if (handle) {
				leave(handle - 1);
			}
		}
		sched_yield();
	}
	return NULL;
}

/*
 * One enters as fast as it can, four close: all the time there are no more than may be. It goes on
 * until enough were welcome, however late the others get a processor.
 */
START_TEST(test_threads)
{
	pthread_t threads[CLOSERS];
	unsigned welcome = 0;

	for (unsigned i = 0; i < CLOSERS; i++) {
		pthread_create(&threads[i], NULL, close_all, handed[i]);
	}
	for (unsigned i = 0; i < ROUNDS || welcome <= ROUNDS / 100; i++) {
		_Atomic unsigned *place = &handed[i % CLOSERS][i / CLOSERS % (MAX / CLOSERS)];
		unsigned source;
		char text[32];

		snprintf(text, sizeof(text), "198.18.%u.%u", i >> 4 & 255, i % 7);
		if (!atomic_load(place) && enter(text, &source)) {
			atomic_store(place, source + 1);
			welcome++;
		}
		if (i >= ROUNDS) {
			sched_yield();
		}
		ck_assert_uint_le(connections_open(connections), MAX);
	}
	atomic_store(&over, true);
	for (unsigned i = 0; i < CLOSERS; i++) {
		pthread_join(threads[i], NULL);
	}
	ck_assert_uint_eq(connections_open(connections), 0);
	/* No source has lost or kept a place. */
	for (unsigned i = 0; i < 7; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.18.%u.%u", ROUNDS >> 4 & 255, i);
		ck_assert_uint_eq(fill(text), PER_SOURCE);
	}
}
END_TEST

/* Such a one is counted out like any other, and takes no place meanwhile. */
START_TEST(test_not_allowed)
{
	static struct access none;
	const union connections_peer inet = peer_of("127.0.0.1");
	const union connections_peer unix_peer = { .any = { .sa_family = AF_UNIX } };
	unsigned source;

	none.count = 1;
	ck_assert_int_eq(prefix_parse(&none.rules[0].network, "192.0.2.1"), 0);
	connections_free(connections);
	connections = connections_new(MAX, PER_SOURCE, &none);
	ck_assert_int_eq(connections_enter(connections, -1, 1, &inet, &source),
		CONNECTIONS_NOT_ALLOWED);
	leave(source);
	ck_assert_uint_eq(connections_open(connections), 0);
	ck_assert_int_eq(connections_enter(connections, -1, 1, &unix_peer, &source),
		CONNECTIONS_WELCOME);
	leave(source);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("connections");
	TCase *tcase = tcase_create("connections");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, test_sources);
	tcase_add_test(tcase, test_place_again);
	tcase_add_test(tcase, test_loopback);
	tcase_add_test(tcase, test_many_sources);
	tcase_add_test(tcase, test_crowded);
	tcase_add_test(tcase, test_shortage);
	tcase_add_test(tcase, test_format);
	tcase_add_test(tcase, test_default_max);
	tcase_add_loop_test(tcase, test_reset, 0, 2);
	tcase_add_test(tcase, test_not_allowed);
	tcase_add_test(tcase, test_threads);
	suite_add_tcase(suite, tcase);
	return suite;
}
