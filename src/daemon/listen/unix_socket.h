/* SPDX-License-Identifier: MIT */
/*
 * UNIX-domain sockets with a name in the file system, made so that clients never see one that is
 * half made: bound under another name, given owner and mode, listening, and then renamed. One for
 * datagrams is bound under its own name, since that is what its answers come from; until it has its
 * owner, the kernel lets no client in.
 * The directory may be in the hands of other users: no file but the socket is changed, whatever
 * they put in its place meanwhile, and then the socket is not opened.
 * Main only; nothing blocks but a lock that two starting servers hold for an instant, and that is
 * not waited for longer than a second.
 */
#ifndef RUPTIME_DAEMON_LISTEN_UNIX_SOCKET_H
#define RUPTIME_DAEMON_LISTEN_UNIX_SOCKET_H

#include <sys/types.h>

#include "common/address.h"

#define UNIX_SOCKET_DEFAULT_MODE 0660

/* Which file it is that has our socket's name, and in which directory. */
struct unix_socket_id {
	int dir_fd;		/* owned by the listener; its path may lead elsewhere by now */
	dev_t device;
	ino_t inode;
};

/*
 * Open the socket of ADDRESS (a unix scheme or fdpass), non-blocking. A file at its path that is
 * a socket that no process serves any more is replaced; anything else is left alone.
 * Returns the descriptor and fills *ID, or -1 with errno and *WHY: words that need no errno, or
 * NULL where errno says it all; id->dir_fd is -1 then. EINVAL: the system does not know the user or
 * the group.
 */
int unix_socket_open(const struct address *address, struct unix_socket_id *id, const char **why);

/*
 * Give a datagram socket room for the answers that its clients have not read yet, and have the
 * kernel say with each datagram which user sent it.
 */
void unix_socket_prepare_datagrams(int fd);

/*
 * Remove the name if it is still that file's. While the socket is open, no other file can have the
 * same number; so remove first, and close then.
 */
void unix_socket_remove(const struct address *address, const struct unix_socket_id *id);

#endif
