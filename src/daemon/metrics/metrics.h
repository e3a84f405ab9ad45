/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server of --metrics: /metrics for Prometheus, /healthz and /readyz for what minds the
 * process. By libmicrohttpd, in a thread for each listener: a client that stalls holds its own
 * connection until it times out, and nothing else. Two files implement this: metrics.c, and
 * metrics_absent.c where configure found no libmicrohttpd or was told to do without.
 */
#ifndef RUPTIME_DAEMON_METRICS_METRICS_H
#define RUPTIME_DAEMON_METRICS_METRICS_H

#include <stdbool.h>

#include "daemon/listen/listener.h"
#include "daemon/metrics/exposition.h"
#include "daemon/policy/access.h"

/* Where the figures come from. Called by the threads of the metrics, one at a time. */
struct metrics_source {
	void *context;
	void (*collect)(void *context, struct exposition *figures);
	bool (*is_healthy)(void *context);	/* do the workers make progress? */
	bool (*is_ready)(void *context);	/* serving, and not draining? */
};

struct metrics;

/* Was this program built with libmicrohttpd? */
bool metrics_is_built_in(void);

/*
 * Serve at LISTENERS, TCP or UNIX streams, for the clients that SETTINGS let ask. LISTENERS are
 * borrowed until metrics_stop(); SOURCE is copied. Returns NULL with errno.
 */
struct metrics *metrics_start(const struct listener_set *listeners, const struct settings *settings,
	const struct metrics_source *source);

/* End the threads. NULL is fine. */
void metrics_stop(struct metrics *metrics);

#endif
