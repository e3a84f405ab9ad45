/* SPDX-License-Identifier: MIT */
/*
 * The scribe: the thread that writes lines to the descriptors that strangers have passed, and
 * closes them.
 *
 * Whatever can be done with such a descriptor may take as long as its giver likes: a file system in
 * user space answers when it wants to, and locks of a file, a pipe or a socket are held by whoever
 * writes to it from memory that comes from there. Nothing tells so beforehand, and nothing ends it.
 * So one thread waits, and those behind it over the same transport: nobody else.
 */
#ifndef RUPTIME_DAEMON_REPLY_FDPASS_WRITER_H
#define RUPTIME_DAEMON_REPLY_FDPASS_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/policy/connections.h"
#include "daemon/queue/request.h"
#include "daemon/run/uptime.h"
#include "daemon/stats.h"

struct fdpass_writer;

/*
 * Start the thread. It writes COUNTERS; both are borrowed until fdpass_writer_end(). Returns NULL
 * with errno.
 */
struct fdpass_writer *fdpass_writer_start(
	struct connections *connections, struct stats_counters *counters);

/*
 * Take BATCH, all of fdpass, to be answered with a copy of LINE, or with nothing after UNTIL_NS,
 * and given back. Any thread, never blocks. Returns false if there was no memory: BATCH is still
 * the caller's.
 */
bool fdpass_writer_take(struct fdpass_writer *writer, struct request *batch,
	const struct uptime_line *line, uint64_t until_ns);

/*
 * Wait until all that was taken is answered and the last client has closed, or has had its second,
 * and free SCRIBE. NULL is fine.
 */
void fdpass_writer_end(struct fdpass_writer *writer);

#endif
