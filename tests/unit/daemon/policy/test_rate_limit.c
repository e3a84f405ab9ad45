/* SPDX-License-Identifier: MIT */
/* The clock is the test's own: what takes minutes there is over in an instant here. */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/prefix.h"
#include "daemon/policy/rate_limit.h"
#include "unit/process.h"
#include "unit/random.h"

#define RATE	50
#define BURST	125
#define THREADS 4

static struct rate_limit *limit;
static uint64_t now_ns;

static void set_up(void)
{
	random_init();
	/* Some time of a machine that has been up for up to a year. */
	now_ns = random_below(366 * 24 * 3600) * CLOCK_S;
	limit = rate_limit_new(RATE);
}

static void tear_down(void)
{
	rate_limit_free(limit);
}

/* TEXT, with NUMBER added to its last four bytes. */
static struct in6_addr address_of(const char *text, uint32_t number)
{
	struct prefix whole;
	uint32_t last;

	if (prefix_parse(&whole, text) < 0) {
		ck_abort_msg("%s", text);
	}
	memcpy(&last, &whole.address.s6_addr[12], sizeof(last));
	last = htonl(ntohl(last) + number);
	memcpy(&whole.address.s6_addr[12], &last, sizeof(last));
	return whole.address;
}

static bool take(const char *text, uint32_t number)
{
	struct in6_addr address = address_of(text, number);

	return rate_limit_take(limit, &address, now_ns);
}

START_TEST(test_burst)
{
	static const char *const sources[] = { "192.0.2.1", "2001:db8::1" };

	for (unsigned s = 0; s < 2; s++) {
		for (unsigned i = 0; i < BURST; i++) {
			ck_assert(take(sources[s], 0));
		}
		ck_assert(!take(sources[s], 0));
		now_ns += CLOCK_S / RATE - 1;
		ck_assert(!take(sources[s], 0));
		now_ns++;
		ck_assert(take(sources[s], 0));
		ck_assert(!take(sources[s], 0));
		/* All tokens are back after the time of all of them, and no more than those. */
		now_ns += 3600 * CLOCK_S;
		for (unsigned i = 0; i < BURST; i++) {
			ck_assert(take(sources[s], 0));
		}
		ck_assert(!take(sources[s], 0));
	}
}
END_TEST

/* The time in a slot is modulo 2^44 ns: it passes from its end to its beginning unnoticed. */
START_TEST(test_wrap)
{
	unsigned passed = 0;

	now_ns = (3ull << 44) - 5 * CLOCK_S;
	for (unsigned i = 0; i < 10000; i++) {
		passed += take("192.0.2.1", 0);
		now_ns += CLOCK_MS;
	}
	ck_assert_uint_ge(passed, BURST + 10 * RATE - 1);
	ck_assert_uint_le(passed, BURST + 10 * RATE + 1);
}
END_TEST

START_TEST(test_rates)
{
	static const unsigned rates[] = { 1, 2, 3, 7, 50, 999, RATE_LIMIT_MAX };

	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t rate = rates[i];
		uint64_t seconds = rate > 1000 ? 1 : 100;
		uint64_t expected = rate * 5 / 2 + seconds * rate;
		uint64_t passed = 0;

		rate_limit_free(limit);
		limit = rate_limit_new(rates[i]);
		/* Asked four times as often: the burst is used up soon. */
		for (uint64_t n = 0; n < 4 * seconds * rate; n++) {
			struct in6_addr address = { .s6_addr = { 0x20, 1, [15] = 1 } };

			passed += rate_limit_take(limit, &address,
				now_ns + n * CLOCK_S / (4 * rate));
		}
		ck_assert_msg(passed + 1 >= expected && passed <= expected + 1,
			"%u/s: %llu instead of %llu", rates[i], (unsigned long long)passed,
			(unsigned long long)expected);
	}
}
END_TEST

/* A flood from one address leaves the rest of its network what it had. */
START_TEST(test_flood_of_one)
{
	for (unsigned i = 0; i < 100000; i++) {
		take("192.0.2.1", 0);
		take("2001:db8::1", 0);
	}
	for (unsigned i = 0; i < BURST; i++) {
		ck_assert(take("192.0.2.2", 0));
		ck_assert(take("2001:db8::2", 0));
	}
}
END_TEST

/*
 * Many sources at a time, most of them pretended: who asks seldom is not refused, and who asks too
 * often is not forgotten.
 */
