/* SPDX-License-Identifier: MIT */
#include "unit/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

unsigned process_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	if (!directory) {
		abort();
	}
	for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
		count += entry->d_name[0] != '.';
	}
	closedir(directory);
	return count - 1; /* the directory's own */
}

void process_adopt_orphans(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool process_has_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

pid_t process_only_child_of(pid_t pid)
{
	char path[64];
	char list[64] = "";
	ssize_t len;
	char *end;
	pid_t child;
	int list_fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	list_fd = open(path, O_RDONLY | O_CLOEXEC);
	len = read(list_fd, list, sizeof(list) - 1);
	child = (pid_t)strtol(list, &end, 10);
	close(list_fd);
	return len > 0 && strcmp(end, " ") == 0 ? child : -1;
}

pid_t process_only_child(void)
{
	return process_only_child_of(getpid());
}

uint64_t process_slow_ns(uint64_t ns)
{
	const char *slow = getenv("RUPTIME_TEST_SLOW");
	uint64_t factor = slow ? strtoull(slow, NULL, 10) : 1;

	return ns * (factor ? factor : 1);
}
