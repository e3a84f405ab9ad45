/* SPDX-License-Identifier: MIT */
#include "bench/report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

#include "common/clock.h"

/* More digits than were measured say nothing. */
#define DIGITS 10

bool report_has_json(void)
{
	return true;
}

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static void put(json_t *object, const char *key, json_t *value)
{
	/* Takes VALUE; out of memory shows at the end, in an object that lacks it. */
	json_object_set_new(object, key, value);
}

static void put_count(json_t *object, const char *key, uint64_t count)
{
	put(object, key, json_integer((json_int_t)count));
}

static double quantile_us(const struct histogram *histogram, double quantile)
{
	return (double)histogram_quantile_ns(histogram, quantile) / CLOCK_US;
}

static bool is_standard(const struct percentile *percentile)
{
	return percentile->billionths == 500000000 || percentile->billionths == 900000000 ||
		percentile->billionths == 990000000 || percentile->billionths == 999000000;
}

/* The standard percentiles, and those of --percentiles by their names in it: "p99.99". */
static json_t *latency(const struct histogram *histogram, const struct report *report)
{
	json_t *object;

	if (histogram->count == 0) {
		return json_null();
	}
	object = json_object();
	put(object, "min", number((double)histogram->min_ns / CLOCK_US));
	put(object, "mean", number(histogram_mean_ns(histogram) / CLOCK_US));
	put(object, "p50", number(quantile_us(histogram, 0.5)));
	put(object, "p90", number(quantile_us(histogram, 0.9)));
	put(object, "p99", number(quantile_us(histogram, 0.99)));
	put(object, "p999", number(quantile_us(histogram, 0.999)));
	put(object, "max", number((double)histogram->max_ns / CLOCK_US));
	for (unsigned i = 0; i < report->percentile_count; i++) {
		const struct percentile *percentile = &report->percentiles[i];
		char name[24];

		snprintf(name, sizeof(name), "p%s", percentile->text);
		if (!is_standard(percentile)) {
			put(object, name, number((double)histogram_rank_ns(histogram,
				percentile->billionths) / CLOCK_US));
		}
	}
	return object;
}

static json_t *send_lag(const struct histogram *histogram)
{
	json_t *object = json_object();

	put(object, "p50", number(quantile_us(histogram, 0.5)));
	put(object, "p99", number(quantile_us(histogram, 0.99)));
	put(object, "max", number((double)histogram->max_ns / CLOCK_US));
	return object;
}

/* Those that happened. */
static json_t *named(const struct tally *tally, bool (*wanted)(enum outcome))
{
	json_t *object = json_object();

	for (unsigned i = 0; i < OUTCOMES; i++) {
		if (wanted((enum outcome)i) && tally->outcomes[i] > 0) {
			put_count(object, outcome_name((enum outcome)i), tally->outcomes[i]);
		}
	}
	return object;
}

static json_t *drops(const struct kernel_drops *kernel)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < KERNEL_DROPS; i++) {
		put_count(object, kernel_drops_name(i), kernel->count[i]);
	}
	return object;
}

static json_t *warm_up(const struct tally *tally, const struct report *report)
{
	json_t *object = json_object();

	put_count(object, "sent", tally->sent);
	put_count(object, "answered", tally->outcomes[OUTCOME_ANSWERED]);
	put(object, "latency_us", latency(&tally->latency, report));
	return object;
}

static json_t *notes(const struct result *result)
{
	json_t *array = json_array();
	const char *note;

	for (unsigned i = 0; (note = result_note(result, i)) != NULL; i++) {
		json_array_append_new(array, json_string(note));
	}
	return array;
}

static json_t *addresses(const struct target *target)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < target->count; i++) {
		json_array_append_new(array, json_string(target->endpoints[i].text));
	}
	return array;
}

