/* SPDX-License-Identifier: MIT */
/*
 * What the two kinds of datagram requests share. They differ in how an answer is told from another:
 *
 *	transport_nonce		extended requests, all over one socket; the nonce is a ticket
 *	transport_port		single bytes, which all look alike: a socket for each
 */
#ifndef RUPTIME_BENCH_TRANSPORT_DATAGRAM_H
#define RUPTIME_BENCH_TRANSPORT_DATAGRAM_H

#include "bench/target.h"

/*
 * A non-blocking socket connected to TARGET, with a name of its own to answer to and a large
 * receive buffer. Connected, because a server's answers to a UNIX socket are then not limited to
 * ten, and because a UDP socket then hears that nobody listens. Returns it, or -1 with errno.
 */
int datagram_socket(const struct target *target);

#endif