START_TEST(test_many_sources)
{
	unsigned refused = 0;
	unsigned passed = 0;

	for (unsigned i = 0; i < 500000; i++) {
		struct in6_addr address = address_of("1.0.0.0", (uint32_t)random_next() >> 1);

		refused += !rate_limit_take(limit, &address, now_ns);
		if (i % 100 == 0) {
			passed += take("192.0.2.1", 0);
		}
		/* 10^5 a second. */
		now_ns += 10 * CLOCK_US;
	}
	ck_assert_uint_le(refused, 10);
	ck_assert_uint_ge(passed, BURST + 5 * RATE - 1);
	ck_assert_uint_le(passed, BURST + 5 * RATE + 5);
}
END_TEST

/*
 * Accuracy: THREADS threads ask as fast as they can, in ticks of a clock that stands still within
 * a tick. What passes in all is what the tokens allow, to within one for each thread.
 */
#define TICKS	1000
#define TICK_NS (20 * CLOCK_MS)

static const struct {
	const char *flooded;	/* the first of SOURCES addresses in sequence */
	uint32_t sources;
	unsigned times;		/* the rate of all of them, in that of an address */
	const char *neighbour;	/* not of that prefix, but of the next shorter one */
} prefixes[] = {
	{ "192.0.2.8", 1, 1, "192.0.2.9" },
	{ "192.0.2.0", 256, 32, "192.0.3.0" },
	{ "2001:db8::8", 1, 1, "2001:db8::9" },
	{ "2001:db8:0:2::", 1000, 2, "2001:db8:0:3::" },
};

struct flood {
	pthread_barrier_t tick;
	_Atomic uint64_t passed;
	unsigned index;		/* of PREFIXES */
	unsigned queries;	/* of each thread in a tick */
};

static void *flood_main(void *argument)
{
	struct flood *flood = argument;
	uint32_t sources = prefixes[flood->index].sources;
	struct in6_addr *addresses = calloc(sources, sizeof(*addresses));
	unsigned next = 0;

	for (uint32_t i = 0; i < sources; i++) {
		addresses[i] = address_of(prefixes[flood->index].flooded, i);
	}
	for (unsigned t = 0; t < TICKS; t++) {
		uint64_t passed = 0;

		pthread_barrier_wait(&flood->tick);
		for (unsigned q = 0; q < flood->queries; q++) {
			passed += rate_limit_take(limit, &addresses[next++ % sources],
				now_ns + t * TICK_NS);
		}
		atomic_fetch_add_explicit(&flood->passed, passed, memory_order_relaxed);
	}
	free(addresses);
	return NULL;
}

START_TEST(test_accuracy)
{
	unsigned times = prefixes[_i].times;
	uint64_t expected = times * BURST + (TICKS - 1) * TICK_NS / (CLOCK_S / (RATE * times));
	struct flood flood = { .index = (unsigned)_i };
	pthread_t threads[THREADS];
	uint64_t passed;

	/* 10^6 queries, or ten times that. */
	flood.queries = (getenv("RUPTIME_TEST_LONG") ? 10000000 : 1000000) / TICKS / THREADS;
	pthread_barrier_init(&flood.tick, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_create(&threads[i], NULL, flood_main, &flood);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	pthread_barrier_destroy(&flood.tick);
	passed = flood.passed;
	ck_assert_msg(passed + THREADS >= expected && passed <= expected + THREADS,
		"%llu instead of %llu", (unsigned long long)passed, (unsigned long long)expected);
	now_ns += (TICKS - 1) * TICK_NS;
	ck_assert(!take(prefixes[_i].flooded, 0));
	/* It has a bucket of its own, and that is full. */
	passed = 0;
	for (unsigned i = 0; i < times * BURST; i++) {
		passed += take(prefixes[_i].neighbour, i % prefixes[_i].sources);
	}
	ck_assert_uint_eq(passed, times * BURST);
	ck_assert(!take(prefixes[_i].neighbour, 0));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("rate_limit");
	TCase *tcase = tcase_create("rate_limit");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_burst);
	tcase_add_test(tcase, test_wrap);
	tcase_add_test(tcase, test_rates);
	tcase_add_test(tcase, test_flood_of_one);
	tcase_add_test(tcase, test_many_sources);
	tcase_add_loop_test(tcase, test_accuracy, 0, sizeof(prefixes) / sizeof(prefixes[0]));
	suite_add_tcase(suite, tcase);
	return suite;
}
