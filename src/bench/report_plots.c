/* SPDX-License-Identifier: MIT */
#include "bench/report_plots.h"

#include <math.h>

#include "bench/plot.h"
#include "common/clock.h"

#define CURVE_POINTS_MAX 128
#define CURVE_PER_DECADE 16

/* One point for each slice of time; the last, which may be cut short, is left out. */
static unsigned throughput_points(const struct result *result, struct plot_point *points,
	bool worst)
{
	const struct tally *tally = result->measured;
	double width_s = (double)tally->bin_ns / CLOCK_S;
	uint64_t bins = result->duration_ns / tally->bin_ns;
	unsigned count = 0;

	for (uint64_t i = 0; i < bins && i < TALLY_BINS; i++) {
		const struct tally_bin *bin = &tally->bins[i];

		if (worst && bin->answered == 0) {
			continue;
		}
		points[count++] = (struct plot_point){
			.x = ((double)i + 0.5) * width_s,
			.y = worst ? (double)bin->worst_ns : (double)bin->answered / width_s,
		};
	}
	return count;
}

void report_plot_over_time(const struct result *result, FILE *out)
{
	struct plot_point rates[TALLY_BINS];
	struct plot_point worst[TALLY_BINS];
	const struct plot_series rate_series = {
		.css_class = "a", .style = PLOT_AREA, .points = rates,
		.count = throughput_points(result, rates, false),
	};
	const struct plot_series worst_series = {
		.css_class = "a", .style = PLOT_DOTS, .points = worst,
		.count = throughput_points(result, worst, true),
	};
	const struct plot rate_plot = {
		.id = "throughput", .title = "Throughput over time",
		.subtitle = "Good answers a second, by when they came",
		.x = { .title = "time", .unit = PLOT_SECONDS, .from_zero = true },
		.y = { .unit = PLOT_NUMBER, .from_zero = true },
		.series = &rate_series, .count = 1,
	};
	const struct plot worst_plot = {
		.id = "worst", .title = "Worst latency over time",
		.subtitle = "The slowest answer of each slice: where a stall was, and how long "
			"it was felt",
		.x = { .title = "time", .unit = PLOT_SECONDS, .from_zero = true },
		.y = { .unit = PLOT_DURATION, .logarithmic = true },
		.series = &worst_series, .count = 1,
	};

	plot_write(&rate_plot, out);
	plot_write(&worst_plot, out);
}

/* The latency at evenly spaced steps of -log10(1 - quantile), as far as there are values. */
static unsigned curve_points(const struct histogram *histogram, struct plot_point *points)
{
	unsigned count = 0;

	while (histogram->count > 0 && count < CURVE_POINTS_MAX) {
		double x = (double)count / CURVE_PER_DECADE;
		double quantile = 1 - pow(10, -x);

		if ((1 - quantile) * (double)histogram->count < 1) {
			break;
		}
		points[count++] = (struct plot_point){
			.x = x, .y = (double)histogram_quantile_ns(histogram, quantile),
		};
	}
	return count;
}

void report_plot_percentiles(const struct report *report, FILE *out)
{
	struct plot_point points[3][CURVE_POINTS_MAX];
	struct plot_series series[3];
	unsigned count = 0;
	const struct tally *a = report->result->measured;
	bool corrected = report->result->plan.open_loop || result_is_corrected(report->result);

	series[count] = (struct plot_series){
		.name = report->comparison ? "A" : corrected ? "from when it was due" : "latency",
		.css_class = "a", .style = PLOT_LINE, .points = points[count],
		.count = curve_points(&a->latency, points[count]),
	};
	count++;
	if (report->comparison) {
		series[count] = (struct plot_series){
			.name = "B", .css_class = "b", .style = PLOT_LINE, .points = points[count],
			.count = curve_points(&report->comparison->b.measured->latency,
				points[count]),
		};
		count++;
	} else if (corrected) {
		series[count] = (struct plot_series){
			.name = "uncorrected: from when it was sent", .css_class = "raw",
			.style = PLOT_LINE, .points = points[count],
			.count = curve_points(&a->service, points[count]),
		};
		count++;
	}
	plot_write(&(struct plot){
		.id = "percentiles", .title = "Latency by percentile",
		.subtitle = "So many of the answers came at least as fast",
		.x = { .title = "percentile", .unit = PLOT_PERCENTILE, .from_zero = true },
		.y = { .unit = PLOT_DURATION, .logarithmic = true },
		.series = series, .count = count,
	}, out);
}

static unsigned round_points(const double *values, unsigned count, bool of_latency,
	struct plot_point *points)
{
	for (unsigned i = 0; i < count; i++) {
		points[i] = (struct plot_point){
			.x = i + 1, .y = values[i] * (of_latency ? (double)CLOCK_US : 1),
		};
	}
	return count;
}

