/* SPDX-License-Identifier: MIT */
/*
 * The children of a process without threads that has SIGCHLD blocked but not ignored, and gets the
 * orphans of its descendants: the keeper, the runner.
 */
#ifndef RUPTIME_DAEMON_RUN_CHILDREN_H
#define RUPTIME_DAEMON_RUN_CHILDREN_H

#include <sys/types.h>

/*
 * Returns a descriptor that is readable when a child of this process has ended, or -1 with errno.
 * (Not a pidfd for each: kernels before 5.3 have none, and filters refuse it.)
 */
int children_watch(void);

/* CHILD_FD becomes readable when the next child ends, not for those that have ended until now. */
void children_forget(int child_fd);

/* Where the kernel lists the children of the calling thread. */
#define CHILDREN_PATH "/proc/thread-self/children"

/*
 * Kill and reap every child of this process but the COUNT that are SPARED, and the orphans that
 * come to it by that, until there is none. Without CHILDREN_PATH those that live are not found.
 */
void children_kill(const pid_t *spared, unsigned count);

#endif
