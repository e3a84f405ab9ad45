/* SPDX-License-Identifier: MIT */
#include "bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

#include "bench/report.h"
#include "common/clock.h"
#include "common/units.h"

#define THREADS_MAX   64
#define IN_FLIGHT_MAX 60000
#define RATE_MAX      100000000

enum key {
	KEY_CONSTANT = CLI_LONG_ONLY,
	KEY_WARMUP,
	KEY_TIMEOUT,
	KEY_EXPECT,
	KEY_VS,
	KEY_FIND_MAX,
	KEY_FAIL_IF,
	KEY_PID,
	KEY_HGRM,
	KEY_REPORT,
};

static const struct cli_option table[] = {
	{ 'c', "concurrency", "N", "closed loop with N requests in flight; with -r: at most N", 0 },
	{ 'r', "rate", "RATE", "open loop: RATE requests a second, whatever the server does", 0 },
	{ KEY_CONSTANT, "constant", NULL, "send at even distances, not at random (Poisson)", 0 },
	{ 'd', "duration", "TIME", "how long to measure (10s; 2s a try with --find-max)", 0 },
	{ KEY_WARMUP, "warmup", "TIME", "how long to run before it counts (1s)", 0 },
	{ 't', "threads", "N", "threads that share the load (1)", 0 },
	{ KEY_TIMEOUT, "timeout", "TIME", "when an answer is taken for lost (2s)", 0 },
	{ KEY_EXPECT, "expect", "TEXT", "what a good answer contains (any text will do)", 0 },
	{ KEY_VS, "vs", "ADDRESS", "compare with this server, in alternating rounds", 0 },
	{ KEY_FIND_MAX, "find-max", "CONDITION", "find the highest rate at which it holds", 0 },
	{ KEY_FAIL_IF, "fail-if", "CONDITION", "exit with 1 if it holds; may be repeated", 0 },
	{ KEY_PID, "pid", "PID", "measure the CPU time of this server and its children", 0 },
	{ 'J', "json", NULL, "print the result as JSON", 0 },
	{ KEY_HGRM, "hgrm", "FILE", "write the latency distribution, as HdrHistogram does", 0 },
	{ KEY_REPORT, "report", "FILE", "write a page of HTML with plots", 0 },
	{ 'h', "help", NULL, "show this and exit", 0 },
	{ 'V', "version", NULL, "show the version and exit", 0 },
};

const struct cli options_cli = {
	.program = "ruptime-bench",
	.usage = "[options] ADDRESS",
	.purpose = "Measure a server that answers connections, datagrams or messages with a line.",
	.options = table,
	.count = sizeof(table) / sizeof(table[0]),
};

/* What must be remembered to fill in defaults. */
struct given {
	bool duration;
	bool warmup;
	bool rate;
};

static int wrong(const char *argument, const char *why)
{
	cli_complain(&options_cli, "%s: %s", argument, why);
	return -1;
}

static int take_count(const char *argument, uint64_t max, uint64_t *count)
{
	if (units_parse_count(argument, 1, max, count) < 0) {
		return wrong(argument, errno == ERANGE ? "out of range" : "is not a count");
	}
	return 0;
}

static int take_duration(const char *argument, uint64_t min_ns, uint64_t *ns)
{
	if (units_parse_duration(argument, ns) < 0 || *ns < min_ns) {
		return wrong(argument, min_ns ? "is not a duration of 1ms or more" :
			"is not a duration");
	}
	return 0;
}

static int take_condition(const char *argument, struct condition *condition)
{
	const char *why;

	if (condition_parse(condition, argument, &why) < 0) {
		return wrong(argument, why);
	}
	return 0;
}

static int take_fail_if(struct options *options, const char *argument)
{
	if (options->condition_count == OPTIONS_CONDITIONS_MAX) {
		return wrong(argument, "is one condition too many");
	}
	return take_condition(argument, &options->conditions[options->condition_count++]);
}

