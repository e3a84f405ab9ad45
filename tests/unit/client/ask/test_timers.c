/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include "client/ask/timers.h"
#include "common/clock.h"
#include "unit/random.h"

#define COUNT  300
#define ROUNDS 20000

/* Whatever is set and unset in whichever order, the first is the earliest. */
START_TEST(test_random)
{
	static struct timer timer[COUNT];
	struct timers timers;

	ck_assert_int_eq(timers_init(&timers, COUNT), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct timer *one = &timer[random_below(COUNT)];
		uint64_t least_ns = CLOCK_NEVER;
		unsigned set = 0;

		timers_set(&timers, one, random_below(3) ? random_below(1000) : CLOCK_NEVER);
		for (unsigned i = 0; i < COUNT; i++) {
			if (timer[i].place) {
				set++;
				least_ns = timer[i].due_ns < least_ns ? timer[i].due_ns : least_ns;
			}
		}
		ck_assert_uint_eq(timers.count, set);
		if (set) {
			ck_assert_uint_eq(timers_first(&timers)->due_ns, least_ns);
		} else {
			ck_assert_ptr_null(timers_first(&timers));
		}
	}
	timers_fini(&timers);
}
END_TEST

START_TEST(test_order)
{
	static struct timer timer[COUNT];
	struct timers timers;

	ck_assert_int_eq(timers_init(&timers, COUNT), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		timers_set(&timers, &timer[i], i * 7919 % COUNT);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		struct timer *first = timers_first(&timers);

		ck_assert_uint_eq(first->due_ns, i);
		timers_set(&timers, first, CLOCK_NEVER);
	}
	ck_assert_ptr_null(timers_first(&timers));
	timers_fini(&timers);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("timers");
	TCase *tcase = tcase_create("heap");

	tcase_add_test(tcase, test_random);
	tcase_add_test(tcase, test_order);
	suite_add_tcase(suite, tcase);
	return suite;
}
