/* SPDX-License-Identifier: MIT */
/* Landlock: what a thread, and all that it creates, may do with files, TCP ports and signals. */
#ifndef RUPTIME_DAEMON_SANDBOX_LANDLOCK_H
#define RUPTIME_DAEMON_SANDBOX_LANDLOCK_H

#include "daemon/sandbox/command_files.h"
#include "daemon/sandbox/roles.h"
#include "daemon/settings.h"

/* Returns the version of Landlock's interface that this kernel has, or 0 with errno. */
int sandbox_landlock_version(void);

/*
 * Restrict the calling thread to what ROLE may do. VERSION: as above, and not 0. COMMAND: what the
 * runner executes; not read for SANDBOX_SERVER. Safe after fork. Returns NULL, or the name of the
 * system call that failed with errno.
 */
const char *sandbox_landlock_enter(const struct settings *settings, int version,
	enum sandbox_role role, const struct command_files *command);

#endif
