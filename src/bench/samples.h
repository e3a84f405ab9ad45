/* SPDX-License-Identifier: MIT */
/*
 * A record of each measured request, for --csv. Bounded: the first SAMPLES_MAX are kept, and how
 * many more there were is known.
 *
 * samples_add() is lock-free, for any number of threads; the others are for one thread, when those
 * have been joined.
 */
#ifndef RUPTIME_BENCH_SAMPLES_H
#define RUPTIME_BENCH_SAMPLES_H

#include <stdint.h>
#include <stdio.h>

#include "bench/outcome.h"

#define SAMPLES_MAX 1000000u

struct sample {
	uint64_t due_ns;
	uint64_t sent_ns;
	uint64_t done_ns;
	enum outcome outcome;
	char side;		/* 'A' or 'B' */
};

struct samples;

/* None yet. NULL with errno. samples_free() it. */
struct samples *samples_new(void);
void samples_free(struct samples *samples);

void samples_add(struct samples *samples, const struct sample *sample);

/* How many did not fit. */
uint64_t samples_left_out(const struct samples *samples);

/*
 * Write them in the order in which they were due: a line of names, then one for each, with due and
 * sent in seconds since the first was due, and latency from due to the end in microseconds.
 * Returns 0, or -1 with errno.
 */
int samples_write_csv(struct samples *samples, FILE *out);

#endif
