/* SPDX-License-Identifier: MIT */
#include "bench/report.h"

#include <math.h>
#include <string.h>

#include "bench/figure.h"
#include "common/clock.h"

#define WIDTH 92

static void print_latency(const char *name, const struct histogram *histogram,
	const struct report *report, FILE *out)
{
	fprintf(out, "  %-16s%10s%10s", name, figure_duration((double)histogram->min_ns).text,
		figure_duration(histogram_mean_ns(histogram)).text);
	for (unsigned i = 0; i < report->percentile_count; i++) {
		uint64_t value_ns = histogram_rank_ns(histogram, report->percentiles[i].billionths);

		fprintf(out, "%10s", figure_duration((double)value_ns).text);
	}
	fprintf(out, "%10s\n", figure_duration((double)histogram->max_ns).text);
}

/* Latency means the same in every report and loop; what differs from it stands below it. */
static void print_latencies(const struct report *report, const struct result *result, FILE *out)
{
	const struct tally *tally = result->measured;

	if (tally->latency.count == 0) {
		fprintf(out, "  no answer, so no latency\n");
		return;
	}
	fprintf(out, "  %-16s%10s%10s", "", "min", "mean");
	for (unsigned i = 0; i < report->percentile_count; i++) {
		char name[24];

		snprintf(name, sizeof(name), "p%s", report->percentiles[i].text);
		fprintf(out, "%10s", name);
	}
	fprintf(out, "%10s\n", "max");
	print_latency("latency", &tally->latency, report, out);
	if (result->plan.open_loop || result_is_corrected(result)) {
		print_latency("  uncorrected", &tally->service, report, out);
	}
}

static void print_named(const struct tally *tally, bool (*wanted)(enum outcome), FILE *out)
{
	const char *before = " (";

	for (unsigned i = 0; i < OUTCOMES; i++) {
		if (wanted((enum outcome)i) && tally->outcomes[i] > 0) {
			fprintf(out, "%s%s %s", before, outcome_name((enum outcome)i),
				figure_count(tally->outcomes[i]).text);
			before = ", ";
		}
	}
	if (before[0] == ',') {
		fputc(')', out);
	}
}

static void print_share(uint64_t part, uint64_t whole, FILE *out)
{
	if (part > 0 && whole > 0) {
		fprintf(out, " (%.2f %%)", 100.0 * (double)part / (double)whole);
	}
}

static void print_counts(const struct tally *tally, FILE *out)
{
	fprintf(out, "  sent %s, answered %s", figure_count(tally->sent).text,
		figure_count(tally->outcomes[OUTCOME_ANSWERED]).text);
	fprintf(out, ", lost %s", figure_count(tally->outcomes[OUTCOME_LOST]).text);
	print_share(tally->outcomes[OUTCOME_LOST], tally->sent, out);
	fprintf(out, ", late %s", figure_count(tally->late).text);
	fprintf(out, ", duplicate %s", figure_count(tally->duplicate).text);
	fprintf(out, ", bad %s", figure_count(tally_bad(tally)).text);
	print_named(tally, outcome_is_bad, out);
	fprintf(out, ", errors %s", figure_count(tally_errors(tally)).text);
	print_named(tally, outcome_is_error, out);
	if (tally->unsent > 0) {
		fprintf(out, ", unsent %s", figure_count(tally->unsent).text);
	}
	fputc('\n', out);
}

static void print_costs(const struct result *result, FILE *out)
{
	const struct histogram *lag = &result->measured->send_lag;

	if (result->server_cpu_known) {
		fprintf(out, "  server           %.1f us of CPU for each answer\n",
			result_server_cpu_us_per_reply(result));
	} else if (result->server_cpu_why) {
		fprintf(out, "  server           CPU unknown: %s\n", result->server_cpu_why);
	}
	fprintf(out, "  generator        %.1f us of CPU for each request, %.0f %% of one CPU; "
		"sent late by p50 %s", result_own_cpu_us_per_request(result),
		100 * result_own_cpu_share(result),
		figure_duration((double)histogram_quantile_ns(lag, 0.5)).text);
	fprintf(out, ", p99 %s", figure_duration((double)histogram_quantile_ns(lag, 0.99)).text);
	fprintf(out, ", max %s\n", figure_duration((double)lag->max_ns).text);
}

/* They are those of the machine, and belong to no side. */
static void print_drops(const struct report *report, FILE *out)
{
	static const struct kernel_drops none;
	const char *before = "\nKernel, whole machine: ";
	struct kernel_drops sum = report->result->drops;
	const struct kernel_drops *drops = &sum;

	if (report->comparison) {
		kernel_drops_add(&sum, &none, &report->comparison->b.drops);
	}

	for (unsigned i = 0; i < KERNEL_DROPS; i++) {
		if (drops->count[i] > 0) {
			fprintf(out, "%s%s +%s", before, kernel_drops_name(i),
				figure_count(drops->count[i]).text);
			before = ", ";
		}
	}
	if (before[0] == ',') {
		fputc('\n', out);
	}
}

static void print_result(const struct report *report, const struct result *result, FILE *out)
{
	const struct tally *warm = result->warm;

	fprintf(out, "  throughput       %s answers/s", figure_number(
		result_throughput_rps(result)).text);
	if (result->plan.open_loop) {
		fprintf(out, " of %s asked for", figure_number(result->plan.rate_rps).text);
	}
	fprintf(out, "; %.1f s measured\n\n", (double)result->duration_ns / CLOCK_S);
	print_latencies(report, result, out);
	fputc('\n', out);
	print_counts(result->measured, out);
	if (warm->sent > 0) {
		fprintf(out, "  warm-up          sent %s, answered %s, p50 %s; in none of the "
			"other figures\n", figure_count(warm->sent).text,
			figure_count(warm->outcomes[OUTCOME_ANSWERED]).text,
			figure_duration((double)histogram_quantile_ns(&warm->latency, 0.5)).text);
	}
	print_costs(result, out);
}

