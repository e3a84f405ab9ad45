/* SPDX-License-Identifier: MIT */
/*
 * The runner process: the only one that executes anything. Small, single-threaded, without a
 * socket but the one to the server; it ends when the server does, and takes its command with it.
 */
#ifndef RUPTIME_DAEMON_RUNNER_PROCESS_H
#define RUPTIME_DAEMON_RUNNER_PROCESS_H

#include <stdint.h>

#include "daemon/command.h"
#include "daemon/privileges.h"

/*
 * On the socket, a pair of SOCK_SEQPACKET: for each run it wants the server sends a uint64_t, the
 * longest it may take in nanoseconds; the runner answers with a struct command_result, cut behind
 * the text's NUL.
 */

struct runner_config {
	const char *command;			/* absolute path */
	const struct privileges *privileges;	/* to take on first; NULL: stay what it is */
};

/*
 * The process's whole life, to be called in the child after fork(). Closes every descriptor but
 * SERVER_FD. Calls nothing that is unsafe after the fork of a process with threads.
 */
_Noreturn void runner_process(int server_fd, const struct runner_config *config);

#endif
