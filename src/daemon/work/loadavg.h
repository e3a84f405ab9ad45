/* SPDX-License-Identifier: MIT */
/*
 * Does anybody wait for a CPU? From the count of runnable threads, the fourth figure in
 * /proc/loadavg, see proc(5). It is a glance at the whole machine: a process that may use only
 * some CPUs of a large one learns nothing, and goes on as if there were CPUs to spare.
 */
#ifndef RUPTIME_DAEMON_WORK_LOADAVG_H
#define RUPTIME_DAEMON_WORK_LOADAVG_H

#include <stdbool.h>

struct loadavg {
	int loadavg_fd;		/* -1: cannot tell */
	long cpus;
};

/* Always succeeds; without /proc nobody is ever seen to wait. */
void loadavg_init(struct loadavg *runnable);
void loadavg_fini(struct loadavg *runnable);

/* Are there more who could run than CPUs? Takes some 2 us. */
bool loadavg_exceeds_cpus(const struct loadavg *runnable);

/* The figure in TEXT, the content of /proc/loadavg; 0 if there is none. */
long loadavg_parse(const char *text);

#endif
