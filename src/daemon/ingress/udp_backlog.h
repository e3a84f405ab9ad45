/* SPDX-License-Identifier: MIT */
/*
 * How many datagrams may wait in the kernel for a receiver that cannot keep up: as many as it
 * receives in UDP_BACKLOG_NS.
 *
 * A long backlog is good for a burst and bad for a flood. A burst is over before it has filled the
 * backlog, and all of it is served. A flood keeps the backlog full for as long as it lasts: then
 * each datagram waits for all before it, no more are served than with a short backlog, and most
 * clients have given up before their answer comes. So the backlog is long until datagrams have
 * waited for UDP_BACKLOG_NS; then as long as what is received in that time; and after the flood it
 * grows again.
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
	size_t served;		/* received since SINCE_NS */
	uint64_t since_ns;
};

/* MOST may wait at first, and never fewer than LEAST. */
void udp_backlog_init(struct udp_backlog *backlog, size_t least, size_t most, uint64_t now_ns);

/*
 * COUNT more were received. STANDING: the backlog has not been empty for UDP_BACKLOG_NS. Returns
 * whether backlog->now has changed, which it does at most once in UDP_BACKLOG_NS.
 */
bool udp_backlog_look(struct udp_backlog *backlog, size_t count, bool standing, uint64_t now_ns);

#endif
