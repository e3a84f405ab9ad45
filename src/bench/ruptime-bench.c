/* SPDX-License-Identifier: MIT */
/*
 * ruptime-bench: options in, runs, reports out, and an exit status that says how it went.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/baseline.h"
#include "bench/compare.h"
#include "bench/condition.h"
#include "bench/cpu_time.h"
#include "bench/find_max.h"
#include "bench/stop_signal.h"
#include "bench/options.h"
#include "bench/output.h"
#include "bench/progress.h"
#include "bench/ramp.h"
#include "bench/report.h"
#include "bench/run.h"
#include "bench/samples.h"
#include "common/io.h"
#include "common/thread.h"

enum exit_status {
	EXIT_OK = 0,
	EXIT_CONDITION = 1,	/* one of --fail-if held or was not judged, or --find-max failed */
	EXIT_NO_ANSWER = 2,
	EXIT_USAGE = 3,
	EXIT_SYSTEM = 4,
};

#define FILE_NAME_BYTES 4096

struct outputs {
	struct output hgrm;
	struct output hgrm_b;
	struct output report;
	struct output csv;
	char hgrm_b_name[FILE_NAME_BYTES];
};

/* The work and its results. */
struct bench {
	struct options options;
	struct environment environment;
	struct progress progress;
	struct outputs outputs;
	struct target a;
	struct target b;
	struct result result;
	struct comparison comparison;
	struct find_max find;
	struct ramp ramp;
	struct baseline baseline;
	struct condition_verdict verdicts[OPTIONS_CONDITIONS_MAX];
};

static int complain_errno(const char *what)
{
	cli_complain(&options_cli, "%s: %s", what, strerror(errno));
	return EXIT_SYSTEM;
}

static int add_target(struct target *target, const char *text)
{
	const char *why = NULL;

	errno = 0;
	if (target_add(target, text, &why) < 0) {
		int status = io_is_shortage(errno) ? EXIT_SYSTEM : EXIT_USAGE;

		cli_complain(&options_cli, "%s: %s", text, why);
		return status;
	}
	return EXIT_OK;
}

/* Can as many be in flight as were asked for? */
static int check_limits(const struct plan *plan, const struct target *target)
{
	uint32_t most = run_in_flight_max(plan, target);

	if (target->address.scheme == ADDRESS_MSGQ && plan->threads > 1) {
		cli_complain(&options_cli, "%s: a queue is measured by one thread: leave out -t",
			target->text);
		return EXIT_USAGE;
	}
	if (most < plan->threads || most < plan->in_flight) {
		cli_complain(&options_cli, "%u in flight are more than the %u that the limit of "
			"open files allows (ulimit -n)", plan->in_flight > plan->threads ?
			plan->in_flight : plan->threads, most);
		return EXIT_SYSTEM;
	}
	return EXIT_OK;
}

static int check_pid(pid_t pid)
{
	struct cpu_tree tree;

	if (pid > 0 && cpu_tree_read(&tree, pid) < 0) {
		cli_complain(&options_cli, "--pid: %d: %s", (int)pid, errno == ESRCH ?
			"there is no such process" : strerror(errno));
		return errno == ESRCH ? EXIT_USAGE : EXIT_SYSTEM;
	}
	if (pid > 0) {
		cpu_tree_free(&tree);
	}
	return EXIT_OK;
}

static int find_targets(struct bench *bench)
{
	const struct options *options = &bench->options;
	int status = EXIT_OK;

	for (unsigned i = 0; i < options->target_count && status == EXIT_OK; i++) {
		status = add_target(&bench->a, options->targets[i]);
	}
	if (status == EXIT_OK) {
		status = check_limits(&options->plan, &bench->a);
	}
	if (status == EXIT_OK && options->vs) {
		status = add_target(&bench->b, options->vs);
	}
	if (status == EXIT_OK && options->vs) {
		status = check_limits(&options->plan, &bench->b);
	}
	return status;
}

/* "latency.hgrm" of A is "latency.b.hgrm" of B. */
static const char *name_hgrm_b(struct outputs *outputs, const char *path)
{
	const char *base = strrchr(path, '/');
	const char *dot = strrchr(base ? base : path, '.');
	size_t stem_len = dot ? (size_t)(dot - path) : strlen(path);

	snprintf(outputs->hgrm_b_name, sizeof(outputs->hgrm_b_name), "%.*s.b%s", (int)stem_len,
		path, path + stem_len);
	return outputs->hgrm_b_name;
}

