/* SPDX-License-Identifier: MIT */
#include "bench/cpu_time.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

struct cpu_process {
	pid_t pid;
	pid_t parent;
	uint64_t started;	/* tells two processes of one number apart */
	uint64_t own_ticks;
	uint64_t waited_ticks;	/* of the children that it has waited for */
	bool counted;
	bool forgets_children;	/* SIGCHLD is ignored: their time goes nowhere */
};

/* A line of status such as "SigIgn:\t0000000000001000", for the members of the tree only. */
static bool ignores_sigchld(pid_t pid)
{
	unsigned long long mask = 0;
	char path[64];
	char line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "SigIgn: %llx", &mask) == 1) {
			break;
		}
	}
	if (file) {
		fclose(file);
	}
	return mask >> (SIGCHLD - 1) & 1;
}

/* Fields 4 (parent), 14 to 17 (its own time and that of the children waited for) and 22 (start). */
static int read_process(pid_t pid, struct cpu_process *process)
{
	unsigned long long user, system, child_user, child_system, started;
	char path[64];
	char text[1024];
	const char *after_name;
	size_t got;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file) {
		return -1;
	}
	got = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[got] = '\0';
	/* The name is in parentheses and may itself have some. */
	after_name = strrchr(text, ')');
	if (!after_name || sscanf(after_name + 1,
		" %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %*d %*d "
		"%llu", &process->parent, &user, &system, &child_user, &child_system,
		&started) != 6) {
		return -1;
	}
	process->pid = pid;
	process->started = started;
	process->own_ticks = user + system;
	process->waited_ticks = child_user + child_system;
	process->counted = false;
	process->forgets_children = false;
	return 0;
}

static int read_all(struct cpu_tree *tree)
{
	size_t size = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	while (dir && (entry = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid <= 0) {
			continue;
		}
		if (tree->count == size) {
			struct cpu_process *more = realloc(tree->processes,
				(size + 256) * sizeof(*more));

			if (!more) {
				closedir(dir);
				return -1;
			}
			tree->processes = more;
			size += 256;
		}
		/* One that has ended meanwhile is in its parent's time already. */
		if (read_process(pid, &tree->processes[tree->count]) == 0) {
			tree->count++;
		}
	}
	if (dir) {
		closedir(dir);
	}
	return dir ? 0 : -1;
}

static const struct cpu_process *find(const struct cpu_tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->processes[i].pid == pid) {
			return &tree->processes[i];
		}
	}
	return NULL;
}

/* Mark ROOT and all below it, and leave out the others. Returns false if there is no ROOT. */
static bool prune(struct cpu_tree *tree, pid_t root)
{
	bool found = false;
	bool grown = true;
	size_t kept = 0;

	while (grown) {
		grown = false;
		for (size_t i = 0; i < tree->count; i++) {
			struct cpu_process *process = &tree->processes[i];
			const struct cpu_process *parent = find(tree, process->parent);

			if (!process->counted &&
			    (process->pid == root || (parent && parent->counted))) {
				process->counted = true;
				found = found || process->pid == root;
				grown = true;
			}
		}
	}
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->processes[i].counted) {
			tree->processes[kept] = tree->processes[i];
			tree->processes[kept].forgets_children =
				ignores_sigchld(tree->processes[i].pid);
			kept++;
		}
	}
	tree->count = kept;
	return found;
}

int cpu_tree_read(struct cpu_tree *tree, pid_t root)
{
	*tree = (struct cpu_tree){ 0 };
	if (read_all(tree) < 0) {
		cpu_tree_free(tree);
		return -1;
	}
	if (!prune(tree, root)) {
		cpu_tree_free(tree);
		errno = ESRCH;
		return -1;
	}
	return 0;
}

void cpu_tree_free(struct cpu_tree *tree)
{
	free(tree->processes);
	*tree = (struct cpu_tree){ 0 };
}

/* The same process, still there. */
static const struct cpu_process *survivor(const struct cpu_tree *after,
	const struct cpu_process *process)
{
	const struct cpu_process *now = find(after, process->pid);

	return now && now->started == process->started ? now : NULL;
}

int cpu_tree_used(const struct cpu_tree *before, const struct cpu_tree *after, uint64_t *used_ns,
	const char **why)
{
	uint64_t total_before = 0;
	uint64_t total_after = 0;
	uint64_t ended = 0;		/* what those that ended had used before */
	uint64_t waited_before = 0;	/* of the survivors */
	uint64_t waited_after = 0;

	*why = "a process of the server has ended, and no parent was charged with its time";
	for (size_t i = 0; i < before->count; i++) {
		const struct cpu_process *process = &before->processes[i];
		const struct cpu_process *now = survivor(after, process);
		const struct cpu_process *parent = find(before, process->parent);

		total_before += process->own_ticks + process->waited_ticks;
		waited_before += now ? process->waited_ticks : 0;
		ended += now ? 0 : process->own_ticks + process->waited_ticks;
		if (!now && parent && parent->forgets_children) {
			return -1;
		}
	}
	for (size_t i = 0; i < after->count; i++) {
		total_after += after->processes[i].own_ticks + after->processes[i].waited_ticks;
		waited_after += after->processes[i].waited_ticks;
	}
	if (total_after < total_before || waited_after < waited_before + ended) {
		return -1;
	}
	*used_ns = (total_after - total_before) * (CLOCK_S / (uint64_t)sysconf(_SC_CLK_TCK));
	return 0;
}

uint64_t cpu_time_own_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * CLOCK_S + (uint64_t)used.tv_nsec;
}
