/* SPDX-License-Identifier: MIT */
/*
 * Many names as one word: web[01-40,50].example is web01.example to web40.example and
 * web50.example. A word may have several such brackets. The first number of a range tells the
 * width to which it is filled with zeros. What stands in brackets and has a colon is an IPv6
 * address, and stays as it is.
 *
 * Pure and thread-safe.
 */
#ifndef RUPTIME_CLIENT_HOSTS_RANGE_H
#define RUPTIME_CLIENT_HOSTS_RANGE_H

#include <stddef.h>

#define RANGE_NAME_MAX	   512		/* bytes of an expanded name */
#define RANGE_NAMES_MAX	   1000000	/* names that one word stands for */
#define RANGE_BRACKETS_MAX 8

/* Takes one name of LEN bytes, with a NUL behind it. Returns 0, or -1 to end the expansion. */
typedef int range_take_fn(void *context, const char *name, size_t len);

/*
 * Give each name that the LEN bytes at TEXT stand for to TAKE, in order.
 * Returns 0, or -1: with *WHY, a constant, if it is no such word, or with *WHY NULL if TAKE has
 * returned -1.
 */
int range_expand(const char *text, size_t len, range_take_fn *take, void *context,
	const char **why);

#endif
