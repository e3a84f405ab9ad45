/* SPDX-License-Identifier: MIT */
/*
 * TCP handshakes that lack their last step here: to the client the connection is there already, but
 * accept() does not give it yet. The kernel tells of them by sock_diag(7). Thread-safe.
 */
#ifndef RUPTIME_DAEMON_LISTEN_HANDSHAKES_H
#define RUPTIME_DAEMON_LISTEN_HANDSHAKES_H

#include <stdbool.h>

#include "daemon/listen/listener.h"

/* Is any handshake under way with one of SET's TCP listeners that are ours alone? Never blocks. */
bool handshakes_are_pending(const struct listener_set *set);

#endif
