/* SPDX-License-Identifier: MIT */
#include "bench/transport_datagram.h"

#include <sys/socket.h>

#include "common/io.h"

#define BUFFER_BYTES (4 << 20)

int datagram_socket(const struct target *target)
{
	const int buffer_bytes = BUFFER_BYTES;
	/* Nothing but the family: the kernel finds a name (autobind). */
	const struct sockaddr name = { .sa_family = AF_UNIX };
	int fd = socket(target->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -1;
	}
	/* What the system grants of it is what there is. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
	if ((target->family == AF_UNIX && bind(fd, &name, sizeof(name.sa_family)) < 0) ||
	    connect(fd, (const struct sockaddr *)&target->sockaddr, target->sockaddr_len) < 0) {
		io_close(&fd);
	}
	return fd;
}
