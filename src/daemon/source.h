/* SPDX-License-Identifier: MIT */
/*
 * Where the line can come from besides the command: libproc2, called in this process.
 *
 * Two files implement this: source_procps.c, and source_procps_absent.c where configure found no
 * libproc2 or was told to do without.
 */
#ifndef RUPTIME_DAEMON_SOURCE_H
#define RUPTIME_DAEMON_SOURCE_H

#include <stdbool.h>

#include "daemon/command.h"

/* Was this program built with libproc2? */
bool source_has_procps(void);

/*
 * Make the line that the installed uptime would print now. One caller at a time: counting users
 * goes through getutent(3), which is not thread-safe. Some 20 microseconds, and no waiting but for
 * files of /proc and the utmp file.
 */
void source_procps(struct command_result *result);

#endif
