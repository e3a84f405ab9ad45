/* SPDX-License-Identifier: MIT */
#include "bench/condition.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/quantity.h"
#include "common/clock.h"
#include "common/units.h"

enum kind { KIND_DURATION, KIND_COUNT, KIND_RATE, KIND_NUMBER, KIND_WORD };

static const struct {
	const char *name;
	enum condition_metric metric;
	enum kind kind;
} metrics[] = {
	{ "min", CONDITION_MIN, KIND_DURATION },
	{ "mean", CONDITION_MEAN, KIND_DURATION },
	{ "max", CONDITION_MAX, KIND_DURATION },
	{ "lost", CONDITION_LOST, KIND_COUNT },
	{ "late", CONDITION_LATE, KIND_COUNT },
	{ "duplicate", CONDITION_DUPLICATE, KIND_COUNT },
	{ "bad", CONDITION_BAD, KIND_COUNT },
	{ "errors", CONDITION_ERRORS, KIND_COUNT },
	{ "unsent", CONDITION_UNSENT, KIND_COUNT },
	{ "failed", CONDITION_FAILED, KIND_COUNT },
	{ "throughput", CONDITION_THROUGHPUT, KIND_RATE },
	{ "server-cpu", CONDITION_SERVER_CPU, KIND_DURATION },
	{ "ratio", CONDITION_RATIO, KIND_NUMBER },
	{ "invalid", CONDITION_INVALID, KIND_WORD },
	{ "slower", CONDITION_SLOWER, KIND_WORD },
	{ "faster", CONDITION_FASTER, KIND_WORD },
	{ "fails-more", CONDITION_FAILS_MORE, KIND_WORD },
};

static int fail(const char **why, const char *reason)
{
	*why = reason;
	errno = EINVAL;
	return -1;
}

static int parse_metric(struct condition *condition, const char *name, enum kind *kind)
{
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		if (strcmp(metrics[i].name, name) == 0) {
			condition->metric = metrics[i].metric;
			*kind = metrics[i].kind;
			return 0;
		}
	}
	*kind = KIND_DURATION;
	condition->metric = CONDITION_LATENCY;
	return name[0] == 'p' ?
		percentile_parse(&condition->percentile, name + 1, strlen(name + 1)) : -1;
}

static int parse_value(struct condition *condition, char *text, enum kind kind, const char **why)
{
	size_t len = strlen(text);
	uint64_t value;

	if (kind == KIND_DURATION) {
		if (!len || !isalpha((unsigned char)text[len - 1]) ||
		    units_parse_duration(text, &value) < 0) {
			return fail(why, "needs a duration with its unit, such as 5ms");
		}
		condition->value = (double)value;
		return 0;
	}
	if (kind == KIND_COUNT && len > 1 && text[len - 1] == '%') {
		text[len - 1] = '\0';
		condition->percent = true;
		return quantity_parse(text, len - 1, &condition->value) < 0 ?
			fail(why, "needs a number in front of %") : 0;
	}
	if (kind == KIND_NUMBER) {
		return quantity_parse(text, len, &condition->value) < 0 ?
			fail(why, "needs a number, such as 0.95") : 0;
	}
	if (kind == KIND_RATE) {
		return quantity_parse(text, len, &condition->value) < 0 ?
			fail(why, "needs a rate, such as 100 or 1.5k") : 0;
	}
	if (quantity_parse_count(text, 0, 1ull << 62, &value) < 0) {
		return fail(why, "needs a count, such as 100 or 20k");
	}
	condition->value = (double)value;
	return 0;
}

static const char *parse_op(struct condition *condition, const char *text)
{
	bool equal = text[1] == '=';

	if (*text == '<') {
		condition->op = equal ? CONDITION_LE : CONDITION_LT;
	} else {
		condition->op = equal ? CONDITION_GE : CONDITION_GT;
	}
	return text + (equal ? 2 : 1);
}

/* "A." or "B." at the start of TEXT. Returns what follows. */
static const char *parse_side(struct condition *condition, const char *text)
{
	if ((text[0] != 'A' && text[0] != 'B') || text[1] != '.') {
		return text;
	}
	condition->side = text[0] == 'A' ? CONDITION_A : CONDITION_B;
	return text + 2;
}

bool condition_compares(const struct condition *condition)
{
	return condition->metric == CONDITION_RATIO || condition->metric == CONDITION_SLOWER ||
		condition->metric == CONDITION_FASTER || condition->metric == CONDITION_FAILS_MORE;
}

int condition_parse(struct condition *condition, const char *text, const char **why)
{
	char name[CONDITION_TEXT_MAX + 1];
	char value[CONDITION_TEXT_MAX + 1];
	const char *at = text;
	size_t name_len;
	enum kind kind;

	memset(condition, 0, sizeof(*condition));
	if (strlen(text) > CONDITION_TEXT_MAX) {
		return fail(why, "too long");
	}
	strcpy(condition->text, text);
	at = parse_side(condition, at);
	name_len = strcspn(at, "<>= ");
	memcpy(name, at, name_len);
	name[name_len] = '\0';
	if (parse_metric(condition, name, &kind) < 0) {
		return fail(why, name[0] == 'p' && isdigit((unsigned char)name[1]) ?
			"needs a percentile from p0 to p100, such as p99 or p99.9" :
			"starts with no metric that is known here");
	}
	if (condition->side != CONDITION_EITHER && condition_compares(condition)) {
		return fail(why, "names a side, but compares the two");
	}
	at += name_len;
	at += strspn(at, " ");
	if (kind == KIND_WORD) {
		return *at ? fail(why, "compares what is a condition by itself") : 0;
	}
	if (*at != '<' && *at != '>') {
		return fail(why, "needs <, <=, > or >= and a value");
	}
	at = parse_op(condition, at);
	at += strspn(at, " ");
	strcpy(value, at);
	return parse_value(condition, value, kind, why);
}

