/* SPDX-License-Identifier: MIT */
#include "daemon/listen/msgq.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "daemon/listen/msgq_ledger.h"

#define REPLY_MAX_NS (MSGQ_REPLY_MAX_S * CLOCK_S)

/* A reply queue that is removed again and again is not created more often than this. */
#define REOPEN_NS (10 * CLOCK_MS)

/* Replies on their way through thin_out(); nobody's type, since those have 31 bits. */
#define PARKED_TYPE (LONG_MAX - 1)

/* What kernel.msgmnb is unless somebody changed it. */
#define USUAL_QUEUE_BYTES 16384

/* Another process may remove a queue between our two looks at it, but not for ever. */
#define OPEN_TRIES 10

struct kernel_queue {
	key_t key;
	_Atomic int id;
	bool created;
};

struct msgq {
	mode_t mode;
	uid_t uid;
	gid_t gid;

	pthread_mutex_t lock;		/* protects what follows; ids may be read without */
	struct kernel_queue requests;
	struct kernel_queue replies;
	bool removed;			/* for good: nothing is created any more */
	uint64_t reopened_ns;
	struct msgq_ledger *ledger;
};

static long read_limit(const char *path)
{
	FILE *file = fopen(path, "re");
	long limit = -1;

	if (file) {
		if (fscanf(file, "%ld", &limit) != 1) {
			limit = -1;
		}
		fclose(file);
	}
	return limit;
}

/*
 * How much a queue of ours may hold. The kernel gives each as much as it gives any; but in a flood
 * whoever sends a request waits for all that the queue holds, and half of that serves a burst, too.
 */
static msglen_t bytes_for(const struct msgq *msgq, const struct kernel_queue *queue)
{
	long usual = read_limit("/proc/sys/kernel/msgmnb");
	msglen_t bytes = usual > 0 ? (msglen_t)usual : USUAL_QUEUE_BYTES;

	if (queue == &msgq->requests && bytes / 2 >= MSGQ_TEXT_BYTES) {
		bytes /= 2;
	}
	return bytes;
}

/* What the owner may do with a queue it created is what the mode says, whoever created it. */
static int hand_over(const struct msgq *msgq, const struct kernel_queue *queue, int id)
{
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds) < 0) {
		return -1;
	}
	ds.msg_perm.uid = msgq->uid;
	ds.msg_perm.gid = msgq->gid;
	ds.msg_qbytes = bytes_for(msgq, queue);
	return msgctl(id, IPC_SET, &ds);
}

/*
 * A queue can be made to look like ours by whoever gives it away; but its creator keeps the rights
 * of its owner, and the creator's group those of its group.
 */
static bool fits(const struct msgq *msgq, const struct ipc_perm *perm)
{
	bool owner = perm->uid == msgq->uid && (perm->cuid == msgq->uid || perm->cuid == 0);
	bool group = perm->gid == msgq->gid && (perm->cgid == msgq->gid || perm->cgid == 0);

	return owner && (perm->mode & 0777) == msgq->mode && (group || !(msgq->mode & 0070));
}

/* May an existing queue be ours? */
static int adopt(const struct msgq *msgq, const struct kernel_queue *queue, int id)
{
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds) < 0) {
		return -1;
	}
	if (!fits(msgq, &ds.msg_perm)) {
		errno = EEXIST;
		return -1;
	}
	/* A server that was killed had shut the door: nobody could send any more. */
	if (ds.msg_qbytes == 0) {
		ds.msg_qbytes = bytes_for(msgq, queue);
		return msgctl(id, IPC_SET, &ds);
	}
	return 0;
}

static int open_queue(const struct msgq *msgq, struct kernel_queue *queue)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		int id = msgget(queue->key, IPC_CREAT | IPC_EXCL | (int)msgq->mode);

		queue->created = id >= 0;
		if (id < 0 && errno == EEXIST) {
			id = msgget(queue->key, 0);
		}
		if (id < 0 && errno == ENOENT) {
			continue;
		}
		if (id < 0) {
			return -1;
		}
		if ((queue->created ? hand_over(msgq, queue, id) : adopt(msgq, queue, id)) < 0) {
			int error = errno;

			if (queue->created) {
				msgctl(id, IPC_RMID, NULL);
			}
			if (msgq_is_lost(error)) {
				continue;
			}
			errno = error;
			return -1;
		}
		atomic_store_explicit(&queue->id, id, memory_order_relaxed);
		return 0;
	}
	errno = EIDRM;
	return -1;
}

