/* SPDX-License-Identifier: MIT */
/*
 * Requests, the batches they travel in, and the pools they come from.
 *
 * A batch is a chain of requests that came from one listener; its first request's node travels
 * through the queue. One hand-off, one wake-up and, for datagrams, one system call serve it whole.
 *
 * Who owns a request, and every descriptor in it:
 *
 *	request_pool_take()	the ingress thread that called it
 *	queue_push()		the queue
 *	queue_take()		the worker that called it
 *	request_give_back()	the pool; the request must own no descriptor any more
 *
 * Each ingress thread has its own pool. The pool is the bound on what waits, and its running
 * empty is the back-pressure: the thread then sleeps in request_pool_wait() and leaves what comes
 * in to the kernel's backlog or socket buffer.
 */
#ifndef RUPTIME_DAEMON_QUEUE_REQUEST_H
#define RUPTIME_DAEMON_QUEUE_REQUEST_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/protocol.h"
#include "daemon/listen/listener.h"
#include "daemon/queue/queue.h"

/* Room for the control message that says which of our addresses was asked. */
#define REQUEST_CONTROL_BYTES CMSG_SPACE(sizeof(struct in6_pktinfo))

/* Where a datagram came from, what it asked, and which of our addresses it asked. */
struct request_datagram {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} peer;
	socklen_t peer_len;
	uid_t peer_uid;		/* UNIX: who sent it; -1: not known */
	uint16_t len_bytes;
	struct protocol_request asked;
	size_t control_len;
	_Alignas(struct cmsghdr) unsigned char control[REQUEST_CONTROL_BYTES];
};

struct request_pool;

struct request {
	struct queue_node node;		/* used in the first request of a batch */
	struct request *next;		/* in the batch, NULL in the last */
	unsigned count;			/* how many the batch has; in its first request */
	uint64_t pushed_ns;		/* when it was; in its first request */
	struct request_pool *pool;	/* where it goes back to */
	const struct listener *listener;
	union {
		struct {
			int conn_fd;	/* streams; owned */
			unsigned source;	/* what it counts for, see connections.h */
			int passed_fd;	/* fdpass: where the line goes; owned */
		};
		struct request_datagram datagram;
		int32_t reply_type;	/* XSI queues: the type of the reply */
	};
};

/* A batch under construction: empty when zero-initialized. */
struct request_batch {
	struct request *first;
	struct request *last;
	unsigned count;
};

/* Append REQUEST, which must come from the same listener as the others. */
void request_batch_add(struct request_batch *batch, struct request *request);

/*
 * Give the batch away to QUEUE, and leave *BATCH empty. Does nothing if it is empty. Returns
 * whether a worker slept and was woken: if not, they are all busy.
 */
bool request_batch_push(struct request_batch *batch, struct queue *queue);

/* The batch whose first request's node is NODE. */
struct request *request_of_node(struct queue_node *node);

/* A pool of CAPACITY requests. Returns NULL with errno ENOMEM. */
struct request_pool *request_pool_new(size_t capacity);

/* Every request must be back. NULL is fine. */
void request_pool_free(struct request_pool *pool);

/* Owner only, never blocks. Returns NULL while all requests are out. */
struct request *request_pool_take(struct request_pool *pool);

/* Owner only. Return a request that was taken but not pushed. */
void request_pool_untake(struct request_pool *pool, struct request *request);

/* Owner only. Sleep until a request is back, or until DEADLINE_NS. */
void request_pool_wait(struct request_pool *pool, uint64_t deadline_ns);

/* Any thread. Return a whole batch to its pool. */
void request_give_back(struct request *batch);

#endif
