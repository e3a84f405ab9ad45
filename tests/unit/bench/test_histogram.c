/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/histogram.h"
#include "unit/random.h"

#define VALUES 20000
#define PRECISION 1.001

static uint64_t values[VALUES];
static struct histogram histogram;
static struct histogram other;

/* All magnitudes from 1 ns to 18 minutes are as probable. */
static uint64_t random_latency(void)
{
	return random_next() >> (24 + random_below(40));
}

static int compare_values(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void check_quantile(double quantile)
{
	/* In whole millionths, so that no binary rounding moves the rank. */
	uint64_t millionths = (uint64_t)lround(quantile * 1e6);
	uint64_t rank = (millionths * VALUES + 999999) / 1000000;
	uint64_t exact = values[rank ? rank - 1 : 0];
	uint64_t found = histogram_quantile_ns(&histogram, quantile);

	ck_assert_msg(found >= exact && (double)found <= (double)exact * PRECISION,
		"quantile %g: %ju instead of %ju", quantile, (uintmax_t)found, (uintmax_t)exact);
}

START_TEST(test_quantiles_against_sorted)
{
	random_init();
	histogram_clear(&histogram);
	for (size_t i = 0; i < VALUES; i++) {
		values[i] = random_latency();
		histogram_add(&histogram, values[i]);
	}
	qsort(values, VALUES, sizeof(values[0]), compare_values);
	ck_assert(histogram.min_ns == values[0]);
	ck_assert(histogram.max_ns == values[VALUES - 1]);
	for (double quantile = 0; quantile <= 1; quantile += 0.001) {
		check_quantile(quantile);
	}
	check_quantile(0.9999);
	check_quantile(1);
}
END_TEST

START_TEST(test_merge_is_union)
{
	static struct histogram whole;

	random_init();
	histogram_clear(&histogram);
	histogram_clear(&other);
	histogram_clear(&whole);
	/* Merging an empty one, and into an empty one, must not disturb the minimum. */
	histogram_merge(&histogram, &other);
	for (size_t i = 0; i < VALUES; i++) {
		uint64_t value = random_latency();

		histogram_add(i % 3 ? &histogram : &other, value);
		histogram_add(&whole, value);
	}
	histogram_merge(&histogram, &other);
	ck_assert(memcmp(&histogram, &whole, sizeof(whole)) == 0);
}
END_TEST

/* 99.9/100 is a little more than 0.999 in a computer: it must not move the rank. */
START_TEST(test_ranks_are_exact)
{
	const struct {
		uint32_t billionths;
		unsigned per_mille;
	} shares[] = { { 999000000, 999 }, { 990000000, 990 }, { 70000000, 70 }, { 1000000, 1 } };

	histogram_clear(&histogram);
	for (uint64_t i = 1; i <= 2000; i++) {
		histogram_add(&histogram, i);
		for (unsigned j = 0; j < sizeof(shares) / sizeof(shares[0]); j++) {
			uint64_t rank = (i * shares[j].per_mille + 999) / 1000;

			ck_assert(histogram_rank_ns(&histogram, shares[j].billionths) == rank);
			ck_assert(histogram_quantile_ns(&histogram,
				shares[j].per_mille / 10.0 / 100) == rank);
		}
	}
	ck_assert(histogram_rank_ns(&histogram, HISTOGRAM_WHOLE) == 2000);
	ck_assert(histogram_count_above(&histogram, 1990) == 10);
}
END_TEST

START_TEST(test_edges)
{
	histogram_clear(&histogram);
	ck_assert(histogram_quantile_ns(&histogram, 0.5) == 0);
	histogram_add(&histogram, 0);
	ck_assert(histogram_quantile_ns(&histogram, 1) == 0);
	histogram_add(&histogram, UINT64_MAX / 4);
	ck_assert(histogram_quantile_ns(&histogram, 1) == UINT64_MAX / 4);
	ck_assert(histogram_quantile_ns(&histogram, 0.5) == 0);
	for (uint64_t exact = 1; exact < 2048; exact++) {
		histogram_clear(&histogram);
		histogram_add(&histogram, exact);
		histogram_add(&histogram, 1ull << 30);
		ck_assert(histogram_quantile_ns(&histogram, 0.5) == exact);
	}
}
END_TEST

START_TEST(test_hgrm)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	double last_value = 0;
	double last_percentile = -1;
	unsigned lines = 0;

	histogram_clear(&histogram);
	for (uint64_t i = 1; i <= 10000; i++) {
		histogram_add(&histogram, i * 1000);
	}
	ck_assert(histogram_write_hgrm(&histogram, out) == 0);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "       Value     Percentile TotalCount 1/(1"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		double value, percentile;
		unsigned long count;

		if (sscanf(line, "%lf %lf %lu", &value, &percentile, &count) != 3) {
			continue;
		}
		ck_assert(value >= last_value && percentile > last_percentile && count <= 10000);
		ck_assert_double_eq_tol(value, 10 * percentile, 0.02);
		last_value = value;
		last_percentile = percentile;
		lines++;
	}
	ck_assert(lines > 30 && last_percentile == 1);
	free(text);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("histogram");
	TCase *tcase = tcase_create("histogram");

	tcase_add_test(tcase, test_quantiles_against_sorted);
	tcase_add_test(tcase, test_merge_is_union);
	tcase_add_test(tcase, test_edges);
	tcase_add_test(tcase, test_hgrm);
	tcase_add_test(tcase, test_ranks_are_exact);
	suite_add_tcase(suite, tcase);
	return suite;
}
