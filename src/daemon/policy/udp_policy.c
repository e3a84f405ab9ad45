/* SPDX-License-Identifier: MIT */
#include "daemon/policy/udp_policy.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/prefix.h"
#include "common/siphash.h"
#include "daemon/policy/access.h"
#include "daemon/policy/local_networks.h"
#include "daemon/policy/rate_limit.h"
#include "daemon/policy/returning.h"

#define PORTS		 65536
#define PRIVILEGED_PORTS 1024
#define WORD_BITS	 64

/* Of what is over the rate, one in this many is answered still. */
#define LEAK_ONE_IN 8

#define OFF_NET_TOKEN_NS (CLOCK_S / UDP_POLICY_OFF_NET_RATE)

/* A bucket of one second; while it is too small, the last of it is for those who come again. */
#define OFF_NET_FULL_NS	    (1 * CLOCK_S)
#define OFF_NET_RESERVED_NS (100 * CLOCK_MS)

/* Answers to these do not leave the site. */
static const char *const local[] = {
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",	/* RFC 1918 */
	"169.254.0.0/16", "fe80::/10",				/* link-local */
	"fc00::/7",						/* RFC 4193 */
};
#define LOCAL (sizeof(local) / sizeof(local[0]))

/* The fewest bits of a network that has one owner. */
#define OWNED_BITS	  16
#define OWNED_MAPPED_BITS (PREFIX_MAPPED_BITS + 8)

/* Where no host is: "this network", multicast and reserved. */
static const char *const no_hosts[] = { "0.0.0.0/8", "224.0.0.0/3", "::/128", "ff00::/8" };
#define NO_HOSTS (sizeof(no_hosts) / sizeof(no_hosts[0]))

struct udp_policy {
	uint64_t (*clock)(void);
	bool open;
	bool dry_run;
	struct access access;
	struct rate_limit *rate_limit;	/* NULL: there is none */
	struct siphash_key leak_key;
	uint64_t over_rate;		/* how often a source was over the rate */
	uint64_t off_net_full_ns;	/* when the bucket of all that are not local is full */
	struct returning *refused;	/* those for whom it had nothing left */
	struct local_networks networks;
	uint64_t next_look_ns;
	struct prefix no_hosts[NO_HOSTS];
	unsigned local_count;
	struct prefix local[LOCAL + SETTINGS_UDP_ALLOW_MAX];
	unsigned open_count;
	struct prefix open_to[SETTINGS_UDP_ALLOW_MAX];	/* who is served as by --udp-open */
	uint64_t servers[PORTS / WORD_BITS];	/* a bit for each port that is a server's */
};

bool udp_policy_is_wide(const struct prefix *network)
{
	bool mapped = IN6_IS_ADDR_V4MAPPED(&network->address) &&
		      network->bits >= PREFIX_MAPPED_BITS;

	return network->bits < (mapped ? OWNED_MAPPED_BITS : OWNED_BITS);
}

static void add_server(struct udp_policy *policy, unsigned port)
{
	policy->servers[port / WORD_BITS] |= 1ull << port % WORD_BITS;
}

static void parse_constants(struct udp_policy *policy)
{
	for (unsigned i = 0; i < NO_HOSTS; i++) {
		prefix_parse(&policy->no_hosts[i], no_hosts[i]);
	}
	for (unsigned i = 0; i < LOCAL; i++) {
		prefix_parse(&policy->local[i], local[i]);
	}
	policy->local_count = LOCAL;
}

struct udp_policy *udp_policy_new(const struct settings *settings,
	const struct listener_set *listeners, uint64_t (*clock)(void))
{
	struct udp_policy *policy = calloc(1, sizeof(*policy));

	if (!policy) {
		return NULL;
	}
	policy->clock = clock;
	policy->open = settings->udp_open;
	policy->dry_run = settings->rate_dry_run;
	access_init(&policy->access, settings);
	parse_constants(policy);
	for (unsigned i = 0; i < settings->udp_allow_count; i++) {
		if (udp_policy_is_wide(&settings->udp_allow[i])) {
			policy->open_to[policy->open_count++] = settings->udp_allow[i];
		} else {
			policy->local[policy->local_count++] = settings->udp_allow[i];
		}
	}
	for (unsigned port = 0; port < PRIVILEGED_PORTS; port++) {
		add_server(policy, port);
	}
	for (unsigned i = 0; i < listeners->count; i++) {
		if (listeners->all[i].address.scheme == ADDRESS_UDP) {
			add_server(policy, (unsigned)atoi(listeners->all[i].address.port));
		}
	}
	if (settings->rate) {
		policy->rate_limit = rate_limit_new(settings->rate);
	}
	policy->refused = returning_new();
	if ((settings->rate && !policy->rate_limit) || !policy->refused ||
	    siphash_key_init(&policy->leak_key) < 0) {
		int error = errno;

		udp_policy_free(policy);
		errno = error;
		return NULL;
	}
	return policy;
}

void udp_policy_free(struct udp_policy *policy)
{
	if (policy) {
		local_networks_free(&policy->networks);
		returning_free(policy->refused);
		rate_limit_free(policy->rate_limit);
		free(policy);
	}
}

static bool is_server(const struct udp_policy *policy, const struct sockaddr *peer)
{
	/* The port stands at the same place in both families. */
	unsigned port = ntohs(((const struct sockaddr_in *)(const void *)peer)->sin_port);

	return policy->servers[port / WORD_BITS] >> port % WORD_BITS & 1;
}

/* Also of IPv4 over a socket of both families. */
static bool is_loopback(const struct in6_addr *address)
{
	return IN6_IS_ADDR_V4MAPPED(address) ? address->s6_addr[12] == IN_LOOPBACKNET
					     : IN6_IS_ADDR_LOOPBACK(address);
}

