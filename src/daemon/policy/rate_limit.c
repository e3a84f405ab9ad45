/* SPDX-License-Identifier: MIT */
#include "daemon/policy/rate_limit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/prefix.h"
#include "common/siphash.h"

/* A slot: 20 bits of tag, then the time, in ns modulo some five hours. */
#define TIME_MASK  ((1ull << 44) - 1)
#define LINE_SLOTS 8
#define LINES	   (RATE_LIMIT_TABLE_BYTES / sizeof(struct line))

/* An empty bucket is full after this. */
#define LONGEST_NS (2500 * CLOCK_MS)

struct line {
	_Alignas(64) _Atomic uint64_t slots[LINE_SLOTS];
};

/* One of the buckets that a source draws from. */
struct bucket {
	unsigned bits;		/* of its network */
	uint64_t token_ns;	/* how long it takes for a token to come */
	uint64_t window_ns;	/* how far from full it may be to give one away */
};

/* The narrow one comes first: what it refuses does not reach the wide one. */
enum { NARROW, WIDE, BUCKETS };

struct rate_limit {
	struct siphash_key key;
	struct bucket v4[BUCKETS];
	struct bucket v6[BUCKETS];
	struct line *lines;
};

static struct bucket make_bucket(unsigned bits, uint64_t rate)
{
	uint64_t burst = rate * 5 / 2;
	uint64_t token_ns = CLOCK_S / rate;

	return (struct bucket){ bits, token_ns, (burst - 1) * token_ns };
}

struct rate_limit *rate_limit_new(unsigned rate)
{
	struct rate_limit *limit = calloc(1, sizeof(*limit));

	if (!limit) {
		return NULL;
	}
	limit->lines = aligned_alloc(sizeof(struct line), RATE_LIMIT_TABLE_BYTES);
	if (!limit->lines || siphash_key_init(&limit->key) < 0) {
		int error = errno;

		rate_limit_free(limit);
		errno = error;
		return NULL;
	}
	memset(limit->lines, 0, RATE_LIMIT_TABLE_BYTES);
	limit->v4[NARROW] = make_bucket(PREFIX_ALL_BITS, rate);
	limit->v4[WIDE] = make_bucket(PREFIX_MAPPED_BITS + 24, 32ull * rate);
	limit->v6[NARROW] = make_bucket(PREFIX_ALL_BITS, rate);
	limit->v6[WIDE] = make_bucket(64, 2ull * rate);
	return limit;
}

void rate_limit_free(struct rate_limit *limit)
{
	if (limit) {
		free(limit->lines);
		free(limit);
	}
}

/* How long until the bucket in SLOT is full; 0 if it is. */
static uint64_t missing_ns(uint64_t slot, uint64_t now_ns)
{
	uint64_t ns = (slot - now_ns) & TIME_MASK;

	/* What is further away than any bucket can be lies in the past. */
	return ns > LONGEST_NS ? 0 : ns;
}

/* The slot of TAG, else the one that is easiest to spare; *SLOT is what was in it. */
static _Atomic uint64_t *find(struct line *line, uint64_t tag, uint64_t now_ns, uint64_t *slot)
{
	_Atomic uint64_t *best = NULL;
	uint64_t best_ns = UINT64_MAX;

	for (unsigned i = 0; i < LINE_SLOTS; i++) {
		/* Relaxed, as all of them are: a slot is all there is to know about its bucket. */
		uint64_t value = atomic_load_explicit(&line->slots[i], memory_order_relaxed);

		if ((value & ~TIME_MASK) == tag) {
			*slot = value;
			return &line->slots[i];
		}
		if (missing_ns(value, now_ns) < best_ns) {
			best_ns = missing_ns(value, now_ns);
			best = &line->slots[i];
			*slot = value;
		}
	}
	return best;
}

static bool take(struct rate_limit *limit, const struct bucket *bucket,
	const struct in6_addr *address, uint64_t now_ns)
{
	const struct prefix network = prefix_of(address, bucket->bits);
	uint64_t hash = siphash(&limit->key, &network, sizeof(network));
	struct line *line = &limit->lines[hash % LINES];
	uint64_t tag = hash & ~TIME_MASK;
	_Atomic uint64_t *slot;
	uint64_t before = 0;
	uint64_t after;

	do {
		uint64_t ns = 0;

		slot = find(line, tag, now_ns, &before);
		if ((before & ~TIME_MASK) == tag) {
			ns = missing_ns(before, now_ns);
		}
		if (ns > bucket->window_ns) {
			return false;
		}
		after = tag | ((now_ns + ns + bucket->token_ns) & TIME_MASK);
	} while (!atomic_compare_exchange_weak_explicit(slot, &before, after, memory_order_relaxed,
		memory_order_relaxed));
	return true;
}

bool rate_limit_take(struct rate_limit *limit, const struct in6_addr *address, uint64_t now_ns)
{
	const struct bucket *buckets = IN6_IS_ADDR_V4MAPPED(address) ? limit->v4 : limit->v6;

	return take(limit, &buckets[NARROW], address, now_ns) &&
	       take(limit, &buckets[WIDE], address, now_ns);
}
