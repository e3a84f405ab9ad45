/* SPDX-License-Identifier: MIT */
/* The processes and threads of ruptimed, told apart by what they may still do when they serve. */
#ifndef RUPTIME_DAEMON_SANDBOX_ROLES_H
#define RUPTIME_DAEMON_SANDBOX_ROLES_H

enum sandbox_role {
	SANDBOX_KEEPER,		/* starts runners, so it may do all that they may */
	SANDBOX_RUNNER,		/* and the command that it executes */
	SANDBOX_SERVER,		/* main and all threads: execute nothing, write no file */
	SANDBOX_ROLES,
};

#endif
