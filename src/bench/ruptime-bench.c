/* SPDX-License-Identifier: MIT */
/*
 * ruptime-bench: options in, runs, reports out, and an exit status that says how it went.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bench/compare.h"
#include "bench/condition.h"
#include "bench/cpu_time.h"
#include "bench/find_max.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/run.h"
#include "common/io.h"
#include "common/thread.h"

enum exit_status {
	EXIT_OK = 0,
	EXIT_CONDITION = 1,	/* one of --fail-if held, or --find-max found nothing */
	EXIT_NO_ANSWER = 2,
	EXIT_USAGE = 3,
	EXIT_SYSTEM = 4,
};

/* The work and its results. */
struct bench {
	struct options options;
	struct environment environment;
	struct target a;
	struct target b;
	struct result result;
	struct comparison comparison;
	struct find_max find;
	bool held[OPTIONS_CONDITIONS_MAX];
};

static int complain_errno(const char *what)
{
	cli_complain(&options_cli, "%s: %s", what, strerror(errno));
	return EXIT_SYSTEM;
}

static int find_target(struct target *target, const char *text)
{
	const char *why = NULL;

	if (target_find(target, text, &why) < 0) {
		cli_complain(&options_cli, "%s: %s", text, why);
		return EXIT_USAGE;
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
	if (plan->in_flight > most) {
		cli_complain(&options_cli, "-c %u is more than the %u that the limit of open files "
			"allows (ulimit -n)", plan->in_flight, most);
		return EXIT_SYSTEM;
	}
	return EXIT_OK;
}

static int prepare(struct bench *bench)
{
	struct options *options = &bench->options;
	struct rlimit limit;
	uint64_t cpu_ns;
	sigset_t stop_set;
	int status;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&stop_set);
	sigaddset(&stop_set, SIGINT);
	sigaddset(&stop_set, SIGTERM);
	/* Never read: once it is readable, everything ends. */
	pthread_sigmask(SIG_BLOCK, &stop_set, NULL);
	options->plan.stop_fd = signalfd(-1, &stop_set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (options->plan.stop_fd < 0) {
		return complain_errno("signalfd");
	}
	if (options->plan.server_pid && cpu_time_of_tree(options->plan.server_pid, &cpu_ns) < 0) {
		cli_complain(&options_cli, "--pid=%d: there is no such process",
			(int)options->plan.server_pid);
		return EXIT_USAGE;
	}
	options->plan.progress = isatty(STDERR_FILENO);
	status = find_target(&bench->a, options->target);
	if (status == EXIT_OK) {
		status = check_limits(&options->plan, &bench->a);
	}
	if (status == EXIT_OK && options->vs) {
		status = find_target(&bench->b, options->vs);
	}
	if (status == EXIT_OK && options->vs) {
		status = check_limits(&options->plan, &bench->b);
	}
	return status;
}

static int measure(struct bench *bench)
{
	const struct options *options = &bench->options;

	if (options->vs) {
		return compare(&options->plan, &bench->a, &bench->b, &bench->result,
			&bench->comparison);
	}
	if (options->find) {
		return find_max(&options->plan, &bench->a, &options->find_condition,
			&bench->result, &bench->find);
	}
	return run(&options->plan, &bench->a, &bench->result);
}

static int write_file(const char *path, const struct report *report,
	int (*write_report)(const struct report *, FILE *))
{
	FILE *out = fopen(path, "we");
	int failed;

	if (!out) {
		return complain_errno(path);
	}
	failed = write_report(report, out);
	if (fclose(out) != 0 || failed) {
		return complain_errno(path);
	}
	return EXIT_OK;
}

static int write_hgrm(const struct report *report, FILE *out)
{
	return histogram_write_hgrm(&report->result->measured->latency, out);
}

static int print_report(const struct bench *bench, const struct report *report)
{
	const struct options *options = &bench->options;
	int status = EXIT_OK;

	if (options->json) {
		if (report_json(report, stdout) < 0) {
			status = complain_errno("standard output");
		}
	} else {
		report_text(report, stdout);
	}
	if (fflush(stdout) != 0) {
		status = complain_errno("standard output");
	}
	if (options->hgrm_path && write_file(options->hgrm_path, report, write_hgrm)) {
		status = EXIT_SYSTEM;
	}
	if (options->report_path && write_file(options->report_path, report, report_html)) {
		status = EXIT_SYSTEM;
	}
	return status;
}

static bool is_answered(const struct result *result)
{
	return result->measured->outcomes[OUTCOME_ANSWERED] > 0;
}

/* At low rates a try may be over before anything is due: all of them count. */
static int conclude_search(const struct find_max *find)
{
	if (find->rate_rps > 0) {
		return EXIT_OK;
	}
	for (unsigned i = 0; i < find->count; i++) {
		if (find->tries[i].throughput_rps > 0) {
			return EXIT_CONDITION;
		}
	}
	return EXIT_NO_ANSWER;
}

static int conclude(const struct bench *bench)
{
	const struct options *options = &bench->options;

	if (options->find && conclude_search(&bench->find) != EXIT_OK) {
		return conclude_search(&bench->find);
	}
	if (!is_answered(&bench->result) ||
	    (options->vs && !is_answered(&bench->comparison.b))) {
		return EXIT_NO_ANSWER;
	}
	for (unsigned i = 0; i < options->condition_count; i++) {
		if (bench->held[i]) {
			return EXIT_CONDITION;
		}
	}
	return EXIT_OK;
}

static int report(struct bench *bench)
{
	const struct options *options = &bench->options;
	const struct comparison *comparison = options->vs ? &bench->comparison : NULL;
	const struct report report = {
		.result = &bench->result,
		.comparison = comparison,
		.find = options->find ? &bench->find : NULL,
		.environment = &bench->environment,
		.conditions = options->conditions,
		.held = bench->held,
		.condition_count = options->condition_count,
	};
	int status;

	for (unsigned i = 0; i < options->condition_count; i++) {
		bench->held[i] = condition_holds(&options->conditions[i], &bench->result,
			comparison);
	}
	status = print_report(bench, &report);
	return status == EXIT_OK ? conclude(bench) : status;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	int status;

	if (thread_raise_main_stack() < 0) {
		return EXIT_SYSTEM;
	}
	switch (bench_options_parse(&bench.options, argc, argv)) {
	case OPTIONS_SHOWN:
		return fflush(stdout) == 0 ? EXIT_OK : complain_errno("standard output");
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
	if (measure(&bench) < 0) {
		return complain_errno(bench.options.target);
	}
	status = report(&bench);
	result_fini(&bench.result);
	if (bench.options.vs) {
		compare_fini(&bench.comparison);
	}
	io_close(&bench.options.plan.stop_fd);
	return status;
}
