/* SPDX-License-Identifier: MIT */
#include "bench/signed_rank.h"

#include <stdlib.h>

#define PAIRS_MAX (SIGNED_RANK_VALUES_MAX * (SIGNED_RANK_VALUES_MAX + 1) / 2)

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

/*
 * How many of the lowest and of the highest pairs to leave out: the sum of the ranks of positive
 * values is below this with a chance of TAIL at most. Each rank counts or not, with even chances.
 */
static size_t critical_sum(size_t count, double tail)
{
	double chances[PAIRS_MAX + 1] = { 1 };
	size_t pairs = count * (count + 1) / 2;
	double below = 0;

	for (size_t rank = 1; rank <= count; rank++) {
		for (size_t sum = pairs + 1; sum-- > 0;) {
			double without = sum >= rank ? chances[sum - rank] : 0;

			chances[sum] = (chances[sum] + without) / 2;
		}
	}
	for (size_t sum = 0; sum <= pairs; sum++) {
		below += chances[sum];
		if (below > tail) {
			return sum;
		}
	}
	return pairs;
}

struct interval signed_rank_interval(const double *values, size_t count, double confidence)
{
	double means[PAIRS_MAX];
	size_t pairs = 0;
	size_t out = critical_sum(count, (1 - confidence) / 2);

	for (size_t i = 0; i < count; i++) {
		for (size_t j = i; j < count; j++) {
			means[pairs++] = (values[i] + values[j]) / 2;
		}
	}
	qsort(means, pairs, sizeof(means[0]), compare_doubles);
	out = out ? out - 1 : 0;
	return (struct interval){
		.estimate = (means[(pairs - 1) / 2] + means[pairs / 2]) / 2,
		.low = means[out],
		.high = means[pairs - 1 - out],
	};
}
