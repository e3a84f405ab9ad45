/* SPDX-License-Identifier: MIT */
#include "daemon/listen/udp_socket.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/io.h"

/*
 * A datagram socket bound to no particular address learns with each datagram which of them was
 * asked, so that the answer can leave from there.
 */
static int ask_for_destination(int fd, int family)
{
	int one = 1;

	if (family == AF_INET6) {
		return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	}
	return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
}

/* However it was written: '*', 0.0.0.0 or [::]. */
static bool is_any(const struct sockaddr *sockaddr)
{
	if (sockaddr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sockaddr;

		return IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
	}
	return ((const struct sockaddr_in *)(const void *)sockaddr)->sin_addr.s_addr == INADDR_ANY;
}

/* With the privilege for it, net.core.rmem_max does not matter. */
static int enlarge_buffer(int fd)
{
	int bytes = UDP_SOCKET_BUFFER_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0) {
		return 0;
	}
	return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/*
 * An address for more than one host. The kernel lets it be bound, but refuses connect() to it
 * unless SO_BROADCAST says that this is meant.
 */
static bool is_for_many(const struct addrinfo *info)
{
	const struct sockaddr_in *in = (const void *)info->ai_addr;
	const struct sockaddr_in6 *in6 = (const void *)info->ai_addr;
	bool refused;
	int fd;

	if (info->ai_family == AF_INET6) {
		return IN6_IS_ADDR_MULTICAST(&in6->sin6_addr);
	}
	/* Also where no route leads to it, so that connect() does not know. */
	if (IN_MULTICAST(ntohl(in->sin_addr.s_addr)) || in->sin_addr.s_addr == INADDR_BROADCAST) {
		return true;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	refused = fd >= 0 && connect(fd, info->ai_addr, info->ai_addrlen) < 0 && errno == EACCES;
	io_close(&fd);
	return refused;
}

int udp_socket_prepare(int fd, const struct addrinfo *info)
{
	if (enlarge_buffer(fd) < 0) {
		return -1;
	}
	if (is_any(info->ai_addr)) {
		return ask_for_destination(fd, info->ai_family);
	}
	if (is_for_many(info)) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	return 0;
}

int udp_socket_buffer_bytes(int fd)
{
	int bytes;
	socklen_t len = sizeof(bytes);

	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len) < 0) {
		return -1;
	}
	/* The kernel doubles what it is asked for, for its own share, and tells so. */
	return bytes / 2;
}

bool udp_socket_may_shrink(int fd)
{
	int bytes = UDP_SOCKET_BUFFER_BYTES;
	int plain_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool may = setsockopt(plain_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0 &&
		   udp_socket_buffer_bytes(plain_fd) >= udp_socket_buffer_bytes(fd);

	io_close(&plain_fd);
	return may;
}

void udp_socket_limit(int fd, size_t count)
{
	int bytes = (int)(count * UDP_SOCKET_BUFFER_BYTES / UDP_SOCKET_DATAGRAMS);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

uint32_t udp_socket_kernel_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	/* What fails leaves them 0. */
	(void)getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len);
	return info[SK_MEMINFO_DROPS];
}
