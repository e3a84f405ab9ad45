/* SPDX-License-Identifier: MIT */
/*
 * What came out of one run, or of several put together.
 */
#ifndef RUPTIME_BENCH_RESULT_H
#define RUPTIME_BENCH_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/kernel_drops.h"
#include "bench/plan.h"
#include "bench/tally.h"
#include "bench/target.h"

struct result {
	struct plan plan;		/* as it was carried out */
	const struct target *target;	/* borrowed */
	uint64_t duration_ns;		/* really measured: the window */
	struct tally *measured;		/* owned */
	struct tally *warm;		/* owned */
	uint64_t own_cpu_ns;		/* of the generator, while measuring */
	uint64_t server_cpu_ns;
	bool server_cpu_known;
	const char *server_cpu_why;	/* not known, though asked for: a constant; else NULL */
	struct kernel_drops drops;	/* from before the warm-up to after the last answer */
	bool short_of_slots;		/* open loop: more were due than could be in flight */
	bool interrupted;
	unsigned runs;			/* that were merged into it */
	char invalid[160];		/* why it is; "" if it is valid */
};

/*
 * An empty result of PLAN against TARGET, which is borrowed until result_fini(). Returns 0, or -1
 * with errno; result_fini() it.
 */
int result_init(struct result *result, const struct plan *plan, const struct target *target);
void result_fini(struct result *result);

/*
 * Add all of FROM, a run against the same target, to INTO, which is to be judged when all are
 * there: shares of a few requests say nothing.
 */
void result_merge(struct result *into, const struct result *from);

/* Find out whether the generator itself has spoiled it, and set INVALID. Once, on all of it. */
void result_judge(struct result *result);

/* Good answers in the window, a second. */
double result_throughput_rps(const struct result *result);

/* Is there more than rounding between latency and the uncorrected figure? */
bool result_is_corrected(const struct result *result);

/* 0 if nothing was sent or answered. */
double result_own_cpu_us_per_request(const struct result *result);
double result_server_cpu_us_per_reply(const struct result *result);

/* The share of one CPU that the generator used. */
double result_own_cpu_share(const struct result *result);

/* What a reader should know of how to take the figures, or NULL when I is beyond the last. */
const char *result_note(const struct result *result, unsigned i);

#endif
