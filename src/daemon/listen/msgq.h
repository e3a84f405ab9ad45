/* SPDX-License-Identifier: MIT */
/*
 * A pair of XSI message queues: the one with KEY, where requests arrive, and the one with
 * KEY | MSGQ_REPLY_BIT, where replies are fetched. See msgop(2) and doc/protocol.md.
 *
 * Both are created with the wanted mode, or adopted if they exist with just that owner and mode,
 * and were made by that owner or by root, since whoever makes a queue has its owner's rights.
 * Those that were created are removed at the end. One that is removed under us is created again.
 */
#ifndef RUPTIME_DAEMON_LISTEN_MSGQ_H
#define RUPTIME_DAEMON_LISTEN_MSGQ_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/protocol.h"

#define MSGQ_REPLY_BIT	  PROTOCOL_REPLY_QUEUE_BIT
#define MSGQ_DEFAULT_MODE 0600
#define MSGQ_REPLY_MAX_S  5

/* What kernel.msgmax is unless somebody raised it; what is longer is cut. */
#define MSGQ_TEXT_BYTES 8192

/* Wakes the receiving thread; not a message of anybody's. */
#define MSGQ_WAKE_TYPE LONG_MAX

/* As msgrcv() and msgsnd() want it; also what goes through the socketpair to the dispatcher. */
struct msgq_message {
	long type;
	char text[MSGQ_TEXT_BYTES];
};

enum msgq_sent { MSGQ_SENT, MSGQ_FULL, MSGQ_FAILED };

struct msgq;

/*
 * Open the pair for KEY, as the property of UID and GID. Main only.
 * Returns NULL with errno and, in WHY, words for people.
 */
struct msgq *msgq_open(uint32_t key, mode_t mode, uid_t uid, gid_t gid, char *why,
	size_t why_bytes);

/*
 * Remove the queues that were created, for good. Any thread; whoever still uses them finds that
 * they are gone.
 */
void msgq_remove(struct msgq *msgq);

/* The same, and free MSGQ. No thread may use it any more. NULL is fine. */
void msgq_close(struct msgq *msgq);

/* The kernel's present number for the request queue. Any thread. */
int msgq_id(const struct msgq *msgq);

/*
 * Receive the oldest message, of any type. Blocks if WAIT. The receiving thread only.
 * Returns the length of its text, or -1 with errno: ENOMSG, EINTR, or what msgq_is_lost() knows.
 */
ssize_t msgq_receive(struct msgq *msgq, struct msgq_message *message, bool wait);

/* Does this errno say that the queue is not there any more? */
bool msgq_is_lost(int error);

/* Create the request queue again. The receiving thread only. Returns 0, or -1 with errno. */
int msgq_reopen(struct msgq *msgq);

/* Make a blocked msgq_receive() return. Any thread. */
void msgq_wake(struct msgq *msgq);

/*
 * Take no new messages, if the queue is one that we created. The receiving thread only.
 * Returns how many there are.
 */
long msgq_shut_door(struct msgq *msgq);

/* Send a reply of TYPE without waiting. Any thread. */
enum msgq_sent msgq_reply(struct msgq *msgq, int32_t type, const char *text, size_t len);

/*
 * Look after the reply queue, some times a second: create it again if it is gone, and remove the
 * replies that nobody has fetched for MSGQ_REPLY_MAX_S, or for up to twice that if their type goes
 * on being sent to; and what others have put there. Any thread; never waits.
 * Returns how many were removed.
 */
uint64_t msgq_mind(struct msgq *msgq, uint64_t now_ns);

/* Would removing the reply queue take a reply from somebody? Any thread. */
bool msgq_has_replies(struct msgq *msgq);

#endif
