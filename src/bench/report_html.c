/* SPDX-License-Identifier: MIT */
#include "bench/report.h"

#include <math.h>
#include <string.h>

#include "bench/figure.h"
#include "bench/plot.h"
#include "bench/report_style.h"
#include "common/clock.h"

#define CURVE_POINTS_MAX 128
#define CURVE_PER_DECADE 16

static void write_card(const char *name, const char *value, const char *unit, FILE *out)
{
	fprintf(out, "<div><dt>%s</dt><dd>%s <small>%s</small></dd></div>\n", name, value, unit);
}

static void write_latency_card(const char *name, const struct histogram *latency, double quantile,
	FILE *out)
{
	double value_ns = (double)histogram_quantile_ns(latency, quantile);

	write_card(name, latency->count ? figure_duration(value_ns).text : "none", "", out);
}

static void write_cards(const struct result *result, FILE *out)
{
	const struct tally *tally = result->measured;
	const struct histogram *latency = &tally->latency;
	double failed = tally->sent ? 100.0 * (double)tally_failed(tally) / (double)tally->sent : 0;
	char share[32];

	fputs("<dl class=\"cards\">\n", out);
	write_card("Throughput", figure_number(result_throughput_rps(result)).text, "answers/s",
		out);
	write_latency_card("Median latency", latency, 0.5, out);
	write_latency_card("99th percentile", latency, 0.99, out);
	snprintf(share, sizeof(share), "%.2f %%", failed);
	write_card("Without a good answer", share, "", out);
	if (result->server_cpu_known) {
		write_card("Server CPU", figure_duration(
			result_server_cpu_us_per_reply(result) * 1e3).text, "an answer", out);
	}
	fputs("</dl>\n", out);
}

static void write_strip(const char *css_class, const char *head, const char *text, FILE *out)
{
	fprintf(out, "<p class=\"strip %s\"><b>%s</b> ", css_class, head);
	plot_write_escaped(text, out);
	fputs("</p>\n", out);
}

static void write_head(const struct report *report, FILE *out)
{
	const struct result *result = report->result;
	char described[160];
	char sentence[256];
	const char *note;

	report_describe(&result->plan, described, sizeof(described));
	fputs("<header><h1>", out);
	plot_write_escaped(result->target.text, out);
	if (report->comparison) {
		fputs(" (A) and ", out);
		plot_write_escaped(report->comparison->b.target.text, out);
		fputs(" (B)", out);
	}
	fprintf(out, "</h1><p>%s; %s; %.1f s measured</p>\n", described,
		target_dialect(&result->target), (double)result->duration_ns / CLOCK_S);
	if (result->invalid[0]) {
		write_strip("bad", "Invalid:", result->invalid, out);
	}
	if (report->comparison) {
		report_describe_comparison(report->comparison, sentence, sizeof(sentence));
		write_strip("vs", "A against B:", sentence, out);
	}
	if (report->find) {
		snprintf(sentence, sizeof(sentence), "%s holds up to %s requests/s",
			report->find->condition.text, figure_number(report->find->rate_rps).text);
		write_strip("good", "Found:", sentence, out);
	}
	for (unsigned i = 0; i < report->condition_count; i++) {
		write_strip(report->held[i] ? "bad" : "good", report->conditions[i].text,
			report->held[i] ? "holds: failed" : "does not hold: passed", out);
	}
	for (unsigned i = 0; (note = result_note(result, i)) != NULL; i++) {
		write_strip("", "Note:", note, out);
	}
	fputs("</header>\n", out);
}

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

static void write_over_time(const struct result *result, FILE *out)
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

