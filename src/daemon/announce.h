/* SPDX-License-Identifier: MIT */
/* What the log says when the server begins to serve. */
#ifndef RUPTIME_DAEMON_ANNOUNCE_H
#define RUPTIME_DAEMON_ANNOUNCE_H

#include "daemon/listen/listener.h"
#include "daemon/settings.h"

/* A line for each address with the port that it got, and what is unusual in SETTINGS. */
void announce_listeners(const struct listener_set *listeners, const struct settings *settings);

/* A line for each address of the metrics. */
void announce_metrics(const struct listener_set *listeners);

#endif