static int id_of(const struct kernel_queue *queue)
{
	/* Relaxed: a number for the kernel, which judges for itself whether it means anything. */
	return atomic_load_explicit(&queue->id, memory_order_relaxed);
}

static void explain(int error, uint32_t key, char *why, size_t size)
{
	switch (error) {
	case ENOSPC:
		snprintf(why, size,
			"the system has all the message queues it may have: %ld, see sysctl "
			"kernel.msgmni", read_limit("/proc/sys/kernel/msgmni"));
		break;
	case EEXIST:
	case EACCES:
	case EPERM:
		snprintf(why, size,
			"message queue 0x%x exists, with another owner or another mode", key);
		break;
	default:
		snprintf(why, size, "message queue 0x%x: %s", key, strerror(error));
	}
}

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

static uint64_t count_messages(int id)
{
	struct msqid_ds ds;

	return msgctl(id, IPC_STAT, &ds) < 0 ? 0 : ds.msg_qnum;
}

/* Remove what is there of TYPE (0: any). Others may send on and on: no more than there is now. */
static uint64_t empty(int id, long type)
{
	uint64_t limit = count_messages(id);
	uint64_t removed = 0;

	while (removed < limit && move(id, type, 0)) {
		removed++;
	}
	return removed;
}

struct msgq *msgq_open(uint32_t key, mode_t mode, uid_t uid, gid_t gid, char *why,
	size_t why_bytes)
{
	struct msgq *msgq = calloc(1, sizeof(*msgq));
	struct kernel_queue *queue = msgq ? &msgq->requests : NULL;
	int error = ENOMEM;

	if (!msgq) {
		goto fail;
	}
	msgq->mode = mode;
	msgq->uid = uid;
	msgq->gid = gid;
	msgq->requests.key = (key_t)key;
	msgq->requests.id = -1;
	msgq->replies.key = (key_t)(key | MSGQ_REPLY_BIT);
	msgq->replies.id = -1;
	pthread_mutex_init(&msgq->lock, NULL);
	msgq->ledger = msgq_ledger_new();
	if (!msgq->ledger) {
		goto fail;
	}
	for (int i = 0; i < 2; i++, queue = &msgq->replies) {
		if (open_queue(msgq, queue) < 0) {
			error = errno;
			key = (uint32_t)queue->key;
			goto fail;
		}
	}
	/* Those left by an earlier server would be taken for answers to new requests. */
	if (!msgq->replies.created) {
		empty(id_of(&msgq->replies), 0);
	}
	return msgq;
fail:
	explain(error, key, why, why_bytes);
	msgq_close(msgq);
	errno = error;
	return NULL;
}

static void remove_queue(const struct kernel_queue *queue)
{
	if (queue->created && id_of(queue) >= 0) {
		msgctl(id_of(queue), IPC_RMID, NULL);
	}
}

void msgq_remove(struct msgq *msgq)
{
	pthread_mutex_lock(&msgq->lock);
	msgq->removed = true;
	remove_queue(&msgq->requests);
	remove_queue(&msgq->replies);
	pthread_mutex_unlock(&msgq->lock);
}

void msgq_close(struct msgq *msgq)
{
	if (msgq) {
		msgq_remove(msgq);
		msgq_ledger_free(msgq->ledger);
		pthread_mutex_destroy(&msgq->lock);
		free(msgq);
	}
}

int msgq_id(const struct msgq *msgq)
{
	return id_of(&msgq->requests);
}

bool msgq_is_lost(int error)
{
	return error == EIDRM || error == EINVAL;
}

ssize_t msgq_receive(struct msgq *msgq, struct msgq_message *message, bool wait)
{
	/* Without MSG_NOERROR a message that is too long would stay at the head for ever. */
	return msgrcv(id_of(&msgq->requests), message, sizeof(message->text), 0,
		MSG_NOERROR | (wait ? 0 : IPC_NOWAIT));
}

int msgq_reopen(struct msgq *msgq)
{
	int result = -1;

	pthread_mutex_lock(&msgq->lock);
	errno = EIDRM;
	if (!msgq->removed) {
		result = open_queue(msgq, &msgq->requests);
	}
	pthread_mutex_unlock(&msgq->lock);
	return result;
}

