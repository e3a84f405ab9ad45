/* SPDX-License-Identifier: MIT */
#include "daemon/stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cache.h"
#include "common/clock.h"

/* Neighbours would slow each other down if they shared a cache line. */
struct block {
	_Alignas(CACHE_LINE_BYTES) struct stats_counters counters;
};

struct stats {
	unsigned threads;
	struct block *blocks;
};

static const char *const drop_names[STATS_DROPS] = {
	[STATS_MALFORMED] = "malformed",
	[STATS_NO_ROOM] = "no-room",
	[STATS_RUN_FAILED] = "run-failed",
	[STATS_CLIENT_GONE] = "client-gone",
	[STATS_SEND_FAILED] = "send-failed",
	[STATS_UNBOUND] = "unbound",
	[STATS_QUEUE_FULL] = "queue-full",
	[STATS_FD_REFUSED] = "fd-refused",
	[STATS_EXPIRED] = "expired",
	[STATS_SOURCE_PORT] = "source-port",
	[STATS_SOURCE_ADDRESS] = "source-address",
	[STATS_BROADCAST] = "broadcast",
	[STATS_NOT_LOCAL] = "not-local",
	[STATS_RATE_LIMITED] = "rate-limited",
	[STATS_OFF_NET_LIMITED] = "off-net-limited",
	[STATS_MAX_CONNECTIONS] = "max-connections",
	[STATS_MAX_PER_SOURCE] = "max-per-source",
	[STATS_NOT_ALLOWED] = "not-allowed",
	[STATS_SHORTAGE] = "shortage",
	[STATS_STALLED] = "stalled",
};

uint64_t stats_bound_ns(unsigned i)
{
	static const uint64_t bounds_ns[STATS_BUCKETS] = {
		100 * CLOCK_US, 250 * CLOCK_US, 500 * CLOCK_US, 1 * CLOCK_MS, 2500 * CLOCK_US,
		5 * CLOCK_MS, 10 * CLOCK_MS, 25 * CLOCK_MS, 50 * CLOCK_MS, 100 * CLOCK_MS,
		250 * CLOCK_MS, 500 * CLOCK_MS, 1 * CLOCK_S, 2500 * CLOCK_MS, UINT64_MAX,
	};

	return bounds_ns[i];
}

void stats_observe(struct stats_histogram *histogram, uint64_t time_ns, uint64_t count)
{
	unsigned i = 0;

	while (time_ns > stats_bound_ns(i)) {
		i++;
	}
	stats_add(&histogram->buckets[i], count);
	stats_add(&histogram->sum_ns, count * time_ns);
}

struct stats *stats_new(unsigned threads)
{
	struct stats *stats = calloc(1, sizeof(*stats));

	if (!stats) {
		return NULL;
	}
	stats->threads = threads;
	stats->blocks = aligned_alloc(CACHE_LINE_BYTES, threads * sizeof(*stats->blocks));
	if (!stats->blocks) {
		free(stats);
		errno = ENOMEM;
		return NULL;
	}
	memset(stats->blocks, 0, threads * sizeof(*stats->blocks));
	return stats;
}

void stats_free(struct stats *stats)
{
	if (stats) {
		free(stats->blocks);
		free(stats);
	}
}

struct stats_counters *stats_of(struct stats *stats, unsigned index)
{
	return &stats->blocks[index].counters;
}

static void merge(_Atomic uint64_t *sum, const _Atomic uint64_t *counter)
{
	/* Acquire: pairs with the release in stats_add(). */
	stats_add(sum, atomic_load_explicit(counter, memory_order_acquire));
}

static void merge_histogram(struct stats_histogram *sum, const struct stats_histogram *histogram)
{
	for (unsigned i = 0; i < STATS_BUCKETS; i++) {
		merge(&sum->buckets[i], &histogram->buckets[i]);
	}
	merge(&sum->sum_ns, &histogram->sum_ns);
}

/* All but what enters the ledger. */
static void merge_rest(struct stats_counters *sum, const struct stats_counters *one)
{
	for (unsigned t = 0; t < ADDRESS_SCHEMES; t++) {
		merge(&sum->replies[t], &one->replies[t]);
		for (unsigned r = 0; r < STATS_DROPS; r++) {
			merge(&sum->dropped[t][r], &one->dropped[t][r]);
		}
	}
	merge(&sum->messages, &one->messages);
	merge(&sum->rate_exceeded, &one->rate_exceeded);
	merge(&sum->replies_reaped, &one->replies_reaped);
	merge(&sum->accept_failures, &one->accept_failures);
	merge(&sum->runs_ok, &one->runs_ok);
	merge(&sum->runs_failed, &one->runs_failed);
	merge_histogram(&sum->run_time, &one->run_time);
	merge_histogram(&sum->queue_wait, &one->queue_wait);
}

static void merge_requests(struct stats_counters *sum, const struct stats_counters *one)
{
	for (unsigned t = 0; t < ADDRESS_SCHEMES; t++) {
		merge(&sum->requests[t], &one->requests[t]);
	}
}

void stats_sum(const struct stats *stats, struct stats_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	/* What leaves the ledger is read before what enters it: never negative. */
	for (unsigned i = 0; i < stats->threads; i++) {
		merge_rest(sum, &stats->blocks[i].counters);
	}
	for (unsigned i = 0; i < stats->threads; i++) {
		merge_requests(sum, &stats->blocks[i].counters);
	}
}

void stats_merge(struct stats_counters *sum, const struct stats_counters *other)
{
	/* What enters the ledger is written first: never negative. */
	merge_requests(sum, other);
	merge_rest(sum, other);
}

void stats_absorb(struct stats *stats, const struct stats_counters *sum)
{
	stats_merge(&stats->blocks[stats->threads - 1].counters, sum);
}

const char *stats_drop_name(enum stats_drop reason)
{
	return drop_names[reason];
}

int stats_format(const struct stats_counters *sum, enum address_scheme transport, char *buf,
	size_t size)
{
	uint64_t requests = sum->requests[transport];
	uint64_t replies = sum->replies[transport];
	uint64_t dropped = 0;
	char reasons[STATS_DROPS * 40] = "";
	int used = 0;

	for (unsigned r = 0; r < STATS_DROPS; r++) {
		uint64_t count = sum->dropped[transport][r];

		dropped += count;
		if (count) {
			used += snprintf(reasons + used, sizeof(reasons) - (size_t)used,
				"%s%s=%llu", used ? " " : " (", drop_names[r],
				(unsigned long long)count);
		}
	}
	if (used) {
		snprintf(reasons + used, sizeof(reasons) - (size_t)used, ")");
	}
	return snprintf(buf, size, "requests=%llu replies=%llu dropped=%llu waiting=%llu%s",
		(unsigned long long)requests, (unsigned long long)replies,
		(unsigned long long)dropped, (unsigned long long)(requests - replies - dropped),
		reasons);
}