static int open_output(struct output *output, const char *path)
{
	return path && output_open(output, path) < 0 ? complain_errno(path) : EXIT_OK;
}

static int open_outputs(struct bench *bench)
{
	const struct options *options = &bench->options;
	struct outputs *outputs = &bench->outputs;
	bool two = options->vs && options->hgrm_path && strcmp(options->hgrm_path, "-") != 0;
	int status = open_output(&outputs->hgrm, options->hgrm_path);

	if (status == EXIT_OK && two) {
		status = open_output(&outputs->hgrm_b, name_hgrm_b(outputs, options->hgrm_path));
	}
	if (status == EXIT_OK) {
		status = open_output(&outputs->report, options->report_path);
	}
	if (status == EXIT_OK) {
		status = open_output(&outputs->csv, options->csv_path);
	}
	if (status == EXIT_OK && options->csv_path) {
		bench->options.plan.samples = samples_new();
		status = bench->options.plan.samples ? EXIT_OK : complain_errno("--csv");
	}
	return status;
}

static int read_baseline(struct bench *bench)
{
	const char *path = bench->options.baseline_path;
	const char *why = NULL;

	if (path && baseline_read(&bench->baseline, path, &why) < 0) {
		cli_complain(&options_cli, "--baseline: '%s' %s", path, why);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

static int prepare(struct bench *bench)
{
	struct plan *plan = &bench->options.plan;
	struct rlimit limit;
	int status;

	if (output_check_stdout() < 0) {
		return complain_errno("standard output");
	}
	io_fill_standard();
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	signal(SIGPIPE, SIG_IGN);
	plan->stop_fd = io_event_open();
	if (plan->stop_fd < 0 || stop_signal_init() < 0) {
		return complain_errno("interrupts");
	}
	progress_init(&bench->progress, isatty(STDERR_FILENO));
	plan->progress = &bench->progress;
	status = check_pid(plan->server_pid);
	if (status == EXIT_OK) {
		status = check_pid(bench->options.vs_pid);
	}
	if (status == EXIT_OK) {
		status = read_baseline(bench);
	}
	if (status == EXIT_OK) {
		status = open_outputs(bench);
	}
	return status == EXIT_OK ? find_targets(bench) : status;
}

static int measure(struct bench *bench)
{
	const struct options *options = &bench->options;

	if (options->vs) {
		return compare(&options->plan, options->vs_pid, &bench->a, &bench->b,
			&bench->result, &bench->comparison);
	}
	if (options->find) {
		return find_max(&options->plan, &bench->a, &options->find_condition,
			&bench->result, &bench->find);
	}
	if (options->ramp) {
		return ramp_run(&options->plan, &bench->a, &options->ramp_range, &bench->result,
			&bench->ramp);
	}
	if (run(&options->plan, &bench->a, &bench->result) < 0) {
		return -1;
	}
	result_judge(&bench->result);
	return 0;
}

static int write_output(struct output *output, const struct report *report,
	int (*write_report)(const struct report *, FILE *))
{
	FILE *out;
	int failed;

	if (!output->name) {
		return EXIT_OK;
	}
	out = output_begin(output);
	if (!out) {
		return complain_errno(output->name);
	}
	failed = write_report(report, out);
	return output_finish(out) < 0 || failed ? complain_errno(output->name) : EXIT_OK;
}

static int write_hgrm(const struct report *report, FILE *out)
{
	int failed = histogram_write_hgrm(&report->result->measured->latency, out);

	/* On standard output, B's stands behind A's. */
	return failed || !report->hgrm_of_both ? failed :
		histogram_write_hgrm(&report->comparison->b.measured->latency, out);
}

static int write_hgrm_b(const struct report *report, FILE *out)
{
	return histogram_write_hgrm(&report->comparison->b.measured->latency, out);
}

static int write_csv(const struct report *report, FILE *out)
{
	struct samples *samples = report->result->plan.samples;

	if (samples_left_out(samples) > 0) {
		cli_complain(&options_cli, "--csv: the first %u requests are kept, %llu more are "
			"left out", SAMPLES_MAX, (unsigned long long)samples_left_out(samples));
	}
	return samples_write_csv(samples, out);
}

static int write_reports(struct bench *bench, struct report *report)
{
	struct outputs *outputs = &bench->outputs;
	struct output text = { .name = "standard output", .fd = STDOUT_FILENO };
	bool taken = (outputs->hgrm.name && outputs->hgrm.fd == STDOUT_FILENO) ||
		(outputs->report.name && outputs->report.fd == STDOUT_FILENO) ||
		(outputs->csv.name && outputs->csv.fd == STDOUT_FILENO);
	int failed = EXIT_OK;

	report->hgrm_of_both = report->comparison && !outputs->hgrm_b.name;
	if (!taken) {
		failed |= write_output(&text, report, bench->options.json ? report_json :
			report_text);
	}
	failed |= write_output(&outputs->hgrm, report, write_hgrm);
	failed |= write_output(&outputs->hgrm_b, report, write_hgrm_b);
	failed |= write_output(&outputs->report, report, report_html);
	failed |= write_output(&outputs->csv, report, write_csv);
	return failed ? EXIT_SYSTEM : EXIT_OK;
}

static bool is_answered(const struct result *result)
{
	return result->measured->outcomes[OUTCOME_ANSWERED] > 0;
}

/* At low rates a try may be over before anything is due: all of them, and late answers, count. */
static int conclude_search(const struct find_max *find)
{
	if (find->rate_rps > 0) {
		return EXIT_OK;
	}
	for (unsigned i = 0; i < find->count; i++) {
		if (find->tries[i].p50_us > 0) {
			return EXIT_CONDITION;
		}
	}
	return EXIT_NO_ANSWER;
}

static int conclude(const struct bench *bench)
{
	const struct options *options = &bench->options;

	if (stop_signal_first()) {
		return stop_signal_status(stop_signal_first());
	}
	if (options->find && conclude_search(&bench->find) != EXIT_OK) {
		return conclude_search(&bench->find);
	}
	if (!is_answered(&bench->result) ||
	    (options->vs && !is_answered(&bench->comparison.b))) {
		return EXIT_NO_ANSWER;
	}
	for (unsigned i = 0; i < options->condition_count; i++) {
		if (bench->verdicts[i].state != CONDITION_FALSE) {
			return EXIT_CONDITION;
		}
	}
	return EXIT_OK;
}

static int report(struct bench *bench)
{
	const struct options *options = &bench->options;
	const struct comparison *comparison = options->vs ? &bench->comparison : NULL;
	struct report report = {
		.result = &bench->result,
		.comparison = comparison,
		.find = options->find ? &bench->find : NULL,
		.ramp = options->ramp ? &bench->ramp : NULL,
		.baseline = options->baseline_path ? &bench->baseline : NULL,
		.environment = &bench->environment,
		.conditions = options->conditions,
		.verdicts = bench->verdicts,
		.condition_count = options->condition_count,
		.percentiles = options->percentiles,
		.percentile_count = options->percentile_count,
	};
	int status;

	for (unsigned i = 0; i < options->condition_count; i++) {
		bench->verdicts[i] = condition_judge(&options->conditions[i], &bench->result,
			comparison, options->baseline_path ?
			baseline_ratio(&bench->baseline, &bench->result) : NAN);
	}
	status = write_reports(bench, &report);
	return status == EXIT_OK ? conclude(bench) : status;
}

static int show(int what)
{
	FILE *out = io_stdout();

	if (!out) {
		return complain_errno("standard output");
	}
	if (what == 'h') {
		cli_print_help(&options_cli, out);
	} else {
		cli_print_version(&options_cli, out);
	}
	return output_finish(out) < 0 ? complain_errno("standard output") : EXIT_OK;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	int failed;
	int status;

	if (thread_raise_main_stack() < 0) {
		return EXIT_SYSTEM;
	}
	switch (bench_options_parse(&bench.options, argc, argv)) {
	case OPTIONS_SHOW:
		return show(bench.options.show);
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	default:
		break;
	}
	environment_read(&bench.environment, argc, argv);
	status = prepare(&bench);
	if (status != EXIT_OK) {
		return status;
	}
	stop_signal_arm(bench.options.plan.stop_fd);
	failed = measure(&bench);
	stop_signal_disarm();
	progress_end(&bench.progress);
	if (failed < 0) {
		return complain_errno(bench.a.text);
	}
	status = report(&bench);
	result_fini(&bench.result);
	if (bench.options.vs) {
		compare_fini(&bench.comparison);
	}
	samples_free(bench.options.plan.samples);
	io_close(&bench.options.plan.stop_fd);
	return status;
}
