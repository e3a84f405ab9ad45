/* SPDX-License-Identifier: MIT */
#include "bench/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/text.h"

static char *add(struct environment *environment, const char *name)
{
	environment->facts[environment->count].name = name;
	return environment->facts[environment->count++].value;
}

#define VALUE_BYTES sizeof(((struct environment *)0)->facts[0].value)

static void add_command(struct environment *environment, int argc, char **argv)
{
	char *value = add(environment, "command");
	size_t len = 0;

	for (int i = 0; i < argc; i++) {
		const char *quote = argv[i][strcspn(argv[i], " <>&|;*?'\"$")] ? "'" : "";

		len += text_escape(value + len, VALUE_BYTES - len, i ? " " : "", i ? 1 : 0);
		len += text_escape(value + len, VALUE_BYTES - len, quote, strlen(quote));
		len += text_escape(value + len, VALUE_BYTES - len, argv[i], strlen(argv[i]));
		len += text_escape(value + len, VALUE_BYTES - len, quote, strlen(quote));
	}
}

static void add_time(struct environment *environment)
{
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(add(environment, "date"), VALUE_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void add_kernel(struct environment *environment)
{
	struct utsname name;

	if (uname(&name) == 0) {
		snprintf(add(environment, "kernel"), VALUE_BYTES, "%s %s %s", name.sysname,
			name.release, name.machine);
	}
}

static void add_cpu(struct environment *environment)
{
	char line[512];
	FILE *file = fopen("/proc/cpuinfo", "re");

	while (file && fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) == 0 && value) {
			line[strcspn(line, "\n")] = '\0';
			text_escape(add(environment, "cpu"), VALUE_BYTES, value + 2,
				strlen(value) > 2 ? strlen(value + 2) : 0);
			break;
		}
	}
	if (file) {
		fclose(file);
	}
	snprintf(add(environment, "cpus"), VALUE_BYTES, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
}

/* The first line of a file below /proc. */
static void add_file(struct environment *environment, const char *name, const char *path)
{
	char line[200];
	FILE *file = fopen(path, "re");

	if (file && fgets(line, sizeof(line), file)) {
		for (char *at = line; *at; at++) {
			*at = *at == '\t' ? '-' : *at;
		}
		line[strcspn(line, "\n")] = '\0';
		snprintf(add(environment, name), VALUE_BYTES, "%s", line);
	}
	if (file) {
		fclose(file);
	}
}

void environment_read(struct environment *environment, int argc, char **argv)
{
	struct rlimit limit;

	environment->count = 0;
	add_command(environment, argc, argv);
	snprintf(add(environment, "version"), VALUE_BYTES, "%s %s", PACKAGE_NAME, PACKAGE_VERSION);
	add_time(environment);
	add_kernel(environment);
	add_cpu(environment);
	add_file(environment, "loadavg", "/proc/loadavg");
	add_file(environment, "somaxconn", "/proc/sys/net/core/somaxconn");
	add_file(environment, "rmem_max", "/proc/sys/net/core/rmem_max");
	add_file(environment, "ip_local_port_range", "/proc/sys/net/ipv4/ip_local_port_range");
	add_file(environment, "tcp_max_tw_buckets", "/proc/sys/net/ipv4/tcp_max_tw_buckets");
	add_file(environment, "clocksource",
		"/sys/devices/system/clocksource/clocksource0/current_clocksource");
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		snprintf(add(environment, "nofile"), VALUE_BYTES, "%llu",
			(unsigned long long)limit.rlim_cur);
	}
}
