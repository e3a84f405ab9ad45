/* SPDX-License-Identifier: MIT */
/*
 * The reply half of msgq://KEY: the XSI message queue with KEY | MSGQ_REPLIES_BIT, from which
 * clients fetch their replies by type. Replies that no client fetches are removed after a while.
 *
 * Thread-safe. Nothing blocks.
 */
#ifndef RUPTIME_DAEMON_LISTEN_MSGQ_REPLIES_H
#define RUPTIME_DAEMON_LISTEN_MSGQ_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/protocol.h"

#define MSGQ_REPLIES_BIT   PROTOCOL_REPLY_QUEUE_BIT
#define MSGQ_REPLIES_MAX_S 5

enum msgq_replies_sent {
	MSGQ_REPLIES_SENT,
	MSGQ_REPLIES_FULL,
	MSGQ_REPLIES_TOO_LONG,		/* for the limits of the system */
	MSGQ_REPLIES_LOST,		/* the queue was removed, and there is no other yet */
	MSGQ_REPLIES_FAILED,
};

struct msgq_replies;

/*
 * Open the reply queue of the request queue with KEY, as the property of UID and GID, and empty it,
 * unless another server sends to it as well: SHARED.
 * Returns NULL with errno and, in WHY, a text that says the reason.
 */
struct msgq_replies *msgq_replies_open(uint32_t key, mode_t mode, uid_t uid, gid_t gid, bool shared,
	char *why, size_t why_bytes);

/* Remove the queue for good, if it was created. */
void msgq_replies_remove(struct msgq_replies *replies);

/* The same, and free REPLIES. No thread may use it any more. NULL is fine. */
void msgq_replies_close(struct msgq_replies *replies);

/* Send a reply of TYPE without waiting. */
enum msgq_replies_sent msgq_replies_send(struct msgq_replies *replies, int32_t type,
	const char *text, size_t len);

/*
 * Look after the queue, some times a second: create it again if it is gone, and remove the replies
 * that no client has fetched for MSGQ_REPLIES_MAX_S, or for up to twice that if their type goes on
 * being sent to; and what others have put there. Returns how many were removed.
 */
uint64_t msgq_replies_mind(struct msgq_replies *replies, uint64_t now_ns);

/* Does another server send to the queue as well? Then nothing but replies of ours is removed. */
void msgq_replies_share(struct msgq_replies *replies, bool shared);

/* Is the queue removed at the end? And from now on it is, or not. */
bool msgq_replies_are_owned(struct msgq_replies *replies);
void msgq_replies_own(struct msgq_replies *replies, bool owned);

/* Would removing the queue take a reply from a client? */
bool msgq_replies_are_waiting(struct msgq_replies *replies);

#endif
