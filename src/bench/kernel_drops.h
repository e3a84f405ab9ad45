/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own counters of what it has thrown away: /proc/net/netstat, /proc/net/snmp and
 * /proc/net/softnet_stat. They are those of the whole network namespace, not of one server.
 */
#ifndef RUPTIME_BENCH_KERNEL_DROPS_H
#define RUPTIME_BENCH_KERNEL_DROPS_H

#include <stdint.h>

#define KERNEL_DROPS 10

struct kernel_drops {
	uint64_t count[KERNEL_DROPS];
};

/* What cannot be read counts as 0. Thread-safe. */
void kernel_drops_read(struct kernel_drops *drops);

/* SUM += AFTER - BEFORE. */
void kernel_drops_add(struct kernel_drops *sum, const struct kernel_drops *before,
	const struct kernel_drops *after);

/* The kernel's name of the I-th, with its group in front if it needs one: "UdpRcvbufErrors". */
const char *kernel_drops_name(unsigned i);

#endif
