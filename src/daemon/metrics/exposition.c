/* SPDX-License-Identifier: MIT */
#include "daemon/metrics/exposition.h"

#include <string.h>

#define NS_PER_S 1e9

/* In OpenMetrics the name of a counter is without the _total that its samples end in. */
static void describe(FILE *out, enum exposition_format format, const char *name, const char *type,
	const char *help)
{
	const char *suffix = format == EXPOSITION_TEXT && strcmp(type, "counter") == 0 ? "_total"
										      : "";

	fprintf(out, "# HELP ruptimed_%s%s %s\n# TYPE ruptimed_%s%s %s\n", name, suffix, help, name,
		suffix, type);
}

static void write_gauge(FILE *out, enum exposition_format format, const char *name,
	const char *help, double value)
{
	describe(out, format, name, "gauge", help);
	fprintf(out, "ruptimed_%s %.17g\n", name, value);
}

static uint64_t dropped_of(const struct stats_counters *sum, unsigned transport)
{
	uint64_t dropped = 0;

	for (unsigned r = 0; r < STATS_DROPS; r++) {
		dropped += sum->dropped[transport][r];
	}
	return dropped;
}

enum { REQUESTS, REPLIES, WAITING };

/* One sample for each transport that is served. */
static void write_by_transport(FILE *out, const struct exposition *figures, const char *sample,
	int what)
{
	const struct stats_counters *sum = &figures->sum;

	for (unsigned t = 0; t < ADDRESS_SCHEMES; t++) {
		uint64_t value = what == REPLIES ? sum->replies[t] : sum->requests[t];

		if (what == WAITING) {
			value -= sum->replies[t] + dropped_of(sum, t);
		}
		if (figures->serves[t]) {
			fprintf(out, "ruptimed_%s{transport=\"%s\"} %llu\n", sample,
				address_scheme_name((enum address_scheme)t),
				(unsigned long long)value);
		}
	}
}

/* All reasons, those that never occurred too: a rate over a counter needs its 0. */
static void write_dropped(FILE *out, const struct exposition *figures)
{
	for (unsigned t = 0; t < ADDRESS_SCHEMES; t++) {
		for (unsigned r = 0; r < STATS_DROPS && figures->serves[t]; r++) {
			fprintf(out,
				"ruptimed_dropped_total{transport=\"%s\",reason=\"%s\"} %llu\n",
				address_scheme_name((enum address_scheme)t),
				stats_drop_name((enum stats_drop)r),
				(unsigned long long)figures->sum.dropped[t][r]);
		}
	}
}

static void write_histogram(FILE *out, enum exposition_format format, const char *name,
	const char *help, const struct stats_histogram *histogram)
{
	uint64_t count = 0;

	describe(out, format, name, "histogram", help);
	for (unsigned i = 0; i < STATS_BUCKETS; i++) {
		char bound[32] = "+Inf";

		if (i < STATS_BUCKETS - 1) {
			snprintf(bound, sizeof(bound), "%g", (double)stats_bound_ns(i) / NS_PER_S);
		}
		count += histogram->buckets[i];
		fprintf(out, "ruptimed_%s_bucket{le=\"%s\"} %llu\n", name, bound,
			(unsigned long long)count);
	}
	fprintf(out, "ruptimed_%s_sum %.9f\nruptimed_%s_count %llu\n", name,
		(double)histogram->sum_ns / NS_PER_S, name, (unsigned long long)count);
}

static void write_host(FILE *out, const struct exposition *figures, enum exposition_format format)
{
	static const char *const names[] = { "host_load1", "host_load5", "host_load15" };
	static const char *const helps[] = {
		"Load average over a minute.",
		"Load average over five minutes.",
		"Load average over fifteen minutes.",
	};
	const struct host *host = &figures->host;

	write_gauge(out, format, "host_uptime_seconds", "Time since the host was booted.",
		host->uptime_s);
	if (host->boot_time_s > 0) {
		write_gauge(out, format, "host_boot_time_seconds",
			"When the host was booted, in seconds since 1970.", host->boot_time_s);
	}
	for (unsigned i = 0; i < 3 && host->loads[0] >= 0; i++) {
		write_gauge(out, format, names[i], helps[i], host->loads[i]);
	}
	if (figures->users >= 0) {
		write_gauge(out, format, "host_users", "Users in the line measured last.",
			figures->users);
	}
}

void exposition_write(FILE *out, const struct exposition *figures, enum exposition_format format)
{
	describe(out, format, "requests", "counter", "Connections accepted and messages received.");
	write_by_transport(out, figures, "requests_total", REQUESTS);
	describe(out, format, "replies", "counter", "Requests that got their line.");
	write_by_transport(out, figures, "replies_total", REPLIES);
	describe(out, format, "dropped", "counter", "Requests that got no line, by reason.");
	write_dropped(out, figures);
	describe(out, format, "runs", "counter", "Measurements of the uptime line.");
	fprintf(out, "ruptimed_runs_total{result=\"ok\"} %llu\n"
		"ruptimed_runs_total{result=\"failed\"} %llu\n",
		(unsigned long long)figures->sum.runs_ok,
		(unsigned long long)figures->sum.runs_failed);
	write_histogram(out, format, "run_seconds", "How long a measurement took.",
		&figures->sum.run_time);
	write_histogram(out, format, "queue_wait_seconds",
		"How long a request waited for the start of its measurement.",
		&figures->sum.queue_wait);
	describe(out, format, "queue_requests", "gauge", "Requests that wait for their line.");
	write_by_transport(out, figures, "queue_requests", WAITING);
	write_gauge(out, format, "queue_capacity", "Requests that may wait at a time.",
		(double)figures->queue_capacity);
	write_gauge(out, format, "connections", "Stream connections that are open.",
		figures->connections);
	write_host(out, figures, format);
	describe(out, format, "build_info", "gauge", "Version and source of the line.");
	fprintf(out, "ruptimed_build_info{version=\"%s\",source=\"%s\"} 1\n", PACKAGE_VERSION,
		figures->source);
	if (format == EXPOSITION_OPENMETRICS) {
		fputs("# EOF\n", out);
	}
}

enum exposition_format exposition_format_of(const char *accept)
{
	return accept && strstr(accept, "application/openmetrics-text") ? EXPOSITION_OPENMETRICS
									 : EXPOSITION_TEXT;
}

const char *exposition_content_type(enum exposition_format format)
{
	return format == EXPOSITION_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}
