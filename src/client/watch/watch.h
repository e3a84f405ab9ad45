/* SPDX-License-Identifier: MIT */
/*
 * Ask all hosts again and again, and show what changes: a live table on a terminal, else one table
 * after the other, or JSON, or CSV. For main.
 */
#ifndef RUPTIME_CLIENT_WATCH_WATCH_H
#define RUPTIME_CLIENT_WATCH_WATCH_H

#include "client/hosts/targets.h"
#include "client/options.h"
#include "client/verdict.h"

/* Blocks until the user ends it. Returns what the last round came to. */
enum verdict watch_run(const struct options *options, const struct targets *targets);

#endif
