/* SPDX-License-Identifier: MIT */
/*
 * What sandbox.c is made of. For its own files, and for their tests.
 */
#ifndef RUPTIME_DAEMON_SANDBOX_PARTS_H
#define RUPTIME_DAEMON_SANDBOX_PARTS_H

#include <linux/filter.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/settings.h"
#include "daemon/sandbox/sandbox.h"

/* The files that executing the command opens, each through the one before. */
#define COMMAND_FILES_MAX 6

struct command_file {
	char path[PATH_MAX];
	dev_t device;
	ino_t inode;
};

struct command_files {
	struct command_file files[COMMAND_FILES_MAX];
	unsigned count;
	bool is_script;
};

struct sandbox {
	const struct settings *settings;
	int landlock_version;				/* 0: the kernel has none */
	bool notifies;					/* calls that are refused can be named */
	struct sock_fprog programs[SANDBOX_ROLES];	/* of length 0 without seccomp */
	int watch_fds[2];				/* to the thread that watches: [1] */
	pthread_t thread;
	bool watching;
};

/*
 * Find out what executing PATH opens for execution: itself, the interpreters of scripts, and the
 * loader of an ELF program. Files that cannot be read are the last of their chain. Safe after fork.
 */
void command_files_look_up(struct command_files *command, const char *path);

/* Have other files been put in the place of those that were looked up? Safe after fork. */
bool command_files_is_stale(const struct command_files *command);

/* Returns the version of Landlock that this kernel has, or 0. */
int sandbox_landlock_version(void);

/* Restrict the calling thread to what ROLE may do with files. Returns 0, or -1 with errno. */
int sandbox_landlock_enter(const struct sandbox *sandbox, enum sandbox_role role,
	const struct command_files *command);

/* Why there is no filtering of system calls in this program or on this machine; NULL: there is. */
const char *sandbox_seccomp_lacks(void);

/*
 * Make the filter of ROLE. NOTIFY: refused calls wait for the thread that watches; otherwise they
 * fail with EPERM. Returns 0, or -1 with errno; PROGRAM->filter is to be freed.
 */
int sandbox_seccomp_build(enum sandbox_role role, enum sandbox_level level, bool notify,
	struct sock_fprog *program);

/* Write the name of system call NUMBER of AUDIT_ARCH, or its number, to NAME. */
void sandbox_seccomp_name(uint32_t audit_arch, int number, char *name, size_t size);

/* Can this kernel tell another thread of refused calls? */
bool sandbox_watch_is_possible(void);

/* Install PROGRAM for the calling thread; *NOTIFY_FD as of sandbox_enter(). */
int sandbox_seccomp_enter(const struct sock_fprog *program, int *notify_fd);

/* Of the thread that watches. */
int sandbox_watch_open(struct sandbox *sandbox);
void sandbox_watch_end(struct sandbox *sandbox);

#endif
