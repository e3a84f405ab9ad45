/* SPDX-License-Identifier: MIT */
/*
 * From addresses to socket addresses. Names of hosts and services are looked up in the system's
 * databases, which may block for as long as a name server takes. Thread-safe.
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

/* The type of the sockets of SCHEME, which is not that of XSI queues: SOCK_STREAM and so on. */
int resolve_socket_type(enum address_scheme scheme);

/*
 * The socket addresses of ADDRESS, whose port is a number. With a host: those of FAMILY, which is
 * AF_UNSPEC, AF_INET or AF_INET6; if the host is left out, those to bind for every local address,
 * IPv4 first. With a path: that one, looking at no file. An XSI queue has none: *LIST is NULL.
 *
 * Returns 0 and *LIST, which the caller gives to resolve_free(), or -1 with *WHY (a constant) and
 * errno: a shortage as in io_is_shortage(), or ENOENT if no address was found.
 */
int resolve_sockets(const struct address *address, int family, struct addrinfo **list,
	const char **why);

/*
 * The same for an ADDRESS that nothing has to be looked up for: its host is a number, or it has
 * none. Never blocks. Returns 0 and *LIST, or -1 if its name has to be looked up, or because of a
 * shortage, which resolve_sockets() will tell of.
 */
int resolve_at_once(const struct address *address, int family, struct addrinfo **list);

/* Free what these two have made. NULL is fine. */
void resolve_free(struct addrinfo *list);

/* The numeric form of a socket address: fills an address for SCHEME. */
void resolve_describe(const struct sockaddr *sockaddr, socklen_t len, enum address_scheme scheme,
	struct address *address);

#endif
