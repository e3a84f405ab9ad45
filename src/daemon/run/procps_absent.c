/* SPDX-License-Identifier: MIT */
#include "daemon/run/procps.h"

#include <stdio.h>

bool procps_is_built_in(void)
{
	return false;
}

void procps_measure(struct command_result *result)
{
	result->ok = false;
	snprintf(result->text, sizeof(result->text), "built without libproc2");
}
