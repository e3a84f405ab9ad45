/* SPDX-License-Identifier: MIT */
#include "daemon/listen/listener.h"

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fdpass.h"
#include "common/io.h"
#include "common/resolve.h"
#include "daemon/listen/inherited_socket.h"
#include "daemon/listen/udp_socket.h"

/* Cut by the kernel to net.core.somaxconn. */
#define BACKLOG 65535

/* In ai_flags, which getaddrinfo() has no use for in its result. */
#define MISSING 1

/* How often another port is tried when a free one of IPv4 is taken on IPv6. */
#define SAME_PORT_TRIES 16

bool listener_is_stream(const struct listener *listener)
{
	switch (listener->address.scheme) {
	case ADDRESS_TCP:
	case ADDRESS_UNIX:
	case ADDRESS_UNIX_SEQPACKET:
	case ADDRESS_FDPASS:
		return true;
	default:
		return false;
	}
}

bool listener_is_fdpass(const struct listener *listener)
{
	return listener->address.scheme == ADDRESS_FDPASS;
}

bool listener_is_plain_stream(const struct listener *listener)
{
	return listener_is_stream(listener) && !listener_is_fdpass(listener);
}

bool listener_is_datagram(const struct listener *listener)
{
	return listener->address.scheme == ADDRESS_UDP ||
	       listener->address.scheme == ADDRESS_UNIX_DGRAM;
}

bool listener_is_msgq(const struct listener *listener)
{
	return listener->address.scheme == ADDRESS_MSGQ;
}

static int set_flag(int fd, int level, int name)
{
	int one = 1;

	return setsockopt(fd, level, name, &one, sizeof(one));
}

static int prepare(int fd, const struct address *address, const struct addrinfo *info, bool absent)
{
	/* Of any family; then an address may be bound that is not one of this host's now. */
	if (absent && set_flag(fd, IPPROTO_IP, IP_FREEBIND) < 0) {
		return -1;
	}
	if (info->ai_family == AF_INET6 && set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0) {
		return -1;
	}
	return address->scheme == ADDRESS_TCP ? set_flag(fd, SOL_SOCKET, SO_REUSEADDR)
					      : udp_socket_prepare(fd, info);
}

/* Returns a bound, listening descriptor, or -1 with errno. ABSENT: the host lacks the address. */
static int open_socket(const struct address *address, const struct addrinfo *info, bool absent)
{
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -1;
	}
	if (prepare(fd, address, info, absent) < 0 ||
	    bind(fd, info->ai_addr, info->ai_addrlen) < 0) {
		goto fail;
	}
	if (address->scheme == ADDRESS_TCP && listen(fd, BACKLOG) < 0) {
		goto fail;
	}
	return fd;
fail:
	io_close(&fd);
	return -1;
}

static uint16_t get_port(const struct sockaddr *sockaddr)
{
	if (sockaddr->sa_family == AF_INET6) {
		return ((const struct sockaddr_in6 *)(const void *)sockaddr)->sin6_port;
	}
	return ((const struct sockaddr_in *)(const void *)sockaddr)->sin_port;
}

static void set_port(struct sockaddr *sockaddr, uint16_t port)
{
	if (sockaddr->sa_family == AF_INET6) {
		((struct sockaddr_in6 *)(void *)sockaddr)->sin6_port = port;
	} else {
		((struct sockaddr_in *)(void *)sockaddr)->sin_port = port;
	}
}

/* One more listener, not yet filled. Returns NULL with errno ENOMEM. */
static struct listener *append(struct listener_set *set, const struct address *address)
{
	struct listener *grown = malloc((set->count + 1) * sizeof(*grown));
	struct listener *old = set->all;

	if (!grown) {
		return NULL;
	}
	/* Whole at any moment: a signal may come that has the names of all removed. */
	if (old) {
		memcpy(grown, old, set->count * sizeof(*grown));
	}
	set->all = grown;
	free(old);
	grown[set->count] = (struct listener){
		.address = *address, .fd = -1, .feed_fd = -1, .file = { .dir_fd = -1 },
	};
	return &grown[set->count++];
}

/* Takes FD. Returns 0, or -1 with errno and FD closed. */
static int append_inet(struct listener_set *set, const struct address *asked, int fd)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	struct listener *listener = append(set, asked);

	if (!listener || getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
		io_close(&fd);
		return -1;
	}
	listener->fd = fd;
	listener->may_shrink = asked->scheme == ADDRESS_UDP && udp_socket_may_shrink(fd);
	resolve_describe((struct sockaddr *)&bound, len, asked->scheme, &listener->address);
	if (!asked->host[0]) {
		listener->address.host[0] = '\0';
	}
	return 0;
}

