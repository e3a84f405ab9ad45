/* SPDX-License-Identifier: MIT */
/*
 * Naming refused system calls in the log. A thread that makes one waits until it is answered here,
 * possibly with a lock of the C library held: fork() holds that of malloc().
 */
#ifndef RUPTIME_DAEMON_SANDBOX_WATCH_H
#define RUPTIME_DAEMON_SANDBOX_WATCH_H

#include "daemon/sandbox/roles.h"

/*
 * Hand NOTIFY_FD over to the thread that runs at the other end of the socket TO_FD. Returns 0, or
 * -1 with errno: then it is still the caller's.
 */
int sandbox_watch_send(int to_fd, enum sandbox_role role, int notify_fd);

/*
 * Answer and name the refused calls of all that is sent to FROM_FD, until its other end is closed.
 * To be run by a thread whose own refused calls wait for no thread.
 */
void sandbox_watch_run(int from_fd);

#endif
