/* SPDX-License-Identifier: MIT */
/*
 * The request half of msgq://KEY: the XSI message queue with KEY, where requests arrive. Replies
 * leave through another queue, see msgq_replies.h; doc/protocol.md has both.
 */
#ifndef RUPTIME_DAEMON_LISTEN_MSGQ_H
#define RUPTIME_DAEMON_LISTEN_MSGQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MSGQ_DEFAULT_MODE 0600

/* What kernel.msgmax is unless it was raised; a longer text is cut. */
#define MSGQ_TEXT_BYTES 8192

/* As msgrcv() and msgsnd() want it; also what goes through the socketpair to the dispatcher. */
struct msgq_message {
	long type;
	char text[MSGQ_TEXT_BYTES];
};

struct msgq;

/*
 * Open the queue with KEY, as the property of UID and GID. Main only.
 * Returns NULL with errno and, in WHY, a text that says the reason.
 */
struct msgq *msgq_open(uint32_t key, mode_t mode, uid_t uid, gid_t gid, char *why,
	size_t why_bytes);

/* Remove the queue for good, if it was created. Any thread; other users of it find it gone. */
void msgq_remove(struct msgq *msgq);

/* The same, and free MSGQ. No thread may use it any more. NULL is fine. */
void msgq_close(struct msgq *msgq);

/* Is the queue removed at the end? And from now on it is, or not. Any thread. */
bool msgq_is_owned(struct msgq *msgq);
void msgq_own(struct msgq *msgq, bool owned);

/* The kernel's present number for the queue. Any thread. */
int msgq_id(const struct msgq *msgq);

/*
 * Receive the oldest message, of any type. Blocks if WAIT, and so that only a signal ends it: other
 * readers of the queue may take whatever is sent to wake the thread. The receiving thread only.
 * Returns the length of its text, or -1 with errno: ENOMSG, EINTR, or what says that the queue is
 * gone (xsi_queue_is_lost()).
 */
ssize_t msgq_receive(struct msgq *msgq, struct msgq_message *message, bool wait);

/* Create the queue again. The receiving thread only. Returns 0, or -1 with errno. */
int msgq_reopen(struct msgq *msgq);

/*
 * Take no new messages, if the queue is one that we created. The receiving thread only.
 * Returns how many there are.
 */
long msgq_shut_door(struct msgq *msgq);

#endif
