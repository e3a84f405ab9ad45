/* SPDX-License-Identifier: MIT */
#include "bench/bootstrap.h"

#include <stdlib.h>
#include <string.h>

#include "bench/splitmix.h"

#define RESAMPLES  4000
#define TRIM_SHARE 5	/* one part of so many, at each end */

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

double bootstrap_trimmed_mean(double *values, size_t count)
{
	size_t trim = count / TRIM_SHARE;
	double sum = 0;

	qsort(values, count, sizeof(*values), compare_doubles);
	for (size_t i = trim; i < count - trim; i++) {
		sum += values[i];
	}
	return sum / (double)(count - 2 * trim);
}

int bootstrap_interval(const double *values, size_t count, double confidence, uint64_t seed,
	struct interval *interval)
{
	double resample[BOOTSTRAP_VALUES_MAX];
	double *means = malloc(RESAMPLES * sizeof(*means));
	size_t tail = (size_t)((1 - confidence) / 2 * RESAMPLES);

	if (!means) {
		return -1;
	}
	for (size_t i = 0; i < RESAMPLES; i++) {
		for (size_t j = 0; j < count; j++) {
			resample[j] = values[splitmix_next(&seed) % count];
		}
		means[i] = bootstrap_trimmed_mean(resample, count);
	}
	qsort(means, RESAMPLES, sizeof(*means), compare_doubles);
	memcpy(resample, values, count * sizeof(*values));
	*interval = (struct interval){
		.estimate = bootstrap_trimmed_mean(resample, count),
		.low = means[tail],
		.high = means[RESAMPLES - 1 - tail],
	};
	free(means);
	return 0;
}
