/* SPDX-License-Identifier: MIT */
/* Execute the command: as a run of its own, or as what runs are forked from. */
#ifndef RUPTIME_DAEMON_RUN_SPAWN_H
#define RUPTIME_DAEMON_RUN_SPAWN_H

#include <sys/types.h>

/*
 * Execute PATH (absolute) without arguments: environment PATH and LC_ALL=C, standard input and
 * error from and to /dev/null and standard output to OUT_FD, no other descriptor, default signals,
 * a process group of its own. All descriptors of the caller must be close-on-exec.
 * Returns 0 or an errno value; *PID is the child.
 */
int spawn_run(const char *path, int out_fd, pid_t *pid);

/*
 * The same with the library PRELOAD, these ends of the sockets of preload.h, standard output to
 * /dev/null, and all signals blocked.
 */
int spawn_loaded(const char *path, const char *preload, int control_fd, int door_fd, pid_t *pid);

#endif
