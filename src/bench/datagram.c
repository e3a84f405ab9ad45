/* SPDX-License-Identifier: MIT */
#include "bench/datagram.h"

#include <errno.h>

#include "common/io.h"

#define BUFFER_BYTES (4 << 20)

int datagram_socket(const struct sockaddr *sockaddr, socklen_t len)
{
	const int buffer_bytes = BUFFER_BYTES;
	/* Nothing but the family: the kernel finds a name (autobind). */
	const struct sockaddr name = { .sa_family = AF_UNIX };
	int fd = socket(sockaddr->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -1;
	}
	/* What the system grants of it is what there is. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
	if ((sockaddr->sa_family == AF_UNIX && bind(fd, &name, sizeof(name.sa_family)) < 0) ||
	    connect(fd, sockaddr, len) < 0) {
		io_close(&fd);
	}
	return fd;
}

int datagram_reconnect(int fd, const struct sockaddr *sockaddr, socklen_t len)
{
	if (sockaddr->sa_family != AF_UNIX) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return connect(fd, sockaddr, len);
}
