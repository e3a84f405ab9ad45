/* SPDX-License-Identifier: MIT */
/*
 * The old server's half of a takeover (message.h): a thread that waits at the takeover socket for a
 * new server, gives it the listeners, and lets go of them once the new one serves. Until then
 * nothing changes for the clients, whatever becomes of the new server.
 */
#ifndef RUPTIME_DAEMON_TAKEOVER_OFFER_H
#define RUPTIME_DAEMON_TAKEOVER_OFFER_H

#include <sys/types.h>

#include "daemon/listen/listener.h"
#include "daemon/stats.h"

struct takeover_offer;

/*
 * Start the thread at LISTEN_FD for LISTENERS and those of METRICS, all borrowed until
 * takeover_offer_end(). A new server that runs as UID is trusted besides root and our user. Returns
 * NULL with errno.
 */
struct takeover_offer *takeover_offer_start(int listen_fd, struct listener_set *listeners,
	struct listener_set *metrics, uid_t uid);

/* Readable once the listeners are released: those that were taken are not ours any more. */
int takeover_offer_fd(const struct takeover_offer *offer);

/* The process that has taken them. After takeover_offer_fd() was readable. */
pid_t takeover_offer_taker(const struct takeover_offer *offer);

/* End the thread: no new server is served any more. One that is under way is told. NULL is fine. */
void takeover_offer_withdraw(struct takeover_offer *offer);

/* After that: tell the new server, if there is one, what was counted; free OFFER. NULL is fine. */
void takeover_offer_end(struct takeover_offer *offer, const struct stats_counters *counters);

#endif
