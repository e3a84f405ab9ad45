/* SPDX-License-Identifier: MIT */
#include "daemon/source.h"

#include <libproc2/misc.h>
#include <stdio.h>
#include <string.h>

bool source_has_procps(void)
{
	return true;
}

void source_procps(struct command_result *result)
{
	const char *line = procps_uptime_sprint();

	result->ok = line && protocol_is_printable(line, strlen(line));
	snprintf(result->text, sizeof(result->text), "%s",
		result->ok ? line : "libproc2 cannot tell the uptime");
}
