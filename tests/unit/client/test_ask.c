/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include "client/ask.h"
#include "client/transport.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define LONGEST_NS (64 * CLOCK_S)

static const struct ask_options three_tries = { .tries = 3 };
static const struct ask_options many_tries = { .tries = 1000 };

/* The rests are jittered by a quarter: the least, the middle and the greatest RANDOM. */
START_TEST(test_rest_doubles)
{
	uint64_t expected_ns = 100 * CLOCK_MS;

	for (unsigned tries = 1; tries < 1000; tries++) {
		uint64_t least_ns = ask_rest_ns(&many_tries, tries, 0, 0);
		uint64_t middle_ns = ask_rest_ns(&many_tries, tries, 0, UINT16_MAX / 2 + 1);
		uint64_t greatest_ns = ask_rest_ns(&many_tries, tries, 0, UINT16_MAX);

		ck_assert_uint_eq(least_ns, expected_ns / 4 * 3);
		ck_assert_uint_ge(middle_ns, expected_ns);
		ck_assert_uint_le(middle_ns, expected_ns + expected_ns / 10000);
		ck_assert_uint_le(greatest_ns, expected_ns / 4 * 5);
		ck_assert_uint_ge(greatest_ns, expected_ns / 4 * 5 - expected_ns / 10000);
		expected_ns = expected_ns * 2 < LONGEST_NS ? expected_ns * 2 : LONGEST_NS;
	}
}
END_TEST

START_TEST(test_rest_ends_with_the_tries)
{
	ck_assert_uint_ne(ask_rest_ns(&three_tries, 1, 0, 0), ASK_NO_MORE);
	ck_assert_uint_ne(ask_rest_ns(&three_tries, 2, 3600 * CLOCK_S, 0), ASK_NO_MORE);
	ck_assert_uint_eq(ask_rest_ns(&three_tries, 3, 0, 0), ASK_NO_MORE);
}
END_TEST

/* What --wait does with a host that refuses at once, on a clock that only the rests move. */
static unsigned wait_out(uint64_t wait_ns, uint64_t try_ns, uint64_t *rests_ns, unsigned max)
{
	const struct ask_options options = { .tries = 1, .wait = true, .wait_ns = wait_ns };
	uint64_t now_ns = try_ns;
	unsigned tries = 1;

	while (tries <= max) {
		uint64_t rest_ns = ask_rest_ns(&options, tries, now_ns, (uint16_t)(tries * 7919));

		if (rest_ns == ASK_NO_MORE) {
			break;
		}
		rests_ns[tries - 1] = rest_ns;
		now_ns += rest_ns + try_ns;
		tries++;
	}
	return tries;
}

START_TEST(test_wait_for_ever)
{
	static const unsigned seconds[] = { 1, 2, 4, 8, 16, 32, 64, 64, 64, 64 };
	uint64_t rests_ns[ROWS(seconds)];

	ck_assert_uint_eq(wait_out(CLOCK_NEVER, 0, rests_ns, ROWS(seconds)), ROWS(seconds) + 1);
	for (size_t i = 0; i < ROWS(seconds); i++) {
		ck_assert_uint_eq(rests_ns[i], seconds[i] * CLOCK_S);
	}
}
END_TEST

static const struct {
	uint64_t wait_ns;
	uint64_t try_ns;
	unsigned tries;
	uint64_t last_rest_ns;
} waits[] = {
	{ 0, 0, 1, 0 },
	{ 1, 0, 2, 1 },
	{ CLOCK_S, 0, 2, CLOCK_S },
	{ CLOCK_S + 1, 0, 3, 1 },
	{ 10 * CLOCK_S, 0, 5, 3 * CLOCK_S },		/* 1 2 4 and what is left */
	{ 10 * CLOCK_S, CLOCK_S, 4, 4 * CLOCK_S },	/* tries at 0 2 5 10 */
	{ 10 * CLOCK_S, 12 * CLOCK_S, 1, 0 },		/* one try took all of it */
};

START_TEST(test_wait_ends_with_a_try)
{
	for (size_t i = 0; i < ROWS(waits); i++) {
		uint64_t rests_ns[16] = { 0 };
		unsigned tries = wait_out(waits[i].wait_ns, waits[i].try_ns, rests_ns,
			ROWS(rests_ns));

		ck_assert_msg(tries == waits[i].tries, "row %zu: %u tries", i, tries);
		if (tries > 1) {
			ck_assert_msg(rests_ns[tries - 2] == waits[i].last_rest_ns,
				"row %zu: the last rest is %ju ns", i,
				(uintmax_t)rests_ns[tries - 2]);
		}
	}
}
END_TEST

START_TEST(test_turns_are_fair)
{
	struct addrinfo third = { .ai_next = NULL };
	struct addrinfo second = { .ai_next = &third };
	struct addrinfo first = { .ai_next = &second };

	ck_assert_uint_eq(transport_turn_ends_ns(&first, 100, 400), 200);
	ck_assert_uint_eq(transport_turn_ends_ns(&second, 200, 400), 300);
	/* The second one took no time at all: the third has what is left. */
	ck_assert_uint_eq(transport_turn_ends_ns(&third, 201, 400), 400);
	ck_assert_uint_eq(transport_turn_ends_ns(&first, 500, 400), 400);
	ck_assert_uint_eq(transport_turn_ends_ns(&first, 0, CLOCK_NEVER), CLOCK_NEVER / 3);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("ask");
	TCase *rests = tcase_create("rests");

	tcase_add_test(rests, test_rest_doubles);
	tcase_add_test(rests, test_rest_ends_with_the_tries);
	tcase_add_test(rests, test_wait_for_ever);
	tcase_add_test(rests, test_wait_ends_with_a_try);
	tcase_add_test(rests, test_turns_are_fair);
	suite_add_tcase(suite, rests);
	return suite;
}