/* The metric's value, or NAN if it was not measured. */
static double latency_of(const struct condition *condition, const struct histogram *latency)
{
	if (latency->count == 0) {
		return NAN;
	}
	switch (condition->metric) {
	case CONDITION_MIN:
		return (double)latency->min_ns;
	case CONDITION_MAX:
		return (double)latency->max_ns;
	case CONDITION_MEAN:
		return histogram_mean_ns(latency);
	default:
		return (double)histogram_rank_ns(latency,
			condition->percentile.billionths);
	}
}

static double count_of(const struct condition *condition, const struct tally *tally)
{
	double count = 0;
	double of = (double)tally->sent;

	switch (condition->metric) {
	case CONDITION_LOST:
		count = (double)tally->outcomes[OUTCOME_LOST];
		break;
	case CONDITION_LATE:
		count = (double)tally->late;
		break;
	case CONDITION_DUPLICATE:
		count = (double)tally->duplicate;
		break;
	case CONDITION_BAD:
		count = (double)tally_bad(tally);
		break;
	case CONDITION_ERRORS:
		count = (double)tally_errors(tally);
		break;
	case CONDITION_UNSENT:
		count = (double)tally->unsent;
		of += (double)tally->unsent;
		break;
	default:
		count = (double)tally_failed(tally);
		break;
	}
	if (condition->percent) {
		return of > 0 ? 100 * count / of : NAN;
	}
	return count;
}

/* Of one server; NAN if it was not measured. */
static double value_of(const struct condition *condition, const struct result *result)
{
	switch (condition->metric) {
	case CONDITION_LATENCY:
	case CONDITION_MIN:
	case CONDITION_MEAN:
	case CONDITION_MAX:
		return latency_of(condition, &result->measured->latency);
	case CONDITION_THROUGHPUT:
		return result->duration_ns > 0 ? result_throughput_rps(result) : NAN;
	case CONDITION_SERVER_CPU:
		return result->server_cpu_known && result->measured->in_window > 0 ?
			result_server_cpu_us_per_reply(result) * (double)CLOCK_US : NAN;
	default:
		return count_of(condition, result->measured);
	}
}

static enum condition_state state_of(bool holds)
{
	return holds ? CONDITION_TRUE : CONDITION_FALSE;
}

static enum condition_state compare_value(const struct condition *condition, double value)
{
	if (isnan(value)) {
		return CONDITION_NOT_JUDGED;
	}
	switch (condition->op) {
	case CONDITION_LT:
		return state_of(value < condition->value);
	case CONDITION_LE:
		return state_of(value <= condition->value);
	case CONDITION_GT:
		return state_of(value > condition->value);
	default:
		return state_of(value >= condition->value);
	}
}

static enum condition_state judge_side(const struct condition *condition,
	const struct result *result)
{
	if (condition->metric == CONDITION_INVALID) {
		return state_of(result->invalid[0]);
	}
	return compare_value(condition, value_of(condition, result));
}

static enum condition_state judge_comparison(const struct condition *condition,
	const struct comparison *comparison, double baseline_ratio)
{
	if (condition->metric == CONDITION_RATIO) {
		return compare_value(condition, comparison ? comparison->ratio.estimate :
			baseline_ratio);
	}
	if (!comparison) {
		return CONDITION_NOT_JUDGED;
	}
	if (condition->metric == CONDITION_FAILS_MORE) {
		return state_of(comparison->failures == COMPARISON_FAILS_MORE);
	}
	/* The speed of what is left says nothing when one of the two leaves out more. */
	if (comparison->verdict == COMPARISON_NOT_JUDGED ||
	    comparison->failures != COMPARISON_FAILS_ALIKE) {
		return CONDITION_NOT_JUDGED;
	}
	return state_of(comparison->verdict == (condition->metric == CONDITION_SLOWER ?
		COMPARISON_SLOWER : COMPARISON_FASTER));
}

struct condition_verdict condition_judge(const struct condition *condition,
	const struct result *result, const struct comparison *comparison, double baseline_ratio)
{
	struct condition_verdict verdict = { 0 };

	if (condition_compares(condition)) {
		verdict.state = judge_comparison(condition, comparison, baseline_ratio);
		return verdict;
	}
	verdict.of_a = condition->side != CONDITION_B;
	verdict.of_b = comparison && condition->side != CONDITION_A;
	verdict.a = verdict.of_a ? judge_side(condition, result) : CONDITION_FALSE;
	verdict.b = verdict.of_b ? judge_side(condition, &comparison->b) : CONDITION_FALSE;
	if (verdict.a == CONDITION_TRUE || verdict.b == CONDITION_TRUE) {
		verdict.state = CONDITION_TRUE;
	} else if (verdict.a == CONDITION_NOT_JUDGED || verdict.b == CONDITION_NOT_JUDGED) {
		verdict.state = CONDITION_NOT_JUDGED;
	}
	return verdict;
}

void condition_describe(const struct condition_verdict *verdict, char *buf, size_t size)
{
	static const char *const words[] = { "does not hold", "holds", "not judged" };
	bool a = verdict->of_a && verdict->a == verdict->state;
	bool b = verdict->of_b && verdict->b == verdict->state;
	/* Without --vs there is one side only, and no need to name it. */
	const char *sides = !verdict->of_b || verdict->state == CONDITION_FALSE ? "" :
		a && b ? " for A and B" : a ? " for A" : " for B";

	snprintf(buf, size, "%s%s%s", words[verdict->state], sides,
		verdict->state == CONDITION_NOT_JUDGED ? ": it was not measured" : "");
}
