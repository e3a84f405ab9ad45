/* SPDX-License-Identifier: MIT */
/*
 * What was counted in one phase of a run by one thread, or by all of them after merging.
 *
 *	sent = answered + lost + bad answers + errors, once everything has ended
 *
 * A request belongs to the phase in which it was due. What the server did in the measured time is
 * counted apart: in_window and the bins hold the good answers that came in it, to whatever request.
 *
 * late and duplicate count answers, not requests: a late one belongs to a request that is among
 * the lost already. One tally, one thread.
 */
#ifndef RUPTIME_BENCH_TALLY_H
#define RUPTIME_BENCH_TALLY_H

#include <stdint.h>

#include "bench/histogram.h"
#include "bench/outcome.h"

#define TALLY_BINS 200

/* A slice of the measured time. */
struct tally_bin {
	uint64_t answered;
	uint64_t worst_ns;	/* the longest latency that ended here */
};

/* The sums of a line of least squares through latency by due time, both in seconds. */
struct tally_trend {
	double count, t, tt, l, tl;
};

struct tally {
	uint64_t sent;
	uint64_t unsent;	/* were due, but could not be sent before the end */
	uint64_t unsent_own;	/* those of them that no limit held back: the generator was late */
	uint64_t in_window;	/* good answers that came in the measured time */
	uint64_t late;
	uint64_t duplicate;
	uint64_t outcomes[OUTCOMES];
	struct histogram latency;	/* from when it was due to the answer's end */
	struct histogram service;	/* from when it was really sent */
	struct histogram send_lag;	/* from when it could have been sent to when it was */
	uint64_t start_ns;		/* of the first bin */
	uint64_t bin_ns;		/* width of a bin */
	struct tally_bin bins[TALLY_BINS];
	struct tally_trend trend;
};

/*
 * A tally on the heap for a phase of DURATION_NS; 0: of unknown length, with bins that grow wider.
 * It begins when the caller sets START_NS. NULL with errno. free() it.
 */
struct tally *tally_new(uint64_t duration_ns);

/* A request that was due at DUE_NS and sent at SENT_NS ended so at DONE_NS. */
void tally_end(struct tally *tally, enum outcome outcome, uint64_t due_ns, uint64_t sent_ns,
	uint64_t done_ns);

/* A good answer came in the measured time, at DONE_NS. */
void tally_in_window(struct tally *tally, uint64_t due_ns, uint64_t done_ns);

/* A request that was due in an earlier phase belongs to this one after all. */
void tally_take_over(struct tally *tally, struct tally *earlier);

/*
 * By how much latency grew over the phase, in seconds a second: at a server that is overloaded by a
 * tenth, 0.1. 0 if there are too few answers to say.
 */
double tally_growth(const struct tally *tally);

/* Add all of FROM to INTO. */
void tally_merge(struct tally *into, const struct tally *from);

uint64_t tally_bad(const struct tally *tally);
uint64_t tally_errors(const struct tally *tally);

/* Requests without a good answer. */
uint64_t tally_failed(const struct tally *tally);

#endif
