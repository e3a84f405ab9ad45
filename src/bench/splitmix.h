/* SPDX-License-Identifier: MIT */
/*
 * Small, fast, reproducible random numbers: the SplitMix64 generator (Steele, Lea, Flood: "Fast
 * splittable pseudorandom number generators", 2014). Not for secrets. One state, one thread.
 */
#ifndef RUPTIME_BENCH_SPLITMIX_H
#define RUPTIME_BENCH_SPLITMIX_H

#include <stdint.h>

static inline uint64_t splitmix_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* From the open interval (0, 1): its logarithm is always finite. */
static inline double splitmix_unit(uint64_t *state)
{
	return ((double)(splitmix_next(state) >> 12) + 0.5) * 0x1p-52;
}

#endif
