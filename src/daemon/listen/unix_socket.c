/* SPDX-License-Identifier: MIT */
#include "daemon/listen/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/own_lock.h"
#include "common/resolve.h"
#include "common/units.h"

/*
 * A client that finds the backlog full blocks or gets EAGAIN and loses nothing: so it need not hold
 * more than are answered in a moment. Cut by the kernel to net.core.somaxconn.
 */
#define BACKLOG 1024

/* Of linux/un.h, which sys/un.h does not get along with. Since Linux 4.12. */
#ifndef SIOCUNIXFILE
#define SIOCUNIXFILE (SIOCPROTOPRIVATE + 0)
#endif

/*
 * An answer takes up our buffer until its client reads it, some 800 bytes each: those that never
 * read must not use it up for all. Cut to net.core.wmem_max unless we are root.
 */
#define SEND_BUFFER_BYTES (32 << 20)

/* Another server that starts needs less than this. */
#define LOCK_NAME	 ".ruptimed-lock"
#define LOCK_PATIENCE_NS (1 * CLOCK_S)
#define LOCK_RETRY_MS	 10

/* The directory of a socket, open, and the names in it. */
struct place {
	int dir_fd;
	int lock_fd;				/* -1: there is no lock to be had */
	char dir[ADDRESS_PATH_MAX + 1];		/* with its last slash */
	const char *name;			/* the final one */
	char temporary[32];
	const char *bound;			/* the one that the socket is bound to */
};

/* As chown() takes them: -1 is not to be changed. */
struct owners {
	uid_t uid;
	gid_t gid;
};

static const char replaced[] = "another process has replaced the socket while it was made";

static int make_socket(enum address_scheme scheme)
{
	return socket(AF_UNIX, resolve_socket_type(scheme) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Names or numbers. What is not given stays -1, as chown() wants it. */
static int look_up_owners(const struct address *address, struct owners *owners, const char **why)
{
	const struct passwd *user = address->user[0] ? getpwnam(address->user) : NULL;
	const struct group *group = address->group[0] ? getgrnam(address->group) : NULL;

	owners->uid = user ? user->pw_uid : (uid_t)-1;
	owners->gid = group ? group->gr_gid : (gid_t)-1;
	errno = EINVAL;
	if (address->user[0] && !user && units_parse_id(address->user, &owners->uid) < 0) {
		*why = "the system knows no such user";
		return -1;
	}
	if (address->group[0] && !group && units_parse_id(address->group, &owners->gid) < 0) {
		*why = "the system knows no such group";
		return -1;
	}
	return 0;
}

/*
 * The lock makes two servers that start at once look one after the other. Where another user's file
 * has its name, or where no file can be made, there is none.
 */
static int lock(struct place *place, const char **why)
{
	uint64_t end_ns = clock_now_ns() + LOCK_PATIENCE_NS;

	while ((place->lock_fd = own_lock_take(place->dir_fd, LOCK_NAME)) < 0) {
		if (errno != EAGAIN) {
			return 0;
		}
		if (clock_now_ns() >= end_ns) {
			*why = "another ruptimed is about to start in this directory";
			return -1;
		}
		poll(NULL, 0, LOCK_RETRY_MS);
	}
	return 0;
}

static int open_place(struct place *place, const struct address *address, const char **why)
{
	size_t dir_len;

	place->name = strrchr(address->path, '/') + 1;
	dir_len = (size_t)(place->name - address->path);
	memcpy(place->dir, address->path, dir_len);
	place->dir[dir_len] = '\0';
	snprintf(place->temporary, sizeof(place->temporary), ".ruptimed-%d", (int)getpid());
	/* A datagram comes from the name that its socket was bound to, whatever becomes of that. */
	place->bound = address->scheme == ADDRESS_UNIX_DGRAM ? place->name : place->temporary;
	place->dir_fd = open(place->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place->dir_fd < 0) {
		return -1;
	}
	if (lock(place, why) < 0) {
		io_close(&place->dir_fd);
		return -1;
	}
	return 0;
}

/* Is the name free, or a socket that no process serves? */
static int check_name(const struct place *place, const struct address *address, const char **why)
{
	struct sockaddr_un sockaddr = { .sun_family = AF_UNIX };
	struct stat st;
	int probe_fd;
	int result;

	if (fstatat(place->dir_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return errno == ENOENT ? 0 : -1;
	}
	if (!S_ISSOCK(st.st_mode)) {
		*why = "there is a file of that name which is not a socket";
		errno = EEXIST;
		return -1;
	}
	probe_fd = make_socket(address->scheme);
	if (probe_fd < 0) {
		return -1;
	}
	memcpy(sockaddr.sun_path, address->path, strlen(address->path));
	result = connect(probe_fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr));
	io_close(&probe_fd);
	if (result < 0 && (errno == ECONNREFUSED || errno == ENOENT)) {
		return 0;
	}
	if (result < 0 && errno == EACCES) {
		return -1;
	}
	/* It was taken, its backlog is full, or it is served as another type of socket. */
	*why = "another process serves there";
	errno = EADDRINUSE;
	return -1;
}

/*
 * Bind the name in the open directory, whatever its path leads to by now. One for datagrams is
 * bound by its path, which is what clients see; and so is any where there is no /proc.
 */
static int bind_name(int fd, const struct place *place)
{
	struct sockaddr_un sockaddr = { .sun_family = AF_UNIX };
	const size_t size = sizeof(sockaddr.sun_path);
	int result = -1;

	unlinkat(place->dir_fd, place->bound, 0);
	errno = ENOENT;
	if (place->bound == place->temporary) {
		snprintf(sockaddr.sun_path, size, "/proc/self/fd/%d/%s", place->dir_fd,
			place->bound);
		result = bind(fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr));
	}
	if (result < 0 && errno == ENOENT &&
	    snprintf(sockaddr.sun_path, size, "%s%s", place->dir, place->bound) < (int)size) {
		result = bind(fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr));
	}
	return result;
}