static int take_plan(struct plan *plan, struct given *given, int key, const char *argument)
{
	uint64_t count = 0;
	int failed;

	switch (key) {
	case 'c':
		failed = take_count(argument, IN_FLIGHT_MAX, &count);
		plan->in_flight = (uint32_t)count;
		return failed;
	case 'r':
		failed = take_count(argument, RATE_MAX, &count);
		plan->open_loop = true;
		plan->rate_rps = (double)count;
		given->rate = true;
		return failed;
	case 'd':
		given->duration = true;
		return take_duration(argument, CLOCK_MS, &plan->duration_ns);
	case KEY_WARMUP:
		given->warmup = true;
		return take_duration(argument, 0, &plan->warmup_ns);
	case KEY_TIMEOUT:
		return take_duration(argument, CLOCK_MS, &plan->timeout_ns);
	case 't':
		failed = take_count(argument, THREADS_MAX, &count);
		plan->threads = (uint32_t)count;
		return failed;
	case KEY_PID:
		failed = take_count(argument, INT_MAX, &count);
		plan->server_pid = (pid_t)count;
		return failed;
	default:
		plan->constant = true;
		return 0;
	}
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
		return take_condition(argument, &options->find_condition);
	case KEY_FAIL_IF:
		return take_fail_if(options, argument);
	case 'J':
		options->json = true;
		return 0;
	case KEY_HGRM:
		options->hgrm_path = argument;
		return 0;
	case KEY_REPORT:
		options->report_path = argument;
		return 0;
	default:
		return take_plan(&options->plan, given, key, argument);
	}
}

static bool needs_comparison(const struct condition *condition)
{
	return condition->metric == CONDITION_RATIO || condition->metric == CONDITION_SLOWER ||
		condition->metric == CONDITION_FASTER;
}

/* Options that do not go together. Returns what is wrong, or NULL. */
static const char *find_conflict(const struct options *options, const struct given *given)
{
	const struct plan *plan = &options->plan;

	if (options->find && options->vs) {
		return "--find-max and --vs do not go together";
	}
	if (options->find && given->rate) {
		return "--find-max looks for the rate itself: leave out -r";
	}
	if (plan->constant && !given->rate && !options->find) {
		return "--constant needs -r";
	}
	if (plan->in_flight > 0 && plan->in_flight < plan->threads) {
		return "-c is less than -t: each thread needs one in flight";
	}
	if (options->json && !report_has_json()) {
		return "-J is not built in: this ruptime-bench was configured without jansson";
	}
	if (options->find && needs_comparison(&options->find_condition)) {
		return "--find-max cannot compare: that condition needs --vs";
	}
	for (unsigned i = 0; i < options->condition_count; i++) {
		if (needs_comparison(&options->conditions[i]) && !options->vs) {
			return "--fail-if with ratio, slower or faster needs --vs";
		}
		if (options->conditions[i].metric == CONDITION_SERVER_CPU && !plan->server_pid) {
			return "--fail-if with server-cpu needs --pid";
		}
	}
	return NULL;
}

static void fill_defaults(struct options *options, const struct given *given)
{
	struct plan *plan = &options->plan;

	if (!given->duration && options->find) {
		plan->duration_ns = 2 * CLOCK_S;
	}
	if (!given->warmup && options->find) {
		plan->warmup_ns = plan->duration_ns / 5;
	}
	if (!plan->open_loop && plan->in_flight == 0 && !options->find) {
		plan->in_flight = plan->threads;
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
			.warmup_ns = CLOCK_S,
			.duration_ns = 10 * CLOCK_S,
			.timeout_ns = 2 * CLOCK_S,
			.stop_fd = -1,
		},
	};
	while ((key = cli_next(&options_cli, argc, argv, &argument)) != CLI_END) {
		if (key == 'h') {
			cli_print_help(&options_cli, stdout);
			return OPTIONS_SHOWN;
		}
		if (key == 'V') {
			cli_print_version(&options_cli, stdout);
			return OPTIONS_SHOWN;
		}
		if (key == CLI_WRONG || take(options, &given, key, argument) < 0) {
			return OPTIONS_WRONG;
		}
	}
	if (optind != argc - 1) {
		cli_complain(&options_cli, optind < argc ? "more than one address: '%s'" :
			"no address%s; try --help", optind < argc ? argv[optind + 1] : "");
		return OPTIONS_WRONG;
	}
	options->target = argv[optind];
	conflict = find_conflict(options, &given);
	if (conflict) {
		cli_complain(&options_cli, "%s", conflict);
		return OPTIONS_WRONG;
	}
	fill_defaults(options, &given);
	return OPTIONS_RUN;
}
