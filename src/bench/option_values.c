/* SPDX-License-Identifier: MIT */
#include "bench/option_values.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "bench/options_table.h"
#include "bench/quantity.h"
#include "common/units.h"

/* "-c, --concurrency" */
static void name_option(int key, char *buf, size_t size)
{
	for (unsigned i = 0; i < options_cli.count; i++) {
		const struct cli_option *option = &options_cli.options[i];

		if (option->key == key) {
			if (key < CLI_LONG_ONLY) {
				snprintf(buf, size, "-%c, --%s", key, option->name);
			} else {
				snprintf(buf, size, "--%s", option->name);
			}
			return;
		}
	}
}

int option_wrong(int key, const char *argument, const char *why)
{
	char name[40] = "";

	name_option(key, name, sizeof(name));
	cli_complain(&options_cli, "%s: '%s' %s", name, argument, why);
	return -1;
}

int option_take_count(int key, const char *argument, uint64_t min, uint64_t max, uint64_t *count)
{
	char why[80];

	if (quantity_parse_count(argument, min, max, count) == 0) {
		return 0;
	}
	snprintf(why, sizeof(why), "is not a count from %llu to %llu", (unsigned long long)min,
		(unsigned long long)max);
	return option_wrong(key, argument, why);
}

int option_take_rate(int key, const char *argument, double min, double max, double *rate)
{
	char why[80];

	if (quantity_parse_rate(argument, min, max, rate) == 0) {
		return 0;
	}
	snprintf(why, sizeof(why), "is not a rate from %g to %.0f a second", min, max);
	return option_wrong(key, argument, why);
}

int option_take_duration(int key, const char *argument, uint64_t min_ns, uint64_t *ns)
{
	if (units_parse_duration(argument, ns) < 0 || *ns < min_ns) {
		return option_wrong(key, argument, min_ns ?
			"is not a duration from 1ms to a year, such as 250ms, 10s or 5min" :
			"is not a duration from 0 to a year, such as 250ms, 10s or 5min");
	}
	return 0;
}

int option_take_condition(int key, const char *argument, struct condition *condition)
{
	const char *why;

	return condition_parse(condition, argument, &why) < 0 ?
		option_wrong(key, argument, why) : 0;
}

int option_take_ramp(int key, const char *argument, struct ramp_range *range)
{
	if (ramp_parse(range, argument) == 0) {
		return 0;
	}
	return option_wrong(key, argument, errno == ERANGE ? "has more than 200 steps" :
		"is not FROM:TO:STEP, three rates of which TO is not below FROM");
}

int option_take_pids(int key, const char *argument, pid_t *a, pid_t *b)
{
	const char *comma = strchr(argument, ',');
	size_t a_len = comma ? (size_t)(comma - argument) : strlen(argument);
	char a_text[32];
	uint64_t a_pid;
	uint64_t b_pid = 0;

	snprintf(a_text, sizeof(a_text), "%.*s", (int)a_len, argument);
	if (a_len >= sizeof(a_text) || quantity_parse_count(a_text, 1, INT_MAX, &a_pid) < 0 ||
	    (comma && quantity_parse_count(comma + 1, 1, INT_MAX, &b_pid) < 0)) {
		return option_wrong(key, argument,
			"is no process number from 1 on, nor two of them as A,B");
	}
	*a = (pid_t)a_pid;
	*b = (pid_t)b_pid;
	return 0;
}

int option_take_percentiles(int key, const char *argument, struct percentile *percentiles,
	unsigned *count)
{
	const char *at = argument;

	*count = 0;
	for (;;) {
		const char *text = at + (*at == 'p');
		size_t len = strcspn(text, ",");

		if (*count == PERCENTILES_MAX) {
			return option_wrong(key, argument, "has more than 16 percentiles");
		}
		if (percentile_parse(&percentiles[*count], text, len) < 0) {
			return option_wrong(key, argument,
				"is no list of percentiles from 0 to 100, such as 50,90,99.9");
		}
		(*count)++;
		if (!text[len]) {
			return 0;
		}
		at = text + len + 1;
	}
}
