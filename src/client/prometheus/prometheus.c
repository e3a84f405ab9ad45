/* SPDX-License-Identifier: MIT */
#include "client/prometheus/prometheus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/prometheus/http.h"
#include "client/prometheus/query.h"
#include "client/show/output.h"
#include "client/show/summary.h"
#include "common/io.h"

#define PATH "/api/v1/query?query="

static enum verdict fail(const struct options *options, const char *what, const char *why)
{
	if (!options->quiet) {
		cli_complain(&client_options_cli, "%s: %s", what, why);
	}
	return VERDICT_SYSTEM;
}

/* Ask the server. Returns 0 with HOSTS, or -1; that is said. */
static int ask(const struct options *options, struct query_hosts *hosts)
{
	char error[HTTP_ERROR_BYTES];
	const char *matchers = options->word_count ? options->words[0] : PROMETHEUS_DEFAULT_QUERY;
	char *query = query_make(matchers);
	long status = 0;
	char *json;
	int result;

	if (!query) {
		fail(options, options->prometheus, strerror(errno));
		return -1;
	}
	json = http_get(options->prometheus, PATH, query, options->ask.timeout_ns, &status, error);
	free(query);
	if (!json) {
		fail(options, options->prometheus, error);
		return -1;
	}
	result = query_read(json, hosts, error, sizeof(error));
	free(json);
	if (result < 0 && !error[0]) {
		snprintf(error, sizeof(error), "no answer of Prometheus, but HTTP status %ld",
			status);
	}
	if (result < 0) {
		fail(options, options->prometheus, error);
	}
	return result;
}

static int fill(struct report *report, const struct query_hosts *hosts)
{
	for (size_t i = 0; i < hosts->targets.count; i++) {
		if (report_take_facts(report, i, &hosts->list[i].facts,
			    hosts->list[i].is_up ? NULL : "Prometheus cannot scrape it") < 0) {
			return -1;
		}
	}
	return 0;
}

/* Returns 0, or -1 with errno. */
static int show(const struct options *options, const struct report *report)
{
	const struct report_format *format = client_options_format(options);
	FILE *out = io_stdout();
	char summary[SUMMARY_BYTES];
	int result;

	if (!out) {
		return -1;
	}
	result = format ? format->begin(report, out) : 0;
	if (result == 0) {
		result = output_write(report, format, options->sort, options->reverse, out);
	}
	if (fclose(out) == EOF) {
		result = -1;
	}
	summary_format(report, summary);
	if (result == 0 && summary[0] && !options->quiet) {
		cli_complain(&client_options_cli, "%s", summary);
	}
	return result;
}

enum verdict prometheus_run(const struct options *options)
{
	struct query_hosts hosts;
	struct report report;
	enum verdict result;

	if (ask(options, &hosts) < 0) {
		return VERDICT_SYSTEM;
	}
	if (!hosts.targets.count) {
		result = fail(options, options->prometheus, "it knows of no such host");
	} else if (report_init(&report, &hosts.targets, false) < 0) {
		result = fail(options, options->prometheus, strerror(errno));
	} else {
		result = fill(&report, &hosts) < 0 || show(options, &report) < 0
				 ? fail(options, "standard output", strerror(errno))
				 : verdict_judge(options, &report);
		report_fini(&report);
	}
	query_hosts_fini(&hosts);
	return result;
}