/* Break TEXT into lines at its blanks. */
static void print_wrapped(const char *head, const char *text, FILE *out)
{
	size_t column = strlen(head);

	fputs(head, out);
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column + 1 + len > WIDTH) {
			fputs("\n ", out);
			column = 1;
		}
		fprintf(out, " %.*s", (int)len, text);
		column += 1 + len;
		text += len + strspn(text + len, " ");
	}
	fputc('\n', out);
}

/* What the reader must know. ALREADY: a result whose notes were printed before, or NULL. */
static void print_verdict(const struct result *result, const struct result *already, FILE *out)
{
	const char *note;

	if (result->invalid[0]) {
		print_wrapped("  INVALID:", result->invalid, out);
	}
	for (unsigned i = 0; (note = result_note(result, i)) != NULL; i++) {
		const char *said = NULL;

		for (unsigned j = 0; already && (said = result_note(already, j)) != NULL; j++) {
			if (said == note) {
				break;
			}
		}
		if (!said) {
			print_wrapped("  Note:", note, out);
		}
	}
}

static void print_target(const char *head, const struct result *result, FILE *out)
{
	const struct target *target = result->target;
	char described[160];

	report_describe(&result->plan, described, sizeof(described));
	fprintf(out, "%s%s: %s, %s\n", head, target->text, described, target_dialect(target));
	for (unsigned i = 0; i < target->count; i++) {
		if (strcmp(target->endpoints[i].text, target->text) != 0) {
			fprintf(out, "  measured at      %s\n", target->endpoints[i].text);
		}
	}
	fputc('\n', out);
}

static void print_comparison(const struct comparison *comparison, const struct result *a, FILE *out)
{
	char sentence[256];

	report_describe_comparison(comparison, a, sentence, sizeof(sentence));
	fprintf(out, "\nA against B: %s\n", sentence);
	if (comparison->verdict != COMPARISON_NOT_JUDGED) {
		fprintf(out, "A against A: %.3f (%.3f to %.3f) is the noise floor, of %u rounds "
			"each\n", comparison->noise.estimate, comparison->noise.low,
			comparison->noise.high, comparison->rounds);
	}
}

/* KNEE_RPS: of --ramp; else 0. */
static void print_tries(const struct rate_try *tries, unsigned count,
	const char *(*word)(const struct rate_try *), double knee_rps, FILE *out)
{
	for (unsigned i = 0; i < count; i++) {
		const struct rate_try *try = &tries[i];

		fprintf(out, "%14s%14s%12s%12s  %s%s\n", figure_number(try->rate_rps).text,
			figure_number(try->throughput_rps).text,
			figure_duration(try->p50_us * 1e3).text,
			figure_duration(try->p99_us * 1e3).text, word(try),
			try->rate_rps == knee_rps ? "  <- knee" : "");
	}
}

static void print_find_max(const struct find_max *find, FILE *out)
{
	char sentence[256];

	fprintf(out, "%14s%14s%12s%12s  %s\n", "rate", "answers/s", "p50", "p99",
		find->condition.text);
	print_tries(find->tries, find->count, report_try_word, 0, out);
	report_describe_find_max(find, sentence, sizeof(sentence));
	fprintf(out, "\n%s\n\n", sentence);
}

static void print_ramp(const struct ramp *ramp, FILE *out)
{
	char sentence[256];

	fprintf(out, "%14s%14s%12s%12s  %s\n", "rate", "answers/s", "p50", "p99", "keeps up");
	print_tries(ramp->tries, ramp->count, report_step_word,
		ramp->reached ? ramp->knee_rps : 0, out);
	report_describe_ramp(ramp, sentence, sizeof(sentence));
	fprintf(out, "\nRamp: %s\n\n", sentence);
}

static void print_baseline(const struct baseline *baseline, const struct result *result, FILE *out)
{
	char sentence[256];

	report_describe_baseline(baseline, result, sentence, sizeof(sentence));
	fprintf(out, "\nBaseline %s: %s\n", baseline->target, sentence);
	print_wrapped("  Warning:", report_baseline_warning(), out);
}

static void print_conditions(const struct report *report, FILE *out)
{
	for (unsigned i = 0; i < report->condition_count; i++) {
		char described[80];

		condition_describe(&report->verdicts[i], described, sizeof(described));
		fprintf(out, "%s--fail-if %s: %s\n", i ? "" : "\n", report->conditions[i].text,
			described);
	}
}

int report_text(const struct report *report, FILE *out)
{
	const struct comparison *comparison = report->comparison;

	if (report->find) {
		print_find_max(report->find, out);
	}
	if (report->ramp) {
		print_ramp(report->ramp, out);
	}
	print_target(comparison ? "A = " : "", report->result, out);
	print_result(report, report->result, out);
	print_verdict(report->result, NULL, out);
	if (comparison) {
		print_target("\nB = ", &comparison->b, out);
		print_result(report, &comparison->b, out);
		print_verdict(&comparison->b, report->result, out);
		print_comparison(comparison, report->result, out);
	}
	if (report->baseline) {
		print_baseline(report->baseline, report->result, out);
	}
	print_drops(report, out);
	print_conditions(report, out);
	return ferror(out) ? -1 : 0;
}
