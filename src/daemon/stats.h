/* SPDX-License-Identifier: MIT */
/*
 * What happened, counted: one block of counters per thread, written by that thread alone and
 * summed by the reader. The ledger balances at any quiet moment, for each transport:
 *
 *	requests = replies + dropped + waiting
 *
 * A request is a connection that was accepted or a datagram that was received, whatever it held.
 */
#ifndef RUPTIME_DAEMON_STATS_H
#define RUPTIME_DAEMON_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

/* Why a request got no line. */
enum stats_drop {
	STATS_MALFORMED,	/* not a request */
	STATS_NO_ROOM,		/* the answer would be longer than the extended request */
	STATS_RUN_FAILED,	/* no line to send; a stream client was told why */
	STATS_CLIENT_GONE,	/* it closed or reset before the line was sent */
	STATS_SEND_FAILED,	/* the kernel did not take the answer */
	STATS_UNBOUND,		/* a datagram client without a name cannot be answered */
	STATS_QUEUE_FULL,	/* the reply queue has no room: clients do not fetch */
	STATS_FD_REFUSED,	/* fdpass: not one descriptor, or not one to write a line to */
	STATS_EXPIRED,		/* it waited too long, or brought no descriptor in time */
	STATS_SOURCE_PORT,	/* udp: from where a server is, which might answer the answer */
	STATS_SOURCE_ADDRESS,	/* udp: from an address that is not that of one host */
	STATS_BROADCAST,	/* udp: sent to more than this host */
	STATS_NOT_LOCAL,	/* udp: one byte, from a source that is not trusted to be real */
	STATS_RATE_LIMITED,	/* udp: its source asks too often */
	STATS_OFF_NET_LIMITED,	/* udp: all sources that are not local ask too often */
	STATS_MAX_CONNECTIONS,	/* more than may be open in all */
	STATS_MAX_PER_SOURCE,	/* more than may be open from one source */
	STATS_NOT_ALLOWED,	/* tcp, udp: its source may not ask */
	STATS_SHORTAGE,		/* fdpass: no descriptor was left to take in the one that came */
	STATS_STALLED,		/* unix-dgram: answers to its user wait for a file system */
};
#define STATS_DROPS 20

/* Enough for what stats_format() writes. */
#define STATS_TEXT_BYTES (128 + STATS_DROPS * 40)

/* How often something took how long. The bounds of the buckets are those of stats_bound_ns(). */
#define STATS_BUCKETS 15
struct stats_histogram {
	_Atomic uint64_t buckets[STATS_BUCKETS];	/* not cumulated */
	_Atomic uint64_t sum_ns;
};

struct stats_counters {
	_Atomic uint64_t requests[ADDRESS_SCHEMES];
	_Atomic uint64_t replies[ADDRESS_SCHEMES];
	_Atomic uint64_t dropped[ADDRESS_SCHEMES][STATS_DROPS];
	_Atomic uint64_t messages;		/* XSI messages that ask for nothing */
	_Atomic uint64_t rate_exceeded;		/* answered only because of --rate-dry-run */
	_Atomic uint64_t replies_reaped;	/* XSI replies that no client fetched */
	_Atomic uint64_t accept_failures;	/* of accept(), but for want of descriptors */
	_Atomic uint64_t runs_ok;
	_Atomic uint64_t runs_failed;
	struct stats_histogram run_time;	/* of each run */
	struct stats_histogram queue_wait;	/* of each request, until its run began */
};

struct stats;

/* Counters for THREADS threads. Returns NULL with errno ENOMEM. */
struct stats *stats_new(unsigned threads);
void stats_free(struct stats *stats);

/* The block of thread INDEX, borrowed. */
struct stats_counters *stats_of(struct stats *stats, unsigned index);

/* Add to a counter. Only the thread that owns the block. */
static inline void stats_add(_Atomic uint64_t *counter, uint64_t count)
{
	/*
	 * A single writer needs no read-modify-write. Release pairs with stats_sum(): a
	 * reader that sees a request leave the ledger sees that it had entered.
	 */
	atomic_store_explicit(counter,
		atomic_load_explicit(counter, memory_order_relaxed) + count, memory_order_release);
}

/* The upper bound of bucket I, which belongs to it; the last one has none: UINT64_MAX. */
uint64_t stats_bound_ns(unsigned i);

/* COUNT events took TIME_NS each. Only the thread that owns the block. */
void stats_observe(struct stats_histogram *histogram, uint64_t time_ns, uint64_t count);

/* The sum over all threads. Any thread, at any time. */
void stats_sum(const struct stats *stats, struct stats_counters *sum);

/* Add OTHER to SUM. */
void stats_merge(struct stats_counters *sum, const struct stats_counters *other);

/* Add SUM, that of other counters, to the last block, which no thread but main's writes. */
void stats_absorb(struct stats *stats, const struct stats_counters *sum);

/* The name of a reason, as it stands in the log and in metrics. */
const char *stats_drop_name(enum stats_drop reason);

/*
 * Write "requests=N replies=N dropped=N waiting=N", and each reason that is not 0 in parentheses.
 * Returns the length, as snprintf() does.
 */
int stats_format(const struct stats_counters *sum, enum address_scheme transport, char *buf,
	size_t size);

#endif
