/* SPDX-License-Identifier: MIT */
#include "common/own_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"

/* Those who drop the lock remove its file: how often a new one is tried. */
#define TRIES 16

/* Is it our file, and still the one that has the name? *GONE: it was, before it was removed. */
static bool is_ours(int lock_fd, int dir_fd, const char *name, bool *gone)
{
	struct stat ours;
	struct stat named;

	*gone = false;
	if (fstat(lock_fd, &ours) < 0) {
		return false;
	}
	if (!S_ISREG(ours.st_mode) || ours.st_uid != geteuid() || (ours.st_mode & 0077)) {
		errno = EPERM;
		return false;
	}
	*gone = fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
		named.st_dev != ours.st_dev || named.st_ino != ours.st_ino;
	errno = EAGAIN;
	return !*gone;
}

int own_lock_take(int dir_fd, const char *name)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	bool gone = true;
	int lock_fd = -1;

	for (int i = 0; gone && i < TRIES; i++) {
		lock_fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (lock_fd < 0) {
			return -1;
		}
		if (fcntl(lock_fd, F_SETLK, &lock) < 0) {
			errno = errno == EACCES ? EAGAIN : errno;
			gone = false;
		} else if (is_ours(lock_fd, dir_fd, name, &gone)) {
			return lock_fd;
		}
		io_close(&lock_fd);
	}
	return -1;
}

void own_lock_drop(int dir_fd, const char *name, int *lock_fd)
{
	int saved = errno;

	if (*lock_fd >= 0) {
		(void)!unlinkat(dir_fd, name, 0);
		io_close(lock_fd);
	}
	errno = saved;
}
