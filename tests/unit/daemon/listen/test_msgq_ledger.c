/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/listen/msgq_ledger.h"
#include "unit/random.h"

/* Nothing here looks at a clock: the time is what we say it is. */
#define NOW_NS (1000 * CLOCK_S)
#define MAX_NS (5 * CLOCK_S)

static struct msgq_ledger *ledger;

static void set_up(void)
{
	ledger = msgq_ledger_new();
	ck_assert_ptr_nonnull(ledger);
}

static void tear_down(void)
{
	msgq_ledger_free(ledger);
}

/* What expires at NOW_NS: a type, and how many to keep. */
static int32_t expire(uint64_t now_ns, uint32_t *keep)
{
	return msgq_ledger_expire(ledger, now_ns - MAX_NS, now_ns, keep);
}

START_TEST(test_empty)
{
	uint32_t keep;

	ck_assert_uint_eq(msgq_ledger_oldest_ns(ledger), CLOCK_NEVER);
	ck_assert_int_eq(expire(NOW_NS, &keep), 0);
	ck_assert(!msgq_ledger_is_full(ledger));
}
END_TEST

START_TEST(test_expires_on_time_and_in_order)
{
	uint32_t keep = 7;

	for (int32_t type = 1; type <= 100; type++) {
		ck_assert(msgq_ledger_note(ledger, type * 7919, NOW_NS + (unsigned)type));
	}
	for (int32_t type = 1; type <= 100; type++) {
		ck_assert_uint_eq(msgq_ledger_oldest_ns(ledger), NOW_NS + (unsigned)type);
		ck_assert_int_eq(expire(NOW_NS + MAX_NS + (unsigned)type - 1, &keep), 0);
		ck_assert_int_eq(expire(NOW_NS + MAX_NS + (unsigned)type, &keep), type * 7919);
		ck_assert_uint_eq(keep, 0);
	}
	ck_assert_uint_eq(msgq_ledger_oldest_ns(ledger), CLOCK_NEVER);
}
END_TEST

/* Who asks each second and never fetches keeps some, and not all. */
START_TEST(test_a_type_that_goes_on)
{
	uint32_t unfetched = 0;
	uint32_t keep;

	for (unsigned second = 0; second < 100; second++) {
		uint64_t now_ns = NOW_NS + second * CLOCK_S;

		while (expire(now_ns, &keep)) {
			ck_assert_uint_gt(keep, 0);
			/* Not one that is younger than 5 s has to go. */
			ck_assert_uint_ge(keep, 4);
			unfetched = unfetched < keep ? unfetched : keep;
		}
		ck_assert(msgq_ledger_note(ledger, 42, now_ns));
		unfetched++;
		ck_assert_uint_le(unfetched, 11);
	}
	ck_assert_int_eq(expire(NOW_NS + 105 * CLOCK_S, &keep), 42);
	ck_assert_uint_eq(keep, 0);
}
END_TEST

START_TEST(test_full_and_cleared)
{
	uint32_t keep;

	for (int32_t type = 1; type <= MSGQ_LEDGER_TYPES; type++) {
		ck_assert(!msgq_ledger_is_full(ledger));
		ck_assert(msgq_ledger_note(ledger, type, NOW_NS));
	}
	ck_assert(msgq_ledger_is_full(ledger));
	ck_assert(!msgq_ledger_note(ledger, INT32_MAX, NOW_NS));
	ck_assert(msgq_ledger_note(ledger, 1, NOW_NS));
	ck_assert_int_eq(expire(NOW_NS + MAX_NS, &keep), 1);
	ck_assert(!msgq_ledger_is_full(ledger));
	ck_assert(msgq_ledger_note(ledger, INT32_MAX, NOW_NS));
	ck_assert(msgq_ledger_is_full(ledger));
	msgq_ledger_clear(ledger);
	ck_assert(!msgq_ledger_is_full(ledger));
	ck_assert_int_eq(expire(NOW_NS + 2 * MAX_NS, &keep), 0);
}
END_TEST

