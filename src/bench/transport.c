/* SPDX-License-Identifier: MIT */
#include "bench/transport.h"

const struct transport *transport_for(const struct target *target)
{
	switch (target->address.scheme) {
	case ADDRESS_TCP:
	case ADDRESS_UNIX:
	case ADDRESS_UNIX_SEQPACKET:
		return &bench_transport_stream;
	case ADDRESS_UDP:
	case ADDRESS_UNIX_DGRAM:
		return target->extended ? &transport_nonce : &transport_port;
	case ADDRESS_MSGQ:
		return &bench_transport_msgq;
	case ADDRESS_FDPASS:
		return &bench_transport_fdpass;
	}
	return NULL;
}
