/* SPDX-License-Identifier: MIT */
#include "daemon/metrics/metrics.h"

#include <errno.h>

bool metrics_is_built_in(void)
{
	return false;
}

struct metrics *metrics_start(const struct listener_set *listeners, const struct settings *settings,
	const struct metrics_source *source)
{
	(void)listeners;
	(void)settings;
	(void)source;
	errno = ENOSYS;
	return NULL;
}

void metrics_stop(struct metrics *metrics)
{
	(void)metrics;
}
