/* SPDX-License-Identifier: MIT */
/*
 * Connected sockets for tests. Those that make something abort if the kernel refuses.
 */
#ifndef RUPTIME_TESTS_SOCKETS_H
#define RUPTIME_TESTS_SOCKETS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/listen/listener.h"

/* The two ends of a connection; -1 once closed. */
struct sockets_pair {
	int client_fd;
	int server_fd;
};

struct sockets_pair sockets_unix_pair(void);

/* A real TCP connection over the loopback interface. */
struct sockets_pair sockets_tcp_pair(void);

void sockets_close(struct sockets_pair *pair);

/* A listener on a free port of 127.0.0.1, appended to SET, which is to be closed by its owner. */
struct listener *sockets_listen(struct listener_set *set, enum address_scheme scheme);

/* A blocking socket that is connected to LISTENER; -1 with errno if it cannot be. */
int sockets_connect(const struct listener *listener);

/*
 * Everything until the peer's end, and a NUL. Returns the length, or -1 with errno if the stream
 * broke, ETIMEDOUT if it took more than 10 s.
 */
ssize_t sockets_read_all(int fd, char *text, size_t size);

#endif
