/* SPDX-License-Identifier: MIT */
/*
 * The threads that answer UNIX datagram clients whose name is a path.
 *
 * To send to a path the kernel looks it up, and where a client's path leads is the client's choice:
 * into a file system in user space, or one of the network, that does not answer. Nothing ends such
 * a look-up. So no worker makes one: these threads do, and a hanging one costs only those who asked
 * for it. The answers to one user in one directory are sent one after the other; a user has at most
 * PATH_LANES_OF_USER of the threads at a time, however many directories it takes.
 *
 * Names that were given by autobind, and abstract ones, are in no file system: they stay with the
 * workers.
 */
#ifndef RUPTIME_DAEMON_REPLY_PATH_WRITER_H
#define RUPTIME_DAEMON_REPLY_PATH_WRITER_H

#include "daemon/queue/request.h"
#include "daemon/run/uptime.h"
#include "daemon/stats.h"

/* Threads in all; they are started as they are needed. */
#define PATH_WRITER_THREADS 16

/* Answers that may wait; what is more is dropped. */
#define PATH_WRITER_MAX 1024

struct path_writer;

/*
 * Start the first thread. It answers clients of LISTENERS, and writes COUNTERS; both are borrowed
 * until path_writer_end(). Returns NULL with errno.
 */
struct path_writer *path_writer_start(
	const struct listener_set *listeners, struct stats_counters *counters);

/*
 * Take those requests of BATCH, all from one listener for UNIX datagrams, whose clients' names are
 * paths, and answer copies of them as reply_batch() does with a copy of LINE. Returns the others as
 * a batch, or NULL: still the caller's. Answers for which there is no room are counted in COUNTERS,
 * which are the calling thread's. Any thread, never blocks.
 */
struct request *path_writer_take(struct path_writer *writer, struct request *batch,
	const struct uptime_line *line, uint64_t until_ns, struct stats_counters *counters);

/*
 * Wait until all that was taken is sent, and free WRITER. A look-up that hangs is waited for until
 * it has taken 500 ms, and its answer then counted as dropped; its thread is left behind, and
 * frees WRITER if it ever ends. No path_writer_take() may follow. NULL is fine.
 */
void path_writer_end(struct path_writer *writer);

#endif
