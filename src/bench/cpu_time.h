/* SPDX-License-Identifier: MIT */
/*
 * How much CPU time a server uses: its process and all below it, the dead ones included, to the
 * kernel's tick (10 ms). From /proc/PID/stat, proc(5). Thread-safe.
 */
#ifndef RUPTIME_BENCH_CPU_TIME_H
#define RUPTIME_BENCH_CPU_TIME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cpu_process;

/* A process tree at one moment. All zero is an empty one. */
struct cpu_tree {
	struct cpu_process *processes;	/* owned */
	size_t count;
};

/*
 * Read the tree below and with ROOT. Returns 0, or -1 with errno (ESRCH: there is no such process)
 * and an empty tree. cpu_tree_free() it.
 */
int cpu_tree_read(struct cpu_tree *tree, pid_t root);
void cpu_tree_free(struct cpu_tree *tree);

/*
 * What the tree used from BEFORE to AFTER. Returns 0 and *USED_NS, or -1 and *WHY, a constant: a
 * process has ended and its parent was not charged with its time (it ignores SIGCHLD, or another
 * process has waited for it), so that the difference would be anything.
 */
int cpu_tree_used(const struct cpu_tree *before, const struct cpu_tree *after, uint64_t *used_ns,
	const char **why);

/* Of this process, exactly. */
uint64_t cpu_time_own_ns(void);

#endif
