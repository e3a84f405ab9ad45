/* SPDX-License-Identifier: MIT */
/*
 * Which message types of a reply queue were sent to, and when: so that replies which no
 * client fetches can be found and removed.
 *
 * XSI messages carry no time, and the messages of one type are fetched oldest first. So once the
 * latest of a type has expired, all that are left of that type have. A type that goes on being
 * sent to is counted, in periods: when a period is over, all but the latest so many have expired.
 *
 * Not thread-safe: the caller has a lock.
 */
#ifndef RUPTIME_DAEMON_LISTEN_MSGQ_LEDGER_H
#define RUPTIME_DAEMON_LISTEN_MSGQ_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

/* As many types as a queue of the usual size (16384 bytes) can hold messages of. */
#define MSGQ_LEDGER_TYPES 16384

struct msgq_ledger;

/* Returns NULL with errno ENOMEM. */
struct msgq_ledger *msgq_ledger_new(void);
void msgq_ledger_free(struct msgq_ledger *ledger);

/* Is there no room for another type? */
bool msgq_ledger_is_full(const struct msgq_ledger *ledger);

/* A reply of TYPE (1 to 2^31-1) was sent. Returns false if there is no room for it. */
bool msgq_ledger_note(struct msgq_ledger *ledger, int32_t type, uint64_t now_ns);

/*
 * The next type with replies that were sent at OLDEST_NS or before; all but the latest *KEEP of
 * its replies were. If *KEEP is not 0 it may be more than need be, and a new period begins at
 * NOW_NS; else the type is taken out. Returns 0 if there is none.
 */
int32_t msgq_ledger_expire(struct msgq_ledger *ledger, uint64_t oldest_ns, uint64_t now_ns,
	uint32_t *keep);

/* When the oldest period began: CLOCK_NEVER if the ledger is empty. */
uint64_t msgq_ledger_oldest_ns(const struct msgq_ledger *ledger);

/* Nothing is left in the queue: forget all. */
void msgq_ledger_clear(struct msgq_ledger *ledger);

#endif
