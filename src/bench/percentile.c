/* SPDX-License-Identifier: MIT */
#include "bench/percentile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A billionth of all is a ten-millionth of a percent. */
#define FRACTION_DIGITS 7
#define ONE_PERCENT	(HISTOGRAM_WHOLE / 100)

static int fail(void)
{
	errno = EINVAL;
	return -1;
}

/* Where the digits in front of the point end: the point may be left out of 999. */
static size_t whole_digits(const char *text, size_t len)
{
	const char *point = memchr(text, '.', len);

	if (point) {
		return (size_t)(point - text);
	}
	return len > 2 && text[0] == '9' ? 2 : len;
}

static void write_text(struct percentile *percentile)
{
	uint32_t rest = percentile->billionths % ONE_PERCENT;
	int len = snprintf(percentile->text, sizeof(percentile->text), "%u.%07u",
		(unsigned)(percentile->billionths / ONE_PERCENT), (unsigned)rest);

	while (len > 0 && percentile->text[len - 1] == '0') {
		percentile->text[--len] = '\0';
	}
	if (len > 0 && percentile->text[len - 1] == '.') {
		percentile->text[len - 1] = '\0';
	}
}

int percentile_parse(struct percentile *percentile, const char *text, size_t len)
{
	size_t whole = whole_digits(text, len);
	size_t fraction = whole + (whole < len && text[whole] == '.');
	uint64_t billionths = 0;
	uint64_t place = ONE_PERCENT;

	if (whole == 0 || whole > 3 || len - fraction > FRACTION_DIGITS ||
	    (fraction > whole && fraction == len)) {
		return fail();
	}
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(unsigned char)text[i] - '0';

		if (i == whole && fraction > whole) {
			continue;
		}
		if (digit > 9) {
			return fail();
		}
		if (i < whole) {
			billionths = billionths * 10 + digit * (uint64_t)ONE_PERCENT;
		} else {
			place /= 10;
			billionths += digit * place;
		}
	}
	if (billionths > HISTOGRAM_WHOLE) {
		return fail();
	}
	percentile->billionths = (uint32_t)billionths;
	write_text(percentile);
	return 0;
}
