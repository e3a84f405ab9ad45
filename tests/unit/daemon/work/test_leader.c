/* SPDX-License-Identifier: MIT */
/*
 * Which worker leads, and when: with times that the test makes up, and threads only where one has
 * to wait.
 */
#include "unit/unit.h"

#include <pthread.h>

#include "common/clock.h"
#include "daemon/work/batch_wait.h"
#include "daemon/work/leader.h"

#define NOW_NS (1000 * CLOCK_S)
#define RUN_NS (2 * CLOCK_MS)
#define PAST   1

static struct leader leader;
static struct batch_wait wait;
static struct batch_wait_turn turn;

static void set_up(void)
{
	ck_assert_int_eq(leader_init(&leader), 0);
	batch_wait_init(&wait);
}

static void tear_down(void)
{
	leader_fini(&leader);
	batch_wait_fini(&wait);
}

/* As worker.c does it. */
static void hand_on(uint64_t began_ns, uint64_t ended_ns)
{
	batch_wait_run_ended(&wait, began_ns, ended_ns, &turn);
	leader_hand_on(&leader);
}

static void look(uint64_t waiting, uint64_t now_ns)
{
	if (batch_wait_is_due(&turn, waiting, now_ns)) {
		leader_call(&leader);
	}
}

static void answered(uint64_t count, uint64_t now_ns)
{
	batch_wait_answered(&wait, &turn, count, now_ns);
	leader_answered(&leader);
}

static uint64_t gather_ns(uint64_t pace_ns, uint64_t now_ns, uint64_t *crowd)
{
	wait.pace_ns = pace_ns;
	return batch_wait_gather_ns(&wait, now_ns, crowd);
}

/* A run of RUN_NS, for COUNT requests that take ANSWER_NS each; often enough to be the usual. */
static void learn(uint64_t count, uint64_t run_ns, uint64_t answer_ns)
{
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
		hand_on(NOW_NS - run_ns, NOW_NS);
		answered(count, NOW_NS + count * answer_ns);
	}
}

/* One worker leads; one that comes meanwhile is late; one that comes afterwards leads at once. */
START_TEST(test_one_at_a_time)
{
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
	hand_on(NOW_NS, NOW_NS + RUN_NS);
	/* The role is free, but a worker answers: not worth a run yet. */
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
	answered(1, NOW_NS + RUN_NS);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
}
END_TEST

/* While a crowd is answered, as many must wait as are answered in two runs' time. */
START_TEST(test_worth)
{
	uint64_t worth;

	learn(100, RUN_NS, 20 * CLOCK_US);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
	hand_on(NOW_NS - RUN_NS, NOW_NS);
	worth = turn.worth;
	ck_assert_uint_eq(batch_wait_worth(&wait), worth);
	/* 2 * 2 ms / 20 us, give or take the rounding of the averages. */
	ck_assert_uint_ge(worth, 190);
	ck_assert_uint_le(worth, 210);
	look(worth - 1, NOW_NS);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
	look(worth, NOW_NS);
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
	hand_on(NOW_NS - RUN_NS, NOW_NS);
	ck_assert_uint_ge(turn.due_ns, NOW_NS + 2 * RUN_NS * 9 / 10);
	ck_assert_uint_le(turn.due_ns, NOW_NS + 2 * RUN_NS * 11 / 10);
	look(1, turn.due_ns - 1);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
	look(0, turn.due_ns);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_LATE);
	look(1, turn.due_ns);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
}
END_TEST

/* Short runs count as long as waking a worker takes, and pause for as long as promised. */
START_TEST(test_short_runs)
{
	learn(100, 10 * CLOCK_US, 20 * CLOCK_US);
	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
	hand_on(NOW_NS - 10 * CLOCK_US, NOW_NS);
	ck_assert_uint_ge(turn.worth, 9);
	ck_assert_uint_le(turn.worth, 12);
	ck_assert_uint_eq(turn.due_ns, NOW_NS + BATCH_WAIT_PAUSE_NS);
}
END_TEST