void msgq_wake(struct msgq *msgq)
{
	struct {
		long type;
		char text[1];
	} wake = { .type = MSGQ_WAKE_TYPE };

	/* If the queue is full nobody is blocked for want of a message. */
	(void)msgsnd(id_of(&msgq->requests), &wake, 0, IPC_NOWAIT);
}

long msgq_shut_door(struct msgq *msgq)
{
	int id = id_of(&msgq->requests);
	struct msqid_ds ds;

	/* With no room for anything, senders wait; when the queue is removed they are told so. */
	if (msgq->requests.created && msgctl(id, IPC_STAT, &ds) == 0) {
		ds.msg_qbytes = 0;
		msgctl(id, IPC_SET, &ds);
	}
	return msgctl(id, IPC_STAT, &ds) < 0 ? 0 : (long)ds.msg_qnum;
}

/* Room for one more type in the ledger, if need be at the cost of forgetting. Lock held. */
static bool has_room(struct msgq *msgq)
{
	if (!msgq_ledger_is_full(msgq->ledger)) {
		return true;
	}
	if (count_messages(id_of(&msgq->replies)) > 0) {
		return false;
	}
	msgq_ledger_clear(msgq->ledger);
	return true;
}

/* The reply queue was removed: have another, but not too often. Lock held. */
static int reopen_replies(struct msgq *msgq, uint64_t now_ns)
{
	if (msgq->removed || now_ns - msgq->reopened_ns < REOPEN_NS) {
		return -1;
	}
	msgq->reopened_ns = now_ns;
	return open_queue(msgq, &msgq->replies);
}

enum msgq_sent msgq_reply(struct msgq *msgq, int32_t type, const char *text, size_t len)
{
	struct {
		long type;
		char text[PROTOCOL_LINE_MAX_BYTES];
	} message = { .type = type };
	uint64_t now_ns = clock_now_ns();
	enum msgq_sent outcome = MSGQ_FULL;
	int result;

	memcpy(message.text, text, len);
	pthread_mutex_lock(&msgq->lock);
	if (has_room(msgq)) {
		result = msgsnd(id_of(&msgq->replies), &message, len, IPC_NOWAIT);
		if (result < 0 && msgq_is_lost(errno) && reopen_replies(msgq, now_ns) == 0) {
			result = msgsnd(id_of(&msgq->replies), &message, len, IPC_NOWAIT);
		}
		if (result == 0) {
			/* Only now: what was not sent must not look as if it might be fetched. */
			msgq_ledger_note(msgq->ledger, type, now_ns);
			outcome = MSGQ_SENT;
		} else if (errno != EAGAIN) {
			outcome = MSGQ_FAILED;
		}
	}
	pthread_mutex_unlock(&msgq->lock);
	return outcome;
}

/* A client looks for the reply queue before it asks, and must find one. Lock held. */
static void mind_replies(struct msgq *msgq, uint64_t now_ns)
{
	struct msqid_ds ds;

	if (msgctl(id_of(&msgq->replies), IPC_STAT, &ds) < 0 && msgq_is_lost(errno) &&
	    reopen_replies(msgq, now_ns) == 0) {
		msgq_ledger_clear(msgq->ledger);
	}
}

/* Remove all replies of TYPE but the latest KEEP, whose order stays. Lock held. */
static uint64_t thin_out(int id, int32_t type, uint32_t keep)
{
	uint64_t limit = count_messages(id);
	uint64_t removed = 0;
	uint64_t parked = 0;

	if (keep == 0) {
		return empty(id, type);
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

uint64_t msgq_mind(struct msgq *msgq, uint64_t now_ns)
{
	uint64_t removed = 0;
	uint32_t keep;
	int32_t type;

	pthread_mutex_lock(&msgq->lock);
	mind_replies(msgq, now_ns);
	while ((type = msgq_ledger_expire(msgq->ledger, now_ns - REPLY_MAX_NS, now_ns, &keep))) {
		removed += thin_out(id_of(&msgq->replies), type, keep);
	}
	/* What is still there is none of ours, and nobody would ever fetch it. */
	if (msgq_ledger_oldest_ns(msgq->ledger) == CLOCK_NEVER) {
		removed += empty(id_of(&msgq->replies), 0);
	}
	pthread_mutex_unlock(&msgq->lock);
	return removed;
}

bool msgq_has_replies(struct msgq *msgq)
{
	bool has;

	pthread_mutex_lock(&msgq->lock);
	has = msgq->replies.created && count_messages(id_of(&msgq->replies)) > 0;
	pthread_mutex_unlock(&msgq->lock);
	return has;
}
