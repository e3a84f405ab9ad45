/* SPDX-License-Identifier: MIT */
#include "client/ask/transport.h"

#include <string.h>
#include <sys/socket.h>

#include "common/io.h"

#define SHORTEST_LOOK_NS (1 * CLOCK_MS)
#define LONGEST_LOOK_NS	 (20 * CLOCK_MS)

static const struct transport *const transports[ADDRESS_SCHEMES] = {
	[ADDRESS_TCP] = &client_transport_stream,
	[ADDRESS_UDP] = &client_transport_udp,
	[ADDRESS_UNIX] = &client_transport_stream,
	[ADDRESS_UNIX_SEQPACKET] = &client_transport_stream,
	[ADDRESS_UNIX_DGRAM] = &client_transport_unix_dgram,
	[ADDRESS_MSGQ] = &client_transport_msgq,
	[ADDRESS_FDPASS] = &client_transport_stream,
};

const struct transport *transport_find(enum address_scheme scheme)
{
	return transports[scheme];
}

/* The next address from AT on that is of the FAMILY, or is not. */
static const struct addrinfo *find_next(const struct addrinfo *at, int family, bool same)
{
	while (at && (at->ai_family == family) != same) {
		at = at->ai_next;
	}
	return at;
}

unsigned transport_order(const struct addrinfo *list, const struct addrinfo **order)
{
	int family = list ? list->ai_family : AF_UNSPEC;
	const struct addrinfo *same = list;
	const struct addrinfo *other = find_next(list, family, false);
	unsigned count = 0;

	while ((same || other) && count < TRANSPORT_ADDRESSES_MAX) {
		if (same && (count % 2 == 0 || !other)) {
			order[count++] = same;
			same = find_next(same->ai_next, family, true);
		} else {
			order[count++] = other;
			other = find_next(other->ai_next, family, false);
		}
	}
	return count;
}

uint64_t transport_turn_ends_ns(unsigned left, uint64_t now_ns, uint64_t deadline_ns)
{
	uint64_t share_ns;

	if (left < 2 || deadline_ns <= now_ns) {
		return deadline_ns;
	}
	share_ns = (deadline_ns - now_ns) / left;
	return now_ns + (share_ns < TRANSPORT_TURN_NS ? share_ns : TRANSPORT_TURN_NS);
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
	const char *why = strerror(error);

	answer_fail(answer, why ? why : "unknown error");
	if (!io_is_shortage(error)) {
		return TRANSPORT_FAILED;
	}
	answer->error = error;
	return TRANSPORT_BROKEN;
}
