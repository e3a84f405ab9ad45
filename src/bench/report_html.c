/* SPDX-License-Identifier: MIT */
#include "bench/report.h"

#include <string.h>

#include "bench/figure.h"
#include "bench/plot.h"
#include "bench/report_plots.h"
#include "bench/report_style.h"
#include "common/clock.h"

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

/* TITLE: which side it is, or NULL. */
static void write_cards(const char *title, const struct result *result, FILE *out)
{
	const struct tally *tally = result->measured;
	const struct histogram *latency = &tally->latency;
	double failed = tally->sent ? 100.0 * (double)tally_failed(tally) / (double)tally->sent : 0;
	char share[32];

	if (title) {
		fprintf(out, "<h2 class=\"side\">%s</h2>\n", title);
	}
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
	} else if (result->server_cpu_why) {
		write_card("Server CPU", "unknown", "", out);
	}
	fputs("</dl>\n", out);
}

static void write_strip(const char *css_class, const char *head, const char *text, FILE *out)
{
	fprintf(out, "<p class=\"strip %s\"><b>", css_class);
	plot_write_escaped(head, out);
	fputs("</b> ", out);
	plot_write_escaped(text, out);
	fputs("</p>\n", out);
}

static void write_target(const char *side, const struct result *result, FILE *out)
{
	const struct target *target = result->target;

	fputs("<p>", out);
	plot_write_escaped(side, out);
	plot_write_escaped(target_dialect(target), out);
	fprintf(out, "; %.1f s measured", (double)result->duration_ns / CLOCK_S);
	for (unsigned i = 0; i < target->count; i++) {
		if (strcmp(target->endpoints[i].text, target->text) != 0) {
			fputs(i ? ", " : "; at ", out);
			plot_write_escaped(target->endpoints[i].text, out);
		}
	}
	fputs("</p>\n", out);
}

static void write_conditions(const struct report *report, FILE *out)
{
	for (unsigned i = 0; i < report->condition_count; i++) {
		bool passed = report->verdicts[i].state == CONDITION_FALSE;
		char described[80];
		char sentence[100];

		condition_describe(&report->verdicts[i], described, sizeof(described));
		snprintf(sentence, sizeof(sentence), "%s; %s", described,
			passed ? "passed" : "failed");
		write_strip(passed ? "good" : "bad", report->conditions[i].text, sentence, out);
	}
}

static void write_title(const struct report *report, FILE *out)
{
	char described[160];

	report_describe(&report->result->plan, described, sizeof(described));
	fputs("<h1>", out);
	plot_write_escaped(report->result->target->text, out);
	if (report->comparison) {
		fputs(" (A) and ", out);
		plot_write_escaped(report->comparison->b.target->text, out);
		fputs(" (B)", out);
	}
	fprintf(out, "</h1><p>%s</p>\n", described);
	write_target(report->comparison ? "A: " : "", report->result, out);
	if (report->comparison) {
		write_target("B: ", &report->comparison->b, out);
	}
}

static void write_head(const struct report *report, FILE *out)
{
	const struct result *result = report->result;
	const struct comparison *comparison = report->comparison;
	char sentence[256];
	const char *note;

	fputs("<header>", out);
	write_title(report, out);
	if (result->interrupted) {
		write_strip("bad", "Interrupted:", "not all that was planned has been measured",
			out);
	}
	if (result->invalid[0]) {
		write_strip("bad", comparison ? "A is invalid:" : "Invalid:", result->invalid, out);
	}
	if (comparison && comparison->b.invalid[0]) {
		write_strip("bad", "B is invalid:", comparison->b.invalid, out);
	}
	if (comparison) {
		report_describe_comparison(comparison, result, sentence, sizeof(sentence));
		write_strip("vs", "A against B:", sentence, out);
	}
	if (report->find) {
		report_describe_find_max(report->find, sentence, sizeof(sentence));
		write_strip(report->find->rate_rps > 0 ? "good" : "bad", "Search:", sentence, out);
	}
	if (report->ramp) {
		report_describe_ramp(report->ramp, sentence, sizeof(sentence));
		write_strip(report->ramp->knee_rps > 0 ? "good" : "bad", "Ramp:", sentence, out);
	}
	if (report->baseline) {
		report_describe_baseline(report->baseline, result, sentence, sizeof(sentence));
		write_strip("vs", "Baseline:", sentence, out);
		write_strip("", "Warning:", report_baseline_warning(), out);
	}
	write_conditions(report, out);
	for (unsigned i = 0; (note = result_note(result, i)) != NULL; i++) {
		write_strip("", "Note:", note, out);
	}
	fputs("</header>\n", out);
}

/* The columns of the table of latency: few, so that a narrow window loses none. */
struct columns {
	const char *names[4];
	const struct histogram *histograms[4];
	unsigned count;
};

static void add_column(struct columns *columns, const char *name, const struct histogram *histogram)
{
	if (histogram->count > 0) {
		columns->names[columns->count] = name;
		columns->histograms[columns->count++] = histogram;
	}
}

static void write_row(const struct columns *columns, const char *name,
	double (*value_ns)(const struct histogram *, uint32_t), uint32_t billionths, FILE *out)
{
	fprintf(out, "<tr><td>%s</td>", name);
	for (unsigned i = 0; i < columns->count; i++) {
		fprintf(out, "<td>%s</td>", figure_duration(value_ns(columns->histograms[i],
			billionths)).text);
	}
	fputs("</tr>\n", out);
}

static double min_ns(const struct histogram *histogram, uint32_t unused)
{
	(void)unused;
	return (double)histogram->min_ns;
}

