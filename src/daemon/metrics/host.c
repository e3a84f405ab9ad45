/* SPDX-License-Identifier: MIT */
#include "daemon/metrics/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S 1e9

/* proc(5): "btime 1700000000", which the kernel computes anew when the clock is set. */
static double read_boot_time(void)
{
	FILE *stat = fopen("/proc/stat", "re");
	char line[256];
	double seconds = 0;

	while (stat && fgets(line, sizeof(line), stat)) {
		if (sscanf(line, "btime %lf", &seconds) == 1) {
			break;
		}
	}
	if (stat) {
		fclose(stat);
	}
	return seconds;
}

void host_read(struct host *host)
{
	struct timespec since_boot = { 0, 0 };

	clock_gettime(CLOCK_BOOTTIME, &since_boot);
	host->uptime_s = (double)since_boot.tv_sec + (double)since_boot.tv_nsec / NS_PER_S;
	host->boot_time_s = read_boot_time();
	if (getloadavg(host->loads, 3) != 3) {
		host->loads[0] = host->loads[1] = host->loads[2] = -1;
	}
}
