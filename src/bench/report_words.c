/* SPDX-License-Identifier: MIT */
/* The sentences that the text and the page share. */
#include "bench/report.h"

#include <math.h>
#include <stdio.h>

#include "bench/figure.h"

void report_describe(const struct plan *plan, char *buf, size_t size)
{
	int len = 0;

	if (!plan->open_loop) {
		len = snprintf(buf, size, "closed loop, %u in flight", plan->in_flight);
	} else {
		len = snprintf(buf, size, "open loop, %s/s %s", figure_number(plan->rate_rps).text,
			plan->constant ? "at even distances" : "at random (Poisson)");
		if (plan->in_flight > 0 && len >= 0 && (size_t)len < size) {
			len += snprintf(buf + len, size - (size_t)len, ", at most %u in flight",
				plan->in_flight);
		}
	}
	if (len >= 0 && (size_t)len < size && plan->threads > 1) {
		snprintf(buf + len, size - (size_t)len, ", %u threads", plan->threads);
	}
}

void report_describe_comparison(const struct comparison *comparison, const struct result *a,
	char *buf, size_t size)
{
	const char *what = comparison->of_latency ? "median latency" : "throughput";
	const struct interval *ratio = &comparison->ratio;

	if (comparison->failures != COMPARISON_FAILS_ALIKE) {
		snprintf(buf, size, "B fails %s: %.2f %% of its requests have no good answer, "
			"%.2f %% of A's; so their speed is not compared",
			compare_failures_name(comparison->failures),
			100 * compare_failed_share(&comparison->b), 100 * compare_failed_share(a));
		return;
	}
	switch (comparison->verdict) {
	case COMPARISON_NOT_JUDGED:
		snprintf(buf, size, "not judged: there are too few rounds with an answer");
		break;
	case COMPARISON_NO_DIFFERENCE:
		snprintf(buf, size, "no difference: B/A of the %s is %.3f (99 %% sure: "
			"%.3f to %.3f)", what, ratio->estimate, ratio->low, ratio->high);
		break;
	default:
		snprintf(buf, size, "B is %s: %.1f %% %s %s, B/A is %.3f (99 %% sure: %.3f to "
			"%.3f)", compare_verdict_name(comparison->verdict),
			100 * compare_change(comparison), ratio->estimate < 1 ? "less" : "more",
			what, ratio->estimate, ratio->low, ratio->high);
		break;
	}
}

void report_describe_find_max(const struct find_max *find, char *buf, size_t size)
{
	if (find->interrupted) {
		snprintf(buf, size, "%s: interrupted before the rate was found; it holds at %s "
			"requests/s", find->condition.text, figure_number(find->rate_rps).text);
	} else if (find->rate_rps > 0) {
		snprintf(buf, size, "%s holds up to %s requests/s, bisected to %.1f %%%s",
			find->condition.text, figure_number(find->rate_rps).text,
			100 * (FIND_MAX_PRECISION - 1), find->own_limit ?
			"; beyond it the generator could not keep up" : "");
	} else {
		snprintf(buf, size, "%s holds at no rate that was tried", find->condition.text);
	}
}

void report_describe_ramp(const struct ramp *ramp, char *buf, size_t size)
{
	const char *until = ramp->interrupted ? "interrupted; " : "";

	if (ramp->knee_rps <= 0) {
		snprintf(buf, size, "%sthe server kept up with no rate that was tried", until);
	} else if (ramp->reached) {
		snprintf(buf, size, "%sthe knee is at %s requests/s: beyond it answers fall "
			"behind or are missing", until, figure_number(ramp->knee_rps).text);
	} else {
		snprintf(buf, size, "%sthe server kept up with all rates, the last of %s "
			"requests/s", until, figure_number(ramp->knee_rps).text);
	}
}

void report_describe_baseline(const struct baseline *baseline, const struct result *result,
	char *buf, size_t size)
{
	const char *mismatch = baseline_mismatch(baseline, result);
	double ratio = baseline_ratio(baseline, result);

	if (mismatch) {
		snprintf(buf, size, "not compared with the run of %s: %s", baseline->date,
			mismatch);
	} else if (result->plan.open_loop) {
		snprintf(buf, size, "the median latency was %s on %s, and is %.3f of that now",
			figure_duration(baseline->p50_us * 1e3).text, baseline->date, ratio);
	} else {
		snprintf(buf, size, "the throughput was %s answers/s on %s, and is %.3f of that "
			"now", figure_number(baseline->throughput_rps).text, baseline->date, ratio);
	}
}

const char *report_baseline_warning(void)
{
	return "Machines drift: what has changed since the baseline was saved may be the machine, "
		"and not the server. --vs measures both in turns.";
}

const char *report_step_word(const struct rate_try *try)
{
	if (try->kept_up) {
		return try->valid ? "yes" : "yes; invalid";
	}
	return try->valid ? "no" : "no; invalid";
}

const char *report_try_word(const struct rate_try *try)
{
	if (try->held) {
		return "holds";
	}
	if (!try->valid) {
		return "not counted: invalid";
	}
	if (try->kept_up) {
		return "fails";
	}
	if (try->fell_behind) {
		return "falls behind";
	}
	return try->failed_share > 0 ? "loses answers" : "sends nothing";
}
