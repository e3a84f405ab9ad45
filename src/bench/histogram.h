/* SPDX-License-Identifier: MIT */
/*
 * Latencies in a log-linear histogram: exact below 2,048 ns, and above that 1,024 buckets for each
 * power of two, so that a quantile is never more than 0.1 % above the true one (three significant
 * digits). Minimum, maximum, mean and count are exact.
 *
 * Fixed size (some 250 KiB), no allocation, no lock: one thread fills one histogram, and they are
 * added together when the threads are done.
 */
#ifndef RUPTIME_BENCH_HISTOGRAM_H
#define RUPTIME_BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_SUB_BITS  10
#define HISTOGRAM_VALUE_BITS 40	/* 18 minutes; what is longer counts as that, but for the maximum */
#define HISTOGRAM_BUCKETS   ((HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/* All values, in the unit of histogram_rank_ns(). */
#define HISTOGRAM_WHOLE	    1000000000u

struct histogram {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t min_ns;	/* meaningless while COUNT is 0 */
	uint64_t max_ns;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* All zero is an empty histogram; this makes one of a used one. */
void histogram_clear(struct histogram *histogram);

void histogram_add(struct histogram *histogram, uint64_t value_ns);

/* Add all of FROM to INTO. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/*
 * The smallest bucket's upper edge below or at which BILLIONTHS of the values lie (nearest rank,
 * exact: the ceiling of the product), but not more than the maximum. 0 if there are no values.
 */
uint64_t histogram_rank_ns(const struct histogram *histogram, uint32_t billionths);

/* The same for the share QUANTILE (0 to 1), rounded to a billionth. */
uint64_t histogram_quantile_ns(const struct histogram *histogram, double quantile);

/* How many values are in buckets above that of VALUE_NS. */
uint64_t histogram_count_above(const struct histogram *histogram, uint64_t value_ns);

double histogram_mean_ns(const struct histogram *histogram);

/*
 * Write the percentile distribution in milliseconds, as HdrHistogram's plotters read it: lines of
 * value, percentile, count so far and 1/(1-percentile), five to each halving of the rest.
 * Returns 0, or -1 with errno.
 */
int histogram_write_hgrm(const struct histogram *histogram, FILE *out);

#endif
