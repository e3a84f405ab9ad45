/* SPDX-License-Identifier: MIT */
/*
 * A server with its settings and its listeners. When the configuration is read again a second one
 * starts beside the first, on the listeners that both have; then the first is drained. So whatever
 * changes, no request on a listener that stays notices.
 */
#ifndef RUPTIME_DAEMON_GENERATION_H
#define RUPTIME_DAEMON_GENERATION_H

#include "daemon/listen/listener.h"
#include "daemon/reader.h"
#include "daemon/server.h"
#include "daemon/settings.h"

struct generation {
	struct settings settings;
	struct listener_set listeners;
	struct server *server;
};

/*
 * Make the first one, without a server yet: SETTINGS are copied, LISTENERS become its own. Returns
 * NULL with errno.
 */
struct generation *generation_new(const struct settings *settings, struct listener_set *listeners);

/*
 * Make the one that follows OLD: with the listeners of OLD that are still wanted, and those that
 * READING brings. Takes the descriptors of READING. XSI queues become the property of UID and GID.
 * Returns NULL and, in WHY, a text that says the reason; then all that was new is closed again.
 */
struct generation *generation_next(const struct generation *old, struct reading *reading, uid_t uid,
	gid_t gid, char *why, size_t size);

/* Give up NEXT, which never served: what it shares with the one before stays open. */
void generation_drop(struct generation *next);

/*
 * NEXT serves: log which listeners came and which go, and leave those that stay to NEXT, so that
 * server_stop() of OLD drains the others only. Returns how many came or go.
 */
unsigned generation_hand_over(struct generation *old, const struct generation *next);

/* After server_stop(): close what NEXT does not have. */
void generation_free(struct generation *old);

#endif
