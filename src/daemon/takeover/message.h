/* SPDX-License-Identifier: MIT */
/*
 * What two servers say to each other when the new one takes over the listeners of the old one, over
 * a UNIX socket with message boundaries:
 *
 *	new	HELLO		which version it speaks
 *	old	OFFER		how many listeners there are; with the socket that this is asked at
 *	old	LISTENER	one each, with its descriptor; an XSI queue has none
 *	new	TAKEN		after each TAKEOVER_GROUP of them, and after the last
 *	new	SERVING		its threads serve; which listeners it has taken
 *	old	RELEASED	it would let go of those now
 *	new	CONFIRMED	they are the new one's from here on (from version 2 on)
 *	old	COUNTERS	it has drained: what it has counted
 *
 * WITHDRAWN, from the old one at any time before CONFIRMED: it is stopping and shuts its listeners,
 * or has waited in vain and goes on.
 * When the connection ends before CONFIRMED the old one goes on; when it ends after OFFER and its
 * listeners without WITHDRAWN, the old one has died, and all is the new one's. So one server is
 * left whichever is killed, and whenever.
 *
 * With a peer of version 1 it is SERVING that makes them the new one's.
 *
 * Each message begins with a header and may be longer in a later version; what a shorter one lacks
 * is 0. A version speaks with the one before it and the one after it.
 */
#ifndef RUPTIME_DAEMON_TAKEOVER_MESSAGE_H
#define RUPTIME_DAEMON_TAKEOVER_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "daemon/stats.h"

#define TAKEOVER_VERSION 2
#define TAKEOVER_MAX	 256		/* listeners */
#define TAKEOVER_GROUP	 16

enum takeover_kind {
	TAKEOVER_HELLO = 1,
	TAKEOVER_OFFER,
	TAKEOVER_LISTENER,
	TAKEOVER_TAKEN,
	TAKEOVER_SERVING,
	TAKEOVER_RELEASED,
	TAKEOVER_COUNTERS,
	TAKEOVER_WITHDRAWN,
	TAKEOVER_CONFIRMED,
};

/* The first version that has CONFIRMED. */
#define TAKEOVER_CONFIRMS 2

/* The same layout in both: they run on one machine, and may be built by different compilers. */
struct takeover_listener {
	char asked[ADDRESS_TEXT_MAX];		/* as it was given; "": a manager brought it */
	char bound[ADDRESS_TEXT_MAX];		/* as bound */
	uint64_t device;			/* UNIX sockets: the file that has the name */
	uint64_t inode;				/* 0: it is not to be removed */
	uint32_t owned;				/* XSI queues: bit 0 requests, bit 1 replies */
	uint32_t metrics;		/* 1: it serves the metrics, and no requests */
};

struct takeover_message {
	char magic[4];				/* TAKEOVER_MAGIC */
	uint16_t version;
	uint16_t kind;
	uint32_t count;				/* of OFFER and TAKEN: listeners */
	uint32_t bytes;				/* of COUNTERS: what the sender's have */
	union {
		struct takeover_listener listener;
		uint8_t taken[TAKEOVER_MAX];	/* of SERVING: 1 for each listener that is taken */
		struct stats_counters counters;
	};
};

/* How long each step may take. */
#define TAKEOVER_STEP_MS 2000

/* Fill in what each message of KIND has. */
void takeover_message_init(struct takeover_message *message, enum takeover_kind kind);

/*
 * Send MESSAGE, and a duplicate of PASSED_FD unless it is -1, within TAKEOVER_STEP_MS. Returns 0,
 * or -1 with errno.
 */
int takeover_message_send(int peer_fd, const struct takeover_message *message, int passed_fd);

/*
 * Receive the next message within WAIT_MS, until STOP_FD (-1: none) is readable, and the descriptor
 * that came with it in *PASSED_FD; -1: none. Returns 0, or -1 with errno: EPROTO for what is no
 * such message or has more than one descriptor (all are closed), ECONNRESET when the peer has
 * gone, ETIMEDOUT, ECANCELED when STOP_FD is readable.
 */
int takeover_message_receive(int peer_fd, struct takeover_message *message, int *passed_fd,
	int wait_ms, int stop_fd);

/* May the process at the other end take part? Root, or the user that this process is or UID. */
bool takeover_peer_is_trusted(int peer_fd, uint32_t uid);

#endif
