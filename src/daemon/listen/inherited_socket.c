/* SPDX-License-Identifier: MIT */
#include "daemon/listen/inherited_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/resolve.h"
#include "daemon/listen/udp_socket.h"
#include "daemon/listen/unix_socket.h"

/* What the kernel knows of a socket. */
struct kind {
	int domain;
	int type;
	int protocol;
	int listens;
};

static int get(int fd, int name, int *value)
{
	socklen_t len = sizeof(*value);

	return getsockopt(fd, SOL_SOCKET, name, value, &len);
}

static bool find_unix_scheme(const struct kind *kind, const char *name,
	enum address_scheme *scheme)
{
	switch (kind->type) {
	case SOCK_STREAM:
		*scheme = strcmp(name, INHERITED_SOCKET_FDPASS) == 0 ? ADDRESS_FDPASS
								     : ADDRESS_UNIX;
		return true;
	case SOCK_SEQPACKET:
		*scheme = ADDRESS_UNIX_SEQPACKET;
		return true;
	case SOCK_DGRAM:
		*scheme = ADDRESS_UNIX_DGRAM;
		return true;
	default:
		return false;
	}
}

static bool find_scheme(const struct kind *kind, const char *name, enum address_scheme *scheme)
{
	if (kind->domain == AF_UNIX) {
		return find_unix_scheme(kind, name, scheme);
	}
	if (kind->domain != AF_INET && kind->domain != AF_INET6) {
		return false;
	}
	*scheme = kind->type == SOCK_STREAM ? ADDRESS_TCP : ADDRESS_UDP;
	return (kind->type == SOCK_STREAM && kind->protocol == IPPROTO_TCP) ||
	       (kind->type == SOCK_DGRAM && kind->protocol == IPPROTO_UDP);
}

/* An abstract name is shown with '@' in front, as other programs do. */
static int describe_unix(const struct sockaddr_un *sockaddr, socklen_t len,
	enum address_scheme scheme, struct address *address)
{
	size_t path_len = len - offsetof(struct sockaddr_un, sun_path);

	if (len <= offsetof(struct sockaddr_un, sun_path)) {
		return -1;
	}
	*address = (struct address){ .scheme = scheme, .mode = ADDRESS_MODE_NONE };
	snprintf(address->path, sizeof(address->path), "%s%.*s", sockaddr->sun_path[0] ? "" : "@",
		(int)path_len - !sockaddr->sun_path[0],
		sockaddr->sun_path + !sockaddr->sun_path[0]);
	return 0;
}

static int set_options(int fd, const struct kind *kind, const struct sockaddr_storage *sockaddr,
	socklen_t len, enum address_scheme scheme)
{
	struct sockaddr_storage copy = *sockaddr;
	const struct addrinfo info = {
		.ai_family = kind->domain,
		.ai_addr = (struct sockaddr *)&copy,
		.ai_addrlen = len,
	};

	if (scheme == ADDRESS_UDP && udp_socket_prepare(fd, &info) < 0) {
		return -1;
	}
	if (scheme == ADDRESS_UNIX_DGRAM) {
		unix_socket_prepare_datagrams(fd);
	}
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int inherited_socket_prepare(int fd, const char *name, struct address *address, const char **why)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	enum address_scheme scheme;
	struct kind kind;

	*why = NULL;
	if (get(fd, SO_DOMAIN, &kind.domain) < 0 || get(fd, SO_TYPE, &kind.type) < 0 ||
	    get(fd, SO_PROTOCOL, &kind.protocol) < 0 || get(fd, SO_ACCEPTCONN, &kind.listens) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
		return -1;
	}
	errno = EINVAL;
	if (!find_scheme(&kind, name, &scheme)) {
		*why = "a socket of a kind that is not served";
		return -1;
	}
	if (kind.type != SOCK_DGRAM && !kind.listens) {
		*why = "a socket that does not listen";
		return -1;
	}
	if (kind.domain != AF_UNIX) {
		resolve_describe((struct sockaddr *)&bound, len, scheme, address);
	} else if (describe_unix((struct sockaddr_un *)&bound, len, scheme, address) < 0) {
		*why = "a socket without a name";
		return -1;
	}
	return set_options(fd, &kind, &bound, len, scheme);
}
