/* SPDX-License-Identifier: MIT */
/*
 * The live line on a terminal's stderr. One thread: main.
 */
#ifndef RUPTIME_BENCH_PROGRESS_H
#define RUPTIME_BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct lane;

struct progress {
	bool shown;
	uint64_t measure_ns;
	uint64_t end_ns;
	uint64_t next_ns;
	uint64_t last_ns;
	uint64_t last_answered;
};

/* SHOWN false: all of the following do nothing. */
void progress_begin(struct progress *progress, bool shown, uint64_t measure_ns, uint64_t end_ns);

/* When progress_show() next has something to do; CLOCK_NEVER if it has not. */
uint64_t progress_next_ns(const struct progress *progress);

void progress_show(struct progress *progress, const struct lane *lanes, uint32_t count,
	uint64_t now_ns);

/* Wipe the line. */
void progress_end(struct progress *progress);

#endif
