/* SPDX-License-Identifier: MIT */
/*
 * The runner process: the only one that executes anything. Small, single-threaded, without a
 * socket but the one to the server; it ends when the server does, and takes its command with it.
 */
#ifndef RUPTIME_DAEMON_RUN_RUNNER_PROCESS_H
#define RUPTIME_DAEMON_RUN_RUNNER_PROCESS_H

#include <stdint.h>

#include "daemon/life/privileges.h"
#include "daemon/run/command.h"
#include "daemon/sandbox/sandbox.h"

/*
 * On the socket, a pair of SOCK_SEQPACKET: the runner first sends one byte, and with it what
 * sandbox_watch() takes, if anything. Then the server sends a uint64_t for each run it wants, the
 * longest it may take in nanoseconds; the runner answers with a struct command_result, cut behind
 * the text's NUL, or with RUNNER_OUTDATED_BYTES, and ends: its sandbox is for a command that has
 * been replaced.
 */
#define RUNNER_OUTDATED_BYTES 1

struct runner_config {
	const char *command;			/* absolute path */
	const struct privileges *privileges;	/* to take on first; NULL: stay what it is */
	const struct sandbox *sandbox;		/* to enter then; NULL: none */
};

/*
 * The process's whole life, to be called in the child after fork(). Closes every descriptor but
 * SERVER_FD. If it cannot begin, errno is its exit status. Calls nothing that is unsafe after the
 * fork of a process with threads.
 */
_Noreturn void runner_process(int server_fd, const struct runner_config *config);

#endif
