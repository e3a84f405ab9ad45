/* SPDX-License-Identifier: MIT */
#include "bench/quantity.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int fail(int error)
{
	errno = error;
	return -1;
}

static double factor_of(char suffix)
{
	return suffix == 'k' || suffix == 'K' ? 1e3 : suffix == 'M' ? 1e6 : 0;
}

int quantity_parse(const char *text, size_t len, double *value)
{
	char digits[64];
	double factor = 1;

	if (len > 0 && factor_of(text[len - 1]) > 0) {
		factor = factor_of(text[--len]);
	}
	if (len == 0 || len >= sizeof(digits)) {
		return fail(EINVAL);
	}
	memcpy(digits, text, len);
	digits[len] = '\0';
	/* strtod() would also take signs, exponents, "inf", "nan" and hexadecimal. */
	if (strspn(digits, "0123456789.") != len || strchr(digits, '.') != strrchr(digits, '.') ||
	    digits[0] == '.' || digits[len - 1] == '.') {
		return fail(EINVAL);
	}
	*value = strtod(digits, NULL) * factor;
	return 0;
}

int quantity_parse_rate(const char *text, double min, double max, double *rate)
{
	double value;

	if (quantity_parse(text, strlen(text), &value) < 0) {
		return -1;
	}
	if (value < min || value > max) {
		return fail(ERANGE);
	}
	*rate = value;
	return 0;
}

int quantity_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *count)
{
	double value;

	if (quantity_parse_rate(text, 0, (double)max, &value) < 0) {
		return -1;
	}
	if (value != floor(value)) {
		return fail(EINVAL);
	}
	if (value < (double)min) {
		return fail(ERANGE);
	}
	*count = (uint64_t)value;
	return 0;
}
