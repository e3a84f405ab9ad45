/* SPDX-License-Identifier: MIT */
#include "bench/figure.h"

#include <stdio.h>
#include <string.h>

struct figure figure_count(uint64_t count)
{
	struct figure figure;
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
	char *to = figure.text;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0) {
			*to++ = ',';
		}
		*to++ = digits[i];
	}
	*to = '\0';
	return figure;
}

struct figure figure_number(double number)
{
	struct figure figure;

	if (number >= 1000) {
		return figure_count((uint64_t)(number + 0.5));
	}
	snprintf(figure.text, sizeof(figure.text), "%.*f", number >= 100 ? 0 : number >= 10 ? 1 : 2,
		number);
	return figure;
}

struct figure figure_duration(double ns)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = { { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 }, { "ns", 1 } };
	struct figure figure;
	unsigned i = 0;
	double value;

	while (i < 3 && ns < units[i].ns) {
		i++;
	}
	value = ns / units[i].ns;
	snprintf(figure.text, sizeof(figure.text), "%.*f %s",
		units[i].ns == 1 || value >= 100 ? 0 : value >= 10 ? 1 : 2, value, units[i].unit);
	return figure;
}
