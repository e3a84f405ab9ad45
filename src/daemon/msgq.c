/* SPDX-License-Identifier: MIT */
#include "daemon/msgq.h"

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
#include "daemon/reply_ledger.h"

#define REPLY_MAX_NS (MSGQ_REPLY_MAX_S * CLOCK_S)

/* A reply queue that is removed again and again is not created more often than this. */
#define REOPEN_NS (10 * CLOCK_MS)

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
	struct reply_ledger *ledger;
};

/* What the owner may do with a queue it created is what the mode says, whoever created it. */
static int hand_over(const struct msgq *msgq, int id)
{
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds) < 0) {
		return -1;
	}
	ds.msg_perm.uid = msgq->uid;
	ds.msg_perm.gid = msgq->gid;
	return msgctl(id, IPC_SET, &ds);
}

/* May an existing queue be ours? */
static int check(const struct msgq *msgq, int id)
{
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds) < 0) {
		return -1;
	}
	if (ds.msg_perm.uid != msgq->uid || (ds.msg_perm.mode & 0777) != msgq->mode) {
		errno = EEXIST;
		return -1;
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
		if ((queue->created ? hand_over(msgq, id) : check(msgq, id)) < 0) {
			if (msgq_is_lost(errno)) {
				continue;
			}
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

/* Replies left by an earlier server would be taken for answers to new requests. */
static void empty(int id)
{
	struct msgq_message message;

	while (msgrcv(id, &message, sizeof(message.text), 0, IPC_NOWAIT | MSG_NOERROR) >= 0) {
	}
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
	msgq->ledger = reply_ledger_new();
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
	if (!msgq->replies.created) {
		empty(id_of(&msgq->replies));
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
		reply_ledger_free(msgq->ledger);
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

/* Is there anything in the reply queue? Lock held. */
static bool is_empty(const struct msgq *msgq)
{
	struct msqid_ds ds;

	return msgctl(id_of(&msgq->replies), IPC_STAT, &ds) < 0 || ds.msg_qnum == 0;
}

/* Room for one more type in the ledger, if need be at the cost of forgetting. Lock held. */
static bool note(struct msgq *msgq, int32_t type, uint64_t now_ns)
{
	if (reply_ledger_note(msgq->ledger, type, now_ns)) {
		return true;
	}
	if (!is_empty(msgq)) {
		return false;
	}
	reply_ledger_clear(msgq->ledger);
	return reply_ledger_note(msgq->ledger, type, now_ns);
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
	if (note(msgq, type, now_ns)) {
		result = msgsnd(id_of(&msgq->replies), &message, len, IPC_NOWAIT);
		if (result < 0 && msgq_is_lost(errno) && reopen_replies(msgq, now_ns) == 0) {
			result = msgsnd(id_of(&msgq->replies), &message, len, IPC_NOWAIT);
		}
		if (result == 0) {
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
		reply_ledger_clear(msgq->ledger);
	}
}

uint64_t msgq_mind(struct msgq *msgq, uint64_t now_ns)
{
	struct msgq_message message;
	uint64_t removed = 0;
	int32_t type;

	pthread_mutex_lock(&msgq->lock);
	mind_replies(msgq, now_ns);
	while ((type = reply_ledger_expire(msgq->ledger, now_ns - REPLY_MAX_NS))) {
		while (msgrcv(id_of(&msgq->replies), &message, sizeof(message.text), type,
			       IPC_NOWAIT | MSG_NOERROR) >= 0) {
			removed++;
		}
	}
	pthread_mutex_unlock(&msgq->lock);
	return removed;
}
