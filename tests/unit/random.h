/* SPDX-License-Identifier: MIT */
/*
 * Random numbers that can be had again: the seed is printed, and taken from RUPTIME_TEST_SEED if
 * that is set. For one thread at a time, but for random_of().
 */
#ifndef RUPTIME_TESTS_RANDOM_H
#define RUPTIME_TESTS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Choose a seed and print it to stderr. */
void random_init(void);

uint64_t random_next(void);

/* The same for a sequence of one's own, which begins with any *SEQUENCE: say, with a random_next(). */
uint64_t random_of(uint64_t *sequence);

/* A number from 0 to BELOW - 1. */
uint32_t random_below(uint32_t below);

/* LEN random bytes. */
void random_fill(void *bytes, size_t len);

#endif
