/* SPDX-License-Identifier: MIT */
#include "daemon/life/notify.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"

static struct {
	int fd;			/* -1: there is no manager */
	struct sockaddr_un address;
	socklen_t address_len;
	uint64_t watchdog_ns;
} manager = { .fd = -1, .watchdog_ns = CLOCK_NEVER };

/* All failures are ignored: a manager that cannot be told changes nothing for our clients. */
static void tell_manager(const char *state)
{
	if (manager.fd >= 0) {
		(void)!sendto(manager.fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
			(const struct sockaddr *)&manager.address, manager.address_len);
	}
}

/* A number in the environment, or 0. */
static uint64_t read_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	uintmax_t number;

	if (!text || text[0] < '0' || text[0] > '9') {
		return 0;
	}
	number = strtoumax(text, &end, 10);
	return *end ? 0 : number;
}

static void find_watchdog(void)
{
	uint64_t usec = read_number("WATCHDOG_USEC");
	bool ours = !getenv("WATCHDOG_PID") || read_number("WATCHDOG_PID") == (uint64_t)getpid();

	manager.watchdog_ns = CLOCK_NEVER;
	if (ours && usec > 0 && usec < CLOCK_NEVER / CLOCK_US) {
		manager.watchdog_ns = usec * CLOCK_US / 2;
	}
}

void notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	notify_close();
	find_watchdog();
	if (len < 2 || len >= sizeof(manager.address.sun_path) ||
	    (path[0] != '/' && path[0] != '@')) {
		return;
	}
	manager.address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(manager.address.sun_path, path, len);
	if (path[0] == '@') {
		manager.address.sun_path[0] = '\0';
	}
	manager.address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void notify_ready(int *ready_fd)
{
	if (*ready_fd >= 0) {
		(void)io_write_soon(*ready_fd, "\n", 1, 0);
	}
	/* A standard one stays: the next file opened would take its number, and the log with it. */
	if (*ready_fd > STDERR_FILENO) {
		io_close(ready_fd);
	}
	tell_manager("READY=1");
}

void notify_reloading(void)
{
	char state[64];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)(clock_now_ns() / CLOCK_US));
	tell_manager(state);
}

void notify_main_pid(pid_t pid)
{
	char state[32];

	snprintf(state, sizeof(state), "MAINPID=%d", (int)pid);
	tell_manager(state);
}

void notify_stopping(void)
{
	tell_manager("STOPPING=1");
}

void notify_status(const char *status)
{
	char state[512];

	snprintf(state, sizeof(state), "STATUS=%s", status);
	tell_manager(state);
}

uint64_t notify_watchdog_ns(void)
{
	return manager.fd < 0 ? CLOCK_NEVER : manager.watchdog_ns;
}

void notify_alive(void)
{
	tell_manager("WATCHDOG=1");
}

bool notify_has_manager(void)
{
	return manager.fd >= 0;
}

void notify_close(void)
{
	io_close(&manager.fd);
}