static void put_result(json_t *object, const struct report *report, const struct result *result)
{
	const struct plan *plan = &result->plan;
	const struct tally *tally = result->measured;

	put(object, "target", json_string(result->target->text));
	put(object, "addresses", addresses(result->target));
	put(object, "dialect", json_string(target_dialect(result->target)));
	put(object, "mode", json_string(plan->open_loop ? "open" : "closed"));
	put(object, "arrivals", plan->open_loop ?
		json_string(plan->constant ? "constant" : "poisson") : json_null());
	put(object, "requested_rps", plan->open_loop ? number(plan->rate_rps) : json_null());
	put(object, "in_flight", plan->in_flight ? json_integer(plan->in_flight) : json_null());
	put_count(object, "threads", plan->threads);
	put(object, "timeout_s", number((double)plan->timeout_ns / CLOCK_S));
	put(object, "throughput_rps", number(result_throughput_rps(result)));
	put(object, "duration_s", number((double)result->duration_ns / CLOCK_S));
	put_count(object, "sent", tally->sent);
	put_count(object, "answered", tally->outcomes[OUTCOME_ANSWERED]);
	put_count(object, "lost", tally->outcomes[OUTCOME_LOST]);
	put_count(object, "late", tally->late);
	put_count(object, "duplicate", tally->duplicate);
	put_count(object, "bad", tally_bad(tally));
	put(object, "bad_reasons", named(tally, outcome_is_bad));
	put(object, "errors", named(tally, outcome_is_error));
	put_count(object, "unsent", tally->unsent);
	put_count(object, "answered_in_window", tally->in_window);
	put(object, "latency_us", latency(&tally->latency, report));
	put(object, "service_us", latency(&tally->service, report));
	put(object, "send_lag_us", send_lag(&tally->send_lag));
	put(object, "warmup", warm_up(result->warm, report));
	put(object, "valid", json_boolean(!result->invalid[0]));
	put(object, "invalid_reason", result->invalid[0] ? json_string(result->invalid) :
		json_null());
	put(object, "interrupted", json_boolean(result->interrupted));
	put(object, "notes", notes(result));
	put(object, "server_cpu_us_per_reply", result->server_cpu_known ?
		number(result_server_cpu_us_per_reply(result)) : json_null());
	put(object, "server_cpu_reason", result->server_cpu_why ?
		json_string(result->server_cpu_why) : json_null());
	put(object, "generator_cpu_us_per_request", number(
		result_own_cpu_us_per_request(result)));
	put(object, "generator_cpu_share", number(result_own_cpu_share(result)));
	put(object, "kernel_drops", drops(&result->drops));
}

static json_t *interval(const struct interval *values)
{
	json_t *object = json_object();

	put(object, "estimate", number(values->estimate));
	put(object, "low", number(values->low));
	put(object, "high", number(values->high));
	return object;
}

static json_t *rounds(const double *values, unsigned count)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < count; i++) {
		json_array_append_new(array, number(values[i]));
	}
	return array;
}

static json_t *failures(const struct report *report)
{
	const struct comparison *comparison = report->comparison;
	json_t *object = json_object();

	put(object, "b_fails", json_string(compare_failures_name(comparison->failures)));
	put(object, "a_share", number(compare_failed_share(report->result)));
	put(object, "b_share", number(compare_failed_share(&comparison->b)));
	return object;
}

static json_t *versus(const struct report *report)
{
	const struct comparison *comparison = report->comparison;
	json_t *object = json_object();

	put(object, "metric", json_string(comparison->of_latency ? "latency_p50_us" :
		"throughput_rps"));
	put(object, "verdict", json_string(comparison->failures == COMPARISON_FAILS_ALIKE ?
		compare_verdict_name(comparison->verdict) : comparison->failures ==
		COMPARISON_FAILS_MORE ? "fails more" : "fails less"));
	put(object, "failures", failures(report));
	put(object, "confidence", number(COMPARISON_CONFIDENCE));
	put(object, "ratio", interval(&comparison->ratio));
	put(object, "noise", interval(&comparison->noise));
	put(object, "a_rounds", rounds(comparison->a_rounds, comparison->rounds));
	put(object, "b_rounds", rounds(comparison->b_rounds, comparison->rounds));
	put_result(object, report, &comparison->b);
	return object;
}