static double mean_ns(const struct histogram *histogram, uint32_t unused)
{
	(void)unused;
	return histogram_mean_ns(histogram);
}

static double rank_ns(const struct histogram *histogram, uint32_t billionths)
{
	return (double)histogram_rank_ns(histogram, billionths);
}

static void write_latencies(const struct report *report, FILE *out)
{
	const struct tally *a = report->result->measured;
	struct columns columns = { .count = 0 };

	add_column(&columns, report->comparison ? "A" : "latency", &a->latency);
	if (report->comparison) {
		add_column(&columns, "B", &report->comparison->b.measured->latency);
	} else if (report->result->plan.open_loop || result_is_corrected(report->result)) {
		add_column(&columns, "uncorrected", &a->service);
	}
	add_column(&columns, "sent late by", &a->send_lag);
	fputs("<section><h2>Latency</h2><table><tr><th></th>", out);
	for (unsigned i = 0; i < columns.count; i++) {
		fprintf(out, "<th>%s</th>", columns.names[i]);
	}
	fputs("</tr>\n", out);
	write_row(&columns, "min", min_ns, 0, out);
	write_row(&columns, "mean", mean_ns, 0, out);
	for (unsigned i = 0; i < report->percentile_count; i++) {
		char name[24];

		snprintf(name, sizeof(name), "p%s", report->percentiles[i].text);
		write_row(&columns, name, rank_ns, report->percentiles[i].billionths, out);
	}
	write_row(&columns, "max", rank_ns, HISTOGRAM_WHOLE, out);
	fputs("</table></section>\n", out);
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
	write_count("unsent", tally->unsent, out);
	fputs("</table></section>\n", out);
}

/* They are those of the machine, and belong to no side. */
static void write_drops(const struct report *report, FILE *out)
{
	static const struct kernel_drops none;
	struct kernel_drops drops = report->result->drops;
	bool any = false;

	if (report->comparison) {
		kernel_drops_add(&drops, &none, &report->comparison->b.drops);
	}
	for (unsigned i = 0; i < KERNEL_DROPS; i++) {
		if (drops.count[i] > 0 && !any) {
			fputs("<section><h2>Dropped by the kernel, on the whole machine</h2>"
				"<table class=\"facts\">\n", out);
			any = true;
		}
		if (drops.count[i] > 0) {
			write_count(kernel_drops_name(i), drops.count[i], out);
		}
	}
	if (any) {
		fputs("</table></section>\n", out);
	}
}

static void write_tries(const struct rate_try *tries, unsigned count, const char *verdict,
	const char *(*word)(const struct rate_try *), FILE *out)
{
	fputs("<section><h2>All rates</h2><table><tr><th>rate</th><th>answers/s</th>"
		"<th>p50</th><th>p99</th><th class=\"word\">", out);
	plot_write_escaped(verdict, out);
	fputs("</th></tr>\n", out);
	for (unsigned i = 0; i < count; i++) {
		const struct rate_try *try = &tries[i];

		fprintf(out, "<tr><td>%s</td><td>%s</td>", figure_number(try->rate_rps).text,
			figure_number(try->throughput_rps).text);
		fprintf(out, "<td>%s</td><td>%s</td>", figure_duration(try->p50_us * 1e3).text,
			figure_duration(try->p99_us * 1e3).text);
		fprintf(out, "<td class=\"word\">%s</td></tr>\n", word(try));
	}
	fputs("</table></section>\n", out);
}

/* A browser breaks a line between words, and not within an option, behind its hyphens. */
static void write_words(const char *text, FILE *out)
{
	fputs("<span>", out);
	for (; *text; text++) {
		const char one[2] = { *text, '\0' };

		if (*text == ' ') {
			fputs("</span> <span>", out);
		} else {
			plot_write_escaped(one, out);
		}
	}
	fputs("</span>", out);
}

static void write_environment(const struct environment *environment, FILE *out)
{
	fputs("<section><h2>Measured with</h2><table class=\"facts\">\n", out);
	for (unsigned i = 0; i < environment->count; i++) {
		fprintf(out, "<tr><td>%s</td><td>", environment->facts[i].name);
		write_words(environment->facts[i].value, out);
		fputs("</td></tr>\n", out);
	}
	fputs("</table></section>\n", out);
}

int report_html(const struct report *report, FILE *out)
{
	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
		"<link rel=\"icon\" href=\"data:,\"><title>ruptime-bench: ", out);
	plot_write_escaped(report->result->target->text, out);
	fprintf(out, "</title>\n<style>\n%s</style></head>\n<body><main>\n", report_style);
	write_head(report, out);
	write_cards(report->comparison ? "A" : NULL, report->result, out);
	if (report->comparison) {
		write_cards("B", &report->comparison->b, out);
		report_plot_rounds(report->comparison, out);
	}
	if (report->find) {
		report_plot_tries(report->find, out);
	}
	if (report->ramp) {
		report_plot_ramp(report->ramp, out);
		write_tries(report->ramp->tries, report->ramp->count, "keeps up", report_step_word,
			out);
	}
	if (report->find) {
		write_tries(report->find->tries, report->find->count,
			report->find->condition.text, report_try_word, out);
	}
	if (!report->comparison) {
		report_plot_over_time(report->result, out);
	}
	report_plot_percentiles(report, out);
	write_latencies(report, out);
	write_counts(report->comparison ? "Requests to A" : "Requests", report->result, out);
	if (report->comparison) {
		write_counts("Requests to B", &report->comparison->b, out);
	}
	write_drops(report, out);
	write_environment(report->environment, out);
	fputs("</main></body></html>\n", out);
	return ferror(out) ? -1 : 0;
}
