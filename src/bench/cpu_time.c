/* SPDX-License-Identifier: MIT */
#include "bench/cpu_time.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

struct process {
	pid_t pid;
	pid_t parent;
	uint64_t ticks;
	bool counted;
};

/* Fields 4 (parent) and 14 to 17 (its own time and that of the children it has waited for). */
static int read_process(pid_t pid, struct process *process)
{
	unsigned long long user, system, child_user, child_system;
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
		" %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
		&process->parent, &user, &system, &child_user, &child_system) != 5) {
		return -1;
	}
	process->pid = pid;
	process->ticks = user + system + child_user + child_system;
	process->counted = false;
	return 0;
}

static struct process *read_all(size_t *count)
{
	struct process *all = NULL;
	size_t size = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	*count = 0;
	while (dir && (entry = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid <= 0) {
			continue;
		}
		if (*count == size) {
			struct process *more = realloc(all, (size + 256) * sizeof(*all));

			if (!more) {
				break;
			}
			all = more;
			size += 256;
		}
		/* One that has ended meanwhile is in its parent's time already. */
		if (read_process(pid, &all[*count]) == 0) {
			(*count)++;
		}
	}
	if (dir) {
		closedir(dir);
	}
	return all;
}

/* Is the parent of the process one that is counted? */
static bool parent_counted(const struct process *all, size_t count, pid_t parent)
{
	for (size_t i = 0; i < count; i++) {
		if (all[i].pid == parent) {
			return all[i].counted;
		}
	}
	return false;
}

int cpu_time_of_tree(pid_t root, uint64_t *time_ns)
{
	size_t count;
	struct process *all = read_all(&count);
	bool found = false;
	bool grown = true;
	uint64_t ticks = 0;

	for (size_t i = 0; i < count; i++) {
		all[i].counted = all[i].pid == root;
		found = found || all[i].counted;
	}
	while (grown) {
		grown = false;
		for (size_t i = 0; i < count; i++) {
			if (!all[i].counted && parent_counted(all, count, all[i].parent)) {
				all[i].counted = true;
				grown = true;
			}
		}
	}
	for (size_t i = 0; i < count; i++) {
		ticks += all[i].counted ? all[i].ticks : 0;
	}
	free(all);
	*time_ns = ticks * (CLOCK_S / (uint64_t)sysconf(_SC_CLK_TCK));
	errno = found ? 0 : ESRCH;
	return found ? 0 : -1;
}

uint64_t cpu_time_own_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * CLOCK_S + (uint64_t)used.tv_nsec;
}
