/* SPDX-License-Identifier: MIT */
/*
 * What the code under test writes to stderr, caught in a file. One at a time; aborts if there is
 * no temporary file.
 */
#ifndef RUPTIME_TESTS_CAPTURE_H
#define RUPTIME_TESTS_CAPTURE_H

#include <stddef.h>

/* From now on stderr goes to a file without a name. Returns its descriptor, still ours. */
int capture_begin(void);

/*
 * Write what came since the last call to TEXT, ended by a NUL; what has no room is for the next
 * one. Returns its length. Nothing is lost that a thread writes meanwhile.
 */
size_t capture_take(char *text, size_t size);

/* Give stderr back. */
void capture_end(void);

#endif
