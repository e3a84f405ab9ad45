/* SPDX-License-Identifier: MIT */
/*
 * The runner: the process that executes the command. Small, single-threaded, a child of the keeper;
 * it ends when the server does, and takes its command with it.
 */
#ifndef RUPTIME_DAEMON_RUN_RUNNER_PROCESS_H
#define RUPTIME_DAEMON_RUN_RUNNER_PROCESS_H

#include "daemon/life/privileges.h"
#include "daemon/sandbox/sandbox.h"

struct runner_config {
	const char *command;			/* absolute path */
	const char *preload;			/* see warm.h; NULL: start the command cold */
	const struct privileges *privileges;	/* the keeper's to take first; NULL: none */
	const struct sandbox *sandbox;		/* to enter then; NULL: none */
};

/* Its exit status: the server wants no more runs; see MESSAGE_OUTDATED; it could not begin. */
enum { RUNNER_EXIT_OVER, RUNNER_EXIT_OUTDATED, RUNNER_EXIT_FAILED };

/* The process's whole life, to be called in a child of the keeper. */
_Noreturn void runner_process(const struct runner_config *config);

#endif
