/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include "daemon/policy/returning.h"
#include "unit/random.h"

static struct returning *returning;
static uint64_t now_ns;

static void set_up(void)
{
	random_init();
	now_ns = 1000 * CLOCK_S;
	returning = returning_new();
	ck_assert_ptr_nonnull(returning);
}

static void tear_down(void)
{
	returning_free(returning);
}

static struct in6_addr any_address(void)
{
	struct in6_addr address;

	random_fill(&address, sizeof(address));
	return address;
}

START_TEST(test_empty)
{
	struct in6_addr address = any_address();

	ck_assert(!returning_has(returning, &address, now_ns));
	ck_assert(!returning_any(returning, now_ns));
	returning_free(NULL);
}
END_TEST

/* For as long as is promised, whenever it was noted; and not for more than twice that. */
START_TEST(test_time)
{
	for (unsigned i = 0; i < 100; i++) {
		struct in6_addr address = any_address();
		struct in6_addr other = any_address();
		uint64_t noted_ns;

		now_ns += random_below(2 * RETURNING_NS / CLOCK_MS) * CLOCK_MS;
		noted_ns = now_ns;
		returning_note(returning, &address, now_ns);
		while (now_ns < noted_ns + RETURNING_NS) {
			ck_assert(returning_has(returning, &address, now_ns));
			now_ns += random_below(1000) * CLOCK_MS;
			if (random_below(2)) {
				returning_note(returning, &other, now_ns);
			}
		}
		now_ns = noted_ns + 2 * RETURNING_NS;
		ck_assert(!returning_has(returning, &address, now_ns));
	}
	now_ns += 2 * RETURNING_NS;
	ck_assert(!returning_any(returning, now_ns));
}
END_TEST

/* 100,000 a second, none of them twice. */
START_TEST(test_strangers)
{
	unsigned mistaken = 0;
	unsigned count = 0;

	for (uint64_t end_ns = now_ns + 10 * CLOCK_S; now_ns < end_ns; now_ns += 10 * CLOCK_US) {
		struct in6_addr address = any_address();

		mistaken += returning_has(returning, &address, now_ns);
		returning_note(returning, &address, now_ns);
		if (!returning_has(returning, &address, now_ns)) {
			ck_abort_msg("number %u is forgotten at once", count);
		}
		count++;
	}
	ck_assert_msg(mistaken < count / 1000, "%u of %u", mistaken, count);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("returning");
	TCase *tcase = tcase_create("returning");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_empty);
	tcase_add_test(tcase, test_time);
	tcase_add_test(tcase, test_strangers);
	suite_add_tcase(suite, tcase);
	return suite;
}
