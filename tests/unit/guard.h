/* SPDX-License-Identifier: MIT */
/*
 * Input flush against memory that may not be touched: a parser that reads one byte too far, in
 * either direction, dies of it. For test processes, which abort if there is no memory.
 */
#ifndef RUPTIME_TESTS_GUARD_H
#define RUPTIME_TESTS_GUARD_H

#include <stddef.h>

/* A page between two that are PROT_NONE. */
struct guard {
	char *page;
	size_t page_bytes;
};

void guard_init(struct guard *guard);
void guard_fini(struct guard *guard);

/*
 * A copy of LEN bytes, at most a page, that ends where the page ends, or begins where it begins.
 * It holds until the next copy.
 */
char *guard_at_end(struct guard *guard, const void *bytes, size_t len);
char *guard_at_start(struct guard *guard, const void *bytes, size_t len);

#endif