static void write_percentiles(const struct report *report, FILE *out)
{
	struct plot_point points[3][CURVE_POINTS_MAX];
	struct plot_series series[3];
	unsigned count = 0;
	const struct tally *a = report->result->measured;
	bool open_loop = report->result->plan.open_loop;

	series[count] = (struct plot_series){
		.name = report->comparison ? "A" : open_loop ? "from when it was due" : "latency",
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
	} else if (open_loop) {
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

static void write_rounds(const struct comparison *comparison, FILE *out)
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

static unsigned try_points(const struct find_max *find, bool held, struct plot_point *points)
{
	unsigned count = 0;

	for (unsigned i = 0; i < find->count; i++) {
		if (find->tries[i].held == held && find->tries[i].p99_us > 0) {
			points[count++] = (struct plot_point){
				.x = find->tries[i].rate_rps, .y = find->tries[i].p99_us * 1e3,
			};
		}
	}
	return count;
}

static void write_tries(const struct find_max *find, FILE *out)
{
	struct plot_point good[FIND_MAX_TRIES];
	struct plot_point bad[FIND_MAX_TRIES];
	const struct plot_series series[] = {
		{ .name = "holds", .css_class = "good", .style = PLOT_DOTS, .points = good,
		  .count = try_points(find, true, good) },
		{ .name = "fails", .css_class = "bad", .style = PLOT_DOTS, .points = bad,
		  .count = try_points(find, false, bad) },
	};

	plot_write(&(struct plot){
		.id = "tries", .title = "The search",
		.subtitle = "99th percentile at each rate tried",
		.x = { .title = "requests a second", .unit = PLOT_NUMBER, .logarithmic = true },
		.y = { .unit = PLOT_DURATION, .logarithmic = true },
		.series = series, .count = 2,
	}, out);
}

static void write_latency_row(const char *name, const struct histogram *histogram, FILE *out)
{
	const double quantiles[] = { 0.5, 0.9, 0.99, 0.999 };

	if (histogram->count == 0) {
		return;
	}
	fprintf(out, "<tr><td>%s</td><td>%s</td>", name,
		figure_duration((double)histogram->min_ns).text);
	fprintf(out, "<td>%s</td>", figure_duration(histogram_mean_ns(histogram)).text);
	for (unsigned i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		fprintf(out, "<td>%s</td>", figure_duration(
			(double)histogram_quantile_ns(histogram, quantiles[i])).text);
	}
	fprintf(out, "<td>%s</td></tr>\n", figure_duration((double)histogram->max_ns).text);
}

static void write_latencies(const struct report *report, FILE *out)
{
	const struct tally *a = report->result->measured;

	fputs("<section><h2>Latency</h2><div class=\"scroll\"><table><tr><th></th><th>min</th>"
		"<th>mean</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th>"
		"</tr>\n", out);
	write_latency_row(report->comparison ? "A" : "latency", &a->latency, out);
	if (report->comparison) {
		write_latency_row("B", &report->comparison->b.measured->latency, out);
	} else if (report->result->plan.open_loop) {
		write_latency_row("uncorrected", &a->service, out);
	}
	write_latency_row("sent late by", &a->send_lag, out);
	fputs("</table></div></section>\n", out);
}

static void write_count(const char *name, uint64_t count, FILE *out)
{
	fprintf(out, "<tr><td>%s</td><td>%s</td></tr>\n", name, figure_count(count).text);
}

static void write_counts(const char *title, const struct result *result, FILE *out)
{
	const struct tally *tally = result->measured;

	fprintf(out, "<section><h2>%s</h2><table class=\"facts\">\n", title);
	write_count("sent", tally->sent, out);
	for (unsigned i = 0; i < OUTCOMES; i++) {
		if (i <= OUTCOME_LOST || tally->outcomes[i] > 0) {
			write_count(outcome_name((enum outcome)i), tally->outcomes[i], out);
		}
	}
	write_count("late", tally->late, out);
	write_count("duplicate", tally->duplicate, out);
	for (unsigned i = 0; i < KERNEL_DROPS; i++) {
		if (result->drops.count[i] > 0) {
			write_count(kernel_drops_name(i), result->drops.count[i], out);
		}
	}
	fputs("</table></section>\n", out);
}

static void write_environment(const struct environment *environment, FILE *out)
{
	fputs("<section><h2>Measured with</h2><table class=\"facts\">\n", out);
	for (unsigned i = 0; i < environment->count; i++) {
		fprintf(out, "<tr><td>%s</td><td>", environment->facts[i].name);
		plot_write_escaped(environment->facts[i].value, out);
		fputs("</td></tr>\n", out);
	}
	fputs("</table></section>\n", out);
}

int report_html(const struct report *report, FILE *out)
{
	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
		"<link rel=\"icon\" href=\"data:,\"><title>ruptime-bench: ", out);
	plot_write_escaped(report->result->target.text, out);
	fprintf(out, "</title>\n<style>\n%s</style></head>\n<body><main>\n", report_style);
	write_head(report, out);
	write_cards(report->result, out);
	if (report->comparison) {
		write_rounds(report->comparison, out);
	} else {
		write_over_time(report->result, out);
	}
	if (report->find) {
		write_tries(report->find, out);
	}
	write_percentiles(report, out);
	write_latencies(report, out);
	write_counts(report->comparison ? "Requests to A" : "Requests", report->result, out);
	if (report->comparison) {
		write_counts("Requests to B", &report->comparison->b, out);
	}
	write_environment(report->environment, out);
	fputs("</main></body></html>\n", out);
	return ferror(out) ? -1 : 0;
}
