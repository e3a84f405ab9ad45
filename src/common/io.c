/* SPDX-License-Identifier: MIT */
#include "common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

/* Returns 0 once FD takes more, or has an error for write() to tell; -1 with errno. */
static int wait_writable(int fd)
{
	struct pollfd writable = { .fd = fd, .events = POLLOUT };

	return poll(&writable, 1, -1) < 0 && errno != EINTR ? -1 : 0;
}

int io_write_all(int fd, const void *buf, size_t len)
{
	const char *at = buf;

	while (len > 0) {
		ssize_t written = write(fd, at, len);

		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written < 0 && errno == EAGAIN && wait_writable(fd) == 0) {
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

static ssize_t write_cookie(void *cookie, const char *buf, size_t size)
{
	const int *fd = cookie;

	return io_write_all(*fd, buf, size) < 0 ? 0 : (ssize_t)size;
}

FILE *io_stdout(void)
{
	static int stdout_fd = STDOUT_FILENO;
	const cookie_io_functions_t functions = { .write = write_cookie };

	return fopencookie(&stdout_fd, "w", functions);
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
