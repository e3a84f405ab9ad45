/* SPDX-License-Identifier: MIT */
#include "daemon/listen/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/io.h"
#include "common/own_lock.h"
#include "common/resolve.h"
#include "common/units.h"

/*
 * A client that finds the backlog full blocks or gets EAGAIN and loses nothing: so it need not hold
 * more than are answered in a moment. Cut by the kernel to net.core.somaxconn.
 */
#define BACKLOG 1024

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

static int make_socket(enum address_scheme scheme)
{
	return socket(AF_UNIX, resolve_socket_type(scheme) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Names or numbers. What is not given stays -1, as chown() wants it. */
static int look_up_owners(const struct address *address, uid_t *uid, gid_t *gid, const char **why)
{
	const struct passwd *user = address->user[0] ? getpwnam(address->user) : NULL;
	const struct group *group = address->group[0] ? getgrnam(address->group) : NULL;

	*uid = user ? user->pw_uid : (uid_t)-1;
	*gid = group ? group->gr_gid : (gid_t)-1;
	errno = EINVAL;
	if (address->user[0] && !user && units_parse_id(address->user, uid) < 0) {
		*why = "the system knows no such user";
		return -1;
	}
	if (address->group[0] && !group && units_parse_id(address->group, gid) < 0) {
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
	place->dir_fd = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->dir_fd < 0) {
		return -1;
	}
	if (lock(place, why) < 0) {
		io_close(&place->dir_fd);
		return -1;
	}
	return 0;
}

/* A temporary name may be too long where the final one just fits: then by the open directory. */
static void name_bound(const struct place *place, struct sockaddr_un *sockaddr)
{
	int len = snprintf(sockaddr->sun_path, sizeof(sockaddr->sun_path), "%s%s", place->dir,
		place->bound);

	if (len >= (int)sizeof(sockaddr->sun_path)) {
		snprintf(sockaddr->sun_path, sizeof(sockaddr->sun_path), "/proc/self/fd/%d/%s",
			place->dir_fd, place->bound);
	}
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

/* Bind with no permission, then set owner and mode. */
static int bind_and_permit(int fd, const struct place *place, const struct address *address,
	uid_t uid, gid_t gid)
{
	mode_t mode = address->mode == ADDRESS_MODE_NONE ? UNIX_SOCKET_DEFAULT_MODE
							 : (mode_t)address->mode;
	struct sockaddr_un sockaddr = { .sun_family = AF_UNIX };

	name_bound(place, &sockaddr);
	unlinkat(place->dir_fd, place->bound, 0);
	if (fchmod(fd, 0) < 0 || bind(fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr)) < 0) {
		return -1;
	}
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) &&
	    fchownat(place->dir_fd, place->bound, uid, gid, AT_SYMLINK_NOFOLLOW) < 0) {
		return -1;
	}
	return fchmodat(place->dir_fd, place->bound, mode, 0);
}

static void enlarge_buffer(int fd)
{
	int bytes = SEND_BUFFER_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	}
}

/* With each datagram comes the user who sent it. What fails leaves him unknown. */
static void tell_senders(int fd)
{
	int one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
}

static int put_in_place(int fd, const struct place *place, const struct address *address,
	struct unix_socket_id *id)
{
	struct stat st;

	if (address->scheme != ADDRESS_FDPASS) {
		fdpass_refuse(fd);
	}
	if (address->scheme == ADDRESS_UNIX_DGRAM) {
		enlarge_buffer(fd);
		tell_senders(fd);
	} else if (listen(fd, BACKLOG) < 0) {
		return -1;
	}
	if (fstatat(place->dir_fd, place->bound, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return -1;
	}
	*id = (struct unix_socket_id){ st.st_dev, st.st_ino };
	return renameat(place->dir_fd, place->bound, place->dir_fd, place->name);
}

int unix_socket_open(const struct address *address, struct unix_socket_id *id, const char **why)
{
	struct place place;
	uid_t uid;
	gid_t gid;
	int fd;

	*why = NULL;
	if (look_up_owners(address, &uid, &gid, why) < 0 || open_place(&place, address, why) < 0) {
		return -1;
	}
	fd = make_socket(address->scheme);
	if (fd < 0 || check_name(&place, address, why) < 0) {
		io_close(&fd);
	} else if (bind_and_permit(fd, &place, address, uid, gid) < 0 ||
		   put_in_place(fd, &place, address, id) < 0) {
		int saved = errno;

		unlinkat(place.dir_fd, place.bound, 0);
		errno = saved;
		io_close(&fd);
	}
	own_lock_drop(place.dir_fd, LOCK_NAME, &place.lock_fd);
	io_close(&place.dir_fd);
	return fd;
}

void unix_socket_remove(const struct address *address, const struct unix_socket_id *id)
{
	struct stat st;

	if (lstat(address->path, &st) == 0 && st.st_dev == id->device && st.st_ino == id->inode) {
		unlink(address->path);
	}
}
