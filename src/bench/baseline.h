/* SPDX-License-Identifier: MIT */
/*
 * --baseline: how a run compares with one that was saved as JSON. Between the two the machine has
 * changed, so there is a ratio and no verdict; --vs is the way to one.
 */
#ifndef RUPTIME_BENCH_BASELINE_H
#define RUPTIME_BENCH_BASELINE_H

#include <stdbool.h>

#include "bench/result.h"

#define BASELINE_TEXT_MAX 128

struct baseline {
	const char *path;	/* borrowed */
	char target[BASELINE_TEXT_MAX];
	char date[BASELINE_TEXT_MAX];
	char kernel[BASELINE_TEXT_MAX];
	bool open_loop;
	double rate_rps;	/* open loop */
	double throughput_rps;
	double p50_us;		/* NAN: nothing was answered */
	double p99_us;
	bool valid;
};

/*
 * Read the JSON at PATH. Returns 0, or -1 with *WHY, a constant, if it cannot be read or is no
 * result of ruptime-bench. Without jansson there is none.
 */
int baseline_read(struct baseline *baseline, const char *path, const char **why);

/* Are the two of one kind, so that they can be compared? Returns why not, or NULL. */
const char *baseline_mismatch(const struct baseline *baseline, const struct result *result);

/*
 * This run by the saved one: of throughputs in a closed loop (below 1: slower), of median latencies
 * in an open one (above 1: slower), as with --vs. NAN if they cannot be compared.
 */
double baseline_ratio(const struct baseline *baseline, const struct result *result);

#endif
