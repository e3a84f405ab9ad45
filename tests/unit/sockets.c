/* SPDX-License-Identifier: MIT */
#include "unit/sockets.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "unit/process.h"

struct sockets_pair sockets_unix_pair(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		abort();
	}
	return (struct sockets_pair){ .client_fd = fds[0], .server_fd = fds[1] };
}

struct sockets_pair sockets_tcp_pair(void)
{
	struct listener_set set = { .all = NULL };
	struct listener *listener = sockets_listen(&set, ADDRESS_TCP);
	struct pollfd arrival = { .fd = listener->fd, .events = POLLIN };
	struct sockets_pair pair;

	pair.client_fd = sockets_connect(listener);
	if (pair.client_fd < 0 || poll(&arrival, 1, -1) < 0) {
		abort();
	}
	pair.server_fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (pair.server_fd < 0) {
		abort();
	}
	listener_close_all(&set);
	return pair;
}

void sockets_close(struct sockets_pair *pair)
{
	io_close(&pair->client_fd);
	io_close(&pair->server_fd);
}

struct listener *sockets_listen(struct listener_set *set, enum address_scheme scheme)
{
	struct address address;
	struct listener_failure failure;
	char text[64];
	const char *why;

	snprintf(text, sizeof(text), "%s://127.0.0.1:0", address_scheme_name(scheme));
	if (address_parse(&address, text, strlen(text), &why) < 0 ||
	    listener_open(set, &address, geteuid(), getegid(), &failure) < 0) {
		abort();
	}
	return &set->all[set->count - 1];
}

int sockets_connect(const struct listener *listener)
{
	struct sockaddr_storage to;
	socklen_t len = sizeof(to);
	int type = listener->address.scheme == ADDRESS_TCP ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd >= 0 && (getsockname(listener->fd, (struct sockaddr *)&to, &len) < 0 ||
			       connect(fd, (struct sockaddr *)&to, len) < 0)) {
		io_close(&fd);
	}
	return fd;
}

ssize_t sockets_read_all(int fd, char *text, size_t size)
{
	uint64_t deadline_ns = clock_now_ns() + process_slow_ns(10 * CLOCK_S);
	struct pollfd input = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	while (len < size - 1) {
		int ready = poll(&input, 1, clock_poll_ms(deadline_ns));
		ssize_t got = ready > 0 ? recv(fd, text + len, size - 1 - len, MSG_DONTWAIT) : 0;

		if (ready == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (got < 0) {
			return -1;
		}
		if (ready > 0 && got == 0) {
			break;
		}
		len += (size_t)got;
	}
	text[len] = '\0';
	return (ssize_t)len;
}
