/* SPDX-License-Identifier: MIT */
/*
 * How often an interval of 99 % misses the truth, and how often it tells a difference from none:
 * that of ruptime-bench and three others.
 *
 *	intervals [CASES [10|20]]
 *
 * The values are drawn from known distributions around 0, the last two as a comparison has them:
 * logarithms of ratios of rounds, of which one in ten was spoiled.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/signed_rank.h"
#include "bench/splitmix.h"

#define CONFIDENCE  0.99
#define RESAMPLES   1000
#define SPREAD	    0.05
#define SPOILED	    0.5
#define PI	    3.14159265358979323846

static uint64_t seed = 1;

static double normal(void)
{
	return sqrt(-2 * log(splitmix_unit(&seed))) * cos(2 * PI * splitmix_unit(&seed));
}

/* Of three degrees of freedom: far values are not rare. */
static double student(void)
{
	double squares = 0;
	double value = normal();

	for (int i = 0; i < 3; i++) {
		double one = normal();

		squares += one * one;
	}
	return value / sqrt(squares / 3);
}

static double round_of(void)
{
	return exp(SPREAD * normal()) * (splitmix_unit(&seed) < 0.1 ? SPOILED : 1);
}

static double one_round(void)
{
	return log(round_of() / round_of());
}

static double block(void)
{
	return log((round_of() + round_of()) / (round_of() + round_of()));
}

static const struct {
	const char *name;
	double (*draw)(void);
	double shift;		/* a difference that the interval should tell from none */
} distributions[] = {
	{ "normal", normal, 1 },
	{ "Student, 3 degrees", student, 1 },
	{ "a round against one", one_round, 0.1 },
	{ "a block of four", block, 0.2 },
};

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

/* The mean of sorted VALUES without the lowest and the highest fifth. */
static double trimmed_mean(const double *values, size_t count)
{
	size_t trim = count / 5;
	double sum = 0;

	for (size_t i = trim; i < count - trim; i++) {
		sum += values[i];
	}
	return sum / (double)(count - 2 * trim);
}

/* Its standard error: what is trimmed counts as the outermost value that is not. */
static double standard_error(const double *values, size_t count)
{
	size_t trim = count / 5;
	double sum = 0;
	double squares = 0;

	for (size_t i = 0; i < count; i++) {
		double value = values[i < trim ? trim : i >= count - trim ? count - trim - 1 : i];

		sum += value;
		squares += value * value;
	}
	squares -= sum * sum / (double)count;
	if (squares <= 0) {
		return 0;
	}
	return sqrt(squares / (double)(count - 1) / (double)count) * (double)count /
	       (double)(count - 2 * trim);
}

static void resample(const double *values, size_t count, double *sample)
{
	for (size_t i = 0; i < count; i++) {
		sample[i] = values[splitmix_next(&seed) % count];
	}
	qsort(sample, count, sizeof(*sample), compare_doubles);
}

/* Of the trimmed mean: Efron's percentiles. */
static struct interval percentile(const double *values, size_t count)
{
	static double means[RESAMPLES];
	double sample[SIGNED_RANK_VALUES_MAX];
	size_t tail = (size_t)((1 - CONFIDENCE) / 2 * RESAMPLES);

	for (size_t i = 0; i < RESAMPLES; i++) {
		resample(values, count, sample);
		means[i] = trimmed_mean(sample, count);
	}
	qsort(means, RESAMPLES, sizeof(*means), compare_doubles);
	return (struct interval){ 0, means[tail], means[RESAMPLES - 1 - tail] };
}

/* Of the trimmed mean: symmetric and studentized. */
static struct interval studentized(const double *values, size_t count)
{
	static double distances[RESAMPLES];
	double sample[SIGNED_RANK_VALUES_MAX];
	double mean = trimmed_mean(values, count);
	double half;

	for (size_t i = 0; i < RESAMPLES; i++) {
		double error;

		resample(values, count, sample);
		error = standard_error(sample, count);
		distances[i] = error > 0 ? fabs(trimmed_mean(sample, count) - mean) / error : 0;
	}
	qsort(distances, RESAMPLES, sizeof(*distances), compare_doubles);
	half = standard_error(values, count) *
	       distances[(size_t)ceil(CONFIDENCE * (RESAMPLES + 1)) - 1];
	return (struct interval){ mean, mean - half, mean + half };
}

/* Of the trimmed mean: Tukey and McLaughlin, 1963. */
static struct interval tukey_mclaughlin(const double *values, size_t count)
{
	double student = count == 20 ? 3.106 : 4.032;	/* 0.995; 11 and 5 degrees of freedom */
	double mean = trimmed_mean(values, count);
	double half = student * standard_error(values, count);

	return (struct interval){ mean, mean - half, mean + half };
}

static struct interval signed_ranks(const double *values, size_t count)
{
	return signed_rank_interval(values, count, CONFIDENCE);
}

static const struct {
	const char *name;
	struct interval (*make)(const double *values, size_t count);
} variants[] = {
	{ "trimmed mean, percentile bootstrap", percentile },
	{ "trimmed mean, studentized bootstrap", studentized },
	{ "trimmed mean, Tukey-McLaughlin", tukey_mclaughlin },
	{ "signed ranks (ours)", signed_ranks },
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

static void try(size_t distribution, unsigned cases, size_t count)
{
	unsigned missed[VARIANTS] = { 0 };
	unsigned told[VARIANTS] = { 0 };
	double shift = distributions[distribution].shift;

	for (unsigned n = 0; n < cases; n++) {
		double values[SIGNED_RANK_VALUES_MAX];

		for (size_t i = 0; i < count; i++) {
			values[i] = distributions[distribution].draw();
		}
		qsort(values, count, sizeof(*values), compare_doubles);
		for (size_t v = 0; v < VARIANTS; v++) {
			struct interval interval = variants[v].make(values, count);

			missed[v] += interval.low > 0 || interval.high < 0;
			told[v] += interval.high < shift;
		}
	}
	for (size_t v = 0; v < VARIANTS; v++) {
		printf("| %s | %zu | %s | %.2f %% | %.0f %% |\n",
			distributions[distribution].name, count, variants[v].name,
			100.0 * missed[v] / cases, 100.0 * told[v] / cases);
	}
}

int main(int argc, char **argv)
{
	unsigned cases = argc > 1 ? (unsigned)atoi(argv[1]) : 4000;
	size_t count = argc > 2 ? (size_t)atoi(argv[2]) : 20;

	if (!cases || (count != 10 && count != 20)) {
		fprintf(stderr, "intervals [CASES [10|20]]\n");
		return 2;
	}
	printf("| distribution | values | interval | misses | told |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < sizeof(distributions) / sizeof(distributions[0]); i++) {
		try(i, cases, count);
	}
	return 0;
}
