/* SPDX-License-Identifier: MIT */
#include "daemon/life/daemonize.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"

/* In the process that was started: end as the daemon says, or with 1 if it died without a word. */
static _Noreturn void await_daemon(int status_fd)
{
	unsigned char status;

	_exit(read(status_fd, &status, 1) == 1 ? status : 1);
}

static void close_descriptors(int kept_fd, int status_fd)
{
	int low = kept_fd >= 3 && kept_fd < status_fd ? kept_fd : status_fd;
	int high = kept_fd > status_fd ? kept_fd : status_fd;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 1; fd++) {
		if (fd != kept_fd) {
			dup2(null_fd, fd);
		}
	}
	io_close_range(3, (unsigned)low - 1);
	if (high > low + 1) {
		io_close_range((unsigned)low + 1, (unsigned)high - 1);
	}
	io_close_range((unsigned)high + 1, UINT_MAX);
}

int daemonize_begin(int kept_fd)
{
	int pipe_fds[2];
	pid_t child;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		return -1;
	}
	child = fork();
	if (child < 0) {
		return -1;
	}
	if (child > 0) {
		io_close(&pipe_fds[1]);
		await_daemon(pipe_fds[0]);
	}
	io_close(&pipe_fds[0]);
	/* The second fork gives up leading the session, so that no terminal is ever acquired. */
	if (setsid() < 0 || (child = fork()) < 0 || child > 0) {
		_exit(child > 0 ? 0 : 1);
	}
	umask(022);
	if (chdir("/") < 0) {
		_exit(1);
	}
	close_descriptors(kept_fd, pipe_fds[1]);
	return pipe_fds[1];
}

void daemonize_end(int *status_fd, int status)
{
	unsigned char byte = (unsigned char)status;

	if (*status_fd >= 0) {
		int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		for (int fd = 0; fd <= 2; fd++) {
			dup2(null_fd, fd);
		}
		io_close(&null_fd);
		(void)io_write_all(*status_fd, &byte, 1);
		io_close(status_fd);
	}
}
