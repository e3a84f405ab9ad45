/* SPDX-License-Identifier: MIT */
/*
 * The UDP sockets that all hosts share. A socket for each host would cost 3.6 times as much, and
 * descriptors. Each request of a host leaves from another socket than the one before, so that the
 * port at which an answer arrives tells which request it is for, also if it carries no nonce.
 *
 * Requests are sent, and answers received, many at a time.
 *
 * One thread; nothing blocks.
 */
#ifndef RUPTIME_CLIENT_ASK_UDP_POOL_H
#define RUPTIME_CLIENT_ASK_UDP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/ask/udp_table.h"
#include "common/protocol.h"

/* Sockets of each family, of which there are two. */
#define UDP_POOL_SOCKETS 8
#define UDP_POOL_TAGS	 (2 * UDP_POOL_SOCKETS)

struct udp_pool;

/* One request. Its user keeps it, and the address it is for, until udp_pool_forget(). */
struct udp_request {
	struct udp_entry entry;
	void *owner;			/* the user's */
	uint64_t sent_ns;		/* the user's, too */
	uint64_t nonce;
	uint8_t socket;			/* of the pool */
	bool plain;			/* the one byte, too: a line without nonce will do */
};

/* What has come for a request. */
struct udp_event {
	struct udp_request *request;
	const char *line;		/* borrowed until the handler returns; NULL: an error */
	size_t len;
	bool has_nonce;			/* the line has come with that of the request */
	int error;			/* errno */
};

/* Handles an event. It may forget any requests, and send none. */
typedef void udp_event_fn(void *context, const struct udp_event *event);

/*
 * A pool for about COUNT requests at a time, whose sockets are opened when they are needed and
 * registered with EPOLL_FD: the first as TAG, the others with higher numbers, UDP_POOL_TAGS in all.
 * HANDLE is called from udp_pool_receive(), udp_pool_flush() and udp_pool_send().
 * Returns NULL with errno.
 */
struct udp_pool *udp_pool_open(int epoll_fd, uint64_t tag, size_t count, udp_event_fn *handle,
	void *context);
void udp_pool_close(struct udp_pool *pool);

/*
 * Send REQUEST to ADDRESS, soon: an extended request, and the one byte behind it if it is PLAIN.
 * OWNER and PLAIN are set by the caller, and NUMBER says how many requests the host was sent
 * before. Returns 0, or -1 with errno if there is no socket for it.
 */
int udp_pool_send(struct udp_pool *pool, struct udp_request *request,
	const struct sockaddr *address, socklen_t len, unsigned number);

/* Nothing more for REQUEST, which need not have been sent. */
void udp_pool_forget(struct udp_pool *pool, struct udp_request *request);

/*
 * Take what has come to the socket with TAG, where epoll has seen EVENTS: a bounded part of it;
 * what is left keeps it readable.
 */
void udp_pool_receive(struct udp_pool *pool, uint64_t tag, uint32_t events);

/* Send what is to be sent. Returns false if the kernel has no room for all: try again soon. */
bool udp_pool_flush(struct udp_pool *pool);

#endif
