/* SPDX-License-Identifier: MIT */
/*
 * SipHash-1-3 (Aumasson, Bernstein 2012): a hash for tables that strangers fill. A stranger who
 * does not know the key cannot choose what collides.
 */
#ifndef RUPTIME_COMMON_SIPHASH_H
#define RUPTIME_COMMON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t words[2];
};

/* A random key. Blocks only while the kernel has no entropy yet. Returns 0, or -1 with errno. */
int siphash_key_init(struct siphash_key *key);

/* The hash of LEN bytes. Pure and thread-safe. */
uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t len);

#endif
