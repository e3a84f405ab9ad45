/* SPDX-License-Identifier: MIT */
#include "bench/bootstrap.h"

#include <math.h>
#include <stdlib.h>

#include "bench/splitmix.h"

#define RESAMPLES 4000

struct moments {
	double mean;
	double error;		/* standard error of the mean */
};

static struct moments moments_of(const double *values, size_t count)
{
	struct moments moments = { 0, 0 };
	double squares = 0;

	for (size_t i = 0; i < count; i++) {
		moments.mean += values[i] / (double)count;
	}
	for (size_t i = 0; i < count; i++) {
		squares += (values[i] - moments.mean) * (values[i] - moments.mean);
	}
	moments.error = sqrt(squares / (double)(count - 1) / (double)count);
	return moments;
}

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

int bootstrap_mean(const double *values, size_t count, double confidence, uint64_t seed,
	struct interval *interval)
{
	struct moments whole = moments_of(values, count);
	double resample[BOOTSTRAP_VALUES_MAX];
	double *t = malloc(RESAMPLES * sizeof(*t));
	size_t tail = (size_t)((1 - confidence) / 2 * RESAMPLES);
	size_t filled = 0;

	if (!t) {
		return -1;
	}
	*interval = (struct interval){ whole.mean, whole.mean, whole.mean };
	while (whole.error > 0 && filled < RESAMPLES) {
		struct moments part;

		for (size_t i = 0; i < count; i++) {
			resample[i] = values[splitmix_next(&seed) % count];
		}
		part = moments_of(resample, count);
		/* One value drawn every time says nothing of the spread. */
		if (part.error > 0) {
			t[filled++] = (part.mean - whole.mean) / part.error;
		}
	}
	if (filled > 0) {
		qsort(t, filled, sizeof(*t), compare_doubles);
		interval->low = whole.mean - t[filled - 1 - tail] * whole.error;
		interval->high = whole.mean - t[tail] * whole.error;
	}
	free(t);
	return 0;
}
