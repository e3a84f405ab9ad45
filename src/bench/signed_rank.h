/* SPDX-License-Identifier: MIT */
/*
 * How sure is a middle of few and noisy values? The middle is the median of the means of all pairs
 * (Hodges and Lehmann, 1963), which a few rounds spoiled by other work on the machine hardly move.
 * The interval is that of Wilcoxon's signed ranks: exact for values of any distribution that is
 * symmetric, as logarithms of ratios are (Hollander and Wolfe, "Nonparametric Statistical Methods",
 * 1999, chapter 3). doc/decisions/0014 compares it with others. Pure and thread-safe.
 */
#ifndef RUPTIME_BENCH_SIGNED_RANK_H
#define RUPTIME_BENCH_SIGNED_RANK_H

#include <stddef.h>

struct interval {
	double estimate;
	double low;
	double high;
};

#define SIGNED_RANK_VALUES_MAX 64

/*
 * The middle of COUNT VALUES (1 to SIGNED_RANK_VALUES_MAX), and the interval that holds the true
 * one with at least CONFIDENCE. For 0.99 that takes 8 values; of fewer it is their range.
 */
struct interval signed_rank_interval(const double *values, size_t count, double confidence);

#endif
