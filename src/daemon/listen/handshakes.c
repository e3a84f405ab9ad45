/* SPDX-License-Identifier: MIT */
#include "daemon/listen/handshakes.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/io.h"

static const struct nlmsghdr *after(const struct nlmsghdr *at, size_t *len)
{
	size_t step = NLMSG_ALIGN(at->nlmsg_len);

	*len -= step < *len ? step : *len;
	return (const void *)((const char *)at + step);
}

/* Is PORT in these LEN bytes of the kernel's answer? -1: no, and they are the last. */
static int find_port(const struct nlmsghdr *at, size_t len, uint16_t port)
{
	/* Not NLMSG_NEXT(): its cast is one of those that compilers warn of. */
	for (; NLMSG_OK(at, len); at = after(at, &len)) {
		const struct inet_diag_msg *found = NLMSG_DATA(at);

		if (at->nlmsg_type == NLMSG_DONE || at->nlmsg_type == NLMSG_ERROR) {
			return -1;
		}
		if (ntohs(found->id.idiag_sport) == port) {
			return 1;
		}
	}
	return 0;
}

/*
 * The kernel is asked for this state only: its table may hold 100,000 connections that are over.
 * And for the listener's family only, since IPV6_V6ONLY is set: the kernel looks through all of the
 * table each time.
 */
bool handshakes_are_pending(const struct listener *listener)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} ask = {
		.header = { sizeof(ask), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0 },
		.request = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1 << TCP_SYN_RECV },
	};
	uint16_t port = (uint16_t)atoi(listener->address.port);
	_Alignas(struct nlmsghdr) char answer[16384];
	int family = AF_INET;
	socklen_t len = sizeof(family);
	int diag_fd;
	bool asked;
	int found = 0;

	if (listener->address.scheme != ADDRESS_TCP) {
		return false;
	}
	getsockopt(listener->fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
	ask.request.sdiag_family = (uint8_t)family;
	diag_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	asked = diag_fd >= 0 && send(diag_fd, &ask, sizeof(ask), 0) == sizeof(ask);
	while (asked && found == 0) {
		ssize_t got = recv(diag_fd, answer, sizeof(answer), 0);

		found = got <= 0 ? -1 : find_port((void *)answer, (size_t)got, port);
	}
	io_close(&diag_fd);
	return found > 0;
}
