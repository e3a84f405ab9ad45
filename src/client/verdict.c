/* SPDX-License-Identifier: MIT */
#include "client/verdict.h"

#include <math.h>

enum verdict verdict_judge(const struct options *options, const struct report *report)
{
	double wanted = options->min_up;

	if (report->broken) {
		return VERDICT_SYSTEM;
	}
	if (options->min_up_is_percent) {
		wanted = ceil((double)report->targets->count * options->min_up / 100 - 1e-9);
	}
	if (options->has_min_up && (double)report->up >= wanted) {
		return VERDICT_ALL;
	}
	if (report->up == 0) {
		return VERDICT_NONE;
	}
	return report->up == report->targets->count && !options->has_min_up ? VERDICT_ALL
									     : VERDICT_SOME;
}
