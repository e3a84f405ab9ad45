/* SPDX-License-Identifier: MIT */
#include "bench/condition.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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
};

static int fail(const char **why, const char *reason)
{
	*why = reason;
	errno = EINVAL;
	return -1;
}

/* "p50", "p999" (the point stands behind the second digit), "p99.9". */
static int parse_percentile(struct condition *condition, const char *digits)
{
	double percent = 0;
	double place = 10;
	bool fraction = false;

	for (unsigned seen = 0; *digits; digits++) {
		if (*digits == '.' && !fraction && seen > 0 && digits[1]) {
			fraction = true;
			continue;
		}
		if (!isdigit((unsigned char)*digits)) {
			return -1;
		}
		if (fraction || seen >= 2) {
			percent += (*digits - '0') / place;
			place *= 10;
		} else {
			percent = percent * 10 + (*digits - '0');
		}
		seen++;
	}
	condition->metric = CONDITION_LATENCY;
	condition->quantile = percent / 100;
	return 0;
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
	return name[0] == 'p' && isdigit((unsigned char)name[1]) ?
		parse_percentile(condition, name + 1) : -1;
}

static int parse_number(const char *text, double *value)
{
	char *end;

	/* strtod() would also take "inf", "nan" and hexadecimal. */
	if (!isdigit((unsigned char)text[0]) || strspn(text, "0123456789.") != strlen(text)) {
		return -1;
	}
	*value = strtod(text, &end);
	return *end ? -1 : 0;
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
		return parse_number(text, &condition->value) < 0 ?
			fail(why, "needs a number in front of %") : 0;
	}
	if (kind == KIND_NUMBER) {
		return parse_number(text, &condition->value) < 0 ?
			fail(why, "needs a number, such as 0.95") : 0;
	}
	if (units_parse_count(text, 0, UINT64_MAX / 2, &value) < 0) {
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

int condition_parse(struct condition *condition, const char *text, const char **why)
{
	char name[CONDITION_TEXT_MAX + 1];
	char value[CONDITION_TEXT_MAX + 1];
	size_t name_len = strcspn(text, "<>= ");
	const char *at = text + name_len;
	enum kind kind;

	memset(condition, 0, sizeof(*condition));
	if (strlen(text) > CONDITION_TEXT_MAX) {
		return fail(why, "too long");
	}
	strcpy(condition->text, text);
	memcpy(name, text, name_len);
	name[name_len] = '\0';
	if (parse_metric(condition, name, &kind) < 0) {
		return fail(why, "starts with no metric that is known here");
	}
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
		return (double)histogram_quantile_ns(latency, condition->quantile);
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

static double value_of(const struct condition *condition, const struct result *result,
	const struct comparison *comparison)
{
	switch (condition->metric) {
	case CONDITION_LATENCY:
	case CONDITION_MIN:
	case CONDITION_MEAN:
	case CONDITION_MAX:
		return latency_of(condition, &result->measured->latency);
	case CONDITION_THROUGHPUT:
		return result_throughput_rps(result);
	case CONDITION_SERVER_CPU:
		return result->server_cpu_known && result->measured->outcomes[OUTCOME_ANSWERED] ?
			result_server_cpu_us_per_reply(result) * (double)CLOCK_US : NAN;
	case CONDITION_RATIO:
		return comparison ? comparison->ratio.estimate : NAN;
	default:
		return count_of(condition, result->measured);
	}
}

bool condition_holds(const struct condition *condition, const struct result *result,
	const struct comparison *comparison)
{
	double value;

	switch (condition->metric) {
	case CONDITION_INVALID:
		return result->invalid[0] || (comparison && comparison->b.invalid[0]);
	case CONDITION_SLOWER:
		return comparison && comparison->verdict == COMPARISON_SLOWER;
	case CONDITION_FASTER:
		return comparison && comparison->verdict == COMPARISON_FASTER;
	default:
		break;
	}
	/* Every comparison with NAN is false. */
	value = value_of(condition, result, comparison);
	switch (condition->op) {
	case CONDITION_LT:
		return value < condition->value;
	case CONDITION_LE:
		return value <= condition->value;
	case CONDITION_GT:
		return value > condition->value;
	default:
		return value >= condition->value;
	}
}
