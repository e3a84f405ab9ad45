/* SPDX-License-Identifier: MIT */
/* The files that executing the command opens, each through the one before. */
#ifndef RUPTIME_DAEMON_SANDBOX_COMMAND_FILES_H
#define RUPTIME_DAEMON_SANDBOX_COMMAND_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define COMMAND_FILES_MAX 6

struct command_file {
	char path[PATH_MAX];
	dev_t device;
	ino_t inode;
};

struct command_files {
	struct command_file files[COMMAND_FILES_MAX];
	unsigned count;
	bool is_script;		/* what else it executes cannot be told from its files */
};

/*
 * Find the files that the kernel opens to execute PATH: the file itself, the interpreters of
 * scripts, and the loader of an ELF program. A file that cannot be read is the last one of its
 * chain. Safe after fork.
 */
void command_files_look_up(struct command_files *command, const char *path);

/* Has one of the files been replaced since they were looked up? Safe after fork. */
bool command_files_is_stale(const struct command_files *command);

#endif
