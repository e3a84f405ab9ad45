/* SPDX-License-Identifier: MIT */
#include "daemon/listen/msgq_replies.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "common/clock.h"
#include "daemon/listen/msgq.h"
#include "daemon/listen/msgq_ledger.h"
#include "daemon/listen/xsi_queue.h"

#define MAX_NS (MSGQ_REPLIES_MAX_S * CLOCK_S)

/* A queue that is removed again and again is not created more often than this. */
#define REOPEN_NS (10 * CLOCK_MS)

/* Replies on their way through thin_out(); no client's type, since those have 31 bits. */
#define PARKED_TYPE (LONG_MAX - 1)

struct msgq_replies {
	struct xsi_queue queue;
	pthread_mutex_t lock;	/* protects what follows */
	bool shared;
	uint64_t reopened_ns;
	struct msgq_ledger *ledger;
};

/* Take a message of type FROM out (0: any), and put it in again as type TO unless that is 0. */
static bool move(int id, long from, long to)
{
	struct msgq_message message;
	ssize_t len = msgrcv(id, &message, sizeof(message.text), from, IPC_NOWAIT | MSG_NOERROR);

	if (len >= 0 && to) {
		message.type = to;
		(void)msgsnd(id, &message, (size_t)len, IPC_NOWAIT);
	}
	return len >= 0;
}

/* Remove what is there of TYPE (0: any). Others may send on and on: no more than there is now. */
static uint64_t empty(const struct msgq_replies *replies, long type)
{
	uint64_t limit = xsi_queue_count(&replies->queue);
	uint64_t removed = 0;

	while (removed < limit && move(xsi_queue_id(&replies->queue), type, 0)) {
		removed++;
	}
	return removed;
}

struct msgq_replies *msgq_replies_open(uint32_t key, mode_t mode, uid_t uid, gid_t gid, bool shared,
	char *why, size_t why_bytes)
{
	struct msgq_replies *replies = calloc(1, sizeof(*replies));
	int error = ENOMEM;

	if (!replies) {
		return NULL;
	}
	replies->queue.key = key | MSGQ_REPLIES_BIT;
	replies->queue.mode = mode;
	replies->queue.uid = uid;
	replies->queue.gid = gid;
	xsi_queue_init(&replies->queue);
	pthread_mutex_init(&replies->lock, NULL);
	replies->ledger = msgq_ledger_new();
	if (!replies->ledger) {
		goto fail;
	}
	if (xsi_queue_open(&replies->queue) < 0) {
		error = errno;
		goto fail;
	}
	/* What an earlier server left would be taken for answers to new requests. */
	replies->shared = shared;
	if (!xsi_queue_is_created(&replies->queue) && !shared) {
		empty(replies, 0);
	}
	return replies;
fail:
	xsi_queue_explain(&replies->queue, error, why, why_bytes);
	msgq_replies_close(replies);
	errno = error;
	return NULL;
}

void msgq_replies_remove(struct msgq_replies *replies)
{
	xsi_queue_remove(&replies->queue);
}

void msgq_replies_close(struct msgq_replies *replies)
{
	if (replies) {
		xsi_queue_fini(&replies->queue);
		msgq_ledger_free(replies->ledger);
		pthread_mutex_destroy(&replies->lock);
		free(replies);
	}
}

/* Room for one more type in the ledger, if need be at the cost of forgetting. Lock held. */
static bool has_room(struct msgq_replies *replies)
{
	if (!msgq_ledger_is_full(replies->ledger)) {
		return true;
	}
	if (xsi_queue_count(&replies->queue) > 0) {
		return false;
	}
	msgq_ledger_clear(replies->ledger);
	return true;
}

/* The queue was removed: have another, but not too often. Lock held. */
static int reopen(struct msgq_replies *replies, uint64_t now_ns)
{
	if (now_ns - replies->reopened_ns < REOPEN_NS) {
		return -1;
	}
	replies->reopened_ns = now_ns;
	return xsi_queue_open(&replies->queue);
}

