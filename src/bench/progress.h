/* SPDX-License-Identifier: MIT */
/*
 * The live line on a terminal's stderr, over all runs of a measurement. On a terminal that cannot
 * go back to the start of its line (TERM is "dumb" or not set), a plain line now and then.
 * One thread: main.
 */
#ifndef RUPTIME_BENCH_PROGRESS_H
#define RUPTIME_BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct lane;

struct progress {
	bool shown;
	bool plain;		/* the terminal knows no control sequences */
	bool drawn;		/* there is a line to wipe */
	char what[64];		/* which of the runs it is, "" if there is only one */
	uint64_t all_end_ns;	/* when all of them are over, or about; 0: see END_NS */
	uint64_t measure_ns;	/* of this run */
	uint64_t end_ns;
	uint64_t next_ns;
	uint64_t last_ns;
	uint64_t last_answered;
};

/* Show progress if SHOWN; otherwise all of the following do nothing. */
void progress_init(struct progress *progress, bool shown);

/* WHAT comes next ("A, round 3 of 40"), and with it all is over in LEFT_NS. */
void progress_announce(struct progress *progress, uint64_t left_ns, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

/* A run begins: it measures from MEASURE_NS to END_NS, CLOCK_NEVER if that is not known. */
void progress_run(struct progress *progress, uint64_t measure_ns, uint64_t end_ns);

/* When progress_show() next has something to do; CLOCK_NEVER if it has not. */
uint64_t progress_next_ns(const struct progress *progress);

void progress_show(struct progress *progress, const struct lane *lanes, uint32_t count,
	uint64_t now_ns);

/* Wipe the line. */
void progress_end(struct progress *progress);

#endif
