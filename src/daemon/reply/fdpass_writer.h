/* SPDX-License-Identifier: MIT */
/*
 * The thread that writes lines to the descriptors that clients have passed, and closes them.
 *
 * A call on such a descriptor may take as long as its client likes: a file system in user space
 * answers when it wants to, and the lock of a file, a pipe or a socket is held by a process that
 * writes to it from memory of such a file system. Nothing tells so beforehand, and nothing ends it.
 * So this thread alone waits, and with it the other clients of fdpass: no other transport.
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
 * Take BATCH, all of fdpass, and answer it as reply_batch() does with a copy of LINE. Any thread,
 * never blocks. Returns false if there was no memory: BATCH is still the caller's.
 */
bool fdpass_writer_take(struct fdpass_writer *writer, struct request *batch,
	const struct uptime_line *line, uint64_t until_ns);

/*
 * Wait until all that was taken is answered and the last client has closed, or has had its second
 * to do so, and free WRITER. No fdpass_writer_take() may follow. NULL is fine.
 */
void fdpass_writer_end(struct fdpass_writer *writer);

#endif
