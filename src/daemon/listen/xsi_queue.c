/* SPDX-License-Identifier: MIT */
#include "daemon/listen/xsi_queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

/* Another process may remove a queue between our two looks at it, but not for ever. */
#define OPEN_TRIES 10

void xsi_queue_init(struct xsi_queue *queue)
{
	atomic_init(&queue->id, -1);
	pthread_mutex_init(&queue->lock, NULL);
	queue->created = false;
	queue->removed = false;
}

void xsi_queue_fini(struct xsi_queue *queue)
{
	xsi_queue_remove(queue);
	pthread_mutex_destroy(&queue->lock);
}

/* The system's limits, which the kernel tells without a file. All 0 if it does not. */
static struct msginfo limits(void)
{
	struct msginfo info = { 0 };

	(void)msgctl(0, IPC_INFO, (struct msqid_ds *)(void *)&info);
	return info;
}

/*
 * How much a queue of ours may hold. The kernel gives each as much as it gives any; but in a flood
 * a client's request waits for all that the queue holds, and half of that serves a burst, too.
 */
static msglen_t bytes_for(const struct xsi_queue *queue)
{
	msglen_t bytes = (msglen_t)limits().msgmnb;

	return queue->half_from_bytes && bytes / 2 >= queue->half_from_bytes ? bytes / 2 : bytes;
}

/* The mode says what the owner of a queue may do, no matter who created it. */
static int hand_over(const struct xsi_queue *queue, int id)
{
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds) < 0) {
		return -1;
	}
	ds.msg_perm.uid = queue->uid;
	ds.msg_perm.gid = queue->gid;
	ds.msg_qbytes = bytes_for(queue);
	return msgctl(id, IPC_SET, &ds);
}

/*
 * Its owner can give a queue away so that it looks like ours; but its creator keeps the rights of
 * its owner, and the creator's group those of its group.
 */
static bool fits(const struct xsi_queue *queue, const struct ipc_perm *perm)
{
	bool owner = perm->uid == queue->uid && (perm->cuid == queue->uid || perm->cuid == 0);
	bool group = perm->gid == queue->gid && (perm->cgid == queue->gid || perm->cgid == 0);

	return owner && (perm->mode & 0777) == queue->mode && (group || !(queue->mode & 0070));
}

/* May an existing queue be ours? */
static int adopt(const struct xsi_queue *queue, int id)
{
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds) < 0) {
		return -1;
	}
	if (!fits(queue, &ds.msg_perm)) {
		errno = EEXIST;
		return -1;
	}
	/* A server that was killed while it stopped left no room for any message. */
	if (ds.msg_qbytes == 0) {
		ds.msg_qbytes = bytes_for(queue);
		return msgctl(id, IPC_SET, &ds);
	}
	return 0;
}

/* One try. Returns the id, or -1 with errno: ENOENT or EIDRM if the queue has just been removed. */
static int create_or_adopt(const struct xsi_queue *queue, bool *created)
{
	int id = msgget((key_t)queue->key, IPC_CREAT | IPC_EXCL | (int)queue->mode);

	*created = id >= 0;
	if (id < 0 && errno == EEXIST) {
		id = msgget((key_t)queue->key, 0);
	}
	if (id < 0) {
		return -1;
	}
	if ((*created ? hand_over(queue, id) : adopt(queue, id)) < 0) {
		int error = xsi_queue_is_lost(errno) ? EIDRM : errno;

		if (*created) {
			msgctl(id, IPC_RMID, NULL);
		}
		errno = error;
		return -1;
	}
	return id;
}

int xsi_queue_open(struct xsi_queue *queue)
{
	int id = -1;

	pthread_mutex_lock(&queue->lock);
	errno = EIDRM;
	for (int i = 0; i < OPEN_TRIES && id < 0 && !queue->removed; i++) {
		bool created;

		id = create_or_adopt(queue, &created);
		if (id < 0 && errno != ENOENT && errno != EIDRM) {
			break;
		}
		/* A queue that was never gone stays what it was. */
		if (id >= 0 && id != xsi_queue_id(queue)) {
			queue->created = created;
			atomic_store_explicit(&queue->id, id, memory_order_relaxed);
		}
	}
	pthread_mutex_unlock(&queue->lock);
	return id < 0 ? -1 : 0;
}

void xsi_queue_remove(struct xsi_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->removed = true;
	if (queue->created) {
		msgctl(xsi_queue_id(queue), IPC_RMID, NULL);
	}
	pthread_mutex_unlock(&queue->lock);
}

int xsi_queue_id(const struct xsi_queue *queue)
{
	/* Relaxed: a number for the kernel, which judges for itself whether it means anything. */
	return atomic_load_explicit(&queue->id, memory_order_relaxed);
}

void xsi_queue_own(struct xsi_queue *queue, bool created)
{
	pthread_mutex_lock(&queue->lock);
	queue->created = created;
	pthread_mutex_unlock(&queue->lock);
}

bool xsi_queue_is_created(struct xsi_queue *queue)
{
	bool created;

	pthread_mutex_lock(&queue->lock);
	created = queue->created;
	pthread_mutex_unlock(&queue->lock);
	return created;
}

uint64_t xsi_queue_count(const struct xsi_queue *queue)
{
	struct msqid_ds ds;

	return msgctl(xsi_queue_id(queue), IPC_STAT, &ds) < 0 ? 0 : ds.msg_qnum;
}

bool xsi_queue_may_hold(const struct xsi_queue *queue, size_t len)
{
	const int error = errno;
	struct msginfo info = limits();
	struct msqid_ds ds;
	bool may = info.msgmax <= 0 || len <= (size_t)info.msgmax;

	if (msgctl(xsi_queue_id(queue), IPC_STAT, &ds) == 0 && len > ds.msg_qbytes) {
		may = false;
	}
	errno = error;
	return may;
}

bool xsi_queue_is_lost(int error)
{
	return error == EIDRM || error == EINVAL;
}

void xsi_queue_explain(const struct xsi_queue *queue, int error, char *why, size_t size)
{
	switch (error) {
	case ENOSPC:
		snprintf(why, size,
			"the system has all the message queues it may have: %d, see sysctl "
			"kernel.msgmni", limits().msgmni);
		break;
	case EEXIST:
	case EACCES:
	case EPERM:
		snprintf(why, size,
			"message queue 0x%x exists, with another owner or another mode",
			queue->key);
		break;
	default:
		snprintf(why, size, "message queue 0x%x: %s", queue->key, strerror(error));
	}
}
