/* SPDX-License-Identifier: MIT */
/*
 * Becoming another user for good. Belongs to the start of a process, before any thread.
 */
#ifndef RUPTIME_DAEMON_LIFE_PRIVILEGES_H
#define RUPTIME_DAEMON_LIFE_PRIVILEGES_H

#include <sys/types.h>

#define PRIVILEGES_GROUPS_MAX 64

struct privileges {
	uid_t uid;
	gid_t gid;
	gid_t groups[PRIVILEGES_GROUPS_MAX];
	int group_count;
};

/*
 * Look up USER, a name or a number, and the groups it is in. Asks the system's databases. A number
 * that they do not know is a user all the same, whose one group has that number, too.
 * Returns 0, or -1 with errno: ENOENT if there is no user of that name.
 */
int privileges_look_up(const char *user, struct privileges *privileges);

/*
 * Become that user, with its groups and no others, with no way back, and forbid every later
 * execve() to gain anything. Returns 0, or -1 with errno: EPERM if this process may not.
 */
int privileges_take(const struct privileges *privileges);

/*
 * Can this process become that user? It forks a child that tries: capabilities, name spaces and
 * security modules all have a say. Sets SIGCHLD to its default. Returns 0, or -1 with errno.
 */
int privileges_try(const struct privileges *privileges);

/*
 * Give up all capabilities of the calling thread, root's too, those that a later execve() could
 * bring back included. Returns 0, or -1 with errno. Safe after fork.
 */
int privileges_drop_capabilities(void);

#endif
