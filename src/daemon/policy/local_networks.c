/* SPDX-License-Identifier: MIT */
#include "daemon/policy/local_networks.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

/* Older hosts take a network's first address for a broadcast, too. */
#define BROADCASTS_OF_ONE 2

static bool is_inet(const struct sockaddr *sockaddr)
{
	return sockaddr && (sockaddr->sa_family == AF_INET || sockaddr->sa_family == AF_INET6);
}

/* Does it say which network is behind an interface that is up? */
static bool is_of_interest(const struct ifaddrs *entry)
{
	return is_inet(entry->ifa_addr) && is_inet(entry->ifa_netmask) &&
	       (entry->ifa_flags & IFF_UP) && !(entry->ifa_flags & IFF_LOOPBACK);
}

static unsigned count_bits(const struct sockaddr *netmask)
{
	struct in6_addr mask = prefix_address(netmask);
	unsigned from = netmask->sa_family == AF_INET ? PREFIX_MAPPED_BITS : 0;
	unsigned bits = from;

	while (bits < PREFIX_ALL_BITS && mask.s6_addr[bits / 8] & 0x80 >> bits % 8) {
		bits++;
	}
	return bits;
}

/* The network of an entry: on a link of two hosts, the other one's. */
static struct prefix network_of(const struct ifaddrs *entry)
{
	bool peer = (entry->ifa_flags & IFF_POINTOPOINT) && is_inet(entry->ifa_dstaddr);
	struct in6_addr address = prefix_address(peer ? entry->ifa_dstaddr : entry->ifa_addr);

	return prefix_of(&address, count_bits(entry->ifa_netmask));
}

static void add_broadcasts(struct local_networks *networks, const struct prefix *network)
{
	struct in6_addr all = network->address;

	/* A network of two hosts or of one has no room for any. */
	if (!IN6_IS_ADDR_V4MAPPED(&all) || network->bits >= PREFIX_ALL_BITS - 1) {
		return;
	}
	for (unsigned bit = network->bits; bit < PREFIX_ALL_BITS; bit++) {
		all.s6_addr[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	}
	networks->broadcasts[networks->broadcast_count++] = all;
	networks->broadcasts[networks->broadcast_count++] = network->address;
}

int local_networks_take(struct local_networks *networks, const struct ifaddrs *list)
{
	struct local_networks fresh = { 0 };
	unsigned count = 0;

	for (const struct ifaddrs *entry = list; entry; entry = entry->ifa_next) {
		count += is_of_interest(entry);
	}
	fresh.networks = calloc(count + 1, sizeof(*fresh.networks));
	fresh.broadcasts = calloc(BROADCASTS_OF_ONE * count + 1, sizeof(*fresh.broadcasts));
	if (!fresh.networks || !fresh.broadcasts) {
		local_networks_free(&fresh);
		errno = ENOMEM;
		return -1;
	}
	for (const struct ifaddrs *entry = list; entry; entry = entry->ifa_next) {
		if (is_of_interest(entry)) {
			struct prefix *network = &fresh.networks[fresh.network_count++];

			*network = network_of(entry);
			add_broadcasts(&fresh, network);
		}
	}
	local_networks_free(networks);
	*networks = fresh;
	return 0;
}

int local_networks_read(struct local_networks *networks)
{
	struct ifaddrs *list;
	int result;

	if (getifaddrs(&list) < 0) {
		return -1;
	}
	result = local_networks_take(networks, list);
	freeifaddrs(list);
	return result;
}

void local_networks_free(struct local_networks *networks)
{
	free(networks->networks);
	free(networks->broadcasts);
	*networks = (struct local_networks){ 0 };
}

bool local_networks_has(const struct local_networks *networks, const struct in6_addr *address)
{
	for (unsigned i = 0; i < networks->network_count; i++) {
		if (prefix_contains(&networks->networks[i], address)) {
			return true;
		}
	}
	return false;
}

bool local_networks_is_broadcast(
	const struct local_networks *networks, const struct in6_addr *address)
{
	for (unsigned i = 0; i < networks->broadcast_count; i++) {
		if (IN6_ARE_ADDR_EQUAL(&networks->broadcasts[i], address)) {
			return true;
		}
	}
	return false;
}
