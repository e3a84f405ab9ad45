/* SPDX-License-Identifier: MIT */
#include "daemon/source.h"

#include <stdio.h>

bool source_has_procps(void)
{
	return false;
}

void source_procps(struct command_result *result)
{
	result->ok = false;
	snprintf(result->text, sizeof(result->text), "built without libproc2");
}
