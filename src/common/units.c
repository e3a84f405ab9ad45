/* SPDX-License-Identifier: MIT */
#include "common/units.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/clock.h"

#define YEAR_NS (366ull * 24 * 3600 * CLOCK_S)

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit count_units[] = { { "", 1 }, { "k", 1000 }, { "M", 1000000 } };

static const struct unit duration_units[] = {
	{ "", CLOCK_S },
	{ "us", CLOCK_US },
	{ "ms", CLOCK_MS },
	{ "s", CLOCK_S },
	{ "m", 60 * CLOCK_S },
	{ "min", 60 * CLOCK_S },
	{ "h", 3600 * CLOCK_S },
};

static int fail(int error)
{
	errno = error;
	return -1;
}

static uint64_t find_factor(const struct unit *units, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(units[i].name, name) == 0) {
			return units[i].factor;
		}
	}
	return 0;
}

/* The digits at *TEXT, which is moved behind them. */
static int take_digits(const char **text, uint64_t *value)
{
	const char *start = *text;

	*value = 0;
	for (; **text >= '0' && **text <= '9'; (*text)++) {
		uint64_t digit = (uint64_t)(**text - '0');

		if (*value > (UINT64_MAX - digit) / 10) {
			return fail(ERANGE);
		}
		*value = *value * 10 + digit;
	}
	return *text > start ? 0 : fail(EINVAL);
}

int units_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *count)
{
	uint64_t value;
	uint64_t factor;

	if (take_digits(&text, &value) < 0) {
		return -1;
	}
	factor = find_factor(count_units, sizeof(count_units) / sizeof(count_units[0]), text);
	if (!factor) {
		return fail(EINVAL);
	}
	if (value > max / factor || value * factor < min) {
		return fail(ERANGE);
	}
	*count = value * factor;
	return 0;
}

/* The digits behind the point at *TEXT, as many as there are; *TEXT is moved behind them. */
static int take_fraction(const char **text, const char **digits)
{
	*digits = ++*text;
	while (**text >= '0' && **text <= '9') {
		(*text)++;
	}
	return *text > *digits ? 0 : fail(EINVAL);
}

int units_parse_id(const char *text, uint32_t *id)
{
	uint64_t value;

	/* The last one means none, see chown(2) and setresuid(2). */
	if (take_digits(&text, &value) < 0 || *text || value >= UINT32_MAX) {
		return fail(EINVAL);
	}
	*id = (uint32_t)value;
	return 0;
}

int units_parse_duration(const char *text, uint64_t *ns)
{
	const char *fraction = text;
	const char *fraction_end = text;
	uint64_t whole;
	uint64_t factor;
	uint64_t part_ns = 0;

	if (take_digits(&text, &whole) < 0) {
		return -1;
	}
	if (*text == '.') {
		if (take_fraction(&text, &fraction) < 0) {
			return -1;
		}
		fraction_end = text;
	}
	factor = find_factor(duration_units, sizeof(duration_units) / sizeof(duration_units[0]),
		text);
	if (!factor) {
		return fail(EINVAL);
	}
	for (uint64_t digit_ns = factor / 10; fraction < fraction_end; digit_ns /= 10) {
		part_ns += (uint64_t)(*fraction++ - '0') * digit_ns;
	}
	if (whole > YEAR_NS / factor || whole * factor + part_ns > YEAR_NS) {
		return fail(ERANGE);
	}
	*ns = whole * factor + part_ns;
	return 0;
}
