/* SPDX-License-Identifier: MIT */
/*
 * What main does of a takeover: it takes over from the server before, if there is one, and from
 * then on lets the next one take over. All of it does nothing without --takeover. Main only.
 */
#ifndef RUPTIME_DAEMON_SUCCESSION_H
#define RUPTIME_DAEMON_SUCCESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/listen/listener.h"
#include "daemon/server.h"
#include "daemon/takeover/claim.h"
#include "daemon/takeover/offer.h"

struct succession {
	struct takeover_claim *claim;	/* on the server before; NULL: none, or it is over */
	struct takeover_offer *offer;	/* to the next one */
	struct listener_set socket;	/* the one it asks at */
	uid_t uid;
	uint64_t began_ns;
	uint64_t over_ns;		/* when the replies of the server before may be removed */
};

/*
 * Ask the server at PATH ("": no takeover) for its listeners, and if there is none open the socket
 * there. The server will run as UID and GID. Returns 0, or -1 with *WHY; *PERMITTED: it is not for
 * want of permission.
 */
int succession_begin(struct succession *succession, const char *path, uid_t uid, gid_t gid,
	struct listener_failure *failure);

/* Is there a server before? */
bool succession_follows(const struct succession *succession);

/* As takeover_claim_take(); 0 if there is no server before. */
int succession_take(struct succession *succession, struct listener_set *set,
	const struct address *asked, bool metrics);

/*
 * The server serves: have the one before drain, and wait for the next one. Returns 0, or -1 with
 * errno; then nothing of LISTENERS and METRICS that the server before has is ours.
 */
int succession_serve(struct succession *succession, struct listener_set *listeners,
	struct listener_set *metrics);

/* Readable when the next server has taken over, and when the one before has drained; -1: never. */
int succession_taken_fd(const struct succession *succession);
int succession_drained_fd(const struct succession *succession);

/* The server before has drained: count what it has counted. */
void succession_take_counters(struct succession *succession, struct server *server);

/* When succession_mind() is due; CLOCK_NEVER: not. */
uint64_t succession_due_ns(const struct succession *succession);
void succession_mind(struct succession *succession, const struct listener_set *listeners);

/*
 * Let no server take over while the listeners are changed. Returns whether one has taken over
 * already. And then let it take over these; it does nothing if one has.
 */
bool succession_suspend(struct succession *succession);
void succession_resume(struct succession *succession, struct listener_set *listeners,
	struct listener_set *metrics);

/* Let no other server take over any more. Returns the process that has, or 0. */
pid_t succession_close(struct succession *succession);

/* After the drain: tell the next server what SERVER has counted (NULL: nothing), and free all. */
void succession_end(struct succession *succession, const struct server *server);

#endif
