/* SPDX-License-Identifier: MIT */
#include "bench/report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

#include "common/clock.h"

/* More digits than were measured help nobody. */
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

static json_t *latency(const struct histogram *histogram)
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

static json_t *warm_up(const struct tally *tally)
{
	json_t *object = json_object();

	put_count(object, "sent", tally->sent);
	put_count(object, "answered", tally->outcomes[OUTCOME_ANSWERED]);
	put(object, "latency_us", latency(&tally->latency));
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

static void put_result(json_t *object, const struct result *result)
{
	const struct plan *plan = &result->plan;
	const struct tally *tally = result->measured;

	put(object, "target", json_string(result->target.text));
	put(object, "dialect", json_string(target_dialect(&result->target)));
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
	put(object, "latency_us", latency(&tally->latency));
	put(object, "service_us", latency(&tally->service));
	put(object, "send_lag_us", send_lag(&tally->send_lag));
	put(object, "warmup", warm_up(result->warm));
	put(object, "valid", json_boolean(!result->invalid[0]));
	put(object, "invalid_reason", result->invalid[0] ? json_string(result->invalid) :
		json_null());
	put(object, "interrupted", json_boolean(result->interrupted));
	put(object, "notes", notes(result));
	put(object, "server_cpu_us_per_reply", result->server_cpu_known ?
		number(result_server_cpu_us_per_reply(result)) : json_null());
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

static json_t *versus(const struct comparison *comparison)
{
	json_t *object = json_object();

	put(object, "metric", json_string(comparison->of_latency ? "latency_p50_us" :
		"throughput_rps"));
	put(object, "verdict", json_string(compare_verdict_name(comparison->verdict)));
	put(object, "confidence", number(COMPARISON_CONFIDENCE));
	put(object, "ratio", interval(&comparison->ratio));
	put(object, "noise", interval(&comparison->noise));
	put(object, "a_rounds", rounds(comparison->a_rounds, comparison->rounds));
	put(object, "b_rounds", rounds(comparison->b_rounds, comparison->rounds));
	put_result(object, &comparison->b);
	return object;
}

static json_t *find_max_object(const struct find_max *find)
{
	json_t *object = json_object();
	json_t *tries = json_array();

	put(object, "condition", json_string(find->condition.text));
	put(object, "rate_rps", number(find->rate_rps));
	put(object, "generator_limit", json_boolean(find->own_limit));
	for (unsigned i = 0; i < find->count; i++) {
		const struct find_max_try *try = &find->tries[i];
		json_t *entry = json_object();

		put(entry, "rate_rps", number(try->rate_rps));
		put(entry, "throughput_rps", number(try->throughput_rps));
		put(entry, "p50_us", number(try->p50_us));
		put(entry, "p99_us", number(try->p99_us));
		put(entry, "valid", json_boolean(try->valid));
		put(entry, "held", json_boolean(try->held));
		json_array_append_new(tries, entry);
	}
	put(object, "tries", tries);
	return object;
}

static json_t *environment_object(const struct environment *environment)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < environment->count; i++) {
		/* An argument may be anything; JSON is UTF-8. */
		json_t *value = json_string(environment->facts[i].value);

		put(object, environment->facts[i].name, value ? value : json_null());
	}
	return object;
}

int report_json(const struct report *report, FILE *out)
{
	json_t *object = json_object();
	json_t *conditions = json_array();
	int failed;

	put_count(object, "version", 1);
	put_result(object, report->result);
	for (unsigned i = 0; i < report->condition_count; i++) {
		json_t *entry = json_object();

		put(entry, "condition", json_string(report->conditions[i].text));
		put(entry, "held", json_boolean(report->held[i]));
		json_array_append_new(conditions, entry);
	}
	put(object, "fail_if", conditions);
	put(object, "vs", report->comparison ? versus(report->comparison) : json_null());
	put(object, "find_max", report->find ? find_max_object(report->find) : json_null());
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
