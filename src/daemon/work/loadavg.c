/* SPDX-License-Identifier: MIT */
#include "daemon/work/loadavg.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/io.h"

void loadavg_init(struct loadavg *loadavg)
{
	loadavg->fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	loadavg->cpus = sysconf(_SC_NPROCESSORS_ONLN);
}

void loadavg_fini(struct loadavg *loadavg)
{
	io_close(&loadavg->fd);
}

long loadavg_parse(const char *text)
{
	long count;

	return sscanf(text, "%*f %*f %*f %ld/", &count) == 1 ? count : 0;
}

bool loadavg_exceeds_cpus(const struct loadavg *loadavg)
{
	char text[64];
	ssize_t len = pread(loadavg->fd, text, sizeof(text) - 1, 0);

	if (len <= 0) {
		return false;
	}
	text[len] = '\0';
	return loadavg_parse(text) > loadavg->cpus;
}
