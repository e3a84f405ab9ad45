/* SPDX-License-Identifier: MIT */
/*
 * How sure is a middle of few and noisy values? The mean of them without the lowest and the highest
 * fifth, which a few rounds spoiled by something else on the machine do not move, and the
 * percentile bootstrap of it (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
 * chapter 13; with trimmed means: Wilcox, "Introduction to Robust Estimation", 2012, chapter 4).
 * Pure but for SEED; thread-safe.
 */
#ifndef RUPTIME_BENCH_BOOTSTRAP_H
#define RUPTIME_BENCH_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

struct interval {
	double estimate;
	double low;
	double high;
};

#define BOOTSTRAP_VALUES_MAX 64

/* The mean of VALUES without the lowest and the highest fifth. COUNT is not 0. Sorts VALUES. */
double bootstrap_trimmed_mean(double *values, size_t count);

/*
 * The trimmed mean of the COUNT VALUES (from 1 to BOOTSTRAP_VALUES_MAX), and the interval that
 * holds the true one with CONFIDENCE (0 to 1). Returns 0, or -1 with ENOMEM.
 */
int bootstrap_interval(const double *values, size_t count, double confidence, uint64_t seed,
	struct interval *interval);

#endif
