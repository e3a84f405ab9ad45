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
};

/*
 * RATE_RPS requests a second from START_NS on. Constant: the first is due at PHASE (0 to 1) of a
 * gap, so that several threads interleave. Poisson: SEED decides; the first is due after a gap.
 */
void pacer_init_constant(struct pacer *pacer, double rate_rps, uint64_t start_ns, double phase);
void pacer_init_poisson(struct pacer *pacer, double rate_rps, uint64_t start_ns, uint64_t seed);

/* On to the next request; DUE_NS never goes back. */
void pacer_step(struct pacer *pacer);

#endif
