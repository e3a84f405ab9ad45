/* SPDX-License-Identifier: MIT */
/*
 * A lock between processes of one user that no other user can hold up: a file that only its owner
 * may open. (Any user who may read a file or a directory may lock it, with fcntl() or flock().)
 */
#ifndef RUPTIME_COMMON_OWN_LOCK_H
#define RUPTIME_COMMON_OWN_LOCK_H

/*
 * Take the lock NAME in DIR_FD (as openat() takes them), without waiting: the file is created,
 * empty, with mode 0600. Returns its descriptor, or -1 with errno: EAGAIN if another process has
 * the lock, EPERM if a file of another user or kind has the name, or what openat() says.
 */
int own_lock_take(int dir_fd, const char *name);

/* Remove the file, close *LOCK_FD and set it to -1. Keeps errno. */
void own_lock_drop(int dir_fd, const char *name, int *lock_fd);

#endif
