/* SPDX-License-Identifier: MIT */
/*
 * XSI message queues: "uptime T" goes to the queue KEY, and the line comes as a message of type T
 * to the queue KEY | PROTOCOL_REPLY_QUEUE_BIT. T is a random number, so that no client takes what
 * is meant for another, not even an answer that comes long after its client has gone; those the
 * server removes. All tries of a talk have the same T: an answer to an earlier one counts.
 *
 * There is no descriptor to poll. A thread that blocks in msgrcv() for each talk would be one more
 * thing to stop in time, so the queue is looked at again and again, ever less often.
 */
#include "client/ask/transport.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/random.h>

#include "common/clock.h"

/* The type of all requests; only that of the reply means anything. */
#define REQUEST_TYPE 1

struct reply {
	long type;
	char text[PROTOCOL_TRUSTED_LINE_MAX_BYTES + 1];	/* one more: to see what is too much */
};

struct msgq_talk {
	key_t key;
	int32_t type;			/* of the reply */
	bool trying;
	bool begun;			/* the queues have been found in this try */
	bool sent;			/* the request of this try */
	int requests_id;
	int replies_id;
	uint64_t deadline_ns;		/* of the try */
	uint64_t began_ns;		/* the try */
	uint64_t look_ns;		/* when to look again */
};

static void *msgq_open(const struct address *address, const struct transport_common *common,
	uint64_t owner)
{
	struct msgq_talk *talk = calloc(1, sizeof(*talk));
	uint32_t random = 0;

	(void)common;
	(void)owner;
	if (!talk) {
		return NULL;
	}
	if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
		free(talk);
		return NULL;
	}
	talk->key = (key_t)address->key;
	talk->type = (int32_t)(random % INT32_MAX) + 1;
	return talk;
}

static void msgq_close(void *opaque)
{
	free(opaque);
}

static void msgq_start(void *opaque, const struct addrinfo *addresses, uint64_t deadline_ns)
{
	struct msgq_talk *talk = opaque;

	(void)addresses;
	talk->trying = true;
	talk->sent = false;
	talk->begun = false;
	talk->look_ns = 0;
	talk->deadline_ns = deadline_ns;
}

/* Between two tries the queue is not looked at: what has come meanwhile, the next try finds. */
static unsigned msgq_watch(const void *opaque, struct pollfd *fds, uint64_t *wake_ns)
{
	const struct msgq_talk *talk = opaque;
	uint64_t wake_at_ns = talk->look_ns < talk->deadline_ns ? talk->look_ns : talk->deadline_ns;

	(void)fds;
	if (talk->trying && *wake_ns > wake_at_ns) {
		*wake_ns = wake_at_ns;
	}
	return 0;
}

static enum transport_state decide(struct msgq_talk *talk, enum transport_state state)
{
	talk->trying = false;
	return state;
}

static enum transport_state fail(struct msgq_talk *talk, struct answer *answer, const char *why)
{
	answer_fail(answer, why);
	return decide(talk, TRANSPORT_FAILED);
}

static enum transport_state fail_call(struct msgq_talk *talk, struct answer *answer, int error)
{
	switch (error) {
	case ENOENT:
		return fail(talk, answer, "no such queue");
	case EACCES:
		return fail(talk, answer, "not permitted to use the queue");
	case EIDRM:
	case EINVAL:
		return fail(talk, answer, "the queue has been removed");
	default:
		return decide(talk, transport_fail(answer, error));
	}
}

/* Queues come and go: each try looks for them. Returns 0, or -1 with errno. */
static int find_queues(struct msgq_talk *talk, uint64_t now_ns)
{
	talk->begun = true;
	talk->began_ns = now_ns;
	talk->requests_id = msgget(talk->key, 0);
	if (talk->requests_id < 0) {
		return -1;
	}
	talk->replies_id = msgget((key_t)((uint32_t)talk->key | PROTOCOL_REPLY_QUEUE_BIT), 0);
	return talk->replies_id < 0 ? -1 : 0;
}

/* Returns 0, also if the queue is still full, or -1 with errno. */
static int send_request(struct msgq_talk *talk)
{
	struct {
		long type;
		char text[sizeof("uptime 2147483647")];
	} request = { .type = REQUEST_TYPE };
	int len = snprintf(request.text, sizeof(request.text), "uptime %d", (int)talk->type);

	talk->sent = msgsnd(talk->requests_id, &request, (size_t)len, IPC_NOWAIT) == 0;
	return talk->sent || errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static enum transport_state take(struct msgq_talk *talk, const struct reply *reply, size_t len,
	uint64_t now_ns, struct answer *answer)
{
	const char *why = "incomplete line";

	if (len == 0) {
		return fail(talk, answer, "empty answer");
	}
	if (answer_scan(reply->text, len, &why) <= 0) {
		return fail(talk, answer, why);
	}
	answer->rtt_ns = now_ns - talk->began_ns;
	return decide(talk, answer_take_line(answer, reply->text, len) < 0 ? TRANSPORT_DECLINED
									   : TRANSPORT_ANSWERED);
}

/*
 * Looks for a reply first and sends then: who may not receive shall not ask, and a reply to an
 * earlier try makes this one needless.
 */
static enum transport_state msgq_step(void *opaque, uint64_t now_ns, struct answer *answer)
{
	struct msgq_talk *talk = opaque;
	struct reply reply;
	ssize_t got;

	if (!talk->trying) {
		return TRANSPORT_PENDING;
	}
	if (!talk->begun && find_queues(talk, now_ns) < 0) {
		return fail_call(talk, answer, errno);
	}
	got = msgrcv(talk->replies_id, &reply, sizeof(reply.text), talk->type,
		IPC_NOWAIT | MSG_NOERROR);
	if (got >= 0) {
		return take(talk, &reply, (size_t)got, now_ns, answer);
	}
	if (errno != ENOMSG && errno != EINTR) {
		return fail_call(talk, answer, errno);
	}
	if (!talk->sent && send_request(talk) < 0) {
		return fail_call(talk, answer, errno);
	}
	if (now_ns >= talk->deadline_ns) {
		return fail(talk, answer, talk->sent ? "timed out" : "the queue is full");
	}
	talk->look_ns = transport_look_again_ns(talk->began_ns, now_ns);
	return TRANSPORT_PENDING;
}

const struct transport client_transport_msgq = {
	.open = msgq_open,
	.close = msgq_close,
	.start = msgq_start,
	.watch = msgq_watch,
	.step = msgq_step,
};
