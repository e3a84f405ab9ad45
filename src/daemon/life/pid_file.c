/* SPDX-License-Identifier: MIT */
#include "daemon/life/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"
#include "common/own_lock.h"

/* Is it still our file that has the name? Another may have been put in its place. */
static bool is_at(int pid_fd, const char *path)
{
	struct stat ours;
	struct stat named;

	return fstat(pid_fd, &ours) == 0 && stat(path, &named) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* What has the name may be replaced: nothing, or a file. Returns 0, or -1 with errno. */
static int check_kind(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		return errno == ENOENT ? 0 : -1;
	}
	if (S_ISREG(st.st_mode)) {
		return 0;
	}
	errno = S_ISDIR(st.st_mode) ? EISDIR : S_ISLNK(st.st_mode) ? ELOOP : EINVAL;
	return -1;
}

/*
 * Has another server the file? Only its lock is one for writing, which takes more than being
 * permitted to read: locks of readers are not looked at. Returns 0, or -1 with errno.
 */
static int check_holder(const char *path)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int old_fd;
	int result;

	if (check_kind(path) < 0) {
		return -1;
	}
	old_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (old_fd < 0) {
		return errno == ENOENT ? 0 : -1;
	}
	result = fcntl(old_fd, F_GETLK, &lock);
	io_close(&old_fd);
	if (result == 0 && lock.l_type != F_UNLCK) {
		errno = EAGAIN;
		return -1;
	}
	return result;
}

static int fill_in(int pid_fd)
{
	char number[32];
	int len = snprintf(number, sizeof(number), "%d\n", (int)getpid());

	return ftruncate(pid_fd, 0) < 0 || io_write_all(pid_fd, number, (size_t)len) < 0 ? -1 : 0;
}

int pid_file_open(const char *path, bool replace)
{
	char new_path[PATH_MAX + sizeof(".new")];
	int pid_fd;

	snprintf(new_path, sizeof(new_path), "%s.new", path);
	if (check_kind(path) < 0) {
		return -1;
	}
	/*
	 * Each server brings a file of its own, and has locked it before others may open it. While
	 * it has its first name, no other server can look at the old one and replace it.
	 */
	pid_fd = own_lock_take(AT_FDCWD, new_path);
	if (pid_fd < 0) {
		return -1;
	}
	if ((!replace && check_holder(path) < 0) || fill_in(pid_fd) < 0 ||
	    fchmod(pid_fd, 0644) < 0 || rename(new_path, path) < 0) {
		own_lock_drop(AT_FDCWD, new_path, &pid_fd);
	}
	return pid_fd;
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
