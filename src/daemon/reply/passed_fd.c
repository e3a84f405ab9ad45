/* SPDX-License-Identifier: MIT */
/*
 * Each kind of descriptor has its own way of not blocking:
 *
 *	regular file	write(): waits for the disk, not for a client; so none of FUSE
 *	socket		send() with MSG_DONTWAIT
 *	pipe		RWF_NOWAIT, or, where the kernel knows that only for files (before
 *			6.4), a splice() from a pipe of our own with SPLICE_F_NONBLOCK
 *	terminal	none; poll() says whether there is room, but not how much, so a timer
 *			interrupts a write() that waits all the same
 */
#include "daemon/reply/passed_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/interrupt.h"
#include "common/compat.h"
#include "common/io.h"

/* FUSE_SUPER_MAGIC of linux/magic.h, which has it since Linux 5.18. */
#define FUSE_MAGIC 0x65735546

static _Thread_local timer_t patience_timer;
static _Thread_local bool has_timer;

int passed_fd_thread_init(void)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = INTERRUPT_SIGNAL,
		.sigev_notify_thread_id = gettid(),
	};

	if (interrupt_prepare() < 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &patience_timer) < 0) {
		return -1;
	}
	has_timer = true;
	return 0;
}

void passed_fd_thread_fini(void)
{
	if (has_timer) {
		timer_delete(patience_timer);
		has_timer = false;
	}
}

static const char *reason_of(int error)
{
	switch (error) {
	case EAGAIN:
	case EINTR:
		return "the descriptor cannot take the line now";
	case EPIPE:
	case ECONNRESET:
		return "nobody reads from the descriptor any more";
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return "no space left";
	default:
		return "the line cannot be written to the descriptor";
	}
}

static const char *judge(ssize_t written, size_t len)
{
	if (written < 0) {
		return reason_of(errno);
	}
	return (size_t)written == len ? NULL : "the descriptor took only a part of the line";
}

static ssize_t write_socket(int fd, const void *text, size_t len)
{
	return send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t splice_to_pipe(int fd, const void *text, size_t len)
{
	ssize_t written = -1;
	int ours[2];

	if (pipe2(ours, O_CLOEXEC) < 0) {
		return -1;
	}
	if (write(ours[1], text, len) == (ssize_t)len) {
		written = splice(ours[0], NULL, fd, NULL, len, SPLICE_F_NONBLOCK);
	}
	io_close(&ours[0]);
	io_close(&ours[1]);
	return written;
}

static ssize_t write_pipe(int fd, const void *text, size_t len)
{
	struct iovec part = { (char *)(uintptr_t)text, len };
	ssize_t written = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);

	if (written < 0 && (errno == EOPNOTSUPP || errno == EINVAL)) {
		return splice_to_pipe(fd, text, len);
	}
	return written;
}

static ssize_t write_terminal(int fd, const void *text, size_t len)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	struct itimerspec patience = {
		.it_value = clock_timespec(DESCRIPTOR_PATIENCE_MS * CLOCK_MS),
		/* Again and again: the first may come before write() waits. */
		.it_interval = clock_timespec(DESCRIPTOR_PATIENCE_MS * CLOCK_MS),
	};
	struct itimerspec none = { .it_value = { 0, 0 } };
	ssize_t written;

	if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT) || !has_timer) {
		errno = EAGAIN;
		return -1;
	}
	timer_settime(patience_timer, 0, &patience, NULL);
	interrupt_allow(true);
	written = write(fd, text, len);
	interrupt_allow(false);
	timer_settime(patience_timer, 0, &none, NULL);
	return written;
}

/* Writes to such a file wait for a process of the user who mounted it, as long as that likes. */
static bool is_in_user_space(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == FUSE_MAGIC;
}

const char *passed_fd_write(int fd, const void *text, size_t len)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0) {
		return "the descriptor is of no use";
	}
	if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH)) {
		return "the descriptor is not open for writing";
	}
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		if (is_in_user_space(fd)) {
			return "the file is in a file system of user space";
		}
		return judge(write(fd, text, len), len);
	case S_IFSOCK:
		return judge(write_socket(fd, text, len), len);
	case S_IFIFO:
		return judge(write_pipe(fd, text, len), len);
	case S_IFCHR:
		return judge(write_terminal(fd, text, len), len);
	default:
		return "the descriptor is no file, pipe, socket or terminal";
	}
}
