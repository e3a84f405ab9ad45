/* SPDX-License-Identifier: MIT */
#include "bench/options.h"

#include <getopt.h>
#include <string.h>

#include "bench/option_values.h"
#include "bench/report.h"
#include "common/clock.h"

#define THREADS_MAX   64
#define IN_FLIGHT_MAX 60000
#define RATE_MIN      0.001
#define RATE_MAX      100000000.0
#define REQUESTS_MAX  1000000000000u

/* What must be remembered to fill in defaults. */
struct given {
	bool duration;
	bool warmup;
	bool rate;
};

static int take_plan(struct plan *plan, struct given *given, int key, const char *argument)
{
	uint64_t count = 0;
	int failed;

	switch (key) {
	case 'c':
		failed = option_take_count(key, argument, 1, IN_FLIGHT_MAX, &count);
		plan->in_flight = (uint32_t)count;
		return failed;
	case 'r':
		plan->open_loop = true;
		given->rate = true;
		return option_take_rate(key, argument, RATE_MIN, RATE_MAX, &plan->rate_rps);
	case 'd':
		given->duration = true;
		return option_take_duration(key, argument, CLOCK_MS, &plan->duration_ns);
	case 'n':
		return option_take_count(key, argument, 1, REQUESTS_MAX, &plan->requests);
	case KEY_WARMUP:
		given->warmup = true;
		return option_take_duration(key, argument, 0, &plan->warmup_ns);
	case KEY_TIMEOUT:
		return option_take_duration(key, argument, CLOCK_MS, &plan->timeout_ns);
	case 't':
		failed = option_take_count(key, argument, 1, THREADS_MAX, &count);
		plan->threads = (uint32_t)count;
		return failed;
	default:
		plan->constant = true;
		return 0;
	}
}

static int take_fail_if(struct options *options, const char *argument)
{
	if (options->condition_count == OPTIONS_CONDITIONS_MAX) {
		return option_wrong(KEY_FAIL_IF, argument, "is one condition too many");
	}
	return option_take_condition(KEY_FAIL_IF, argument,
		&options->conditions[options->condition_count++]);
}

static int take(struct options *options, struct given *given, int key, const char *argument)
{
	switch (key) {
	case KEY_EXPECT:
		options->plan.expect = argument;
		return 0;
	case KEY_VS:
		options->vs = argument;
		return 0;
	case KEY_FIND_MAX:
		options->find = true;
		return option_take_condition(key, argument, &options->find_condition);
	case KEY_RAMP:
		options->ramp = true;
		return option_take_ramp(key, argument, &options->ramp_range);
	case KEY_BASELINE:
		options->baseline_path = argument;
		return 0;
	case KEY_FAIL_IF:
		return take_fail_if(options, argument);
	case KEY_PID:
		return option_take_pids(key, argument, &options->plan.server_pid,
			&options->vs_pid);
	case KEY_PERCENTILES:
		return option_take_percentiles(key, argument, options->percentiles,
			&options->percentile_count);
	case 'J':
		options->json = true;
		return 0;
	case KEY_HGRM:
		options->hgrm_path = argument;
		return 0;
	case KEY_REPORT:
		options->report_path = argument;
		return 0;
	case KEY_CSV:
		options->csv_path = argument;
		return 0;
	default:
		return take_plan(&options->plan, given, key, argument);
	}
}

