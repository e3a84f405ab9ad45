/* SPDX-License-Identifier: MIT */
/*
 * The keeper: a process between main and the runner, forked before any thread or socket.
 *
 * It decides what is executed. Command, user and sandbox are in its own memory, as they were when
 * main had read its options; nothing from outside ever gets there. What it takes from the server
 * is that a message came, not what stood in it. So one who has taken over a server thread, and with
 * it main's memory, cannot choose the program; and the server need not fork or execute anything.
 */
#ifndef RUPTIME_DAEMON_RUN_KEEPER_H
#define RUPTIME_DAEMON_RUN_KEEPER_H

#include "daemon/run/runner_process.h"

/*
 * The process's whole life, to be called in the child after fork() with its end of both pairs (see
 * messages.h), by a process without threads. Closes every other descriptor. Ends with the server,
 * and takes the runner and its command with it.
 */
_Noreturn void keeper_process(int run_fd, int report_fd, const struct runner_config *config);

#endif
