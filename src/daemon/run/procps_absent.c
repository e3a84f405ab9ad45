/* SPDX-License-Identifier: MIT */
#include "daemon/run/procps.h"

#include <stdio.h>

bool procps_is_built_in(void)
{
	return false;
}

void procps_measure(uint64_t timeout_ns, struct command_result *result)
{
	(void)timeout_ns;
	*result = (struct command_result){ .ok = false };
	snprintf(result->text, sizeof(result->text), "built without libproc2");
}

void procps_give_up(void)
{
}
