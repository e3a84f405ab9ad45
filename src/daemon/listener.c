/* SPDX-License-Identifier: MIT */
#include "daemon/listener.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/resolve.h"

/* Cut by the kernel to net.core.somaxconn. */
#define BACKLOG 65535

/* Some 5,000 datagrams: what may come while a run is under way. Cut to net.core.rmem_max. */
#define RECEIVE_BUFFER_BYTES (4 << 20)

/* How often another port is tried when a free one of IPv4 is taken on IPv6. */
#define SAME_PORT_TRIES 16

bool listener_is_served(enum address_scheme scheme)
{
	return scheme == ADDRESS_TCP || scheme == ADDRESS_UDP;
}

bool listener_is_stream(const struct listener *listener)
{
	return listener->address.scheme == ADDRESS_TCP;
}

bool listener_is_udp(const struct listener *listener)
{
	return listener->address.scheme == ADDRESS_UDP;
}

static int set_flag(int fd, int level, int name)
{
	int one = 1;

	return setsockopt(fd, level, name, &one, sizeof(one));
}

/*
 * A datagram socket bound to no particular address learns with each datagram which of them was
 * asked, so that the answer can leave from there.
 */
static int ask_for_destination(int fd, int family)
{
	if (family == AF_INET6) {
		return set_flag(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	}
	return set_flag(fd, IPPROTO_IP, IP_PKTINFO);
}

static int prepare(int fd, const struct address *address, int family)
{
	int bytes = RECEIVE_BUFFER_BYTES;

	if (family == AF_INET6 && set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0) {
		return -1;
	}
	if (address->scheme == ADDRESS_TCP) {
		return set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0) {
		return -1;
	}
	return address->host[0] ? 0 : ask_for_destination(fd, family);
}

/* Returns a bound, listening descriptor, or -1 with errno. */
static int open_socket(const struct address *address, const struct addrinfo *info)
{
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -1;
	}
	if (prepare(fd, address, info->ai_family) < 0 ||
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

/* Takes FD. Returns 0, or -1 with errno and FD closed. */
static int append(struct listener_set *set, const struct address *asked, int fd)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	struct listener *grown;
	struct listener *listener;

	grown = realloc(set->all, (set->count + 1) * sizeof(*grown));
	if (grown) {
		set->all = grown;
	}
	if (!grown || getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
		io_close(&fd);
		return -1;
	}
	listener = &set->all[set->count++];
	*listener = (struct listener){ .family = bound.ss_family, .fd = fd };
	resolve_describe((struct sockaddr *)&bound, len, asked->scheme, &listener->address);
	if (!asked->host[0]) {
		listener->address.host[0] = '\0';
	}
	return 0;
}

/* A host without IPv6, or one where it is switched off, still serves '*' on IPv4. */
static bool may_be_missing(const struct address *address, const struct addrinfo *info, int error)
{
	return !address->host[0] && info->ai_family == AF_INET6 &&
	       (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

static void truncate_to(struct listener_set *set, unsigned count)
{
	while (set->count > count) {
		io_close(&set->all[--set->count].fd);
	}
}

/* Open every socket of LIST; those without a port of their own follow the first. */
static int open_all(struct listener_set *set, const struct address *address,
	const struct addrinfo *list)
{
	uint16_t port = 0;

	for (const struct addrinfo *info = list; info; info = info->ai_next) {
		struct sockaddr_storage bound;
		socklen_t len = sizeof(bound);
		int fd;

		if (port) {
			set_port(info->ai_addr, port);
		}
		fd = open_socket(address, info);
		if (fd < 0 && may_be_missing(address, info, errno)) {
			continue;
		}
		if (fd < 0 || append(set, address, fd) < 0) {
			return -1;
		}
		if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
			return -1;
		}
		port = get_port((struct sockaddr *)&bound);
	}
	return 0;
}

int listener_open(struct listener_set *set, const struct address *address,
	struct listener_failure *failure)
{
	unsigned before = set->count;
	struct addrinfo *list;
	int result;

	*failure = (struct listener_failure){ .address = *address };
	if (resolve_sockets(address, AF_UNSPEC, &list, &failure->why) < 0) {
		return -1;
	}
	result = open_all(set, address, list);
	for (int i = 1; result < 0 && errno == EADDRINUSE && i < SAME_PORT_TRIES &&
	     strcmp(address->port, "0") == 0; i++) {
		truncate_to(set, before);
		for (struct addrinfo *info = list; info; info = info->ai_next) {
			set_port(info->ai_addr, 0);
		}
		result = open_all(set, address, list);
	}
	failure->not_permitted = result < 0 && (errno == EACCES || errno == EPERM);
	failure->why = result < 0 ? strerror(errno) : NULL;
	freeaddrinfo(list);
	return result;
}

int listener_shut_door(const struct listener *listener)
{
	/* For TCP the filter sees the TCP header: drop what has SYN and not ACK in byte 13. */
	struct sock_filter drop_syn[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_filter drop_all[] = {
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { sizeof(drop_all) / sizeof(drop_all[0]), drop_all };

	if (listener_is_stream(listener)) {
		program = (struct sock_fprog){ sizeof(drop_syn) / sizeof(drop_syn[0]), drop_syn };
	}
	return setsockopt(listener->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void listener_close_all(struct listener_set *set)
{
	truncate_to(set, 0);
	free(set->all);
	*set = (struct listener_set){ NULL, 0 };
}
