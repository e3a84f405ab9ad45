/* SPDX-License-Identifier: MIT */
#include "daemon/work/batch_wait.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t batch_wait_look(struct batch_wait *pace, const struct batch_wait_run *run)
{
	uint64_t many = run->worth > BATCH_WAIT_MANY / 2 ? 2 * run->worth : BATCH_WAIT_MANY;

	if (!run->scarce || run->connections < BATCH_WAIT_FEW) {
		pace->ns = pace->ns > BATCH_WAIT_MIN_NS ? pace->ns / 2 : 0;
	} else if (run->connections < many) {
		pace->ns = pace->ns ? least(2 * pace->ns, BATCH_WAIT_MAX_NS) : BATCH_WAIT_MIN_NS;
	}
	if (run->back_ns) {
		pace->ns = least(pace->ns, run->back_ns + run->back_ns / 2);
	}
	return pace->ns;
}