static bool is_in_any(const struct prefix *prefixes, unsigned count,
	const struct in6_addr *address)
{
	for (unsigned i = 0; i < count; i++) {
		if (prefix_contains(&prefixes[i], address)) {
			return true;
		}
	}
	return false;
}

/* Interfaces come and go. If they cannot be read, those of the last time are as good a guess. */
static void look_at_interfaces(struct udp_policy *policy, uint64_t now_ns)
{
	if (now_ns >= policy->next_look_ns) {
		(void)local_networks_read(&policy->networks);
		policy->next_look_ns = now_ns + UDP_POLICY_LOOK_NS;
	}
}

/* A socket of both families tells of IPv4 less than one of IPv4 alone. */
static bool is_mapped_for_many(struct udp_policy *policy, const struct in6_addr *address)
{
	if (!IN6_IS_ADDR_V4MAPPED(address)) {
		return false;
	}
	look_at_interfaces(policy, policy->clock());
	return is_in_any(policy->no_hosts, NO_HOSTS, address) ||
	       local_networks_is_broadcast(&policy->networks, address);
}

/* Known of sockets that are bound to no address; the others are bound to that of one host. */
static bool was_sent_to_many(struct udp_policy *policy, struct msghdr *header)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);

	if (control && control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
		struct in_pktinfo info;

		/* The kernel's word for it: what was asked is no address to answer from. */
		memcpy(&info, CMSG_DATA(control), sizeof(info));
		return info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr;
	}
	if (control && control->cmsg_level == IPPROTO_IPV6 &&
	    control->cmsg_type == IPV6_PKTINFO) {
		struct in6_pktinfo info;

		memcpy(&info, CMSG_DATA(control), sizeof(info));
		return IN6_IS_ADDR_MULTICAST(&info.ipi6_addr) ||
		       is_mapped_for_many(policy, &info.ipi6_addr);
	}
	return false;
}

static bool may_leak(struct udp_policy *policy)
{
	policy->over_rate++;
	return siphash(&policy->leak_key, &policy->over_rate, sizeof(policy->over_rate)) %
		       LEAK_ONE_IN == 0;
}

/* A bucket as those of rate_limit.c, of which RESERVED_NS are not to be taken. */
static bool take_off_net_token(struct udp_policy *policy, uint64_t now_ns, uint64_t reserved_ns)
{
	uint64_t full_ns = policy->off_net_full_ns > now_ns ? policy->off_net_full_ns : now_ns;

	if (full_ns + OFF_NET_TOKEN_NS + reserved_ns > now_ns + OFF_NET_FULL_NS) {
		return false;
	}
	policy->off_net_full_ns = full_ns + OFF_NET_TOKEN_NS;
	return true;
}

/*
 * An address that has been refused before comes before those that have not: forged ones are many,
 * and each of them seldom comes again.
 */
static bool may_be_answered_afar(
	struct udp_policy *policy, const struct in6_addr *address, uint64_t now_ns)
{
	uint64_t reserved_ns = returning_any(policy->refused, now_ns) ? OFF_NET_RESERVED_NS : 0;

	if (take_off_net_token(policy, now_ns, reserved_ns) ||
	    (returning_has(policy->refused, address, now_ns) &&
	     take_off_net_token(policy, now_ns, 0))) {
		return true;
	}
	returning_note(policy->refused, address, now_ns);
	return false;
}

static struct udp_verdict drop(enum stats_drop reason)
{
	return (struct udp_verdict){ .answer = false, .reason = reason };
}

static struct udp_verdict judge_stranger(struct udp_policy *policy, const struct sockaddr *peer,
	enum protocol_request_kind kind)
{
	struct in6_addr address = prefix_address(peer);
	struct udp_verdict verdict = { .answer = true };
	uint64_t now_ns = policy->clock();
	bool is_local;

	look_at_interfaces(policy, now_ns);
	if (is_in_any(policy->no_hosts, NO_HOSTS, &address) ||
	    local_networks_is_broadcast(&policy->networks, &address)) {
		return drop(STATS_SOURCE_ADDRESS);
	}
	is_local = is_in_any(policy->local, policy->local_count, &address) ||
	       local_networks_has(&policy->networks, &address);
	if (!is_local && kind == PROTOCOL_PLAIN && !policy->open &&
	    !is_in_any(policy->open_to, policy->open_count, &address)) {
		return drop(STATS_NOT_LOCAL);
	}
	if (policy->rate_limit && !rate_limit_take(policy->rate_limit, &address, now_ns)) {
		verdict.over_rate = policy->dry_run;
		if (!policy->dry_run && !may_leak(policy)) {
			return drop(STATS_RATE_LIMITED);
		}
	}
	if (!is_local && !may_be_answered_afar(policy, &address, now_ns)) {
		return drop(STATS_OFF_NET_LIMITED);
	}
	return verdict;
}

struct udp_verdict udp_policy_judge(struct udp_policy *policy, struct msghdr *header,
	enum protocol_request_kind kind)
{
	const struct sockaddr *peer = header->msg_name;
	struct in6_addr address = prefix_address(peer);

	if (!access_allows(&policy->access, &address)) {
		return drop(STATS_NOT_ALLOWED);
	}
	if (is_server(policy, peer)) {
		return drop(STATS_SOURCE_PORT);
	}
	if (was_sent_to_many(policy, header)) {
		return drop(STATS_BROADCAST);
	}
	if (is_loopback(&address)) {
		return (struct udp_verdict){ .answer = true };
	}
	return judge_stranger(policy, peer, kind);
}
