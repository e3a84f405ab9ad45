/* SPDX-License-Identifier: MIT */
/*
 * How many stream connections are open, in all and from each source, and who is one too many.
 *
 * A connection counts from connections_enter() to connections_close(), whatever it waits for: a
 * descriptor from its client, its line, or its client's end. In all, the descriptors are counted: a
 * client that passes one takes two places until that one is closed. From each source, connections.
 *
 * A source is an IPv4 address (also one that is mapped into IPv6), a /64 of IPv6 addresses or, at
 * a UNIX socket, a user. Connections over the loopback interface, of root or of the user that the
 * server runs as are limited in all, but not by their source.
 *
 * A place is free as soon as its client has closed: before a connection is one too many, those that
 * were answered are looked at (connections_reaper).
 *
 * The counts are exact and their table cannot overflow: it has room for more sources than there
 * can be connections.
 *
 * Thread-safe.
 */
#ifndef RUPTIME_DAEMON_POLICY_CONNECTIONS_H
#define RUPTIME_DAEMON_POLICY_CONNECTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "daemon/policy/access.h"

/* Room for a longer text than that of any source, with its NUL. */
#define CONNECTIONS_SOURCE_BYTES 64

struct connections;

/* What accept4() tells; of a UNIX socket no more than that it is one. */
union connections_peer {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

enum connections_verdict {
	CONNECTIONS_WELCOME,
	CONNECTIONS_TOO_MANY,		/* in all */
	CONNECTIONS_TOO_MANY_OF_SOURCE,
	CONNECTIONS_NOT_ALLOWED,	/* its source may not ask */
};

/* Raise the limit of descriptors, of which each connection is one, as far as this process may. */
void connections_raise_limit(void);

/* As many as the limit of descriptors leaves room for, within reason. */
unsigned connections_default_max(void);

/*
 * At most MAX in all, and MAX_PER_SOURCE of one source, which may ask as ACCESS says (copied; NULL:
 * any may). Returns NULL with errno.
 */
struct connections *connections_new(unsigned max, unsigned max_per_source,
	const struct access *access);

/* NULL is fine. */
void connections_free(struct connections *connections);

/*
 * Count CONN_FD, which PEER has opened, as so many DESCRIPTORS: 1, or 2 for a client that passes
 * one. Whatever the verdict, connections_close() or connections_reset() follows with the *SOURCE
 * that this fills in, and before it, for 2, connections_release(). Makes a system call for a UNIX
 * socket only: it asks for the user.
 */
enum connections_verdict connections_enter(struct connections *connections, int conn_fd,
	unsigned descriptors, const union connections_peer *peer, unsigned *source);

/* The descriptor that a client passed, or was to pass, is closed: count it out. */
void connections_release(struct connections *connections);

/* Close *CONN_FD, set it to -1, and count it out. Keeps errno. */
void connections_close(struct connections *connections, int *conn_fd, unsigned source);

/* The same, and the client of a TCP connection sees a reset instead of an end. */
void connections_reset(struct connections *connections, int *conn_fd, unsigned source);

/* What keeps connections that were answered until their clients close. */
struct connections_reaper {
	/* Close those whose clients have closed. Any thread calls it; it never blocks. */
	void (*reap)(void *owner);
	void *owner;
	struct connections_reaper *next;	/* used by connections.c */
};

/* REAPER is borrowed until it is removed. */
void connections_add_reaper(struct connections *connections, struct connections_reaper *reaper);
void connections_remove_reaper(struct connections *connections, struct connections_reaper *reaper);

/* The kernel had no room for one more than are open now. */
void connections_shortage(struct connections *connections);

/*
 * Should connections that were answered and merely linger give way? If more than three quarters of
 * the places are taken; or, since there has been a shortage, a quarter of what there was then.
 */
bool connections_are_crowded(const struct connections *connections);

/* How many descriptors of clients are open now. */
unsigned connections_open(const struct connections *connections);

/* Write who PEER, behind CONN_FD, is as a source. */
void connections_format_source(int conn_fd, const union connections_peer *peer, char *text,
	size_t size);

#endif
