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
#include <stdint.h>

#include "daemon/run/command.h"

/* Was this program built with libproc2? */
bool procps_is_built_in(void);

/*
 * Make the line that the installed uptime would print now. One caller at a time: counting users
 * goes through getutent(3), which is not thread-safe. Some 20 microseconds; but who holds a lock on
 * the utmp file is waited for, for TIMEOUT_NS at most. Then it has failed, as a command that hangs.
 */
void procps_measure(uint64_t timeout_ns, struct command_result *result);

/* From now on it fails instead of waiting, the call under way included. Any thread. */
void procps_give_up(void);

#endif
