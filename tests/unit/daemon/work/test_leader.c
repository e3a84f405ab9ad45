/* SPDX-License-Identifier: MIT */
/*
 * Who leads, and when: with times that the test makes up, and threads only where one has to wait.
 */
#include "unit/unit.h"

#include <pthread.h>

#include "common/clock.h"
#include "daemon/work/leader.h"

#define NOW_NS (1000 * CLOCK_S)
#define RUN_NS (2 * CLOCK_MS)
#define PAST   1

static struct leader leader;
static struct leader_turn turn;

static void set_up(void)
{
	ck_assert_int_eq(leader_init(&leader), 0);
}

static void tear_down(void)
{
	leader_fini(&leader);
}

/* A run of RUN_NS, for COUNT requests that take ANSWER_NS each; often enough to be the usual. */
static void learn(uint64_t count, uint64_t run_ns, uint64_t answer_ns)
{
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
		leader_hand_on(&leader, NOW_NS - run_ns, NOW_NS, &turn);
		leader_done(&leader, &turn, count, NOW_NS + count * answer_ns);
	}
}

/* One leads; who comes meanwhile is late; who comes when it is over leads at once. */
START_TEST(test_one_at_a_time)
{
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
	leader_hand_on(&leader, NOW_NS, NOW_NS + RUN_NS, &turn);
	/* The role is free, but somebody answers: not worth a run yet. */
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
	leader_done(&leader, &turn, 1, NOW_NS + RUN_NS);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
}
END_TEST

/* While a crowd is answered, as many must wait as are answered in two runs' time. */
START_TEST(test_worth)
{
	uint64_t worth;

	learn(100, RUN_NS, 20 * CLOCK_US);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
	leader_hand_on(&leader, NOW_NS - RUN_NS, NOW_NS, &turn);
	worth = turn.worth;
	ck_assert_uint_eq(leader_worth(&leader), worth);
	/* 2 * 2 ms / 20 us, give or take the rounding of the averages. */
	ck_assert_uint_ge(worth, 190);
	ck_assert_uint_le(worth, 210);
	leader_look(&leader, &turn, worth - 1, NOW_NS);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
	leader_look(&leader, &turn, worth, NOW_NS);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
	/* Called once, come once. */
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
}
END_TEST

/* A lone request waits for two runs' time at most. */
START_TEST(test_due)
{
	learn(100, RUN_NS, 20 * CLOCK_US);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
	leader_hand_on(&leader, NOW_NS - RUN_NS, NOW_NS, &turn);
	ck_assert_uint_ge(turn.due_ns, NOW_NS + 2 * RUN_NS * 9 / 10);
	ck_assert_uint_le(turn.due_ns, NOW_NS + 2 * RUN_NS * 11 / 10);
	leader_look(&leader, &turn, 1, turn.due_ns - 1);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
	leader_look(&leader, &turn, 0, turn.due_ns);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
	leader_look(&leader, &turn, 1, turn.due_ns);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
}
END_TEST

/* Short runs count as long as waking somebody takes, and pause for as long as promised. */
START_TEST(test_short_runs)
{
	learn(100, 10 * CLOCK_US, 20 * CLOCK_US);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
	leader_hand_on(&leader, NOW_NS - 10 * CLOCK_US, NOW_NS, &turn);
	ck_assert_uint_ge(turn.worth, 9);
	ck_assert_uint_le(turn.worth, 12);
	ck_assert_uint_eq(turn.due_ns, NOW_NS + LEADER_PAUSE_NS);
}
END_TEST

/* After a crowd, and only then, and only for long runs, the next run waits a moment. */
START_TEST(test_gather)
{
	uint64_t end_ns = NOW_NS + 100 * 20 * CLOCK_US;
	uint64_t moment_ns;
	uint64_t crowd;

	ck_assert_uint_eq(leader_gather_ns(&leader, 0, NOW_NS, &crowd), 0);
	learn(100, RUN_NS, 20 * CLOCK_US);
	moment_ns = leader_gather_ns(&leader, 0, end_ns, &crowd);
	ck_assert_uint_ge(moment_ns, RUN_NS / LEADER_GATHER_PART * 9 / 10);
	ck_assert_uint_le(moment_ns, RUN_NS / LEADER_GATHER_PART * 11 / 10);
	ck_assert_uint_eq(leader_gather_ns(&leader, 0, end_ns + RUN_NS, &crowd), 0);
	learn(100, CLOCK_S, 20 * CLOCK_US);
	ck_assert_uint_eq(leader_gather_ns(&leader, 0, end_ns, &crowd), LEADER_GATHER_MAX_NS);
	learn(LEADER_CROWD - 1, RUN_NS, 20 * CLOCK_US);
	ck_assert_uint_eq(leader_gather_ns(&leader, 0, NOW_NS, &crowd), 0);
	learn(100, 10 * CLOCK_US, 20 * CLOCK_US);
	ck_assert_uint_eq(leader_gather_ns(&leader, 0, end_ns, &crowd), 0);
}
END_TEST

/* The pace lengthens the moment, but makes none where there was no crowd. */
START_TEST(test_gather_at_a_pace)
{
	uint64_t end_ns = NOW_NS + 100 * 20 * CLOCK_US;
	uint64_t pace_ns = 300 * CLOCK_US;
	uint64_t crowd;

	learn(100, 10 * CLOCK_US, 20 * CLOCK_US);
	ck_assert_uint_eq(leader_gather_ns(&leader, pace_ns, end_ns, &crowd), pace_ns);
	ck_assert_uint_eq(crowd, 100);
	ck_assert_uint_eq(leader_gather_ns(&leader, pace_ns, end_ns + pace_ns, &crowd), 0);
	learn(100, RUN_NS, 20 * CLOCK_US);
	ck_assert_uint_gt(leader_gather_ns(&leader, pace_ns, end_ns, &crowd), pace_ns);
	learn(LEADER_CROWD - 1, 10 * CLOCK_US, 20 * CLOCK_US);
	ck_assert_uint_eq(leader_gather_ns(&leader, pace_ns, NOW_NS, &crowd), 0);
}
END_TEST

static void *wait_for_lead(void *result)
{
	*(enum leader_result *)result = leader_take(&leader, CLOCK_NEVER);
	return NULL;
}

/* Who waits without a deadline is woken by a call, and by the end. */
START_TEST(test_wakes)
{
	enum leader_result results[2];
	pthread_t threads[2];

	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
	leader_hand_on(&leader, NOW_NS, NOW_NS, &turn);
	for (int i = 0; i < 2; i++) {
		pthread_create(&threads[i], NULL, wait_for_lead, &results[i]);
	}
	leader_look(&leader, &turn, turn.worth, NOW_NS);
	leader_done(&leader, &turn, 1, NOW_NS);
	leader_end(&leader);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
	}
	/* Whether one came in time to lead depends on nothing we promise; nobody leads twice. */
	ck_assert(results[0] != LEADER_LATE && results[1] != LEADER_LATE);
	ck_assert(results[0] == LEADER_OVER || results[1] == LEADER_OVER);
	ck_assert_int_eq(leader_take(&leader, CLOCK_NEVER), LEADER_OVER);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("leader");
	TCase *tcase = tcase_create("lead");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_one_at_a_time);
	tcase_add_test(tcase, test_worth);
	tcase_add_test(tcase, test_due);
	tcase_add_test(tcase, test_short_runs);
	tcase_add_test(tcase, test_gather);
	tcase_add_test(tcase, test_gather_at_a_pace);
	tcase_add_test(tcase, test_wakes);
	suite_add_tcase(suite, tcase);
	return suite;
}