/*
 * A host without IPv6, or one where it is switched off, still serves '*' on IPv4, and a name that
 * has kept its IPv6 address in the hosts file.
 */
static bool may_be_missing(const struct addrinfo *info, int error)
{
	return info->ai_family == AF_INET6 && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

/* As /proc/net/if_inet6 says; 0x40 is IFA_F_TENTATIVE. */
static bool is_tentative(const struct addrinfo *info)
{
	const struct sockaddr_in6 *in6 = (const void *)info->ai_addr;
	FILE *table = fopen("/proc/net/if_inet6", "re");
	char wanted[2 * sizeof(in6->sin6_addr) + 1];
	char found[sizeof(wanted)];
	unsigned flags = 0;
	bool tentative = false;

	for (size_t i = 0; i < sizeof(in6->sin6_addr); i++) {
		snprintf(wanted + 2 * i, 3, "%02x", in6->sin6_addr.s6_addr[i]);
	}
	while (table && fscanf(table, "%32s %*s %*s %*s %x %*s", found, &flags) == 2) {
		tentative |= strcmp(found, wanted) == 0 && (flags & 0x40);
	}
	if (table) {
		fclose(table);
	}
	return tentative;
}

static bool same_host(const struct sockaddr *a, const struct sockaddr *b)
{
	const struct sockaddr_in *a4 = (const void *)a;
	const struct sockaddr_in *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a;
	const struct sockaddr_in6 *b6 = (const void *)b;

	if (a->sa_family != b->sa_family) {
		return false;
	}
	if (a->sa_family == AF_INET6) {
		return IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr) &&
		       a6->sin6_scope_id == b6->sin6_scope_id;
	}
	return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

/* A hosts file with the same line twice makes for a LIST with the same address twice. */
static bool was_met(const struct addrinfo *list, const struct addrinfo *info)
{
	while (list != info && !same_host(list->ai_addr, info->ai_addr)) {
		list = list->ai_next;
	}
	return list != info;
}

static void truncate_to(struct listener_set *set, unsigned count)
{
	while (set->count > count) {
		listener_close(&set->all[--set->count]);
	}
}

/* Open one socket for INFO with *PORT, or, if that is 0, with any, which *PORT says then. */
static int open_one(struct listener_set *set, const struct address *address,
	const struct addrinfo *info, bool absent, uint16_t *port)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	int fd;

	if (*port) {
		set_port(info->ai_addr, *port);
	}
	fd = open_socket(address, info, absent);
	if (fd < 0 || append_inet(set, address, fd) < 0) {
		return -1;
	}
	set->all[set->count - 1].absent = absent;
	if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
		return -1;
	}
	*port = get_port((struct sockaddr *)&bound);
	return 0;
}

/*
 * Open a socket for INFO, whose address the host lacks, to be served once the host has it: if
 * another one of the list could be opened, or if the kernel still looks for duplicates of it, as it
 * does at boot. Returns 0 also if this system cannot serve such an address: it is left out then.
 */
static int open_late(struct listener_set *set, const struct address *address,
	const struct addrinfo *info, bool others, uint16_t *port, struct listener_failure *failure)
{
	struct address left_out = *address;

	if (!others && !is_tentative(info)) {
		return 0;
	}
	if (open_one(set, address, info, true, port) == 0) {
		return 0;
	}
	if (address->host[0]) {
		resolve_describe(info->ai_addr, info->ai_addrlen, address->scheme, &left_out);
		address_format(&left_out, failure->left_out, sizeof(failure->left_out));
	}
	return may_be_missing(info, errno) ? 0 : -1;
}

/* Open every socket of LIST; those without a port of their own follow the first. */
static int open_all(struct listener_set *set, const struct address *address,
	struct addrinfo *list, struct listener_failure *failure)
{
	unsigned before = set->count;
	uint16_t port = 0;
	int missing = 0;

	for (struct addrinfo *info = list; info; info = info->ai_next) {
		info->ai_flags = 0;
		if (was_met(list, info) || open_one(set, address, info, false, &port) == 0) {
			continue;
		}
		if (!may_be_missing(info, errno)) {
			return -1;
		}
		missing = errno;
		info->ai_flags = MISSING;
	}
	for (struct addrinfo *info = list; info; info = info->ai_next) {
		if (info->ai_flags == MISSING &&
		    open_late(set, address, info, set->count > before, &port, failure) < 0) {
			return -1;
		}
	}
	errno = missing;
	return set->count > before ? 0 : -1;
}

static int open_inet(struct listener_set *set, const struct address *address,
	struct listener_failure *failure, const char **why)
{
	unsigned before = set->count;
	struct addrinfo *list;
	int result;

