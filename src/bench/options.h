/* SPDX-License-Identifier: MIT */
/*
 * The command line.
 */
#ifndef RUPTIME_BENCH_OPTIONS_H
#define RUPTIME_BENCH_OPTIONS_H

#include <stdbool.h>

#include "bench/condition.h"
#include "bench/options_table.h"
#include "bench/percentile.h"
#include "bench/plan.h"
#include "bench/ramp.h"

#define OPTIONS_CONDITIONS_MAX 16

enum options_outcome {
	OPTIONS_RUN,
	OPTIONS_SHOW,		/* help or version, as SHOW says */
	OPTIONS_WRONG,		/* it has been reported */
};

struct options {
	int show;		/* OPTIONS_SHOW: 'h' or 'V' */
	struct plan plan;
	char *const *targets;	/* one or several: A */
	unsigned target_count;
	const char *vs;		/* B; NULL: none */
	pid_t vs_pid;		/* whose CPU time is measured for B; 0: none */
	bool find;
	struct condition find_condition;
	bool ramp;
	struct ramp_range ramp_range;
	const char *baseline_path;	/* NULL: none */
	struct condition conditions[OPTIONS_CONDITIONS_MAX];
	unsigned condition_count;
	struct percentile percentiles[PERCENTILES_MAX];
	unsigned percentile_count;
	bool json;
	/* "-": standard output, instead of the text. */
	const char *hgrm_path;
	const char *report_path;
	const char *csv_path;
};

/* Borrows ARGV for as long as OPTIONS are used. Main only, see common/cli.h. */
enum options_outcome bench_options_parse(struct options *options, int argc, char **argv);

#endif
