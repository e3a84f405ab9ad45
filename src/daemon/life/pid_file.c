/* SPDX-License-Identifier: MIT */
#include "daemon/life/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"

/* Is it still our file that has the name? Another may have been put in its place. */
static bool is_at(int pid_fd, const char *path)
{
	struct stat ours;
	struct stat named;

	return fstat(pid_fd, &ours) == 0 && stat(path, &named) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

int pid_file_open(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char number[32];
	int len = snprintf(number, sizeof(number), "%d\n", (int)getpid());
	int pid_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (pid_fd < 0) {
		return -1;
	}
	if (fcntl(pid_fd, F_SETLK, &lock) < 0) {
		errno = errno == EACCES ? EAGAIN : errno;
		goto fail;
	}
	/* Removed by the one who had the lock until now: what we have locked is nobody's file. */
	if (!is_at(pid_fd, path)) {
		errno = EAGAIN;
		goto fail;
	}
	/* Only of a file: whatever else it is stays as it is. */
	if (ftruncate(pid_fd, 0) < 0) {
		goto fail;
	}
	if (io_write_all(pid_fd, number, (size_t)len) < 0) {
		int error = errno;

		(void)!unlink(path);
		errno = error;
		goto fail;
	}
	return pid_fd;
fail:
	io_close(&pid_fd);
	return -1;
}

void pid_file_close(const char *path, int *pid_fd)
{
	if (*pid_fd < 0) {
		return;
	}
	if (is_at(*pid_fd, path) && unlink(path) < 0) {
		(void)!ftruncate(*pid_fd, 0);
	}
	io_close(pid_fd);
}
