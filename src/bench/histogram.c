/* SPDX-License-Identifier: MIT */
#include "bench/histogram.h"

#include <math.h>
#include <string.h>

#define SUB_BUCKETS (1u << HISTOGRAM_SUB_BITS)
#define VALUE_MAX   ((1ull << HISTOGRAM_VALUE_BITS) - 1)

static uint32_t bucket_of(uint64_t value_ns)
{
	unsigned shift;

	if (value_ns < 2 * SUB_BUCKETS) {
		return (uint32_t)value_ns;
	}
	shift = 63u - (unsigned)__builtin_clzll(value_ns) - HISTOGRAM_SUB_BITS;
	return shift * SUB_BUCKETS + (uint32_t)(value_ns >> shift);
}

static unsigned shift_of(uint32_t bucket)
{
	return bucket < 2 * SUB_BUCKETS ? 0 : bucket / SUB_BUCKETS - 1;
}

static uint64_t upper_edge_ns(uint32_t bucket)
{
	unsigned shift = shift_of(bucket);

	return ((uint64_t)(bucket - shift * SUB_BUCKETS + 1) << shift) - 1;
}

void histogram_clear(struct histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
}

void histogram_add(struct histogram *histogram, uint64_t value_ns)
{
	if (histogram->count == 0 || value_ns < histogram->min_ns) {
		histogram->min_ns = value_ns;
	}
	if (value_ns > histogram->max_ns) {
		histogram->max_ns = value_ns;
	}
	histogram->count++;
	histogram->sum_ns += value_ns;
	histogram->buckets[bucket_of(value_ns > VALUE_MAX ? VALUE_MAX : value_ns)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	if (from->count == 0) {
		return;
	}
	if (into->count == 0 || from->min_ns < into->min_ns) {
		into->min_ns = from->min_ns;
	}
	if (from->max_ns > into->max_ns) {
		into->max_ns = from->max_ns;
	}
	into->count += from->count;
	into->sum_ns += from->sum_ns;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		into->buckets[i] += from->buckets[i];
	}
}

/* The ceiling of COUNT * BILLIONTHS / HISTOGRAM_WHOLE, in parts that do not overflow. */
static uint64_t rank_of(uint64_t count, uint32_t billionths)
{
	uint64_t whole = count / HISTOGRAM_WHOLE;
	uint64_t rest = count % HISTOGRAM_WHOLE * billionths;

	return whole * billionths + (rest + HISTOGRAM_WHOLE - 1) / HISTOGRAM_WHOLE;
}

uint64_t histogram_rank_ns(const struct histogram *histogram, uint32_t billionths)
{
	uint64_t rank = rank_of(histogram->count, billionths);
	uint64_t seen = 0;

	if (histogram->count == 0) {
		return 0;
	}
	if (rank == 0) {
		return histogram->min_ns;
	}
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen >= rank) {
			uint64_t edge_ns = upper_edge_ns(i);

			/* The last bucket holds whatever is too long for the others. */
			return edge_ns > histogram->max_ns || edge_ns == VALUE_MAX ?
				histogram->max_ns : edge_ns;
		}
	}
	return histogram->max_ns;
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, double quantile)
{
	return histogram_rank_ns(histogram, (uint32_t)lround(quantile * HISTOGRAM_WHOLE));
}

static uint64_t count_up_to(const struct histogram *histogram, uint64_t value_ns)
{
	uint32_t last = bucket_of(value_ns > VALUE_MAX ? VALUE_MAX : value_ns);
	uint64_t seen = 0;

	for (uint32_t i = 0; i <= last; i++) {
		seen += histogram->buckets[i];
	}
	return seen;
}

uint64_t histogram_count_above(const struct histogram *histogram, uint64_t value_ns)
{
	return histogram->count - count_up_to(histogram, value_ns);
}

double histogram_mean_ns(const struct histogram *histogram)
{
	return histogram->count ? (double)histogram->sum_ns / (double)histogram->count : 0;
}

static double deviation_ns(const struct histogram *histogram)
{
	double mean_ns = histogram_mean_ns(histogram);
	double squares = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
		uint64_t upper_ns = upper_edge_ns(i);
		double middle_ns = (double)upper_ns - (double)((1ull << shift_of(i)) - 1) / 2;

		squares += (double)histogram->buckets[i] * (middle_ns - mean_ns) *
			(middle_ns - mean_ns);
	}
	return histogram->count ? sqrt(squares / (double)histogram->count) : 0;
}

int histogram_write_hgrm(const struct histogram *histogram, FILE *out)
{
	const unsigned steps_per_half = 5;
	double quantile = 0;
	double rest = 1;	/* what lies above the current halving */

	fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	for (unsigned step = 0; histogram->count > 0; step++) {
		uint64_t value_ns = histogram_quantile_ns(histogram, quantile);
		uint64_t seen = count_up_to(histogram, value_ns);

		if (seen >= histogram->count) {
			break;
		}
		fprintf(out, "%12.6f %2.12f %10llu %14.2f\n", (double)value_ns / 1e6, quantile,
			(unsigned long long)seen, 1 / (1 - quantile));
		if (step > 0 && step % steps_per_half == 0) {
			rest /= 2;
		}
		quantile += rest / 2 / steps_per_half;
	}
	if (histogram->count > 0) {
		fprintf(out, "%12.6f %2.12f %10llu %14s\n", (double)histogram->max_ns / 1e6, 1.0,
			(unsigned long long)histogram->count, "inf");
	}
	fprintf(out, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n",
		histogram_mean_ns(histogram) / 1e6, deviation_ns(histogram) / 1e6);
	fprintf(out, "#[Max     = %12.6f, Total count    = %12llu]\n",
		(double)histogram->max_ns / 1e6, (unsigned long long)histogram->count);
	fprintf(out, "#[Buckets = %12d, SubBuckets     = %12u]\n",
		HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS, 2 * SUB_BUCKETS);
	return ferror(out) ? -1 : 0;
}