/*
 * The file that FD is bound to, as O_PATH: another user may have put something else in its place,
 * such as a link. Without CAP_NET_ADMIN it is looked up by its name, and must be a socket of ours.
 */
static int open_bound(int fd, const struct place *place, const char **why)
{
	int path_fd = ioctl(fd, SIOCUNIXFILE);
	struct stat st;

	if (path_fd >= 0) {
		return path_fd;
	}
	path_fd = openat(place->dir_fd, place->bound, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path_fd < 0 && io_is_shortage(errno)) {
		return -1;
	}
	if (path_fd >= 0 && fstat(path_fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    st.st_uid == geteuid() && st.st_nlink == 1) {
		return path_fd;
	}
	io_close(&path_fd);
	*why = replaced;
	errno = EEXIST;
	return -1;
}

/* Through the descriptor's link, since no call takes an O_PATH descriptor before Linux 6.6. */
static int set_mode(int path_fd, mode_t mode, const char **why)
{
	char link[64];
	int result;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	result = chmod(link, mode);
	if (result < 0 && errno == ENOENT) {
		*why = "its mode cannot be set without /proc";
	}
	return result;
}

/*
 * Let OWNERS have the file, and tell of it anew in *ST. One that they have already is left alone: a
 * service manager may have forbidden the call.
 */
static int give(int path_fd, const struct owners *owners, struct stat *st)
{
	if ((owners->uid == (uid_t)-1 || owners->uid == st->st_uid) &&
	    (owners->gid == (gid_t)-1 || owners->gid == st->st_gid)) {
		return 0;
	}
	return fchownat(path_fd, "", owners->uid, owners->gid, AT_EMPTY_PATH) < 0
		       ? -1
		       : fstat(path_fd, st);
}

/*
 * Bind with the final mode, or, if the file is to have another owner, with no permission until it
 * has. A default ACL of the directory may have taken from the mode. Returns the file as O_PATH, or
 * -1 with errno.
 */
static int bind_and_permit(int fd, const struct place *place, const struct address *address,
	const struct owners *owners, const char **why)
{
	mode_t mode = address->mode == ADDRESS_MODE_NONE ? UNIX_SOCKET_DEFAULT_MODE
							 : (mode_t)address->mode;
	bool other = owners->uid != (uid_t)-1 || owners->gid != (gid_t)-1;
	mode_t mask = umask(0);
	int result = fchmod(fd, other ? 0 : mode) < 0 ? -1 : bind_name(fd, place);
	struct stat st;
	int path_fd;

	umask(mask);
	path_fd = result < 0 ? -1 : open_bound(fd, place, why);
	if (path_fd < 0) {
		return -1;
	}
	if (fstat(path_fd, &st) < 0 || give(path_fd, owners, &st) < 0 ||
	    ((st.st_mode & 07777) != mode && set_mode(path_fd, mode, why) < 0)) {
		io_close(&path_fd);
	}
	return path_fd;
}

void unix_socket_prepare_datagrams(int fd)
{
	int bytes = SEND_BUFFER_BYTES;
	int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	}
	/* Where that fails users are not known. */
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
}

static int put_in_place(int fd, int path_fd, const struct place *place,
	const struct address *address, struct unix_socket_id *id, const char **why)
{
	struct stat st;
	struct stat placed;

	if (address->scheme == ADDRESS_UNIX_DGRAM) {
		unix_socket_prepare_datagrams(fd);
	} else if (listen(fd, BACKLOG) < 0) {
		return -1;
	}
	if (fstat(path_fd, &st) < 0 ||
	    renameat(place->dir_fd, place->bound, place->dir_fd, place->name) < 0 ||
	    fstatat(place->dir_fd, place->name, &placed, AT_SYMLINK_NOFOLLOW) < 0) {
		return -1;
	}
	if (placed.st_dev != st.st_dev || placed.st_ino != st.st_ino) {
		*why = replaced;
		errno = EEXIST;
		return -1;
	}
	id->device = st.st_dev;
	id->inode = st.st_ino;
	return 0;
}

int unix_socket_open(const struct address *address, struct unix_socket_id *id, const char **why)
{
	struct place place;
	struct owners owners;
	int path_fd = -1;
	int fd;

	*why = NULL;
	id->dir_fd = -1;
	if (look_up_owners(address, &owners, why) < 0 || open_place(&place, address, why) < 0) {
		return -1;
	}
	fd = make_socket(address->scheme);
	if (fd < 0 || check_name(&place, address, why) < 0) {
		io_close(&fd);
	} else if ((path_fd = bind_and_permit(fd, &place, address, &owners, why)) < 0 ||
		   put_in_place(fd, path_fd, &place, address, id, why) < 0) {
		int saved = errno;

		unlinkat(place.dir_fd, place.bound, 0);
		errno = saved;
		io_close(&fd);
	}
	io_close(&path_fd);
	own_lock_drop(place.dir_fd, LOCK_NAME, &place.lock_fd);
	if (fd >= 0) {
		id->dir_fd = place.dir_fd;
	} else {
		io_close(&place.dir_fd);
	}
	return fd;
}

void unix_socket_remove(const struct address *address, const struct unix_socket_id *id)
{
	const char *name = strrchr(address->path, '/') + 1;
	struct stat st;

	if (fstatat(id->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == id->device && st.st_ino == id->inode) {
		unlinkat(id->dir_fd, name, 0);
	}
}