/* Types that all have the same hash, as far as 16 bits of it go. */
START_TEST(test_one_chain)
{
	uint32_t inverse = 1;
	uint32_t keep;

	/* Newton's iteration: the inverse of the multiplier modulo 2^32. */
	for (int i = 0; i < 5; i++) {
		inverse *= 2 - 2654435769u * inverse;
	}
	for (uint32_t i = 1; i <= 1000; i++) {
		ck_assert(msgq_ledger_note(ledger, (int32_t)(i * inverse & INT32_MAX),
			NOW_NS + i));
	}
	for (uint32_t i = 1; i <= 1000; i++) {
		ck_assert_int_eq(expire(NOW_NS + 2 * MAX_NS, &keep),
			(int32_t)(i * inverse & INT32_MAX));
	}
	ck_assert_int_eq(expire(NOW_NS + 2 * MAX_NS, &keep), 0);
}
END_TEST

/* The model: every reply on its own, by type, none of them ever fetched. */
#define MODEL_TYPES   50
#define MODEL_REPLIES 4096
#define MODEL_STEPS   20000
#define SLACK_NS      (20 * CLOCK_S)	/* for how seldom it looks */

struct model {
	unsigned count;
	uint64_t sent_ns[MODEL_REPLIES];	/* oldest first */
};

static struct model model[MODEL_TYPES];

static void model_keep(struct model *one, unsigned keep, uint64_t now_ns)
{
	unsigned surplus = one->count > keep ? one->count - keep : 0;

	if (surplus) {
		ck_assert_uint_le(one->sent_ns[surplus - 1], now_ns - MAX_NS);
	}
	one->count -= surplus;
	memmove(one->sent_ns, one->sent_ns + surplus, one->count * sizeof(one->sent_ns[0]));
}

static uint64_t model_oldest_ns(void)
{
	uint64_t oldest_ns = CLOCK_NEVER;

	for (unsigned i = 0; i < MODEL_TYPES; i++) {
		if (model[i].count && model[i].sent_ns[0] < oldest_ns) {
			oldest_ns = model[i].sent_ns[0];
		}
	}
	return oldest_ns;
}

/* Nothing younger than 5 s is ever to be removed, nothing older than 10 s is left. */
START_TEST(test_model)
{
	uint64_t now_ns = NOW_NS;

	random_init();
	for (unsigned step = 0; step < MODEL_STEPS; step++) {
		uint32_t type = random_below(MODEL_TYPES);
		uint32_t keep;
		int32_t expired;

		now_ns += random_below(random_below(20) ? 50 * CLOCK_MS : 3 * CLOCK_S);
		if (random_below(4) == 0) {
			while ((expired = expire(now_ns, &keep))) {
				model_keep(&model[expired - 1], keep, now_ns);
			}
			ck_assert_uint_gt(model_oldest_ns(), now_ns - 2 * MAX_NS - SLACK_NS);
		}
		if (random_below(2) && model[type].count < MODEL_REPLIES) {
			ck_assert(msgq_ledger_note(ledger, (int32_t)type + 1, now_ns));
			model[type].sent_ns[model[type].count++] = now_ns;
		}
	}
	for (uint32_t keep; now_ns < UINT64_MAX / 2;) {
		int32_t expired = expire(now_ns + 2 * MAX_NS, &keep);

		if (!expired) {
			break;
		}
		ck_assert_uint_eq(keep, 0);
		model_keep(&model[expired - 1], 0, now_ns + 2 * MAX_NS);
	}
	for (unsigned i = 0; i < MODEL_TYPES; i++) {
		ck_assert_uint_eq(model[i].count, 0);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("msgq_ledger");
	TCase *tcase = tcase_create("msgq_ledger");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_empty);
	tcase_add_test(tcase, test_expires_on_time_and_in_order);
	tcase_add_test(tcase, test_a_type_that_goes_on);
	tcase_add_test(tcase, test_full_and_cleared);
	tcase_add_test(tcase, test_one_chain);
	tcase_add_test(tcase, test_model);
	suite_add_tcase(suite, tcase);
	return suite;
}