static enum msgq_replies_sent try_to_send(const struct msgq_replies *replies, const void *message,
	size_t len)
{
	if (msgsnd(xsi_queue_id(&replies->queue), message, len, IPC_NOWAIT) == 0) {
		return MSGQ_REPLIES_SENT;
	}
	/* Before it is called lost: one that is too long gives EINVAL, or EAGAIN for ever. */
	if ((errno == EINVAL || errno == EAGAIN) && !xsi_queue_may_hold(&replies->queue, len)) {
		return MSGQ_REPLIES_TOO_LONG;
	}
	if (errno == EAGAIN) {
		return MSGQ_REPLIES_FULL;
	}
	return xsi_queue_is_lost(errno) ? MSGQ_REPLIES_LOST : MSGQ_REPLIES_FAILED;
}

enum msgq_replies_sent msgq_replies_send(struct msgq_replies *replies, int32_t type,
	const char *text, size_t len)
{
	struct {
		long type;
		char text[PROTOCOL_LINE_MAX_BYTES];
	} message = { .type = type };
	uint64_t now_ns = clock_now_ns();
	enum msgq_replies_sent outcome = MSGQ_REPLIES_FULL;

	memcpy(message.text, text, len);
	pthread_mutex_lock(&replies->lock);
	if (has_room(replies)) {
		outcome = try_to_send(replies, &message, len);
		if (outcome == MSGQ_REPLIES_LOST && reopen(replies, now_ns) == 0) {
			outcome = try_to_send(replies, &message, len);
		}
	}
	if (outcome == MSGQ_REPLIES_SENT) {
		/* Only now: what was not sent must not look as if it might be fetched. */
		msgq_ledger_note(replies->ledger, type, now_ns);
	}
	pthread_mutex_unlock(&replies->lock);
	return outcome;
}

/* A client looks for the queue before it asks, and must find one. Lock held. */
static void revive(struct msgq_replies *replies, uint64_t now_ns)
{
	struct msqid_ds ds;

	if (msgctl(xsi_queue_id(&replies->queue), IPC_STAT, &ds) < 0 &&
	    xsi_queue_is_lost(errno) && reopen(replies, now_ns) == 0) {
		msgq_ledger_clear(replies->ledger);
	}
}

/* Remove all replies of TYPE but the latest KEEP, whose order stays. Lock held. */
static uint64_t thin_out(const struct msgq_replies *replies, int32_t type, uint32_t keep)
{
	int id = xsi_queue_id(&replies->queue);
	uint64_t limit = xsi_queue_count(&replies->queue);
	uint64_t removed = 0;
	uint64_t parked = 0;

	if (keep == 0) {
		return empty(replies, type);
	}
	/* How many there are can only be told by taking them out. */
	while (parked < limit && move(id, type, PARKED_TYPE)) {
		parked++;
	}
	for (; parked > keep; parked--) {
		removed += move(id, PARKED_TYPE, 0);
	}
	for (; parked > 0; parked--) {
		move(id, PARKED_TYPE, type);
	}
	return removed;
}

uint64_t msgq_replies_mind(struct msgq_replies *replies, uint64_t now_ns)
{
	uint64_t removed = 0;
	uint32_t keep;
	int32_t type;

	pthread_mutex_lock(&replies->lock);
	revive(replies, now_ns);
	while ((type = msgq_ledger_expire(replies->ledger, now_ns - MAX_NS, now_ns, &keep))) {
		removed += thin_out(replies, type, keep);
	}
	/* What is still there is none of ours, and no client would ever fetch it. */
	if (!replies->shared && msgq_ledger_oldest_ns(replies->ledger) == CLOCK_NEVER) {
		removed += empty(replies, 0);
	}
	pthread_mutex_unlock(&replies->lock);
	return removed;
}

void msgq_replies_share(struct msgq_replies *replies, bool shared)
{
	pthread_mutex_lock(&replies->lock);
	replies->shared = shared;
	pthread_mutex_unlock(&replies->lock);
}

bool msgq_replies_are_owned(struct msgq_replies *replies)
{
	return xsi_queue_is_created(&replies->queue);
}

void msgq_replies_own(struct msgq_replies *replies, bool owned)
{
	xsi_queue_own(&replies->queue, owned);
}

bool msgq_replies_are_waiting(struct msgq_replies *replies)
{
	return xsi_queue_is_created(&replies->queue) && xsi_queue_count(&replies->queue) > 0;
}
