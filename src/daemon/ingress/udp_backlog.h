/* SPDX-License-Identifier: MIT */
/*
 * How many may wait for a thread that cannot keep up: as many as it serves in UDP_BACKLOG_NS.
 *
 * A long queue is good for a burst and bad for a flood. A burst is over before it has filled the
 * queue, and all of it is served. A flood keeps the queue full for as long as it lasts: then
 * everybody waits for as long as the queue takes, no more are served than with a short one, and
 * most of those who are have given up. So there is room for many until somebody has waited for
 * UDP_BACKLOG_NS; then for as many as are served in that time; and when nobody waits any more, for
 * more and more again.
 *
 * Not thread-safe.
 */
#ifndef RUPTIME_DAEMON_INGRESS_UDP_BACKLOG_H
#define RUPTIME_DAEMON_INGRESS_UDP_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"

#define UDP_BACKLOG_NS (50 * CLOCK_MS)

struct udp_backlog {
	size_t least;
	size_t most;
	size_t now;		/* so many may wait */
	size_t served;		/* since SINCE_NS */
	uint64_t since_ns;
};

/* Room for MOST, and never for less than LEAST, whatever happens. */
void udp_backlog_init(struct udp_backlog *room, size_t least, size_t most, uint64_t now_ns);

/*
 * COUNT more were served, and somebody has waited for UDP_BACKLOG_NS: STANDING. Returns whether
 * room->now has changed, which it does not more often than every UDP_BACKLOG_NS.
 */
bool udp_backlog_look(struct udp_backlog *room, size_t count, bool standing, uint64_t now_ns);

#endif
