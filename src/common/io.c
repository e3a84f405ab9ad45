/* SPDX-License-Identifier: MIT */
#include "common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool io_is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

void io_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	errno = saved;
}

void io_fill_standard(void)
{
	int null_fd;

	/* open() gives the lowest free number. Not close-on-exec: these three are inherited. */
	do {
		null_fd = open("/dev/null", O_RDWR);
	} while (null_fd >= 0 && null_fd <= STDERR_FILENO);
	io_close(&null_fd);
}

int io_write_all(int fd, const void *buf, size_t len)
{
	const char *at = buf;

	while (len > 0) {
		ssize_t written = write(fd, at, len);

		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written < 0) {
			return -1;
		}
		at += written;
		len -= (size_t)written;
	}
	return 0;
}

int io_event_open(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void io_event_set(int event_fd)
{
	uint64_t one = 1;

	/* It cannot fail but by overflow, and then it is readable already. */
	(void)!write(event_fd, &one, sizeof(one));
}
