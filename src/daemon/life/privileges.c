/* SPDX-License-Identifier: MIT */
#include "daemon/life/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/units.h"

static void set_groups(struct privileges *privileges, const struct passwd *entry)
{
	privileges->group_count = PRIVILEGES_GROUPS_MAX;
	if (getgrouplist(entry->pw_name, entry->pw_gid, privileges->groups,
		    &privileges->group_count) < 0) {
		/* In more groups than we have room for: the first ones will do. */
		privileges->group_count = PRIVILEGES_GROUPS_MAX;
	}
}

int privileges_look_up(const char *user, struct privileges *privileges)
{
	struct passwd *entry = getpwnam(user);
	uid_t uid;

	if (!entry && units_parse_id(user, &uid) < 0) {
		errno = ENOENT;
		return -1;
	}
	if (!entry) {
		entry = getpwuid(uid);
	}
	if (entry) {
		privileges->uid = entry->pw_uid;
		privileges->gid = entry->pw_gid;
		set_groups(privileges, entry);
	} else {
		*privileges = (struct privileges){ .uid = uid, .gid = uid, .group_count = 0 };
	}
	return 0;
}

/* Already that user, and not root: an ordinary user may name itself. */
static int is_already(const struct privileges *privileges)
{
	return privileges->uid != 0 && getuid() == privileges->uid && geteuid() == privileges->uid;
}

/* A process that may not do it gains nothing by an execve() either, once no_new_privs is set. */
static int empty_bounding_set(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM) {
			return -1;
		}
	}
	return 0;
}

int privileges_drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };

	if (empty_bounding_set() < 0) {
		return -1;
	}
	/* Kernels before 4.3 have no ambient set to be emptied. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return (int)syscall(SYS_capset, &header, none);
}

int privileges_try(const struct privileges *privileges)
{
	int status;
	pid_t child;

	signal(SIGCHLD, SIG_DFL);
	child = fork();
	if (child == 0) {
		_exit(privileges_take(privileges) < 0 ? errno : 0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		return -1;
	}
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
	return errno ? -1 : 0;
}

int privileges_take(const struct privileges *privileges)
{
	if (!is_already(privileges)) {
		if (empty_bounding_set() < 0 ||
		    setgroups((size_t)privileges->group_count, privileges->groups) < 0 ||
		    setresgid(privileges->gid, privileges->gid, privileges->gid) < 0 ||
		    setresuid(privileges->uid, privileges->uid, privileges->uid) < 0) {
			return -1;
		}
		if (privileges->uid != 0 && setresuid((uid_t)-1, 0, (uid_t)-1) == 0) {
			errno = EPERM;
			return -1;
		}
	}
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
