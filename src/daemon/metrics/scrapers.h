/* SPDX-License-Identifier: MIT */
/*
 * The thread that accepts the connections of scrapers. libmicrohttpd could do it, but where no
 * descriptor is left it tries again and again, without a pause.
 */
#ifndef RUPTIME_DAEMON_METRICS_SCRAPERS_H
#define RUPTIME_DAEMON_METRICS_SCRAPERS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "daemon/listen/listener.h"

/* What becomes of them. Called by the thread. */
struct scrapers_taker {
	void *context;
	bool (*has_room)(void *context);
	/* Takes CONN_FD, which is non-blocking. */
	void (*take)(void *context, int conn_fd, const struct sockaddr *peer, socklen_t len);
};

struct scrapers;

/* LISTENERS are borrowed until scrapers_stop(); TAKER is copied. Returns NULL with errno. */
struct scrapers *scrapers_start(
	const struct listener_set *listeners, const struct scrapers_taker *taker);

/* End the thread. NULL is fine. */
void scrapers_stop(struct scrapers *scrapers);

#endif
