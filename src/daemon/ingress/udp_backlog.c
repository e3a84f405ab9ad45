/* SPDX-License-Identifier: MIT */
#include "daemon/ingress/udp_backlog.h"

void udp_backlog_init(struct udp_backlog *backlog, size_t least, size_t most, uint64_t now_ns)
{
	*backlog = (struct udp_backlog){
		.least = least, .most = most, .now = most, .since_ns = now_ns
	};
}

/* What is served in UDP_BACKLOG_NS at the pace of ELAPSED_NS. */
static size_t fitting(const struct udp_backlog *backlog, uint64_t elapsed_ns)
{
	size_t fitting = (size_t)((uint64_t)backlog->served * UDP_BACKLOG_NS / elapsed_ns);

	if (fitting < backlog->least) {
		return backlog->least;
	}
	return fitting < backlog->most ? fitting : backlog->most;
}

/* A quarter more for each UDP_BACKLOG_NS: more at a time would let the backlog swing. */
static size_t widened(const struct udp_backlog *backlog, uint64_t elapsed_ns)
{
	size_t now = backlog->now;

	for (; elapsed_ns >= UDP_BACKLOG_NS && now < backlog->most; elapsed_ns -= UDP_BACKLOG_NS) {
		now += now / 4 + 1;
	}
	return now < backlog->most ? now : backlog->most;
}

bool udp_backlog_look(struct udp_backlog *backlog, size_t count, bool standing, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - backlog->since_ns;
	size_t before = backlog->now;

	backlog->served += count;
	if (elapsed_ns < UDP_BACKLOG_NS) {
		return false;
	}
	backlog->now = standing ? fitting(backlog, elapsed_ns) : widened(backlog, elapsed_ns);
	backlog->served = 0;
	backlog->since_ns = now_ns;
	return backlog->now != before;
}
