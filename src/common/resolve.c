/* SPDX-License-Identifier: MIT */
#include "common/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/io.h"

static const char *protocol_name(const struct address *address)
{
	return address->scheme == ADDRESS_UDP ? "udp" : "tcp";
}

/* Returns the port, or -1 if the system knows no such service. */
static int service_port(const char *service, const char *protocol)
{
	struct servent entry;
	struct servent *found = NULL;
	char buf[1024];

	if (getservbyname_r(service, protocol, &entry, buf, sizeof(buf), &found) != 0 || !found) {
		return -1;
	}
	return ntohs((uint16_t)entry.s_port);
}

int resolve_port(struct address *address, const char **why)
{
	int port;

	if (!address_is_inet(address)) {
		return 0;
	}
	if (address->port[0] >= '0' && address->port[0] <= '9' &&
	    strspn(address->port, "0123456789") == strlen(address->port)) {
		return 0;
	}
	if (address->port[0]) {
		port = service_port(address->port, protocol_name(address));
		if (port < 0) {
			*why = "the system knows no service of that name";
			errno = EINVAL;
			return -1;
		}
	} else {
		port = service_port("ruptime", protocol_name(address));
		if (port < 0) {
			port = RESOLVE_DEFAULT_PORT;
		}
	}
	snprintf(address->port, sizeof(address->port), "%d", port);
	return 0;
}

int resolve_socket_type(enum address_scheme scheme)
{
	switch (scheme) {
	case ADDRESS_UDP:
	case ADDRESS_UNIX_DGRAM:
		return SOCK_DGRAM;
	case ADDRESS_UNIX_SEQPACKET:
		return SOCK_SEQPACKET;
	default:
		return SOCK_STREAM;
	}
}

/* freeaddrinfo() knows its own lists only. */
struct unix_socket {
	struct addrinfo info;		/* first: a pointer to it is one to the whole */
	struct sockaddr_un name;
};

static int make_unix(const struct address *address, struct addrinfo **list, const char **why)
{
	struct unix_socket *made = calloc(1, sizeof(*made));

	if (!made) {
		errno = ENOMEM;
		*why = strerror(errno);
		return -1;
	}
	made->name.sun_family = AF_UNIX;
	memcpy(made->name.sun_path, address->path, strlen(address->path));
	made->info = (struct addrinfo){
		.ai_family = AF_UNIX,
		.ai_socktype = resolve_socket_type(address->scheme),
		.ai_addr = (struct sockaddr *)&made->name,
		.ai_addrlen = sizeof(made->name),
	};
	*list = &made->info;
	return 0;
}

static int look_up(const struct address *address, int family, struct addrinfo **list,
	const char **why)
{
	struct addrinfo hints = {
		.ai_family = family,
		.ai_socktype = resolve_socket_type(address->scheme),
		.ai_flags = AI_NUMERICSERV | (address->host[0] ? 0 : AI_PASSIVE),
	};
	const char *host = address->host[0] ? address->host : NULL;
	int error;

	errno = 0;
	error = getaddrinfo(host, address->port, &hints, list);
	if (!error) {
		return 0;
	}
	/* glibc calls a name unknown, too, when it could not open the files to look it up in. */
	if (error == EAI_MEMORY || io_is_shortage(errno)) {
		errno = error == EAI_MEMORY ? ENOMEM : errno;
		*why = strerror(errno);
		return -1;
	}
	*why = error == EAI_SYSTEM && errno ? strerror(errno) : gai_strerror(error);
	errno = ENOENT;
	return -1;
}

int resolve_sockets(const struct address *address, int family, struct addrinfo **list,
	const char **why)
{
	if (address_is_inet(address)) {
		return look_up(address, family, list, why);
	}
	*list = NULL;
	return address->scheme == ADDRESS_MSGQ ? 0 : make_unix(address, list, why);
}

int resolve_at_once(const struct address *address, int family, struct addrinfo **list)
{
	const char *why;
	struct addrinfo hints = {
		.ai_family = family,
		.ai_socktype = resolve_socket_type(address->scheme),
		.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST,
	};

	if (!address_is_inet(address)) {
		return resolve_sockets(address, family, list, &why);
	}
	return getaddrinfo(address->host, address->port, &hints, list) == 0 ? 0 : -1;
}

void resolve_free(struct addrinfo *list)
{
	if (list && list->ai_family == AF_UNIX) {
		free(list);
	} else if (list) {
		freeaddrinfo(list);
	}
}

void resolve_describe(const struct sockaddr *sockaddr, socklen_t len, enum address_scheme scheme,
	struct address *address)
{
	*address = (struct address){ .scheme = scheme, .mode = ADDRESS_MODE_NONE };
	getnameinfo(sockaddr, len, address->host, sizeof(address->host), address->port,
		sizeof(address->port), NI_NUMERICHOST | NI_NUMERICSERV);
}
