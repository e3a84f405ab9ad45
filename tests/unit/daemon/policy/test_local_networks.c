/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#include "daemon/policy/local_networks.h"

#define ENTRIES 8

/* What getifaddrs() would tell. */
static struct ifaddrs entries[ENTRIES];
static struct sockaddr_storage addresses[ENTRIES][3];
static unsigned count;
static struct local_networks networks;

static struct in6_addr address_of(const char *text)
{
	struct prefix whole;

	ck_assert_int_eq(prefix_parse(&whole, text), 0);
	return whole.address;
}

static struct sockaddr *fill(struct sockaddr_storage *storage, const char *text)
{
	struct sockaddr_in *in = (void *)storage;
	struct sockaddr_in6 *in6 = (void *)storage;

	if (!text) {
		return NULL;
	}
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
	} else {
		ck_assert_int_eq(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
		in6->sin6_family = AF_INET6;
	}
	return (struct sockaddr *)storage;
}

static void add(unsigned flags, const char *address, const char *netmask, const char *peer)
{
	struct ifaddrs *entry = &entries[count];

	ck_assert_uint_lt(count, ENTRIES);
	*entry = (struct ifaddrs){ .ifa_flags = flags };
	entry->ifa_addr = fill(&addresses[count][0], address);
	entry->ifa_netmask = fill(&addresses[count][1], netmask);
	entry->ifa_dstaddr = fill(&addresses[count][2], peer);
	if (count > 0) {
		entries[count - 1].ifa_next = entry;
	}
	count++;
}

static bool has(const char *text)
{
	struct in6_addr address = address_of(text);

	return local_networks_has(&networks, &address);
}

static bool is_broadcast(const char *text)
{
	struct in6_addr address = address_of(text);

	return local_networks_is_broadcast(&networks, &address);
}

static void set_up(void)
{
	count = 0;
}

static void tear_down(void)
{
	local_networks_free(&networks);
	ck_assert(!has("198.51.100.7"));
	ck_assert(!is_broadcast("198.51.100.255"));
}

START_TEST(test_networks)
{
	add(IFF_UP | IFF_LOOPBACK, "127.0.0.1", "255.0.0.0", NULL);
	add(IFF_UP | IFF_LOOPBACK, "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL);
	add(IFF_UP | IFF_BROADCAST, "198.51.100.7", "255.255.255.128", "198.51.100.127");
	add(IFF_BROADCAST, "203.0.113.7", "255.255.255.0", NULL);
	add(IFF_UP, "2001:db8:1::7", "ffff:ffff:ffff::", NULL);
	add(IFF_UP, NULL, NULL, NULL);
	ck_assert_int_eq(local_networks_take(&networks, entries), 0);
	ck_assert(has("198.51.100.1"));
	ck_assert(has("198.51.100.126"));
	ck_assert(!has("198.51.100.128"));
	ck_assert(has("2001:db8:1:ffff::1"));
	ck_assert(!has("2001:db8:2::1"));
	/* Down, and told by their addresses. */
	ck_assert(!has("203.0.113.1"));
	ck_assert(!has("127.0.0.1"));
	ck_assert(!has("::1"));
	ck_assert(is_broadcast("198.51.100.127"));
	ck_assert(is_broadcast("198.51.100.0"));
	ck_assert(!is_broadcast("198.51.100.126"));
	ck_assert(!is_broadcast("198.51.100.255"));
	ck_assert(!is_broadcast("2001:db8:1:ffff:ffff:ffff:ffff:ffff"));
}
END_TEST

/* Two hosts on a wire: the network is that of the other one; no host there means both. */
START_TEST(test_point_to_point)
{
	add(IFF_UP | IFF_POINTOPOINT, "192.0.2.1", "255.255.255.255", "198.51.100.7");
	add(IFF_UP, "203.0.113.8", "255.255.255.254", NULL);
	ck_assert_int_eq(local_networks_take(&networks, entries), 0);
	ck_assert(has("198.51.100.7"));
	ck_assert(!has("192.0.2.1"));
	ck_assert(has("203.0.113.9"));
	ck_assert(!is_broadcast("198.51.100.7"));
	ck_assert(!is_broadcast("203.0.113.8"));
	ck_assert(!is_broadcast("203.0.113.9"));
}
END_TEST

START_TEST(test_what_is_gone)
{
	add(IFF_UP, "198.51.100.7", "255.255.255.0", NULL);
	ck_assert_int_eq(local_networks_take(&networks, entries), 0);
	ck_assert(has("198.51.100.1"));
	count = 0;
	add(IFF_UP, "203.0.113.7", "255.255.255.0", NULL);
	ck_assert_int_eq(local_networks_take(&networks, entries), 0);
	ck_assert(!has("198.51.100.1"));
	ck_assert(has("203.0.113.1"));
	ck_assert_int_eq(local_networks_take(&networks, NULL), 0);
	ck_assert(!has("203.0.113.1"));
}
END_TEST

START_TEST(test_of_this_machine)
{
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(local_networks_read(&networks), 0);
		ck_assert(!has("127.0.0.1"));
		ck_assert(!has("::1"));
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("local_networks");
	TCase *tcase = tcase_create("local_networks");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_networks);
	tcase_add_test(tcase, test_point_to_point);
	tcase_add_test(tcase, test_what_is_gone);
	tcase_add_test(tcase, test_of_this_machine);
	suite_add_tcase(suite, tcase);
	return suite;
}
