/* SPDX-License-Identifier: MIT */
/*
 * Connections on which a descriptor is still awaited. Part of the acceptor thread; never blocks.
 *
 * Who connects and sends nothing has FDPASS_GATE_PATIENCE_S; when there are FDPASS_GATE_MAX of
 * them, the one that has waited longest makes room for the next.
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

/* Closes whoever still waits. NULL is fine. */
void fdpass_gate_free(struct fdpass_gate *gate);

/*
 * Takes the connection of *CLIENT, who has not brought anything yet. Returns true if somebody has
 * to leave at once, whom *CLIENT names then: the one that made room, after a last look at what it
 * has sent; or the same one, if the kernel cannot watch it.
 */
bool fdpass_gate_enter(struct fdpass_gate *gate, struct fdpass_client *client, uint64_t now_ns);

/* Readable when fdpass_gate_leave() has somebody who sent something or has gone. */
int fdpass_gate_fd(const struct fdpass_gate *gate);

/* When the next one's time is over: CLOCK_NEVER if nobody waits. */
uint64_t fdpass_gate_due_ns(const struct fdpass_gate *gate);

/* Let the next one out who has sent something, has gone, or whose time is over. */
bool fdpass_gate_leave(struct fdpass_gate *gate, uint64_t now_ns, struct fdpass_client *client);

#endif
