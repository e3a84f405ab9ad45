/* SPDX-License-Identifier: MIT */
#include "daemon/run/spawn.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>

#include "daemon/run/preload.h"

/* The child's standard output, and its other descriptors if they are not -1. */
struct ends {
	int out_fd;
	int control_fd;
	int door_fd;
};

static int prepare_attributes(posix_spawnattr_t *attributes, const sigset_t *mask)
{
	sigset_t all;

	sigfillset(&all);
	posix_spawnattr_setsigmask(attributes, mask);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setpgroup(attributes, 0);
	return posix_spawnattr_setflags(attributes,
		POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int prepare_files(posix_spawn_file_actions_t *files, const struct ends *ends)
{
	int error = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);

	if (!error && ends->out_fd >= 0) {
		error = posix_spawn_file_actions_adddup2(files, ends->out_fd, 1);
	} else if (!error) {
		error = posix_spawn_file_actions_addopen(files, 1, "/dev/null", O_WRONLY, 0);
	}
	if (!error) {
		error = posix_spawn_file_actions_addopen(files, 2, "/dev/null", O_WRONLY, 0);
	}
	/* In this order: the first may have the number that the second one gets. */
	if (!error && ends->control_fd >= 0) {
		error = posix_spawn_file_actions_adddup2(files, ends->control_fd,
			PRELOAD_CONTROL_FD);
	}
	if (!error && ends->door_fd >= 0) {
		error = posix_spawn_file_actions_adddup2(files, ends->door_fd, PRELOAD_DOOR_FD);
	}
	return error;
}

static int spawn(const char *path, char **environment, const struct ends *ends,
	const sigset_t *mask, pid_t *pid)
{
	const char *slash = strrchr(path, '/');
	char name[NAME_MAX + 1];
	char *argv[] = { name, NULL };
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t files;
	int error;

	snprintf(name, sizeof(name), "%s", slash ? slash + 1 : path);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_init(&files);
	error = prepare_attributes(&attributes, mask);
	if (!error) {
		error = prepare_files(&files, ends);
	}
	if (!error) {
		error = posix_spawn(pid, path, &files, &attributes, argv, environment);
	}
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return error;
}

static char search_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static char locale[] = "LC_ALL=C";

int spawn_run(const char *path, int out_fd, pid_t *pid)
{
	char *environment[] = { search_path, locale, NULL };
	const struct ends ends = { out_fd, -1, -1 };
	sigset_t none;

	sigemptyset(&none);
	return spawn(path, environment, &ends, &none, pid);
}

int spawn_loaded(const char *path, const char *preload, int control_fd, int door_fd, pid_t *pid)
{
	static char bind_now[] = "LD_BIND_NOW=1";
	char variable[PATH_MAX + sizeof("LD_PRELOAD=")];
	/* These two last: what the kernel shows of the environment ends in nothing then. */
	char *environment[] = { search_path, locale, bind_now, variable, NULL };
	const struct ends ends = { -1, control_fd, door_fd };
	sigset_t all;

	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s", preload);
	sigfillset(&all);
	return spawn(path, environment, &ends, &all, pid);
}
