/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <string.h>
#include <sys/socket.h>

#include "client/ask/ask.h"
#include "client/ask/transport.h"

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

START_TEST(test_turns)
{
	const uint64_t turn_ns = TRANSPORT_TURN_NS;

	/* There is time for all: each has a turn of a quarter of a second. */
	ck_assert_uint_eq(transport_turn_ends_ns(3, 100, CLOCK_S), 100 + turn_ns);
	/* There is not: each has a fair share. */
	ck_assert_uint_eq(transport_turn_ends_ns(3, 100, 400), 200);
	ck_assert_uint_eq(transport_turn_ends_ns(2, 200, 400), 300);
	/* The second one took no time at all: the third has what is left. */
	ck_assert_uint_eq(transport_turn_ends_ns(1, 201, 400), 400);
	ck_assert_uint_eq(transport_turn_ends_ns(3, 500, 400), 400);
	ck_assert_uint_eq(transport_turn_ends_ns(3, 0, CLOCK_NEVER), turn_ns);
}
END_TEST

/* FAMILIES as they come, and ORDER as they are asked: '4' and '6', with the place in the list. */
static const struct {
	const char *families;
	const char *order;
} orders[] = {
	{ "", "" },
	{ "4", "0" },
	{ "666", "012" },
	{ "64", "01" },
	{ "6644", "0213" },
	{ "66664", "04123" },
	{ "4666", "0123" },
	{ "44446666", "04152637" },
};

START_TEST(test_order)
{
	const struct addrinfo *order[TRANSPORT_ADDRESSES_MAX];
	struct addrinfo list[16] = { 0 };
	size_t count = strlen(orders[_i].families);

	for (size_t i = 0; i < count; i++) {
		list[i].ai_family = orders[_i].families[i] == '6' ? AF_INET6 : AF_INET;
		list[i].ai_next = i + 1 < count ? &list[i + 1] : NULL;
	}
	ck_assert_uint_eq(transport_order(count ? list : NULL, order), count);
	for (size_t i = 0; i < count; i++) {
		ck_assert_int_eq(order[i] - list, orders[_i].order[i] - '0');
	}
}
END_TEST

START_TEST(test_order_is_bounded)
{
	const struct addrinfo *order[TRANSPORT_ADDRESSES_MAX];
	struct addrinfo list[TRANSPORT_ADDRESSES_MAX + 1] = { 0 };

	for (size_t i = 0; i < TRANSPORT_ADDRESSES_MAX; i++) {
		list[i].ai_next = &list[i + 1];
	}
	ck_assert_uint_eq(transport_order(list, order), TRANSPORT_ADDRESSES_MAX);
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
	tcase_add_test(rests, test_turns);
	tcase_add_loop_test(rests, test_order, 0, ROWS(orders));
	tcase_add_test(rests, test_order_is_bounded);
	suite_add_tcase(suite, rests);
	return suite;
}
