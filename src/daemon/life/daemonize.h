/* SPDX-License-Identifier: MIT */
/*
 * Becoming a daemon in the classic way: two forks and a session of its own, "/" as directory,
 * /dev/null on 0 to 2, no other descriptor. With one difference: the process that was started
 * waits, and ends with the daemon's own exit status if it fails to start, or with 0 once it
 * serves. Main only, before anything else is opened and any thread started.
 */
#ifndef RUPTIME_DAEMON_LIFE_DAEMONIZE_H
#define RUPTIME_DAEMON_LIFE_DAEMONIZE_H

/*
 * Returns in the daemon only: a descriptor for daemonize_end(), or -1 with errno if it was not
 * possible. Descriptor KEPT_FD stays open (-1: none), and 2 until daemonize_end().
 */
int daemonize_begin(int kept_fd);

/*
 * Let go of the terminal, and let the process that was started exit with STATUS: 0 once it serves.
 * Does nothing if *STATUS_FD is -1.
 */
void daemonize_end(int *status_fd, int status);

#endif
