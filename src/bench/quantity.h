/* SPDX-License-Identifier: MIT */
/*
 * Rates and counts as users write them: 0.5, 1500, 1.5k, 10K, 2M. Pure, thread-safe, no locale.
 */
#ifndef RUPTIME_BENCH_QUANTITY_H
#define RUPTIME_BENCH_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

/*
 * The LEN bytes of TEXT, digits with at most one point, and k, K or M behind them.
 * Returns 0, or -1 with errno EINVAL.
 */
int quantity_parse(const char *text, size_t len, double *value);

/* The same, from MIN to MAX: otherwise -1 with errno ERANGE. */
int quantity_parse_rate(const char *text, double min, double max, double *rate);

/* The same, and a whole number. */
int quantity_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *count);

#endif
