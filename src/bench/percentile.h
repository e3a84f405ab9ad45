/* SPDX-License-Identifier: MIT */
/*
 * Percentiles as users write them, held as exact decimals: 99.9 % is 999,000,000 billionths, so
 * that no binary rounding moves a rank. Pure, thread-safe.
 */
#ifndef RUPTIME_BENCH_PERCENTILE_H
#define RUPTIME_BENCH_PERCENTILE_H

#include <stddef.h>

#include "bench/histogram.h"

#define PERCENTILES_MAX 16

struct percentile {
	char text[16];		/* "99.9", without zeros that say nothing */
	uint32_t billionths;	/* of all values, as histogram_rank_ns() takes them */
};

/*
 * The LEN bytes of TEXT: "50", "99.9", "100" (the maximum), with at most seven digits behind the
 * point. Without a point, a number of more than two digits that begins with 9 has its point behind
 * the second: 999 is 99.9. Other numbers above 100 are refused.
 * Returns 0, or -1 with errno EINVAL.
 */
int percentile_parse(struct percentile *percentile, const char *text, size_t len);

#endif
