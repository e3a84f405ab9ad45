/* SPDX-License-Identifier: MIT */
#include "daemon/runnable.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/io.h"

void runnable_init(struct runnable *runnable)
{
	runnable->loadavg_fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	runnable->cpus = sysconf(_SC_NPROCESSORS_ONLN);
}

void runnable_fini(struct runnable *runnable)
{
	io_close(&runnable->loadavg_fd);
}

long runnable_parse(const char *text)
{
	long count;

	return sscanf(text, "%*f %*f %*f %ld/", &count) == 1 ? count : 0;
}

bool runnable_exceed_cpus(const struct runnable *runnable)
{
	char text[64];
	ssize_t len = pread(runnable->loadavg_fd, text, sizeof(text) - 1, 0);

	if (len <= 0) {
		return false;
	}
	text[len] = '\0';
	return runnable_parse(text) > runnable->cpus;
}
