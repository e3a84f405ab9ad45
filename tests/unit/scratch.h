/* SPDX-License-Identifier: MIT */
/*
 * A directory for a test's files, and commands for the daemon to run. Aborts if the disk refuses.
 *
 * As an unchecked fixture it is removed by the process that forks the cases, whatever became of
 * them.
 */
#ifndef RUPTIME_TESTS_SCRATCH_H
#define RUPTIME_TESTS_SCRATCH_H

struct scratch_path {
	char text[128];
};

/* There is one directory at a time; its path is short enough for a socket's name. */
void scratch_init(void);
void scratch_fini(void);

/* The path of NAME in the directory. */
struct scratch_path scratch_path(const char *name);

/* Write TEXT to the file NAME, with permissions MODE. */
struct scratch_path scratch_file(const char *name, const char *text, int mode);

/* An executable file that has sh run SCRIPT, a line or more without "#!". */
struct scratch_path scratch_command(const char *name, const char *script);

/* A FIFO, and its descriptor: open at both ends, so that no thread waits in an open(). */
int scratch_fifo(const char *name);

/* The path of a program in the build tree's tests/fixtures. */
struct scratch_path scratch_fixture(const char *name);

#endif
