/* SPDX-License-Identifier: MIT */
/*
 * How requests travel: one table of functions for each kind of transport, called by a lane's thread
 * only. None of them blocks.
 */
#ifndef RUPTIME_BENCH_TRANSPORT_H
#define RUPTIME_BENCH_TRANSPORT_H

#include <stdint.h>

#include "bench/target.h"

struct lane;
struct request;

/* Which descriptor of a request an event is about. */
enum transport_role {
	TRANSPORT_CONN,
	TRANSPORT_LINE,
	TRANSPORT_OWN,		/* none: one of lane_watch_own() */
};

enum transport_start {
	TRANSPORT_STARTED,	/* or already ended by lane_end() */
	TRANSPORT_AGAIN,	/* the other side's queue is full: try again soon */
};

struct transport {
	uint32_t fds_per_request;
	/* Set up and tear down what the lane's requests share. open(): 0, or -1 with errno. */
	int (*open)(struct lane *lane);
	void (*close)(struct lane *lane);
	enum transport_start (*start)(struct lane *lane, struct request *request);
	/* Now send what start() has only noted. NULL: start() sends. */
	void (*flush)(struct lane *lane);
	/* EVENTS of epoll on REQUEST's descriptor. NULL: it watches only its own. */
	void (*event)(struct lane *lane, struct request *request, enum transport_role role,
		uint32_t events);
	void (*own_event)(struct lane *lane, uint32_t number, uint32_t events);
	/* REQUEST is given up: free what it holds. The lane ends it. */
	void (*abandon)(struct lane *lane, struct request *request);
};

extern const struct transport bench_transport_stream;		/* tcp, unix, unix-seqpacket */
extern const struct transport bench_transport_fdpass;
extern const struct transport transport_nonce;		/* datagrams, extended */
extern const struct transport transport_port;		/* datagrams of one byte */
extern const struct transport bench_transport_msgq;

const struct transport *transport_for(const struct target *target);

#endif
