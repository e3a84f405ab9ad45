/* SPDX-License-Identifier: MIT */
/*
 * A file that holds the process number, and by its lock keeps a second daemon from starting.
 */
#ifndef RUPTIME_DAEMON_LIFE_PID_FILE_H
#define RUPTIME_DAEMON_LIFE_PID_FILE_H

#include <stdbool.h>

/*
 * Create or take over the file at PATH. Returns its descriptor, which holds the lock, or -1 with
 * errno: EAGAIN if another process has the lock, unless its file is to be replaced (REPLACE).
 */
int pid_file_open(const char *path, bool replace);

/* Remove the file, or empty it where removing is not permitted any more, and close *PID_FD. */
void pid_file_close(const char *path, int *pid_fd);

#endif
