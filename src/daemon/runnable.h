/* SPDX-License-Identifier: MIT */
/*
 * Does anybody wait for a CPU? From the count of runnable threads, the fourth figure in
 * /proc/loadavg, see proc(5). It is a glance at the whole machine: a process that may use only
 * some CPUs of a large one learns nothing, and goes on as if there were CPUs to spare.
 */
#ifndef RUPTIME_DAEMON_RUNNABLE_H
#define RUPTIME_DAEMON_RUNNABLE_H

#include <stdbool.h>

struct runnable {
	int loadavg_fd;		/* -1: cannot tell */
	long cpus;
};

/* Always succeeds; without /proc nobody is ever seen to wait. */
void runnable_init(struct runnable *runnable);
void runnable_fini(struct runnable *runnable);

/* Are there more who could run than CPUs? Takes some 2 us. */
bool runnable_exceed_cpus(const struct runnable *runnable);

/* The figure in TEXT, the content of /proc/loadavg; 0 if there is none. */
long runnable_parse(const char *text);

#endif
