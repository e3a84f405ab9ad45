/* SPDX-License-Identifier: MIT */
#include "daemon/life/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/units.h"

#define NAME_BYTES 256

static unsigned taken;
static char names[ACTIVATION_MAX][NAME_BYTES];

/* Parted by colons, which no name has. */
static void take_names(const char *text)
{
	for (unsigned i = 0; i < ACTIVATION_MAX; i++) {
		size_t len = text ? strcspn(text, ":") : 0;

		snprintf(names[i], NAME_BYTES, "%.*s", (int)len, text ? text : "");
		text = text && text[len] ? text + len + 1 : NULL;
	}
}

static int take(void)
{
	const char *pid_text = getenv("LISTEN_PID");
	const char *count_text = getenv("LISTEN_FDS");
	uint64_t pid;
	uint64_t count;

	/* It may be another's, whose environment we have inherited. */
	if (!pid_text || !count_text || units_parse_count(pid_text, 1, INT32_MAX, &pid) < 0 ||
	    pid != (uint64_t)getpid()) {
		return 0;
	}
	if (units_parse_count(count_text, 0, ACTIVATION_MAX, &count) < 0) {
		errno = EINVAL;
		return -1;
	}
	for (int i = 0; i < (int)count; i++) {
		if (fcntl(ACTIVATION_FIRST_FD + i, F_SETFD, FD_CLOEXEC) < 0) {
			return -1;
		}
	}
	take_names(getenv("LISTEN_FDNAMES"));
	taken = (unsigned)count;
	return (int)count;
}

int activation_take(void)
{
	int result;

	taken = 0;
	result = take();
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return result;
}

unsigned activation_count(void)
{
	return taken;
}

const char *activation_name(unsigned number)
{
	return names[number];
}
