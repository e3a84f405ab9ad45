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

static bool is_of(const struct listener_set *set, uint16_t port)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct address *address = &set->all[i].address;

		if (address->scheme == ADDRESS_TCP && !set->all[i].borrowed &&
		    atoi(address->port) == port) {
			return true;
		}
	}
	return false;
}

/* Is any port of SET in these LEN bytes of the kernel's answer? -1: no, and they are the last. */
static int find_port(const struct nlmsghdr *at, size_t len, const struct listener_set *set)
{
	/* Not NLMSG_NEXT(): its cast is one of those that compilers warn of. */
	for (; NLMSG_OK(at, len); at = after(at, &len)) {
		const struct inet_diag_msg *found = NLMSG_DATA(at);

		if (at->nlmsg_type == NLMSG_DONE || at->nlmsg_type == NLMSG_ERROR) {
			return -1;
		}
		if (is_of(set, ntohs(found->id.idiag_sport))) {
			return 1;
		}
	}
	return 0;
}

/* The kernel is asked for this state only: its table may hold 100,000 connections that are over. */
static bool is_any_pending(int diag_fd, int family, const struct listener_set *set)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} ask = {
		.header = { sizeof(ask), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0 },
		.request = { .sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1 << TCP_SYN_RECV },
	};
	_Alignas(struct nlmsghdr) char answer[16384];
	int found = send(diag_fd, &ask, sizeof(ask), 0) == sizeof(ask) ? 0 : -1;

	while (found == 0) {
		ssize_t got = recv(diag_fd, answer, sizeof(answer), 0);

		found = got <= 0 ? -1 : find_port((void *)answer, (size_t)got, set);
	}
	return found > 0;
}

bool handshakes_are_pending(const struct listener_set *set)
{
	const int families[] = { AF_INET, AF_INET6 };
	bool pending = false;

	for (unsigned i = 0; i < 2 && !pending; i++) {
		int diag_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

		pending = diag_fd >= 0 && is_any_pending(diag_fd, families[i], set);
		io_close(&diag_fd);
	}
	return pending;
}
