/* SPDX-License-Identifier: MIT */
#include "bench/pacer.h"

#include <math.h>

#include "bench/splitmix.h"
#include "common/clock.h"

/* So many random steps take a millisecond at most. */
#define STEPS_MAX 10000

static uint64_t count_in(double rate_rps, uint64_t length_ns)
{
	return (uint64_t)llround(rate_rps * (double)length_ns / (double)CLOCK_S);
}

/* The least of as many uniform ones as are left, in what is left of the stretch. */
static void step_counted(struct pacer *pacer)
{
	double rest_ns = pacer->stretch_ns - pacer->offset_ns;

	if (pacer->left == 0) {
		pacer->offset_ns = pacer->stretch_ns;
		pacer->left = pacer->next_left;
		pacer->stretch_ns = pacer->next_stretch_ns;
		pacer->next_left = 0;
		rest_ns = pacer->stretch_ns - pacer->offset_ns;
	}
	if (pacer->left == 0) {
		pacer->due_ns = CLOCK_NEVER;
		return;
	}
	pacer->offset_ns += rest_ns * (1 - pow(splitmix_unit(&pacer->random),
		1 / (double)pacer->left));
	pacer->left--;
	pacer->due_ns = pacer->start_ns + (uint64_t)pacer->offset_ns;
}

static void set_due(struct pacer *pacer)
{
	if (pacer->counted) {
		step_counted(pacer);
	} else if (pacer->constant) {
		double offset_ns = pacer->offset_ns + (double)pacer->steps * pacer->gap_ns;

		pacer->due_ns = pacer->start_ns + (uint64_t)offset_ns;
	} else {
		pacer->offset_ns -= log(splitmix_unit(&pacer->random)) * pacer->gap_ns;
		pacer->due_ns = pacer->start_ns + (uint64_t)pacer->offset_ns;
	}
}

void pacer_init_constant(struct pacer *pacer, double rate_rps, uint64_t start_ns, double phase)
{
	double gap_ns = (double)CLOCK_S / rate_rps;

	*pacer = (struct pacer){
		.start_ns = start_ns,
		.gap_ns = gap_ns,
		.offset_ns = phase * gap_ns,
		.constant = true,
	};
	set_due(pacer);
}

void pacer_init_poisson(struct pacer *pacer, double rate_rps, uint64_t start_ns, uint64_t seed)
{
	*pacer = (struct pacer){
		.start_ns = start_ns,
		.gap_ns = (double)CLOCK_S / rate_rps,
		.random = seed,
	};
	set_due(pacer);
}

void pacer_init_counted(struct pacer *pacer, double rate_rps, uint64_t start_ns, uint64_t seed,
	uint64_t warmup_ns, uint64_t duration_ns)
{
	*pacer = (struct pacer){
		.start_ns = start_ns,
		.gap_ns = (double)CLOCK_S / rate_rps,
		.random = seed,
		.left = count_in(rate_rps, warmup_ns),
		.stretch_ns = (double)warmup_ns,
		.next_left = count_in(rate_rps, duration_ns),
		.next_stretch_ns = (double)(warmup_ns + duration_ns),
		.counted = true,
	};
	step_counted(pacer);
}

void pacer_step(struct pacer *pacer)
{
	pacer->steps++;
	set_due(pacer);
}

uint64_t pacer_skip(struct pacer *pacer, uint64_t until_ns)
{
	uint64_t skipped = 0;

	if (pacer->due_ns < until_ns &&
	    (double)(until_ns - pacer->due_ns) > STEPS_MAX * pacer->gap_ns) {
		skipped = (uint64_t)((double)(until_ns - pacer->due_ns) / pacer->gap_ns);
		pacer->due_ns = until_ns;
		return skipped;
	}
	while (pacer->due_ns < until_ns) {
		pacer_step(pacer);
		skipped++;
	}
	return skipped;
}
