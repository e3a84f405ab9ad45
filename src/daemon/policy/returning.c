/* SPDX-License-Identifier: MIT */
#include "daemon/policy/returning.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/siphash.h"

#define LINE_BYTES 64
#define LINE_BITS  (8 * LINE_BYTES)
#define LINES_LOG2 15
#define LINES	   (1u << LINES_LOG2)

/* So many bits of a line stand for an address. */
#define BITS	   4
#define INDEX_LOG2 9	/* of one of LINE_BITS */
#define WORD_BITS  64

struct line {
	uint64_t words[LINE_BYTES / sizeof(uint64_t)];
};

struct returning {
	struct siphash_key key;		/* random, so that no bits can be aimed at */
	uint64_t turn_ns;		/* when the filters change places */
	unsigned now;			/* the filter that is filled; the other one is the last */
	bool empty[2];
	struct line *filters[2];
};

struct returning *returning_new(void)
{
	struct returning *returning = calloc(1, sizeof(*returning));
	int error;

	if (!returning) {
		return NULL;
	}
	for (int i = 0; i < 2; i++) {
		returning->empty[i] = true;
		returning->filters[i] = aligned_alloc(LINE_BYTES, LINES * sizeof(struct line));
		if (!returning->filters[i]) {
			goto fail;
		}
	}
	if (siphash_key_init(&returning->key) < 0) {
		goto fail;
	}
	return returning;
fail:
	error = errno;
	returning_free(returning);
	errno = error;
	return NULL;
}

void returning_free(struct returning *returning)
{
	if (returning) {
		free(returning->filters[0]);
		free(returning->filters[1]);
		free(returning);
	}
}

static void turn(struct returning *returning, uint64_t now_ns)
{
	if (now_ns < returning->turn_ns) {
		return;
	}
	returning->now = !returning->now;
	returning->empty[returning->now] = true;
	returning->turn_ns += RETURNING_NS;
	/* Nothing came for a whole turn: what is in the other one is too old as well. */
	if (now_ns >= returning->turn_ns) {
		returning->empty[!returning->now] = true;
		returning->turn_ns = now_ns + RETURNING_NS;
	}
}

static struct line *line_of(struct returning *returning, unsigned filter, uint64_t hash)
{
	return &returning->filters[filter][hash >> (64 - LINES_LOG2)];
}

/* The bits of HASH's address in a line. */
static struct line bits_of(uint64_t hash)
{
	struct line bits = { { 0 } };

	for (int i = 0; i < BITS; i++) {
		unsigned index = hash % LINE_BITS;

		bits.words[index / WORD_BITS] |= 1ull << index % WORD_BITS;
		hash >>= INDEX_LOG2;
	}
	return bits;
}

void returning_note(struct returning *returning, const struct in6_addr *address, uint64_t now_ns)
{
	uint64_t hash = siphash(&returning->key, address, sizeof(*address));
	struct line bits = bits_of(hash);
	struct line *line;

	turn(returning, now_ns);
	/* Memory is touched from the first refusal on. */
	if (returning->empty[returning->now]) {
		memset(returning->filters[returning->now], 0, LINES * sizeof(struct line));
		returning->empty[returning->now] = false;
	}
	line = line_of(returning, returning->now, hash);
	for (size_t i = 0; i < sizeof(bits.words) / sizeof(bits.words[0]); i++) {
		line->words[i] |= bits.words[i];
	}
}

bool returning_any(struct returning *returning, uint64_t now_ns)
{
	turn(returning, now_ns);
	return !returning->empty[0] || !returning->empty[1];
}

static bool holds(const struct line *line, const struct line *bits)
{
	for (size_t i = 0; i < sizeof(bits->words) / sizeof(bits->words[0]); i++) {
		if ((line->words[i] & bits->words[i]) != bits->words[i]) {
			return false;
		}
	}
	return true;
}

bool returning_has(struct returning *returning, const struct in6_addr *address, uint64_t now_ns)
{
	uint64_t hash = siphash(&returning->key, address, sizeof(*address));
	struct line bits = bits_of(hash);

	turn(returning, now_ns);
	for (unsigned filter = 0; filter < 2; filter++) {
		if (!returning->empty[filter] &&
		    holds(line_of(returning, filter, hash), &bits)) {
			return true;
		}
	}
	return false;
}
