/* SPDX-License-Identifier: MIT */
#include "daemon/life/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/io.h"

/* A manager that cannot be told is none of our clients' business: all failures are ignored. */
static void tell_manager(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un manager = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(manager.sun_path) || (path[0] != '/' && path[0] != '@')) {
		return;
	}
	memcpy(manager.sun_path, path, len);
	if (path[0] == '@') {
		manager.sun_path[0] = '\0';
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
			(struct sockaddr *)&manager,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
		io_close(&fd);
	}
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

void notify_stopping(void)
{
	tell_manager("STOPPING=1");
}
