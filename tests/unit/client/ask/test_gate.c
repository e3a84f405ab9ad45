/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include "client/ask/gate.h"

/* Pass as many as may at NOW_NS, at most MAX. */
static unsigned pass_all(struct gate *gate, struct gate_pass *passes, unsigned max, uint64_t now_ns,
	uint64_t *wake_ns)
{
	unsigned count = 0;

	*wake_ns = CLOCK_NEVER;
	while (count < max && gate_is_open(gate, now_ns, wake_ns)) {
		gate_pass(gate, &passes[count++], now_ns);
	}
	return count;
}

/* Where answers do not come, the rate is bounded; each question counts for a while only. */
START_TEST(test_no_answers)
{
	static struct gate_pass passes[4 * GATE_OPEN_MAX];
	struct gate gate;
	uint64_t wake_ns;

	gate_init(&gate, 0);
	ck_assert_uint_eq(pass_all(&gate, passes, 500, 7, &wake_ns), GATE_OPEN_MAX);
	ck_assert_uint_eq(wake_ns, 7 + GATE_OPEN_NS);
	ck_assert_uint_eq(pass_all(&gate, passes, 500, 6 + GATE_OPEN_NS, &wake_ns), 0);
	ck_assert_uint_eq(pass_all(&gate, passes + GATE_OPEN_MAX, 500, 7 + GATE_OPEN_NS, &wake_ns),
		GATE_OPEN_MAX);
}
END_TEST

/* Each answer lets another question out; to return a pass again changes nothing. */
START_TEST(test_answers)
{
	static struct gate_pass passes[2 * GATE_OPEN_MAX];
	struct gate gate;
	uint64_t wake_ns;

	gate_init(&gate, 0);
	ck_assert_uint_eq(pass_all(&gate, passes, 500, 7, &wake_ns), GATE_OPEN_MAX);
	gate_return(&gate, &passes[5]);
	gate_return(&gate, &passes[0]);
	gate_return(&gate, &passes[GATE_OPEN_MAX - 1]);
	gate_return(&gate, &passes[5]);
	ck_assert_uint_eq(pass_all(&gate, passes + GATE_OPEN_MAX, 500, 7, &wake_ns), 3);
}
END_TEST

/* An interval is kept on the average, if the loop wakes late, too. */
START_TEST(test_interval)
{
	static struct gate_pass passes[5000];
	struct gate gate;
	uint64_t wake_ns;
	unsigned count = 0;

	gate_init(&gate, CLOCK_MS / 4);
	for (uint64_t now_ns = CLOCK_S; now_ns < 2 * CLOCK_S; now_ns += CLOCK_MS) {
		count += pass_all(&gate, passes + count, 100, now_ns, &wake_ns);
	}
	ck_assert_uint_ge(count, 3990);
	ck_assert_uint_le(count, 4001);
}
END_TEST

START_TEST(test_interval_after_a_rest)
{
	static struct gate_pass passes[10];
	struct gate gate;
	uint64_t wake_ns;

	gate_init(&gate, CLOCK_S);
	ck_assert_uint_eq(pass_all(&gate, passes, 10, CLOCK_S, &wake_ns), 1);
	ck_assert_uint_eq(wake_ns, 2 * CLOCK_S);
	ck_assert_uint_eq(pass_all(&gate, passes, 10, 9 * CLOCK_S, &wake_ns), 1);
	ck_assert_uint_eq(wake_ns, 10 * CLOCK_S);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("gate");
	TCase *tcase = tcase_create("pace");

	tcase_add_test(tcase, test_no_answers);
	tcase_add_test(tcase, test_answers);
	tcase_add_test(tcase, test_interval);
	tcase_add_test(tcase, test_interval_after_a_rest);
	suite_add_tcase(suite, tcase);
	return suite;
}
