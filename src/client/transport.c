/* SPDX-License-Identifier: MIT */
#include "client/transport.h"

#include <string.h>

#include "common/clock.h"
#include "common/io.h"

#define SHORTEST_LOOK_NS (1 * CLOCK_MS)
#define LONGEST_LOOK_NS	 (20 * CLOCK_MS)

static const struct transport *const transports[ADDRESS_SCHEMES] = {
	[ADDRESS_TCP] = &transport_stream,
	[ADDRESS_UDP] = &transport_datagram,
	[ADDRESS_UNIX] = &transport_stream,
	[ADDRESS_UNIX_SEQPACKET] = &transport_stream,
	[ADDRESS_UNIX_DGRAM] = &transport_datagram,
	[ADDRESS_MSGQ] = &transport_msgq,
	[ADDRESS_FDPASS] = &transport_stream,
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

uint64_t transport_look_again_ns(uint64_t began_ns, uint64_t now_ns)
{
	uint64_t rest_ns = (now_ns - began_ns) / 8;

	if (rest_ns < SHORTEST_LOOK_NS) {
		rest_ns = SHORTEST_LOOK_NS;
	}
	return now_ns + (rest_ns < LONGEST_LOOK_NS ? rest_ns : LONGEST_LOOK_NS);
}

enum transport_state transport_fail(struct answer *answer, int error)
{
	const char *why = strerrordesc_np(error);

	answer_fail(answer, why ? why : "unknown error");
	return io_is_shortage(error) ? TRANSPORT_BROKEN : TRANSPORT_FAILED;
}
