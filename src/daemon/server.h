/* SPDX-License-Identifier: MIT */
/*
 * The pipeline as a whole: ingress threads, queue, workers; put together and taken apart in the
 * order in which the data flows.
 */
#ifndef RUPTIME_DAEMON_SERVER_H
#define RUPTIME_DAEMON_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/listen/listener.h"
#include "daemon/metrics/exposition.h"
#include "daemon/settings.h"
#include "daemon/run/runner.h"

struct server;

/*
 * Start all threads. SETTINGS, LISTENERS and RUNNER are borrowed until server_free().
 * Returns NULL with errno, and no thread running.
 */
struct server *server_start(const struct settings *settings, const struct listener_set *listeners,
	struct runner *runner);

/*
 * Serve all clients that are there, then end all threads: blocks until the last one has ended. May
 * be called from a thread of its own.
 */
void server_stop(struct server *server);

/* Log a line for each transport, and one for the runs. Any thread, at any time. */
void server_log_state(const struct server *server);

/*
 * From now on SERVER tells what BEFORE counts as well. BEFORE is borrowed until server_absorb(),
 * which is called when it has been stopped. Not while another thread asks for figures.
 */
void server_follow(struct server *server, const struct server *before);
void server_absorb(struct server *server);

/* The same for what another process has counted; and what this one has counted by now. */
void server_absorb_counters(struct server *server, const struct stats_counters *counters);
void server_count(const struct server *server, struct stats_counters *sum);

/*
 * Do the workers do what they are there for? No, if one of them has been at the same turn, or
 * requests have waited with none of them taken, for longer than a run and its answers may take.
 * Any thread; yes, once the workers have ended.
 */
bool server_makes_progress(struct server *server, uint64_t now_ns);

/* Write how it goes, in one line, to BUF. Any thread, at any time. */
void server_describe(const struct server *server, char *buf, size_t size);

/* Fill *FIGURES, for the metrics. Any thread, until server_free(). */
void server_collect(const struct server *server, struct exposition *figures);

/* After server_stop(). */
void server_free(struct server *server);

#endif
