/* SPDX-License-Identifier: MIT */
/*
 * Where the line can come from besides the command: libproc2, called in this process.
 *
 * Two files implement this: procps.c, and procps_absent.c where configure found no
 * libproc2 or was told to do without.
 */
#ifndef RUPTIME_DAEMON_RUN_PROCPS_H
#define RUPTIME_DAEMON_RUN_PROCPS_H

#include <stdbool.h>

#include "daemon/run/command.h"

/* Was this program built with libproc2? */
bool procps_is_built_in(void);

/*
 * Make the line that the installed uptime would print now. One caller at a time: counting users
 * goes through getutent(3), which is not thread-safe. Some 20 microseconds, and no waiting but for
 * files of /proc and the utmp file.
 */
void procps_measure(struct command_result *result);

#endif