static bool is_stdout(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

/* Is CONDITION one that these options cannot judge? Returns why, or NULL. */
static const char *find_unjudgeable(const struct options *options,
	const struct condition *condition)
{
	if (condition->metric == CONDITION_RATIO && options->baseline_path) {
		return NULL;
	}
	if (condition_compares(condition) && !options->vs) {
		return "--fail-if with ratio, slower, faster or fails-more needs --vs (or, with "
			"ratio, --baseline)";
	}
	if (condition->side == CONDITION_B && !options->vs) {
		return "--fail-if of B needs --vs";
	}
	if (condition->metric != CONDITION_SERVER_CPU) {
		return NULL;
	}
	if (!options->plan.server_pid) {
		return "--fail-if with server-cpu needs --pid";
	}
	return options->vs && condition->side != CONDITION_A && !options->vs_pid ?
		"--fail-if with server-cpu needs --pid=A,B for both, or names a side" : NULL;
}

/* What is measured is one run, --vs, --find-max or --ramp. Returns what is wrong, or NULL. */
static const char *find_conflict_of_modes(const struct options *options, const struct given *given)
{
	const struct plan *plan = &options->plan;
	bool tries = options->find || options->ramp;

	if (options->find + options->ramp + (options->vs != NULL) > 1) {
		return "of --vs, --find-max and --ramp only one can be had";
	}
	if (tries && given->rate) {
		return "--find-max and --ramp choose the rates themselves: leave out -r";
	}
	if (plan->requests && (tries || options->vs)) {
		return "-n is for a single run: --vs, --find-max and --ramp take -d";
	}
	if (tries && (options->csv_path || options->baseline_path)) {
		return "--csv and --baseline are not for --find-max and --ramp";
	}
	if (options->vs && options->baseline_path) {
		return "--vs measures what it compares with: leave out --baseline";
	}
	if (plan->constant && !given->rate && !tries) {
		return "--constant needs -r";
	}
	if (options->find && (condition_compares(&options->find_condition) ||
	    options->find_condition.side == CONDITION_B)) {
		return "--find-max cannot compare: that condition needs --vs";
	}
	return options->vs_pid && !options->vs ? "--pid with two processes needs --vs" : NULL;
}

/* Options that do not go together. Returns what is wrong, or NULL. */
static const char *find_conflict(const struct options *options, const struct given *given)
{
	const struct plan *plan = &options->plan;
	const char *why = find_conflict_of_modes(options, given);
	int outputs = options->json + is_stdout(options->hgrm_path) +
		is_stdout(options->report_path) + is_stdout(options->csv_path);

	if (why) {
		return why;
	}
	if (plan->requests && plan->requests < plan->threads) {
		return "-n is less than -t: each thread sends one at least";
	}
	if (plan->in_flight > 0 && plan->in_flight < plan->threads) {
		return "-c is less than -t: each thread needs one in flight";
	}
	if (options->json && !report_has_json()) {
		return "-J is not built in: this ruptime-bench was configured without jansson";
	}
	if (outputs > 1) {
		return "only one of -J, --hgrm=-, --report=- and --csv=- can have standard output";
	}
	for (unsigned i = 0; i < options->condition_count; i++) {
		why = find_unjudgeable(options, &options->conditions[i]);
		if (why) {
			return why;
		}
	}
	return NULL;
}

static void fill_defaults(struct options *options, const struct given *given)
{
	struct plan *plan = &options->plan;
	bool tries = options->find || options->ramp;

	if (!given->duration) {
		plan->duration_ns = tries ? 2 * CLOCK_S : plan->requests ? 0 :
			10 * CLOCK_S;
	}
	if (!given->warmup) {
		plan->warmup_ns = tries ? plan->duration_ns / 5 : plan->requests ? 0 :
			CLOCK_S;
	}
	if (!plan->open_loop && plan->in_flight == 0 && !tries) {
		plan->in_flight = plan->threads;
	}
	if (options->percentile_count == 0) {
		option_take_percentiles(KEY_PERCENTILES, "50,90,99,99.9", options->percentiles,
			&options->percentile_count);
	}
}

enum options_outcome bench_options_parse(struct options *options, int argc, char **argv)
{
	struct given given = { 0 };
	const char *argument;
	const char *conflict;
	int key;

	*options = (struct options){
		.plan = {
			.threads = 1,
			.timeout_ns = 2 * CLOCK_S,
			.stop_fd = -1,
			.side = 'A',
		},
	};
	while ((key = cli_next(&options_cli, argc, argv, &argument)) != CLI_END) {
		if (key == 'h' || key == 'V') {
			options->show = key;
			return OPTIONS_SHOW;
		}
		if (key == CLI_WRONG || take(options, &given, key, argument) < 0) {
			return OPTIONS_WRONG;
		}
	}
	if (optind == argc) {
		cli_complain(&options_cli, "no address; try --help");
		return OPTIONS_WRONG;
	}
	options->targets = argv + optind;
	options->target_count = (unsigned)(argc - optind);
	conflict = find_conflict(options, &given);
	if (conflict) {
		cli_complain(&options_cli, "%s", conflict);
		return OPTIONS_WRONG;
	}
	fill_defaults(options, &given);
	return OPTIONS_RUN;
}
