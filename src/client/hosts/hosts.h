/* SPDX-License-Identifier: MIT */
/*
 * From what a user names to targets: words of the command line, of the environment and of files,
 * ranges expanded, groups replaced by what they hold.
 *
 * One thread at a time.
 */
#ifndef RUPTIME_CLIENT_HOSTS_HOSTS_H
#define RUPTIME_CLIENT_HOSTS_HOSTS_H

#include <limits.h>

#include "client/hosts/hosts_file.h"
#include "client/hosts/targets.h"

#define HOSTS_FILES_MAX	 64
#define HOSTS_ERROR_BYTES (PATH_MAX + 1024)

/* The files that are read when no host is named, and for groups that no other file defines. */
#define HOSTS_USER_FILE	  ".config/ruptime/hosts"	/* in $HOME */
#define HOSTS_SYSTEM_FILE "/etc/ruptime.hosts"

/* The hosts, separated by blanks, if none are named elsewhere. */
#define HOSTS_VARIABLE "RUPTIME_HOSTS"

struct hosts {
	struct hosts_words words;		/* in the order in which they are asked */
	struct hosts_file files[HOSTS_FILES_MAX];
	unsigned file_count;
	bool has_defaults;			/* the default files have been read */
	bool from_file;				/* hosts were named in a file */
	char error[HOSTS_ERROR_BYTES];		/* what is wrong, for the user */
};

/*
 * Take the words of the command line and of the files at PATHS, then all that these hold; without
 * any of them, those of the environment, of the default files, or "localhost".
 * TARGETS have been initialized. Reads files and standard input, and blocks as long as that takes.
 *
 * Returns 0, or -1 with HOSTS->error. Whatever it returns, HOSTS is then for hosts_fini().
 */
int hosts_gather(struct hosts *hosts, struct targets *targets, char *const *words,
	unsigned word_count, const char *const *paths, unsigned path_count);

void hosts_fini(struct hosts *hosts);

#endif
