/* SPDX-License-Identifier: MIT */
#include "daemon/ingress/udp_backlog.h"

void udp_backlog_init(struct udp_backlog *room, size_t least, size_t most, uint64_t now_ns)
{
	*room = (struct udp_backlog){
		.least = least, .most = most, .now = most, .since_ns = now_ns
	};
}

/* What is served in UDP_BACKLOG_NS at the pace of ELAPSED_NS. */
static size_t fitting(const struct udp_backlog *room, uint64_t elapsed_ns)
{
	size_t fitting = (size_t)((uint64_t)room->served * UDP_BACKLOG_NS / elapsed_ns);

	if (fitting < room->least) {
		return room->least;
	}
	return fitting < room->most ? fitting : room->most;
}

/* A quarter more for each UDP_BACKLOG_NS: more at a time would let the queue swing. */
static size_t widened(const struct udp_backlog *room, uint64_t elapsed_ns)
{
	size_t now = room->now;

	for (; elapsed_ns >= UDP_BACKLOG_NS && now < room->most; elapsed_ns -= UDP_BACKLOG_NS) {
		now += now / 4 + 1;
	}
	return now < room->most ? now : room->most;
}

bool udp_backlog_look(struct udp_backlog *room, size_t count, bool standing, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - room->since_ns;
	size_t before = room->now;

	room->served += count;
	if (elapsed_ns < UDP_BACKLOG_NS) {
		return false;
	}
	room->now = standing ? fitting(room, elapsed_ns) : widened(room, elapsed_ns);
	room->served = 0;
	room->since_ns = now_ns;
	return room->now != before;
}
