/* SPDX-License-Identifier: MIT */
/*
 * What the two kinds of datagram requests share. They differ in how an answer is told from another:
 *
 *	transport_nonce		extended requests, all over one socket; the nonce is a ticket
 *	transport_port		single bytes, which all look alike: a socket for each
 */
#ifndef RUPTIME_BENCH_DATAGRAM_H
#define RUPTIME_BENCH_DATAGRAM_H

#include <sys/socket.h>

/* The size of an extended request, so of the longest answer to it; a line of uptime has some 70. */
#define DATAGRAM_REQUEST_BYTES 128

/*
 * A non-blocking socket connected to SOCKADDR, with a name of its own to answer to and a large
 * receive buffer. Connected, because a server's answers to a UNIX socket are then not limited to
 * ten, and because a UDP socket then hears that no server listens. Returns it, or -1 with errno.
 */
int datagram_socket(const struct sockaddr *sockaddr, socklen_t len);

/*
 * The socket FD is connected to a server that is gone: if SOCKADDR is of a UNIX socket, connect
 * it to the server that has come in its place. Returns 0, or -1 with errno, always for other
 * families.
 */
int datagram_reconnect(int fd, const struct sockaddr *sockaddr, socklen_t len);

#endif
