/* SPDX-License-Identifier: MIT */
/*
 * Connections on which a descriptor is still awaited. Part of the fdpass acceptor; never blocks.
 *
 * A client that connects and sends nothing has FDPASS_GATE_PATIENCE_S. When FDPASS_GATE_MAX of them
 * wait, the one that has waited longest makes room for the next.
 */
#ifndef RUPTIME_DAEMON_INGRESS_FDPASS_GATE_H
#define RUPTIME_DAEMON_INGRESS_FDPASS_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/fdpass.h"
#include "daemon/listen/listener.h"

#define FDPASS_GATE_MAX	       256
#define FDPASS_GATE_PATIENCE_S 2

/* A connection at the gate, or one that leaves it. Both descriptors become the caller's. */
struct fdpass_client {
	const struct listener *listener;
	int conn_fd;
	unsigned source;		/* what the connection counts for, see connections.h */
	enum fdpass_result result;	/* FDPASS_LATER: its time is over, or it had to go */
	int passed_fd;			/* -1 unless FDPASS_GOT */
};

struct fdpass_gate;

/* Returns NULL with errno. */
struct fdpass_gate *fdpass_gate_new(void);

/* Closes the connections that still wait. NULL is fine. */
void fdpass_gate_free(struct fdpass_gate *gate);

/*
 * Takes the connection of *CLIENT, which has not sent anything yet. Returns true if a client has to
 * leave at once, and then *CLIENT is that one: the oldest, which made room, with what it has sent
 * by now; or the same one, if the kernel cannot watch it.
 */
bool fdpass_gate_enter(struct fdpass_gate *gate, struct fdpass_client *client, uint64_t now_ns);

/* Readable when a client at the gate has sent something or has closed. */
int fdpass_gate_fd(const struct fdpass_gate *gate);

/* When the time of the oldest client is over; CLOCK_NEVER: the gate is empty. */
uint64_t fdpass_gate_due_ns(const struct fdpass_gate *gate);

/*
 * Take from the gate a client that has sent something, has closed, or whose time is over at NOW_NS.
 * Returns false if there is none.
 */
bool fdpass_gate_leave(struct fdpass_gate *gate, uint64_t now_ns, struct fdpass_client *client);

#endif
