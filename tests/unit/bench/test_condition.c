/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench/condition.h"
#include "common/clock.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static struct result result;

/* 1000 requests: 900 answered after 1 to 900 ms, 60 lost, 30 refused, 10 bad. */
static void setup(void)
{
	static const struct plan plan = { .threads = 1, .duration_ns = 10 * CLOCK_S };
	static const struct target target;

	ck_assert(result_init(&result, &plan, &target) == 0);
	result.duration_ns = 10 * CLOCK_S;
	result.measured->sent = 1000;
	for (uint64_t i = 1; i <= 900; i++) {
		tally_end(result.measured, OUTCOME_ANSWERED, 0, 0, i * CLOCK_MS);
	}
	result.measured->outcomes[OUTCOME_LOST] = 60;
	result.measured->outcomes[OUTCOME_ERROR_REFUSED] = 30;
	result.measured->outcomes[OUTCOME_BAD_NOT_TEXT] = 10;
	result.measured->late = 5;
	result.measured->in_window = 900;
}

static void teardown(void)
{
	result_fini(&result);
}

static const struct {
	const char *text;
	enum condition_state state;
} conditions[] = {
	{ "p50<460ms", CONDITION_TRUE },
	{ "p50 < 440ms", CONDITION_FALSE },
	{ "p99>880ms", CONDITION_TRUE },
	{ "p99<=891.9ms", CONDITION_TRUE },
	{ "p999>=0.9s", CONDITION_TRUE },
	{ "p99.9>901ms", CONDITION_FALSE },
	{ "p100>=900ms", CONDITION_TRUE },
	{ "p100.0>900ms", CONDITION_FALSE },
	{ "p0<=1ms", CONDITION_TRUE },
	{ "A.p99>880ms", CONDITION_TRUE },
	{ "min>=1ms", CONDITION_TRUE },
	{ "max<=900ms", CONDITION_TRUE },
	{ "mean>450ms", CONDITION_TRUE },
	{ "mean>451ms", CONDITION_FALSE },
	{ "lost>59", CONDITION_TRUE },
	{ "lost>60", CONDITION_FALSE },
	{ "lost>=6%", CONDITION_TRUE },
	{ "lost>6.1%", CONDITION_FALSE },
	{ "late>=5", CONDITION_TRUE },
	{ "duplicate>0", CONDITION_FALSE },
	{ "bad>=1%", CONDITION_TRUE },
	{ "errors<=30", CONDITION_TRUE },
	{ "failed>=100", CONDITION_TRUE },
	{ "failed>10%", CONDITION_FALSE },
	{ "unsent>0", CONDITION_FALSE },
	{ "throughput>=90", CONDITION_TRUE },
	{ "throughput>1k", CONDITION_FALSE },
	{ "server-cpu>0us", CONDITION_NOT_JUDGED },
	{ "ratio<1", CONDITION_NOT_JUDGED },
	{ "invalid", CONDITION_FALSE },
	{ "slower", CONDITION_NOT_JUDGED },
	{ "fails-more", CONDITION_NOT_JUDGED },
	{ "throughput<0.1k", CONDITION_TRUE },
};

START_TEST(test_judging)
{
	for (size_t i = 0; i < ROWS(conditions); i++) {
		struct condition condition;
		const char *why = "";

		ck_assert_msg(condition_parse(&condition, conditions[i].text, &why) == 0,
			"'%s': %s", conditions[i].text, why);
		ck_assert_msg(condition_judge(&condition, &result, NULL, NAN).state ==
			conditions[i].state, "'%s' is not as it should be", conditions[i].text);
	}
}
END_TEST

static struct condition_verdict judge(const char *text, const struct comparison *comparison)
{
	struct condition condition;
	const char *why = "";

	ck_assert_msg(condition_parse(&condition, text, &why) == 0, "'%s': %s", text, why);
	return condition_judge(&condition, &result, comparison, NAN);
}

/* Neither "above" nor "below" can pass a gate when there is nothing to compare. */
START_TEST(test_unanswered_is_not_judged)
{
	histogram_clear(&result.measured->latency);
	ck_assert(judge("p99>1us", NULL).state == CONDITION_NOT_JUDGED);
	ck_assert(judge("p99<1s", NULL).state == CONDITION_NOT_JUDGED);
	result.measured->sent = 0;
	ck_assert(judge("lost>1%", NULL).state == CONDITION_NOT_JUDGED);
	ck_assert(judge("ratio<2", NULL).state == CONDITION_NOT_JUDGED);
}
END_TEST

