/* SPDX-License-Identifier: MIT */
/*
 * Which requests are answered over UDP. A sender may lie about where a datagram comes from, so that
 * a server which answers all of them can be aimed at any host. Therefore:
 *
 *	dropped			from where --allow and --deny let no requests in, see access.h;
 *				from a port below 1024 or one that we listen at: those are servers;
 *				from or to an address that means no host, or many
 *	answered		on loopback: all
 *	answered by the rate	extended requests, whose answers are not longer than they are;
 *				one byte only if it is local: from link-local, private or on-link
 *				addresses, or those of --udp-allow; --udp-open: from anywhere
 *				(and --udp-allow with a network that is too wide to be known)
 *
 * The rate is that of rate_limit.h; beyond it one in eight is answered still, so that a
 * forger who pretends to be a client cannot silence it. All sources that are not local together get
 * UDP_POLICY_OFF_NET_RATE answers a second; if that is too little for all, those come first that
 * have asked, and were refused, a few seconds ago.
 */
#ifndef RUPTIME_DAEMON_POLICY_UDP_POLICY_H
#define RUPTIME_DAEMON_POLICY_UDP_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/protocol.h"
#include "daemon/listen/listener.h"
#include "daemon/settings.h"
#include "daemon/stats.h"

#define UDP_POLICY_OFF_NET_RATE 1000

struct udp_policy;

/*
 * Does NETWORK hold more than one owner has: more than a /8 of IPv4 or a /16 of IPv6? Then it holds
 * hosts that a forged datagram could be aimed at, and its sources are not local.
 */
bool udp_policy_is_wide(const struct prefix *network);

/* What is to become of a datagram. */
struct udp_verdict {
	bool answer;
	bool over_rate;			/* and answered only because of --rate-dry-run */
	enum stats_drop reason;		/* why it is not to be answered */
};

/*
 * The policy that SETTINGS ask for, on LISTENERS; both are only read here. CLOCK tells nanoseconds
 * and never goes back. Returns NULL with errno.
 */
struct udp_policy *udp_policy_new(const struct settings *settings,
	const struct listener_set *listeners, uint64_t (*clock)(void));
void udp_policy_free(struct udp_policy *policy);

/*
 * Judge what recvmsg() left in HEADER: source, and destination if it was asked for. One thread at
 * a time. Makes no system call, but for a look at the interfaces if a request comes from elsewhere
 * than loopback and the last one was UDP_POLICY_LOOK_NS ago.
 */
#define UDP_POLICY_LOOK_NS (5 * CLOCK_S)
struct udp_verdict udp_policy_judge(struct udp_policy *policy, struct msghdr *header,
	enum protocol_request_kind kind);

#endif
