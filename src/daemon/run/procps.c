/* SPDX-License-Identifier: MIT */
#include "daemon/run/procps.h"

#include <libproc2/misc.h>
#include <stdio.h>
#include <string.h>

bool procps_is_built_in(void)
{
	return true;
}

void procps_measure(struct command_result *result)
{
	const char *line = procps_uptime_sprint();

	result->ok = line && protocol_is_printable(line, strlen(line));
	snprintf(result->text, sizeof(result->text), "%s",
		result->ok ? line : "libproc2 cannot tell the uptime");
}
