/* SPDX-License-Identifier: MIT */
/*
 * Streams that were answered and wait for their client's end.
 *
 * A close() with unread input resets the connection: a client that talks before it reads would
 * lose the line that is on its way, or see an error where the end of the stream should be. So an
 * answered stream is shut down for writing and stays here until the client has closed its side;
 * what it says is thrown away. Nearly all have closed at the first look, 8 ms later; the others
 * are looked at again, many at once, after 16, 32, ... 512 ms, and closed, come what may, after
 * about a second.
 *
 * While connections are crowded, those that were looked at once give way.
 *
 * Belongs to one thread, which may be busy for long when other threads need places: then they have
 * the streams closed whose clients have closed (connections_reaper), which a lock allows. Nothing
 * but lingering_finish() blocks.
 */
#ifndef RUPTIME_DAEMON_REPLY_LINGERING_H
#define RUPTIME_DAEMON_REPLY_LINGERING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/policy/connections.h"

struct lingering;

/* Room for as many as one thread keeps. */
#define LINGERING_USUAL 1024

/*
 * Room for CAPACITY streams, which are among CONNECTIONS (borrowed). Returns NULL with errno
 * ENOMEM.
 */
struct lingering *lingering_new(unsigned capacity, struct connections *connections);

/* Closes the streams that are left. NULL is fine. */
void lingering_free(struct lingering *lingering);

/*
 * Shut CONN_FD, which counts for SOURCE, down for writing, and take it. RECORDS: what comes from it
 * has boundaries, so that an empty message is not the end. MAY_PASS: and may come with descriptors.
 * If there is no room, the stream that has been looked at most often makes room: it is looked at
 * once more and closed. Returns 0, or -1 with errno: then CONN_FD is still the caller's.
 */
int lingering_add(struct lingering *lingering, int conn_fd, unsigned source, bool records,
	bool may_pass, uint64_t now_ns);

/* Look at all streams that are due, and close those that are done. */
void lingering_sweep(struct lingering *lingering, uint64_t now_ns);

/* When the next sweep is due: CLOCK_NEVER if there is nothing. */
uint64_t lingering_due_ns(struct lingering *lingering);

/* How many streams there are. */
unsigned lingering_count(struct lingering *lingering);

/* Wait for the last clients: each of them has its second, as ever. */
void lingering_finish(struct lingering *lingering);

#endif
