/* SPDX-License-Identifier: MIT */
/*
 * Sockets that another process has opened, and has still: what they are, they say themselves.
 */
#ifndef RUPTIME_DAEMON_LISTEN_INHERITED_SOCKET_H
#define RUPTIME_DAEMON_LISTEN_INHERITED_SOCKET_H

#include "common/address.h"

/* The name of a UNIX stream socket whose clients pass descriptors. */
#define INHERITED_SOCKET_FDPASS "fdpass"

/*
 * Make FD fit to be listened on, as the sockets are that listener.c opens, and tell what it is in
 * *ADDRESS. Its options and flags are shared with the other process.
 * Returns 0, or -1 with errno and *WHY: words that need no errno, or NULL where errno says it all.
 */
int inherited_socket_prepare(int fd, const char *name, struct address *address, const char **why);

#endif
