/* SPDX-License-Identifier: MIT */
/*
 * The sockets that are listened on. Opened and closed by main; the ingress threads borrow them,
 * and workers send datagrams on them. Helpers here block only for name look-ups.
 */
#ifndef RUPTIME_DAEMON_LISTENER_H
#define RUPTIME_DAEMON_LISTENER_H

#include <stdbool.h>

#include "common/address.h"

struct listener {
	struct address address;		/* numeric, as bound */
	int family;
	int fd;				/* non-blocking */
};

struct listener_set {
	struct listener *all;		/* owned */
	unsigned count;
};

/* Why listening failed. */
struct listener_failure {
	struct address address;
	const char *why;
	bool not_permitted;
};

/* Does this version serve the scheme? */
bool listener_is_served(enum address_scheme scheme);

/* What comes from it: connections for the acceptor, or datagrams for the UDP receiver. */
bool listener_is_stream(const struct listener *listener);
bool listener_is_udp(const struct listener *listener);

/*
 * Open all sockets of ADDRESS, whose port is a number, and append them to SET: one for each
 * socket address that its host has. If the port is 0 they all get the same one.
 * Returns 0, or -1 with *FAILURE filled; what was opened before stays in SET.
 */
int listener_open(struct listener_set *set, const struct address *address,
	struct listener_failure *failure);

/*
 * Let nobody new in, for good: the kernel drops new SYNs and new datagrams, so that who comes now
 * sees a silent host and, once the socket is closed, a clean refusal. What has arrived stays and
 * can be accepted or received until EAGAIN, without a race against newcomers.
 * Affects every process that shares the socket. Returns 0, or -1 with errno.
 */
int listener_shut_door(const struct listener *listener);

/* Close all sockets and free the set's memory. */
void listener_close_all(struct listener_set *set);

#endif
