/* SPDX-License-Identifier: MIT */
/*
 * The options of the command line, by name.
 */
#ifndef RUPTIME_BENCH_OPTIONS_TABLE_H
#define RUPTIME_BENCH_OPTIONS_TABLE_H

#include "common/cli.h"

/* Those that have no letter. */
enum option_key {
	KEY_CONSTANT = CLI_LONG_ONLY,
	KEY_WARMUP,
	KEY_TIMEOUT,
	KEY_EXPECT,
	KEY_VS,
	KEY_FIND_MAX,
	KEY_FAIL_IF,
	KEY_PID,
	KEY_PERCENTILES,
	KEY_HGRM,
	KEY_REPORT,
	KEY_CSV,
	KEY_RAMP,
	KEY_BASELINE,
};

extern const struct cli options_cli;

#endif
