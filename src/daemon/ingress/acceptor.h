/* SPDX-License-Identifier: MIT */
/*
 * A thread that accepts connections. The acceptor itself serves the plain streams: it queues each
 * connection as a request. Another role runs the same loop with hooks of its own.
 */
#ifndef RUPTIME_DAEMON_INGRESS_ACCEPTOR_H
#define RUPTIME_DAEMON_INGRESS_ACCEPTOR_H

#include "daemon/ingress/ingress.h"

/* What a role does besides accepting. All of it runs in the thread, and none of it may block. */
struct acceptor_hooks {
	const char *thread_name;
	unsigned descriptors;		/* of each client, see connections_enter() */

	/*
	 * A connection was accepted and counted. REQUEST names its listener, descriptor and source.
	 * Takes it: adds it to BATCH, or returns it to the pool and keeps the connection.
	 */
	void (*accepted)(struct ingress *ingress, struct request *request,
		struct request_batch *batch);

	/* The rest may be NULL. Can another client be served now? If not, accepting pauses. */
	bool (*ready)(struct ingress *ingress);
	/*
	 * A connection is one too many, and counted as such. Takes *CONN_FD, which counts for
	 * SOURCE. NULL: it is reset.
	 */
	void (*refused)(struct ingress *ingress, int *conn_fd, unsigned source);
	/* In each turn of the loop, before the listeners. */
	void (*turn)(struct ingress *ingress);
	/* When turn() must be called at the latest; CLOCK_NEVER: no need. */
	uint64_t (*due_ns)(struct ingress *ingress);
	/* After the listeners were drained: queue or end what is left. */
	void (*drain)(struct ingress *ingress);
};

/* Start the acceptor; stop it with ingress_stop(). Returns 0, or -1 with errno. */
int acceptor_start(struct ingress *ingress);

/*
 * The same for another role. HOOKS is borrowed, and so is CONTEXT until the thread has ended;
 * WATCH_FD is polled beside the listeners (-1: none).
 */
int acceptor_start_role(struct ingress *ingress, const struct acceptor_hooks *hooks, void *context,
	int watch_fd);

/* The CONTEXT of the role, for its hooks. */
void *acceptor_context(const struct ingress *ingress);

/* A request of this thread's listener has ended without an answer, for REASON. */
void acceptor_count_drop(struct ingress *ingress, const struct listener *listener,
	enum stats_drop reason);

#endif
