/* SPDX-License-Identifier: MIT */
#include "client/transport.h"

#include <string.h>

#include "common/io.h"

static const struct transport *const transports[ADDRESS_SCHEMES] = {
	[ADDRESS_TCP] = &transport_tcp,
	[ADDRESS_UDP] = &transport_udp,
};

const struct transport *transport_find(enum address_scheme scheme)
{
	return transports[scheme];
}

uint64_t transport_turn_ends_ns(const struct addrinfo *addresses, uint64_t now_ns,
	uint64_t deadline_ns)
{
	uint64_t left = 0;

	for (const struct addrinfo *at = addresses; at; at = at->ai_next) {
		left++;
	}
	return left && deadline_ns > now_ns ? now_ns + (deadline_ns - now_ns) / left : deadline_ns;
}

enum transport_state transport_fail(struct answer *answer, int error)
{
	const char *why = strerrordesc_np(error);

	answer_fail(answer, why ? why : "unknown error");
	return io_is_shortage(error) ? TRANSPORT_BROKEN : TRANSPORT_FAILED;
}