/* After a crowd, and only then, and only for long runs, the next run waits a moment. */
START_TEST(test_gather)
{
	uint64_t end_ns = NOW_NS + 100 * 20 * CLOCK_US;
	uint64_t moment_ns;
	uint64_t crowd;

	ck_assert_uint_eq(gather_ns(0, NOW_NS, &crowd), 0);
	learn(100, RUN_NS, CLOCK_US);
	moment_ns = gather_ns(0, NOW_NS + 100 * CLOCK_US, &crowd);
	ck_assert_uint_ge(moment_ns, RUN_NS / BATCH_WAIT_GATHER_PART * 9 / 10);
	ck_assert_uint_le(moment_ns, RUN_NS / BATCH_WAIT_GATHER_PART * 11 / 10);
	ck_assert_uint_eq(gather_ns(0, NOW_NS + 100 * CLOCK_US + RUN_NS, &crowd), 0);
	learn(100, CLOCK_S, 20 * CLOCK_US);
	ck_assert_uint_eq(gather_ns(0, end_ns, &crowd), BATCH_WAIT_GATHER_MAX_NS);
	learn(BATCH_WAIT_CROWD - 1, RUN_NS, 20 * CLOCK_US);
	ck_assert_uint_eq(gather_ns(0, NOW_NS, &crowd), 0);
	learn(100, 10 * CLOCK_US, 20 * CLOCK_US);
	ck_assert_uint_eq(gather_ns(0, end_ns, &crowd), 0);
}
END_TEST

/* A crowd that took longer to answer has its own time to come back, up to a run. */
START_TEST(test_gather_a_large_crowd)
{
	const uint64_t crowds[] = { 50, 80, 500 };

	for (int i = 0; i < 3; i++) {
		uint64_t answers_ns = crowds[i] * 20 * CLOCK_US;
		uint64_t expected_ns = answers_ns < RUN_NS ? answers_ns : RUN_NS;
		uint64_t crowd;
		uint64_t moment_ns;

		learn(crowds[i], RUN_NS, 20 * CLOCK_US);
		moment_ns = gather_ns(0, NOW_NS + answers_ns, &crowd);
		ck_assert_uint_ge(moment_ns, expected_ns * 9 / 10);
		ck_assert_uint_le(moment_ns, expected_ns * 11 / 10);
	}
}
END_TEST

/* The pace lengthens the moment, but makes none where there was no crowd. */
START_TEST(test_gather_at_a_pace)
{
	uint64_t end_ns = NOW_NS + 100 * 20 * CLOCK_US;
	uint64_t pace_ns = 300 * CLOCK_US;
	uint64_t crowd;

	learn(100, 10 * CLOCK_US, 20 * CLOCK_US);
	ck_assert_uint_eq(gather_ns(pace_ns, end_ns, &crowd), pace_ns);
	ck_assert_uint_eq(crowd, 100);
	ck_assert_uint_eq(gather_ns(pace_ns, end_ns + pace_ns, &crowd), 0);
	learn(100, RUN_NS, 20 * CLOCK_US);
	ck_assert_uint_gt(gather_ns(pace_ns, end_ns, &crowd), pace_ns);
	learn(BATCH_WAIT_CROWD - 1, 10 * CLOCK_US, 20 * CLOCK_US);
	ck_assert_uint_eq(gather_ns(pace_ns, NOW_NS, &crowd), 0);
}
END_TEST

static void *wait_for_lead(void *result)
{
	*(enum leader_result *)result = leader_take(&leader, CLOCK_NEVER);
	return NULL;
}

/* A worker that waits without a deadline is woken by a call, and by the end. */
START_TEST(test_wakes)
{
	enum leader_result results[2];
	pthread_t threads[2];

	ck_assert_int_eq(leader_take(&leader, PAST), LEADER_TAKEN);
	hand_on(NOW_NS, NOW_NS);
	for (int i = 0; i < 2; i++) {
		pthread_create(&threads[i], NULL, wait_for_lead, &results[i]);
	}
	look(turn.worth, NOW_NS);
	answered(1, NOW_NS);
	leader_end(&leader);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
	}
	/* Whether one came in time to lead depends on nothing we promise; no worker leads twice. */
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
	tcase_add_test(tcase, test_gather_a_large_crowd);
	tcase_add_test(tcase, test_gather_at_a_pace);
	tcase_add_test(tcase, test_wakes);
	suite_add_tcase(suite, tcase);
	return suite;
}
