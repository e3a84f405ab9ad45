/* SPDX-License-Identifier: MIT */
#include "bench/options_table.h"

#include <stddef.h>

static const struct cli_option table[] = {
	{ 'c', "concurrency", "N", "closed loop with N requests in flight; with -r: at most N", 0 },
	{ 'r', "rate", "RATE", "open loop: RATE requests a second, whatever the server does", 0 },
	{ KEY_CONSTANT, "constant", NULL, "send at even distances, not at random (Poisson)", 0 },
	{ 'd', "duration", "TIME", "how long to measure (10s; 2s a try of several)", 0 },
	{ 'n', "requests", "N", "stop after N requests; with -d: after the time, too", 0 },
	{ KEY_WARMUP, "warmup", "TIME", "how long to run before it counts (1s; 0 with -n)", 0 },
	{ 't', "threads", "N", "threads that share the load (1)", 0 },
	{ KEY_TIMEOUT, "timeout", "TIME", "when an answer is taken for lost (2s)", 0 },
	{ KEY_EXPECT, "expect", "TEXT", "what a good answer contains (any text will do)", 0 },
	{ KEY_VS, "vs", "ADDRESS", "compare with this server, in alternating rounds", 0 },
	{ KEY_FIND_MAX, "find-max", "CONDITION", "find the highest rate at which it holds", 0 },
	{ KEY_RAMP, "ramp", "FROM:TO:STEP", "measure at one rate after the other", 0 },
	{ KEY_BASELINE, "baseline", "FILE", "compare with a run that was saved by -J", 0 },
	{ KEY_FAIL_IF, "fail-if", "CONDITION", "exit with 1 if it holds; may be repeated", 0 },
	{ KEY_PID, "pid", "PID", "measure the CPU time of this server; with --vs: A,B", 0 },
	{ KEY_PERCENTILES, "percentiles", "LIST", "which to show (50,90,99,99.9)", 0 },
	{ 'J', "json", NULL, "print the result as JSON", 0 },
	{ KEY_HGRM, "hgrm", "FILE", "write the latency distribution, as HdrHistogram does", 0 },
	{ KEY_REPORT, "report", "FILE", "write a page of HTML with plots", 0 },
	{ KEY_CSV, "csv", "FILE", "write a line for each request", 0 },
	{ 'h', "help", NULL, "show this and exit", 0 },
	{ 'V', "version", NULL, "show the version and exit", 0 },
};

const struct cli options_cli = {
	.program = "ruptime-bench",
	.usage = "[options] ADDRESS...",
	.purpose = "Measure a server that answers connections, datagrams or messages with a line.",
	.options = table,
	.count = sizeof(table) / sizeof(table[0]),
};
