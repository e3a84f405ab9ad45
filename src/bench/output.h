/* SPDX-License-Identifier: MIT */
/*
 * Where reports go. Opened before anything is measured, so that what cannot be written is found
 * before the time is spent; what a file had is replaced only when there is something to replace it
 * with. One thread: main.
 */
#ifndef RUPTIME_BENCH_OUTPUT_H
#define RUPTIME_BENCH_OUTPUT_H

#include <stdio.h>

struct output {
	const char *name;	/* for messages; borrowed. NULL: not wanted */
	int fd;			/* owned, but for that of standard output */
};

/*
 * Open the file at PATH; "-" is standard output. Returns 0 and OUTPUT, or -1 with errno;
 * OUTPUT->name is set in either case.
 */
int output_open(struct output *output, const char *path);

/* A stream to write OUTPUT by, once; output_finish() closes it. NULL with errno. */
FILE *output_begin(struct output *output);

/* Write what is buffered. Returns 0, or -1 with errno if anything did not reach its place. */
int output_finish(FILE *out);

/*
 * Can standard output be written to? It may be closed, full, or a pipe that has no reader. Returns
 * 0, or -1 with errno.
 */
int output_check_stdout(void);

#endif
