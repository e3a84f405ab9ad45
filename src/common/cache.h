/* SPDX-License-Identifier: MIT */
/*
 * What is written by several threads, or beside what others write, has cache lines of its own.
 */
#ifndef RUPTIME_COMMON_CACHE_H
#define RUPTIME_COMMON_CACHE_H

/* Of all processors that matter; where a line is longer, threads slow each other down a little. */
#define CACHE_LINE_BYTES 64

#endif
