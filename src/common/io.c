/* SPDX-License-Identifier: MIT */
#include "common/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "common/compat.h"

#define STDOUT_BUFFER_BYTES (64 * 1024)

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

/* No opendir(), which allocates. FIRST is not 0, which is what the names of directories come to. */
static int close_listed(unsigned first, unsigned last)
{
	_Alignas(struct dirent) char entries[2048];
	int list_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long len;

	if (list_fd < 0) {
		return -1;
	}
	while ((len = syscall(SYS_getdents64, list_fd, entries, sizeof(entries))) > 0) {
		const struct dirent *entry;

		for (long at = 0; at < len; at += entry->d_reclen) {
			unsigned long fd;

			entry = (const void *)(entries + at);
			fd = strtoul(entry->d_name, NULL, 10);
			if (fd >= first && fd <= last && fd != (unsigned long)list_fd) {
				close((int)fd);
			}
		}
	}
	io_close(&list_fd);
	return len < 0 ? -1 : 0;
}

int io_close_range(unsigned first, unsigned last)
{
	/* EPERM: a container's filter of system calls that does not know this one. */
	if (close_range(first, last, 0) < 0) {
		return errno == ENOSYS || errno == EPERM ? close_listed(first, last) : -1;
	}
	return 0;
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
	FILE *out = fopencookie(&stdout_fd, "w", functions);

	if (out) {
		/* If there is no memory for that, the buffer is a smaller one. */
		(void)setvbuf(out, NULL, _IOFBF, STDOUT_BUFFER_BYTES);
	}
	return out;
}

int io_write_soon(int fd, const void *buf, size_t len, int patience_ms)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	const char *at = buf;

	/* A pipe that is writable takes this much without blocking, see pipe(7). */
	while (len > 0) {
		size_t part = len < PIPE_BUF ? len : PIPE_BUF;
		ssize_t written;

		if (poll(&room, 1, patience_ms) == 0) {
			errno = EAGAIN;
			return -1;
		}
		written = write(fd, at, part);
		if (written < 0 && errno != EINTR) {
			return -1;
		}
		if (written > 0) {
			at += written;
			len -= (size_t)written;
		}
	}
	return 0;
}

int io_peer(int sock_fd, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);

	return getsockopt(sock_fd, SOL_SOCKET, SO_PEERCRED, peer, &len);
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
