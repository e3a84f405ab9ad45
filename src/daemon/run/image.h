/* SPDX-License-Identifier: MIT */
/*
 * The files that a program was loaded from: which they were, and whether they still are. Names are
 * those that the kernel and the loader opened, so that a link that leads elsewhere now, a mount
 * over a directory and a new file are all seen.
 */
#ifndef RUPTIME_DAEMON_RUN_IMAGE_H
#define RUPTIME_DAEMON_RUN_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#define IMAGE_NAMES_BYTES 16384
#define IMAGE_FILES_MAX	  128

/* All 0: there is no such file. */
struct image_file {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

struct image {
	unsigned count;			/* 0: none is known */
	size_t names_len;
	char names[IMAGE_NAMES_BYTES];	/* strings, one behind the other */
	struct image_file files[IMAGE_FILES_MAX];
};

/* Forget all files. */
void image_clear(struct image *image);

/* Add the LEN bytes of NAMES, strings, and what they are now. Returns 0, or -1: too many. */
int image_add(struct image *image, const char *names, size_t len);

/* Are the names of both the same? */
bool image_has_same_names(const struct image *image, const struct image *other);

/* Is any of the files another one now, or has it changed? */
bool image_is_stale(const struct image *image);

#endif