	if (resolve_sockets(address, AF_UNSPEC, &list, why) < 0) {
		return -1;
	}
	result = open_all(set, address, list, failure);
	for (int i = 1; result < 0 && errno == EADDRINUSE && i < SAME_PORT_TRIES &&
	     strcmp(address->port, "0") == 0; i++) {
		truncate_to(set, before);
		for (struct addrinfo *info = list; info; info = info->ai_next) {
			set_port(info->ai_addr, 0);
		}
		result = open_all(set, address, list, failure);
	}
	resolve_free(list);
	return result;
}

/* Refuse descriptors from a UNIX socket's clients, unless they are wanted. */
static bool may_pass(const struct listener *listener)
{
	return listener_is_fdpass(listener) || fdpass_refuse(listener->fd) < 0;
}

static int open_unix(struct listener_set *set, const struct address *address, const char **why)
{
	struct listener *listener = append(set, address);

	if (!listener) {
		return -1;
	}
	listener->fd = unix_socket_open(address, &listener->file, why);
	if (listener->fd < 0) {
		return -1;
	}
	listener->may_pass = may_pass(listener);
	return 0;
}

/* Takes PAIR. */
static int open_msgq(struct listener_set *set, const struct address *address, uid_t uid, gid_t gid,
	const int pair[2], struct listener_failure *failure)
{
	struct listener *listener = append(set, address);
	mode_t mode = address->mode == ADDRESS_MODE_NONE ? MSGQ_DEFAULT_MODE
							 : (mode_t)address->mode;

	if (!listener) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	listener->fd = pair[0];
	listener->feed_fd = pair[1];
	listener->msgq = msgq_open(address->key, mode, uid, gid, failure->why,
		sizeof(failure->why));
	if (listener->msgq) {
		listener->replies = msgq_replies_open(address->key, mode, uid, gid, set->follows,
			failure->why, sizeof(failure->why));
	}
	return listener->replies ? 0 : -1;
}

static int explain(const struct address *address, const char *why,
	struct listener_failure *failure)
{
	failure->not_permitted = errno == EACCES || errno == EPERM;
	failure->wrong = address->path[0] && errno == EINVAL;
	if (!failure->why[0]) {
		snprintf(failure->why, sizeof(failure->why), "%s", why ? why : strerror(errno));
	}
	return -1;
}

int listener_open(struct listener_set *set, const struct address *address, uid_t uid, gid_t gid,
	struct listener_failure *failure)
{
	unsigned before = set->count;
	const char *why = NULL;
	int pair[2];
	int result;

	*failure = (struct listener_failure){ .why = "" };
	if (address_is_inet(address)) {
		result = open_inet(set, address, failure, &why);
	} else if (address->scheme != ADDRESS_MSGQ) {
		result = open_unix(set, address, &why);
	} else {
		result = socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair);
		if (result == 0) {
			result = open_msgq(set, address, uid, gid, pair, failure);
		}
	}
	for (unsigned i = before; i < set->count; i++) {
		set->all[i].asked = *address;
	}
	return result < 0 ? explain(address, why, failure) : 0;
}

int listener_open_queue(struct listener_set *set, const struct address *address, uid_t uid,
	gid_t gid, const int pair[2], struct listener_failure *failure)
{
	*failure = (struct listener_failure){ .why = "" };
	if (open_msgq(set, address, uid, gid, pair, failure) < 0) {
		return explain(address, NULL, failure);
	}
	set->all[set->count - 1].asked = *address;
	return 0;
}

struct listener *listener_append(struct listener_set *set, const struct address *address,
	const struct address *asked, int *fd)
{
	struct listener *listener = append(set, address);

	if (listener) {
		listener->asked = *asked;
		listener->fd = *fd;
		listener->may_shrink =
			address->scheme == ADDRESS_UDP && udp_socket_may_shrink(*fd);
		listener->may_pass = !address_is_inet(address) && may_pass(listener);
		*fd = -1;
	}
	return listener;
}

int listener_adopt(struct listener_set *set, int fd, const char *name,
	struct listener_failure *failure)
{
	struct address address;
	const char *why = NULL;
	struct listener *listener = NULL;

	*failure = (struct listener_failure){ .why = "" };
	if (inherited_socket_prepare(fd, name, &address, &why) == 0) {
		listener = append(set, &address);
	}
	if (!listener) {
		failure->wrong = why != NULL;
		snprintf(failure->why, sizeof(failure->why), "%s", why ? why : strerror(errno));
		io_close(&fd);
		return -1;
	}
	listener->fd = fd;
	listener->may_pass = !address_is_inet(&address) && may_pass(listener);
	listener->borrowed = true;
	return 0;
}
