/* SPDX-License-Identifier: MIT */
#include "daemon/pace.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t pace_look(struct pace *pace, const struct pace_run *run)
{
	uint64_t many = run->worth > PACE_MANY / 2 ? 2 * run->worth : PACE_MANY;

	if (!run->scarce || run->connections < PACE_FEW) {
		pace->ns = pace->ns > PACE_MIN_NS ? pace->ns / 2 : 0;
	} else if (run->connections < many) {
		pace->ns = pace->ns ? least(2 * pace->ns, PACE_MAX_NS) : PACE_MIN_NS;
	}
	if (run->back_ns) {
		pace->ns = least(pace->ns, run->back_ns + run->back_ns / 2);
	}
	return pace->ns;
}
