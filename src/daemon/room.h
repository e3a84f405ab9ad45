/* SPDX-License-Identifier: MIT */
/*
 * How many may wait for a thread that cannot keep up: as many as it serves in ROOM_NS.
 *
 * A long queue is good for a burst and bad for a flood. A burst is over before it has filled the
 * queue, and all of it is served. A flood keeps the queue full for as long as it lasts: then
 * everybody waits for as long as the queue takes, no more are served than with a short one, and
 * most of those who are have given up. So there is room for many until somebody has waited for
 * ROOM_NS; then for as many as are served in that time; and when nobody waits any more, for more
 * and more again.
 *
 * Not thread-safe.
 */
#ifndef RUPTIME_DAEMON_ROOM_H
#define RUPTIME_DAEMON_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"

#define ROOM_NS (50 * CLOCK_MS)

struct room {
	size_t least;
	size_t most;
	size_t now;		/* so many may wait */
	size_t served;		/* since SINCE_NS */
	uint64_t since_ns;
};

/* Room for MOST, and never for less than LEAST, whatever happens. */
void room_init(struct room *room, size_t least, size_t most, uint64_t now_ns);

/*
 * COUNT more were served, and somebody has waited for ROOM_NS: STANDING. Returns whether room->now
 * has changed, which it does not more often than every ROOM_NS.
 */
bool room_look(struct room *room, size_t count, bool standing, uint64_t now_ns);

#endif
