/* SPDX-License-Identifier: MIT */
#include "bench/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/io.h"

static int fail(int error)
{
	errno = error;
	return -1;
}

/* Nothing is written, but a device that is full says so. */
static int check(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	struct stat status;
	struct statvfs system;

	if (fstat(fd, &status) < 0) {
		return -1;
	}
	if (S_ISREG(status.st_mode)) {
		return fstatvfs(fd, &system) == 0 && system.f_bavail == 0 && system.f_blocks > 0 ?
			fail(ENOSPC) : 0;
	}
	if (poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & (POLLERR | POLLNVAL)) {
		return fail(poll_fd.revents & POLLNVAL ? EBADF : EPIPE);
	}
	return S_ISCHR(status.st_mode) && write(fd, "", 0) < 0 && errno != EAGAIN ? -1 : 0;
}

int output_check_stdout(void)
{
	return check(STDOUT_FILENO);
}

int output_open(struct output *output, const char *path)
{
	output->name = path;
	output->fd = STDOUT_FILENO;
	if (strcmp(path, "-") == 0) {
		output->name = "standard output";
		return 0;
	}
	output->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	return output->fd < 0 ? -1 : check(output->fd);
}

FILE *output_begin(struct output *output)
{
	struct stat status;
	int fd = output->fd;

	if (fd == STDOUT_FILENO) {
		return io_stdout();
	}
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && ftruncate(fd, 0) < 0) {
		return NULL;
	}
	output->fd = -1;
	return fdopen(fd, "w");
}

int output_finish(FILE *out)
{
	int failed = ferror(out);

	return fclose(out) != 0 || failed ? -1 : 0;
}