void report_plot_rounds(const struct comparison *comparison, FILE *out)
{
	struct plot_point a[COMPARISON_ROUNDS];
	struct plot_point b[COMPARISON_ROUNDS];
	bool of_latency = comparison->of_latency;
	const struct plot_series series[] = {
		{ .name = "A", .css_class = "a", .style = PLOT_DOTS, .points = a,
		  .count = round_points(comparison->a_rounds, comparison->rounds, of_latency, a) },
		{ .name = "B", .css_class = "b", .style = PLOT_DOTS, .points = b,
		  .count = round_points(comparison->b_rounds, comparison->rounds, of_latency, b) },
	};

	plot_write(&(struct plot){
		.id = "rounds", .title = "A and B, round by round",
		.subtitle = of_latency ? "Median latency of each round" :
			"Answers a second in each round",
		.x = { .title = "round", .unit = PLOT_NUMBER },
		.y = { .unit = of_latency ? PLOT_DURATION : PLOT_NUMBER, .from_zero = true },
		.series = series, .count = 2,
	}, out);
}

/* What a try says: the same as report_words.c writes behind it. */
enum said { SAID_HOLDS, SAID_FAILS, SAID_NOTHING };

static enum said said_by(const struct rate_try *try)
{
	return try->held ? SAID_HOLDS : try->valid ? SAID_FAILS : SAID_NOTHING;
}

static unsigned try_points(const struct find_max *find, enum said said, struct plot_point *points)
{
	unsigned count = 0;

	for (unsigned i = 0; i < find->count; i++) {
		if (said_by(&find->tries[i]) == said && find->tries[i].p99_us > 0) {
			points[count++] = (struct plot_point){
				.x = find->tries[i].rate_rps, .y = find->tries[i].p99_us * 1e3,
			};
		}
	}
	return count;
}

void report_plot_tries(const struct find_max *find, FILE *out)
{
	struct plot_point good[FIND_MAX_TRIES];
	struct plot_point bad[FIND_MAX_TRIES];
	struct plot_point spoiled[FIND_MAX_TRIES];
	const struct plot_series series[] = {
		{ .name = "holds", .css_class = "good", .style = PLOT_DOTS, .points = good,
		  .count = try_points(find, SAID_HOLDS, good) },
		{ .name = "fails", .css_class = "bad", .style = PLOT_DOTS, .points = bad,
		  .count = try_points(find, SAID_FAILS, bad) },
		{ .name = "not counted: invalid", .css_class = "raw", .style = PLOT_DOTS,
		  .points = spoiled, .count = try_points(find, SAID_NOTHING, spoiled) },
	};

	plot_write(&(struct plot){
		.id = "tries", .title = "The search",
		.subtitle = "99th percentile at each rate tried",
		.x = { .title = "requests a second", .unit = PLOT_NUMBER, .logarithmic = true },
		.y = { .unit = PLOT_DURATION, .logarithmic = true },
		.series = series, .count = 3,
	}, out);
}

static unsigned ramp_points(const struct ramp *ramp, bool tail, struct plot_point *points)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ramp->count; i++) {
		const struct rate_try *try = &ramp->tries[i];
		double us = tail ? try->p99_us : try->p50_us;

		if (us > 0) {
			points[count++] = (struct plot_point){ .x = try->rate_rps, .y = us * 1e3 };
		}
	}
	return count;
}

/* Both figures of the rate at the knee, if it was reached. */
static unsigned knee_points(const struct ramp *ramp, struct plot_point *points)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ramp->count && ramp->reached; i++) {
		const struct rate_try *try = &ramp->tries[i];

		if (try->rate_rps == ramp->knee_rps) {
			points[count++] = (struct plot_point){ try->rate_rps, try->p50_us * 1e3 };
			points[count++] = (struct plot_point){ try->rate_rps, try->p99_us * 1e3 };
		}
	}
	return count;
}

void report_plot_ramp(const struct ramp *ramp, FILE *out)
{
	struct plot_point medians[RAMP_STEPS_MAX];
	struct plot_point tails[RAMP_STEPS_MAX];
	struct plot_point knee[2];
	const struct plot_series series[] = {
		{ .name = "99th percentile", .css_class = "b", .style = PLOT_LINE, .points = tails,
		  .count = ramp_points(ramp, true, tails) },
		{ .name = "median", .css_class = "a", .style = PLOT_LINE, .points = medians,
		  .count = ramp_points(ramp, false, medians) },
		{ .name = "the knee", .css_class = "good", .style = PLOT_DOTS, .points = knee,
		  .count = knee_points(ramp, knee) },
	};

	plot_write(&(struct plot){
		.id = "ramp", .title = "Latency by rate",
		.subtitle = "Up to the knee the server kept up with every rate",
		.x = { .title = "requests a second", .unit = PLOT_NUMBER },
		.y = { .unit = PLOT_DURATION, .logarithmic = true },
		.series = series, .count = 3,
	}, out);
}
