/* SPDX-License-Identifier: MIT */
/*
 * Do threads wait for a CPU? From the count of runnable threads, the fourth figure in
 * /proc/loadavg, see proc(5). The figure is that of the whole machine: a process that may use only
 * some CPUs of a large one learns nothing, and goes on as if CPUs were idle.
 */
#ifndef RUPTIME_DAEMON_WORK_LOADAVG_H
#define RUPTIME_DAEMON_WORK_LOADAVG_H

#include <stdbool.h>

struct loadavg {
	int fd;		/* of /proc/loadavg; -1: cannot tell */
	long cpus;
};

/* Always succeeds; without /proc no thread is ever seen to wait. */
void loadavg_init(struct loadavg *loadavg);
void loadavg_fini(struct loadavg *loadavg);

/* Are more threads runnable than there are CPUs? Takes some 2 us. */
bool loadavg_exceeds_cpus(const struct loadavg *loadavg);

/* The figure in TEXT, the content of /proc/loadavg; 0 if there is none. */
long loadavg_parse(const char *text);

#endif
