/* SPDX-License-Identifier: MIT */
#include "unit/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;

void random_init(void)
{
	const char *given = getenv("RUPTIME_TEST_SEED");
	struct timespec now;

	if (given) {
		state = strtoull(given, NULL, 0);
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		state = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 20) ^ (uint64_t)getpid();
	}
	fprintf(stderr, "# RUPTIME_TEST_SEED=%" PRIu64 "\n", state);
}

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do, 0 too. */
uint64_t random_of(uint64_t *sequence)
{
	uint64_t z = *sequence += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t random_next(void)
{
	return random_of(&state);
}

uint32_t random_below(uint32_t below)
{
	return (uint32_t)(random_next() % below);
}

void random_fill(void *bytes, size_t len)
{
	uint8_t *out = bytes;

	for (size_t i = 0; i < len; i++) {
		out[i] = (uint8_t)random_next();
	}
}
