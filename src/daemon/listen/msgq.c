/* SPDX-License-Identifier: MIT */
#include "daemon/listen/msgq.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "daemon/listen/xsi_queue.h"

struct msgq {
	struct xsi_queue queue;
};

struct msgq *msgq_open(uint32_t key, mode_t mode, uid_t uid, gid_t gid, char *why,
	size_t why_bytes)
{
	struct msgq *msgq = calloc(1, sizeof(*msgq));

	if (!msgq) {
		return NULL;
	}
	msgq->queue.key = key;
	msgq->queue.mode = mode;
	msgq->queue.uid = uid;
	msgq->queue.gid = gid;
	msgq->queue.half_from_bytes = MSGQ_TEXT_BYTES;
	xsi_queue_init(&msgq->queue);
	if (xsi_queue_open(&msgq->queue) < 0) {
		int error = errno;

		xsi_queue_explain(&msgq->queue, error, why, why_bytes);
		msgq_close(msgq);
		errno = error;
		return NULL;
	}
	return msgq;
}

void msgq_remove(struct msgq *msgq)
{
	xsi_queue_remove(&msgq->queue);
}

void msgq_close(struct msgq *msgq)
{
	if (msgq) {
		xsi_queue_fini(&msgq->queue);
		free(msgq);
	}
}

bool msgq_is_owned(struct msgq *msgq)
{
	return xsi_queue_is_created(&msgq->queue);
}

void msgq_own(struct msgq *msgq, bool owned)
{
	xsi_queue_own(&msgq->queue, owned);
}

int msgq_id(const struct msgq *msgq)
{
	return xsi_queue_id(&msgq->queue);
}

ssize_t msgq_receive(struct msgq *msgq, struct msgq_message *message, bool wait)
{
	/* Without MSG_NOERROR a message that is too long would stay at the head for ever. */
	return msgrcv(msgq_id(msgq), message, sizeof(message->text), 0,
		MSG_NOERROR | (wait ? 0 : IPC_NOWAIT));
}

int msgq_reopen(struct msgq *msgq)
{
	return xsi_queue_open(&msgq->queue);
}

long msgq_shut_door(struct msgq *msgq)
{
	int id = msgq_id(msgq);
	struct msqid_ds ds;

	/* With no room for anything senders wait, and get EIDRM when the queue is removed. */
	if (xsi_queue_is_created(&msgq->queue) && msgctl(id, IPC_STAT, &ds) == 0) {
		ds.msg_qbytes = 0;
		msgctl(id, IPC_SET, &ds);
	}
	return (long)xsi_queue_count(&msgq->queue);
}
