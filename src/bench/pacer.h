/* SPDX-License-Identifier: MIT */
/*
 * When each request of an open loop is due: at random with exponential gaps (a Poisson process,
 * what many independent clients make together), or at even distances.
 *
 * A schedule, not a clock: it never looks at the time, so a late sender does not shift it. It does
 * not drift either: every due time is counted from the start. One pacer, one thread.
 */
#ifndef RUPTIME_BENCH_PACER_H
#define RUPTIME_BENCH_PACER_H

#include <stdbool.h>
#include <stdint.h>

struct pacer {
	uint64_t start_ns;
	uint64_t due_ns;	/* of the next request */
	double gap_ns;		/* mean distance */
	double offset_ns;	/* Poisson: of the next from the start */
	uint64_t steps;		/* constant: how many are behind us */
	uint64_t random;
	bool constant;
	/* Counted: how many are still to come, and until when from the start; not counted: 0. */
	uint64_t left;
	double stretch_ns;
	uint64_t next_left;	/* the same of what comes behind the warm-up */
	double next_stretch_ns;
	bool counted;
};

/*
 * RATE_RPS requests a second from START_NS on. Constant: the first is due at PHASE (0 to 1) of a
 * gap, so that several threads interleave. Poisson: SEED decides; the first is due after a gap.
 */
void pacer_init_constant(struct pacer *pacer, double rate_rps, uint64_t start_ns, double phase);
void pacer_init_poisson(struct pacer *pacer, double rate_rps, uint64_t start_ns, uint64_t seed);

/*
 * As Poisson, given that just as many come in the first WARMUP_NS, and in all the rest of
 * DURATION_NS, as RATE_RPS says: so that a short try is no trial of the dice. (Given their number,
 * the arrivals of a Poisson process are independent and uniform; David and Nagaraja, "Order
 * Statistics", 2003, section 2.3.) Behind the end nothing is due any more.
 */
void pacer_init_counted(struct pacer *pacer, double rate_rps, uint64_t start_ns, uint64_t seed,
	uint64_t warmup_ns, uint64_t duration_ns);

/*
 * On to the first request that is due at UNTIL_NS or later. Returns how many are passed over; of
 * many random ones, about as many as there would be, because that ends in time.
 */
uint64_t pacer_skip(struct pacer *pacer, uint64_t until_ns);

/* On to the next request; DUE_NS never goes back. */
void pacer_step(struct pacer *pacer);

#endif
