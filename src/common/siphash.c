/* SPDX-License-Identifier: MIT */
#include "common/siphash.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define FINAL_ROUNDS 3

struct state {
	uint64_t v0, v1, v2, v3;
};

int siphash_key_init(struct siphash_key *key)
{
	ssize_t got = getrandom(key, sizeof(*key), 0);

	/* So few bytes come whole, or not at all. */
	while (got < 0 && errno == EINTR) {
		got = getrandom(key, sizeof(*key), 0);
	}
	return got < 0 ? -1 : 0;
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void mix(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void take_word(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	mix(s);
	s->v0 ^= word;
}

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t len)
{
	struct state s = {
		.v0 = key->words[0] ^ 0x736f6d6570736575,
		.v1 = key->words[1] ^ 0x646f72616e646f6d,
		.v2 = key->words[0] ^ 0x6c7967656e657261,
		.v3 = key->words[1] ^ 0x7465646279746573,
	};
	const uint8_t *at = bytes;
	uint8_t last[8] = { 0 };
	uint64_t word;

	for (size_t left = len; left >= sizeof(word); left -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		take_word(&s, le64toh(word));
		at += sizeof(word);
	}
	memcpy(last, at, len % sizeof(last));
	last[7] = (uint8_t)len;
	memcpy(&word, last, sizeof(word));
	take_word(&s, le64toh(word));
	s.v2 ^= 0xff;
	for (unsigned i = 0; i < FINAL_ROUNDS; i++) {
		mix(&s);
	}
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
