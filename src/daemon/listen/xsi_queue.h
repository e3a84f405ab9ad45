/* SPDX-License-Identifier: MIT */
/*
 * One XSI message queue of the kernel, as one of ours: created with the wanted owner and mode, or
 * adopted if it exists with just that owner and mode and was made by that owner or by root (who
 * creates a queue keeps the rights of its owner). See msgget(2) and msgctl(2).
 *
 * A queue that another process removes can be opened again; its id is then another one. Any thread
 * may read the id and use it at any time: the kernel judges whether it still means a queue.
 * Nothing blocks.
 */
#ifndef RUPTIME_DAEMON_LISTEN_XSI_QUEUE_H
#define RUPTIME_DAEMON_LISTEN_XSI_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct xsi_queue {
	/* Set before xsi_queue_init(). */
	uint32_t key;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	/* It holds half of what the kernel lets a queue hold, if that is so many bytes; 0: all. */
	size_t half_from_bytes;

	_Atomic int id;			/* -1: none */
	pthread_mutex_t lock;		/* protects what follows, and changes of the id */
	bool created;
	bool removed;			/* for good */
};

void xsi_queue_init(struct xsi_queue *queue);

/* Remove the queue if it was created, and forget it. */
void xsi_queue_fini(struct xsi_queue *queue);

/*
 * Create or adopt the queue, at first or after another process removed it. Any thread. Returns 0,
 * or -1 with errno; EIDRM after xsi_queue_remove().
 */
int xsi_queue_open(struct xsi_queue *queue);

/* Remove the queue for good, if it was created. Any thread; other users of it find it gone. */
void xsi_queue_remove(struct xsi_queue *queue);

/* Any thread. */
int xsi_queue_id(const struct xsi_queue *queue);

/* From now on the queue counts as created, or as adopted. Any thread. */
void xsi_queue_own(struct xsi_queue *queue, bool created);

/* Created, and not adopted. Any thread. */
bool xsi_queue_is_created(struct xsi_queue *queue);

/* How many messages are in it; 0 if it is gone. Any thread. */
uint64_t xsi_queue_count(const struct xsi_queue *queue);

/* Is LEN within the system's limit of a message, and the queue's own? Any thread. Keeps errno. */
bool xsi_queue_may_hold(const struct xsi_queue *queue, size_t len);

/*
 * Does this errno of msgrcv(), msgsnd() or msgctl() say that the queue is gone? EINVAL of msgsnd()
 * may mean as well that the message is too long.
 */
bool xsi_queue_is_lost(int error);

/* Write why xsi_queue_open() failed with ERROR. */
void xsi_queue_explain(const struct xsi_queue *queue, int error, char *why, size_t size);

#endif
