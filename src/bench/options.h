/* SPDX-License-Identifier: MIT */
/*
 * The command line.
 */
#ifndef RUPTIME_BENCH_OPTIONS_H
#define RUPTIME_BENCH_OPTIONS_H

#include <stdbool.h>

#include "bench/condition.h"
#include "bench/plan.h"
#include "common/cli.h"

#define OPTIONS_CONDITIONS_MAX 16

enum options_outcome {
	OPTIONS_RUN,
	OPTIONS_SHOWN,		/* help or version: nothing is left to do */
	OPTIONS_WRONG,		/* it has been reported */
};

struct options {
	struct plan plan;
	const char *target;
	const char *vs;		/* NULL: none */
	bool find;
	struct condition find_condition;
	struct condition conditions[OPTIONS_CONDITIONS_MAX];
	unsigned condition_count;
	bool json;
	const char *hgrm_path;
	const char *report_path;
};

extern const struct cli options_cli;

/* Borrows ARGV for as long as OPTIONS are used. Main only, see common/cli.h. */
enum options_outcome bench_options_parse(struct options *options, int argc, char **argv);

#endif
