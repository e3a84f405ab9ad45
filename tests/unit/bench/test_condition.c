/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>

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
}

static void teardown(void)
{
	result_fini(&result);
}

static const struct {
	const char *text;
	bool holds;
} conditions[] = {
	{ "p50<460ms", true },
	{ "p50 < 440ms", false },
	{ "p99>880ms", true },
	{ "p99<=891.9ms", true },
	{ "p999>=0.9s", true },
	{ "p99.9>901ms", false },
	{ "min>=1ms", true },
	{ "max<=900ms", true },
	{ "mean>450ms", true },
	{ "mean>451ms", false },
	{ "lost>59", true },
	{ "lost>60", false },
	{ "lost>=6%", true },
	{ "lost>6.1%", false },
	{ "late>=5", true },
	{ "duplicate>0", false },
	{ "bad>=1%", true },
	{ "errors<=30", true },
	{ "failed>=100", true },
	{ "failed>10%", false },
	{ "unsent>0", false },
	{ "throughput>=90", true },
	{ "throughput>1k", false },
	{ "server-cpu>0us", false },
	{ "ratio<1", false },
	{ "invalid", false },
	{ "slower", false },
};

START_TEST(test_judging)
{
	for (size_t i = 0; i < ROWS(conditions); i++) {
		struct condition condition;
		const char *why = "";

		ck_assert_msg(condition_parse(&condition, conditions[i].text, &why) == 0,
			"'%s': %s", conditions[i].text, why);
		ck_assert_msg(condition_holds(&condition, &result, NULL) == conditions[i].holds,
			"'%s' should%s hold", conditions[i].text,
			conditions[i].holds ? "" : " not");
	}
}
END_TEST

START_TEST(test_unanswered_holds_nothing)
{
	struct condition condition;
	const char *why;

	histogram_clear(&result.measured->latency);
	ck_assert(condition_parse(&condition, "p99>1us", &why) == 0);
	ck_assert(!condition_holds(&condition, &result, NULL));
	ck_assert(condition_parse(&condition, "p99<1s", &why) == 0);
	ck_assert(!condition_holds(&condition, &result, NULL));
}
END_TEST

static const char *const bad_conditions[] = {
	"", "p", "p99", "99<5ms", "p99=5ms", "p99==5ms", "p99<", "p99<5", "p99<ms", "p99<-5ms",
	"p99<5ms!", "p9x<5ms", "p99.<5ms", "p.9<5ms", "P99<5ms", "lost", "lost>%", "lost>1.5",
	"lost>x", "lost>1%%", "throughput>1%", "throughput>5ms", "ratio<inf", "ratio<0x1",
	"invalid>0",
	"sent>1", "<5ms",
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
	tcase_add_test(tcase, test_unanswered_holds_nothing);
	tcase_add_test(tcase, test_bad);
	suite_add_tcase(suite, tcase);
	return suite;
}
