/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "daemon/stats.h"

START_TEST(test_sum)
{
	struct stats *stats = stats_new(3);
	struct stats_counters sum;

	for (unsigned i = 0; i < 3; i++) {
		struct stats_counters *mine = stats_of(stats, i);

		stats_add(&mine->requests[ADDRESS_TCP], 100 * (i + 1));
		stats_add(&mine->replies[ADDRESS_TCP], 10);
		stats_add(&mine->dropped[ADDRESS_UDP][STATS_NO_ROOM], i);
		stats_add(&mine->runs_ok, 1);
		stats_add(&mine->runs_failed, 2);
	}
	memset(&sum, 0xff, sizeof(sum));
	stats_sum(stats, &sum);
	ck_assert_uint_eq(sum.requests[ADDRESS_TCP], 600);
	ck_assert_uint_eq(sum.requests[ADDRESS_UDP], 0);
	ck_assert_uint_eq(sum.replies[ADDRESS_TCP], 30);
	ck_assert_uint_eq(sum.dropped[ADDRESS_UDP][STATS_NO_ROOM], 3);
	ck_assert_uint_eq(sum.runs_ok, 3);
	ck_assert_uint_eq(sum.runs_failed, 6);
	stats_free(stats);
	stats_free(NULL);
}
END_TEST

START_TEST(test_blocks_are_apart)
{
	struct stats *stats = stats_new(2);
	char *first = (char *)stats_of(stats, 0);
	char *second = (char *)stats_of(stats, 1);

	ck_assert_uint_eq((uintptr_t)first % 64, 0);
	ck_assert_uint_eq((uintptr_t)second % 64, 0);
	ck_assert_int_ge(second - first, (ptrdiff_t)sizeof(struct stats_counters));
	stats_free(stats);
}
END_TEST

START_TEST(test_names)
{
	for (unsigned r = 0; r < STATS_DROPS; r++) {
		ck_assert_ptr_nonnull(stats_drop_name((enum stats_drop)r));
		for (unsigned other = 0; other < r; other++) {
			ck_assert_str_ne(stats_drop_name((enum stats_drop)r),
				stats_drop_name((enum stats_drop)other));
		}
	}
}
END_TEST

START_TEST(test_format)
{
	struct stats_counters sum;
	char text[STATS_TEXT_BYTES];
	char little[10];

	memset(&sum, 0, sizeof(sum));
	stats_format(&sum, ADDRESS_UDP, text, sizeof(text));
	ck_assert_str_eq(text, "requests=0 replies=0 dropped=0 waiting=0");
	sum.requests[ADDRESS_UDP] = 10;
	sum.replies[ADDRESS_UDP] = 4;
	sum.dropped[ADDRESS_UDP][STATS_MALFORMED] = 2;
	sum.dropped[ADDRESS_UDP][STATS_SEND_FAILED] = 1;
	sum.requests[ADDRESS_TCP] = 1;
	ck_assert_uint_eq(stats_format(&sum, ADDRESS_UDP, text, sizeof(text)), strlen(text));
	ck_assert_str_eq(text,
		"requests=10 replies=4 dropped=3 waiting=3 (malformed=2 send-failed=1)");
	ck_assert_int_gt(stats_format(&sum, ADDRESS_UDP, little, sizeof(little)), 9);
	ck_assert_str_eq(little, "requests=");
}
END_TEST

/* The longest of numbers, all reasons. */
START_TEST(test_format_longest)
{
	struct stats_counters sum;
	char text[STATS_TEXT_BYTES];

	memset(&sum, 0xff, sizeof(sum));
	ck_assert_uint_eq(stats_format(&sum, ADDRESS_TCP, text, sizeof(text)), strlen(text));
	ck_assert_int_eq(text[strlen(text) - 1], ')');
}
END_TEST

/* One that receives and one that answers, in step, while a third one looks. */

#define REQUESTS 200000

struct ledger {
	struct stats *stats;
	_Atomic uint64_t received;
};

static void *receive(void *argument)
{
	struct ledger *ledger = argument;

	for (uint64_t i = 1; i <= REQUESTS; i++) {
		stats_add(&stats_of(ledger->stats, 1)->requests[ADDRESS_TCP], 1);
		/* Release: as a queue would, orders the count before the thread that answers. */
		atomic_store_explicit(&ledger->received, i, memory_order_release);
	}
	return NULL;
}

static void *answer(void *argument)
{
	struct ledger *ledger = argument;
	struct stats_counters *mine = stats_of(ledger->stats, 0);

	for (uint64_t i = 0; i < REQUESTS;) {
		uint64_t received = atomic_load_explicit(&ledger->received, memory_order_acquire);

		for (; i < received; i++) {
			stats_add(i % 3 ? &mine->replies[ADDRESS_TCP]
					: &mine->dropped[ADDRESS_TCP][STATS_CLIENT_GONE],
				1);
		}
	}
	return NULL;
}

START_TEST(test_never_negative)
{
	struct ledger ledger = { .stats = stats_new(2) };
	uint64_t left = 0;
	pthread_t threads[2];

	pthread_create(&threads[0], NULL, receive, &ledger);
	pthread_create(&threads[1], NULL, answer, &ledger);
	while (left < REQUESTS) {
		struct stats_counters sum;

		stats_sum(ledger.stats, &sum);
		left = sum.replies[ADDRESS_TCP] + sum.dropped[ADDRESS_TCP][STATS_CLIENT_GONE];
		ck_assert_uint_le(left, sum.requests[ADDRESS_TCP]);
	}
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	stats_free(ledger.stats);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("stats");
	TCase *tcase = tcase_create("stats");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, test_sum);
	tcase_add_test(tcase, test_blocks_are_apart);
	tcase_add_test(tcase, test_names);
	tcase_add_test(tcase, test_format);
	tcase_add_test(tcase, test_format_longest);
	tcase_add_test(tcase, test_never_negative);
	suite_add_tcase(suite, tcase);
	return suite;
}