/* A of setup(), and a B of which 100 of 100 are lost. */
START_TEST(test_both_sides_are_judged)
{
	static struct comparison comparison;
	struct condition_verdict verdict;
	char said[80];

	ck_assert(result_init(&comparison.b, &result.plan, result.target) == 0);
	comparison.b.duration_ns = 10 * CLOCK_S;
	comparison.b.measured->sent = 100;
	comparison.b.measured->outcomes[OUTCOME_LOST] = 100;
	verdict = judge("lost>50%", &comparison);
	ck_assert(verdict.state == CONDITION_TRUE && verdict.a == CONDITION_FALSE);
	condition_describe(&verdict, said, sizeof(said));
	ck_assert_str_eq(said, "holds for B");
	ck_assert(judge("A.lost>50%", &comparison).state == CONDITION_FALSE);
	ck_assert(judge("B.lost>50%", &comparison).state == CONDITION_TRUE);
	ck_assert(judge("p99>10s", &comparison).state == CONDITION_NOT_JUDGED);
	ck_assert(judge("p99>1ms", &comparison).state == CONDITION_TRUE);
	ck_assert(judge("B.p99>1ms", &comparison).state == CONDITION_NOT_JUDGED);
	ck_assert(judge("invalid", &comparison).state == CONDITION_FALSE);
	strcpy(comparison.b.invalid, "late");
	ck_assert(judge("invalid", &comparison).state == CONDITION_TRUE);
	result_fini(&comparison.b);
}
END_TEST

START_TEST(test_speed_of_what_is_left_is_no_merit)
{
	static struct comparison comparison;

	ck_assert(result_init(&comparison.b, &result.plan, result.target) == 0);
	comparison.verdict = COMPARISON_FASTER;
	ck_assert(judge("faster", &comparison).state == CONDITION_TRUE);
	ck_assert(judge("slower", &comparison).state == CONDITION_FALSE);
	comparison.failures = COMPARISON_FAILS_MORE;
	ck_assert(judge("faster", &comparison).state == CONDITION_NOT_JUDGED);
	ck_assert(judge("slower", &comparison).state == CONDITION_NOT_JUDGED);
	ck_assert(judge("fails-more", &comparison).state == CONDITION_TRUE);
	result_fini(&comparison.b);
}
END_TEST

static const char *const bad_conditions[] = {
	"", "p", "p99", "99<5ms", "p99=5ms", "p99==5ms", "p99<", "p99<5", "p99<ms", "p99<-5ms",
	"p99<5ms!", "p9x<5ms", "p99.<5ms", "p.9<5ms", "P99<5ms", "lost", "lost>%", "lost>1.5",
	"lost>x", "lost>1%%", "throughput>1%", "throughput>5ms", "ratio<inf", "ratio<0x1",
	"invalid>0",
	"sent>1", "<5ms",
	"p1000<5ms", "p101<5ms", "p125<5ms", "p100.1<5ms", "p99.99999999<5ms", "C.p99<5ms",
	"A.slower",
	"B.ratio<1", "A.", "a.p99<5ms",
	"p99<1000000000000000000000000000000000000000000000000000000000000000ms",
};

START_TEST(test_bad)
{
	for (size_t i = 0; i < ROWS(bad_conditions); i++) {
		struct condition condition;
		const char *why = NULL;

		errno = 0;
		ck_assert_msg(condition_parse(&condition, bad_conditions[i], &why) == -1,
			"'%s' is taken", bad_conditions[i]);
		ck_assert(errno == EINVAL && why);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("condition");
	TCase *tcase = tcase_create("condition");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_judging);
	tcase_add_test(tcase, test_unanswered_is_not_judged);
	tcase_add_test(tcase, test_both_sides_are_judged);
	tcase_add_test(tcase, test_speed_of_what_is_left_is_no_merit);
	tcase_add_test(tcase, test_bad);
	suite_add_tcase(suite, tcase);
	return suite;
}
