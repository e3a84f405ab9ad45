/* SPDX-License-Identifier: MIT */
/*
 * How sure is a mean of few values? A confidence interval by the bootstrap-t (Efron and Tibshirani,
 * "An Introduction to the Bootstrap", 1993, chapter 12), which keeps its word with as few as ten.
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

/*
 * The mean of the COUNT VALUES, and the interval that holds the true one with CONFIDENCE (0 to 1).
 * COUNT is from 2 to BOOTSTRAP_VALUES_MAX. Returns 0, or -1 with ENOMEM.
 */
#define BOOTSTRAP_VALUES_MAX 64
int bootstrap_mean(const double *values, size_t count, double confidence, uint64_t seed,
	struct interval *interval);

#endif
