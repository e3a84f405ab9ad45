/* SPDX-License-Identifier: MIT */
/*
 * From addresses with a host and a port to socket addresses. Asks the system's databases, so it
 * may block for as long as a name server takes. Thread-safe.
 */
#ifndef RUPTIME_COMMON_RESOLVE_H
#define RUPTIME_COMMON_RESOLVE_H

#include <netdb.h>
#include <sys/socket.h>

#include "common/address.h"

/* The port of the service "ruptime" where the system does not know it. */
#define RESOLVE_DEFAULT_PORT 8784

/*
 * Make ADDRESS's port a number: a service name is looked up, a port left out becomes that of the
 * service "ruptime", or RESOLVE_DEFAULT_PORT. Other schemes are left alone.
 * Returns 0, or -1 with *WHY (a constant) if the system knows no such service.
 */
int resolve_port(struct address *address, const char **why);

/*
 * The socket addresses of ADDRESS, whose port is a number: FAMILY is AF_UNSPEC, AF_INET or
 * AF_INET6. Without a host, those to bind for every local address, IPv4 first.
 * Returns 0 and *LIST, which the caller frees with freeaddrinfo(), or -1 with *WHY (a constant) and
 * errno: a shortage as in io_is_shortage(), or ENOENT if no address was found.
 */
int resolve_sockets(const struct address *address, int family, struct addrinfo **list,
	const char **why);

/* The numeric form of a socket address: fills an address for SCHEME. */
void resolve_describe(const struct sockaddr *sockaddr, socklen_t len, enum address_scheme scheme,
	struct address *address);

#endif
