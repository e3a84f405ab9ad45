/* SPDX-License-Identifier: MIT */
/*
 * How much CPU time a server has used: its process and all below it, the dead ones included, to the
 * kernel's tick (10 ms). From /proc/PID/stat, proc(5). Thread-safe.
 */
#ifndef RUPTIME_BENCH_CPU_TIME_H
#define RUPTIME_BENCH_CPU_TIME_H

#include <stdint.h>
#include <sys/types.h>

/* Returns 0 and *TIME_NS, or -1 with errno (ESRCH: there is no such process). */
int cpu_time_of_tree(pid_t root, uint64_t *time_ns);

/* Of this process, exactly. */
uint64_t cpu_time_own_ns(void);

#endif
