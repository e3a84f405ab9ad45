/* SPDX-License-Identifier: MIT */
#include "bench/pacer.h"

#include <math.h>

#include "bench/splitmix.h"
#include "common/clock.h"

static void set_due(struct pacer *pacer)
{
	if (pacer->constant) {
		double offset_ns = pacer->offset_ns + (double)pacer->steps * pacer->gap_ns;

		pacer->due_ns = pacer->start_ns + (uint64_t)offset_ns;
		return;
	}
	pacer->offset_ns -= log(splitmix_unit(&pacer->random)) * pacer->gap_ns;
	pacer->due_ns = pacer->start_ns + (uint64_t)pacer->offset_ns;
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

void pacer_step(struct pacer *pacer)
{
	pacer->steps++;
	set_due(pacer);
}