static json_t *tries_array(const struct rate_try *tries, unsigned count)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < count; i++) {
		const struct rate_try *try = &tries[i];
		json_t *entry = json_object();

		put(entry, "rate_rps", number(try->rate_rps));
		put(entry, "throughput_rps", number(try->throughput_rps));
		put(entry, "p50_us", number(try->p50_us));
		put(entry, "p99_us", number(try->p99_us));
		put(entry, "latency_growth", number(try->growth));
		put(entry, "failed_share", number(try->failed_share));
		put(entry, "valid", json_boolean(try->valid));
		put(entry, "kept_up", json_boolean(try->kept_up));
		put(entry, "held", json_boolean(try->held));
		json_array_append_new(array, entry);
	}
	return array;
}

static json_t *find_max_object(const struct find_max *find)
{
	json_t *object = json_object();

	put(object, "condition", json_string(find->condition.text));
	put(object, "rate_rps", number(find->rate_rps));
	put(object, "fails_rps", find->fails_rps > 0 ? number(find->fails_rps) : json_null());
	put(object, "interrupted", json_boolean(find->interrupted));
	put(object, "generator_limit", json_boolean(find->own_limit));
	put(object, "tries", tries_array(find->tries, find->count));
	return object;
}

static json_t *ramp_object(const struct ramp *ramp)
{
	json_t *object = json_object();

	put(object, "from_rps", number(ramp->range.from_rps));
	put(object, "to_rps", number(ramp->range.to_rps));
	put(object, "step_rps", number(ramp->range.step_rps));
	put(object, "knee_rps", number(ramp->knee_rps));
	put(object, "knee_reached", json_boolean(ramp->reached));
	put(object, "interrupted", json_boolean(ramp->interrupted));
	put(object, "tries", tries_array(ramp->tries, ramp->count));
	return object;
}

static json_t *baseline_object(const struct baseline *baseline, const struct result *result)
{
	const char *mismatch = baseline_mismatch(baseline, result);
	json_t *object = json_object();

	put(object, "target", json_string(baseline->target));
	put(object, "date", json_string(baseline->date));
	put(object, "kernel", json_string(baseline->kernel));
	put(object, "valid", json_boolean(baseline->valid));
	put(object, "metric", json_string(result->plan.open_loop ? "latency_p50_us" :
		"throughput_rps"));
	put(object, "throughput_rps", number(baseline->throughput_rps));
	put(object, "p50_us", number(baseline->p50_us));
	put(object, "p99_us", number(baseline->p99_us));
	put(object, "ratio", number(baseline_ratio(baseline, result)));
	put(object, "not_compared", mismatch ? json_string(mismatch) : json_null());
	put(object, "warning", json_string(report_baseline_warning()));
	return object;
}

static json_t *state(bool is_about, enum condition_state state)
{
	static const char *const names[] = { "does not hold", "holds", "not judged" };

	return is_about ? json_string(names[state]) : json_null();
}

static json_t *conditions(const struct report *report)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < report->condition_count; i++) {
		const struct condition_verdict *verdict = &report->verdicts[i];
		json_t *entry = json_object();

		put(entry, "condition", json_string(report->conditions[i].text));
		put(entry, "held", json_boolean(verdict->state == CONDITION_TRUE));
		put(entry, "judged", json_boolean(verdict->state != CONDITION_NOT_JUDGED));
		put(entry, "a", state(verdict->of_a, verdict->a));
		put(entry, "b", state(verdict->of_b, verdict->b));
		json_array_append_new(array, entry);
	}
	return array;
}

static json_t *environment_object(const struct environment *environment)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < environment->count; i++) {
		put(object, environment->facts[i].name,
			json_string(environment->facts[i].value));
	}
	return object;
}

int report_json(const struct report *report, FILE *out)
{
	json_t *object = json_object();
	int failed;

	put_count(object, "version", 1);
	put_result(object, report, report->result);
	put(object, "fail_if", conditions(report));
	put(object, "vs", report->comparison ? versus(report) : json_null());
	put(object, "find_max", report->find ? find_max_object(report->find) : json_null());
	put(object, "ramp", report->ramp ? ramp_object(report->ramp) : json_null());
	put(object, "baseline", report->baseline ?
		baseline_object(report->baseline, report->result) : json_null());
	put(object, "environment", environment_object(report->environment));
	failed = json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
	json_decref(object);
	if (failed) {
		errno = EIO;
		return -1;
	}
	fputc('\n', out);
	return 0;
}
