/* SPDX-License-Identifier: MIT */
/*
 * The new server's half of a takeover (message.h). Main only. Each step has its time-out; what
 * fails leaves the old server as it was.
 */
#ifndef RUPTIME_DAEMON_TAKEOVER_CLAIM_H
#define RUPTIME_DAEMON_TAKEOVER_CLAIM_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/listen/listener.h"
#include "daemon/stats.h"

struct takeover_claim;

/*
 * Ask the server at PATH for its listeners. *CLAIM becomes NULL if no server is there, also if it
 * dies before all of them have come. A server that runs as UID is trusted besides root and our
 * user. Returns 0, or -1 with errno and *WHY: words that need no errno, or NULL.
 */
int takeover_claim_open(struct takeover_claim **claim, const char *path, uid_t uid,
	const char **why);

/* The socket that the next server asks at, which becomes the caller's; -1 after the first call. */
int takeover_claim_socket(struct takeover_claim *claim);

/*
 * Append to SET the listeners that the old server has opened for ASKED (NULL: those that a service
 * manager brought it), for METRICS or for requests. Returns how many there are, or -1 with errno.
 * An XSI queue is only marked: it is opened as any other.
 */
int takeover_claim_take(struct takeover_claim *claim, struct listener_set *set,
	const struct address *asked, bool metrics);

/*
 * This server serves: have the old one drain. From then on the names and queues of LISTENERS and
 * METRICS that were taken are ours to remove. Returns 0, or -1 with errno: then the old one goes
 * on, and has shut its listeners if errno is ECANCELED.
 */
int takeover_claim_finish(struct takeover_claim *claim, struct listener_set *listeners,
	struct listener_set *metrics);

/* Readable when the old server has drained, or died. */
int takeover_claim_fd(const struct takeover_claim *claim);

/* Take what it has counted. Returns false if it has died, or counts otherwise. */
bool takeover_claim_counters(struct takeover_claim *claim, struct stats_counters *counters);

/* Replies that the old server has sent are left alone no more. */
void takeover_claim_is_over(const struct listener_set *set);

/* Closes what was not taken. NULL is fine. */
void takeover_claim_free(struct takeover_claim *claim);

#endif
