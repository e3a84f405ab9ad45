/* SPDX-License-Identifier: MIT */
/*
 * The figures of the host, from the kernel: those that the line of uptime has. Thread-safe.
 */
#ifndef RUPTIME_DAEMON_METRICS_HOST_H
#define RUPTIME_DAEMON_METRICS_HOST_H

struct host {
	double uptime_s;	/* CLOCK_BOOTTIME: suspended time counts, as for uptime */
	double boot_time_s;	/* seconds since 1970; 0: unknown */
	double loads[3];	/* negative: unknown */
};

/* Reads /proc/stat and /proc/loadavg; never waits. */
void host_read(struct host *host);

#endif
