/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "common/prefix.h"
#include "unit/random.h"

static struct in6_addr address_of(const char *text)
{
	struct prefix whole;

	ck_assert_msg(prefix_parse(&whole, text) == 0, "%s", text);
	ck_assert_uint_eq(whole.bits, PREFIX_ALL_BITS);
	return whole.address;
}

/* Each with its first and its last address, and those beside them where there are any. */
static const struct {
	const char *prefix, *first, *last, *before, *behind;
} cases[] = {
	{ "10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0" },
	{ "172.16.0.0/12", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0" },
	{ "192.0.2.128/25", "192.0.2.128", "192.0.2.255", "192.0.2.127", "192.0.3.0" },
	{ "192.0.2.9/31", "192.0.2.8", "192.0.2.9", "192.0.2.7", "192.0.2.10" },
	{ "192.0.2.9", "192.0.2.9", "192.0.2.9", "192.0.2.8", "192.0.2.10" },
	{ "0.0.0.0/0", "0.0.0.0", "255.255.255.255", "::", "2001:db8::1" },
	{ "::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0" },
	{ "fc00::/7", "fc00::", "fdff:ffff::ffff", "fbff::", "fe00::" },
	{ "2001:db8::/32", "2001:db8::", "2001:db8:ffff::1", "2001:db7::", "2001:db9::" },
	{ "2001:db8::7/127", "2001:db8::6", "2001:db8::7", "2001:db8::5", "2001:db8::8" },
	{ "::1", "::1", "::1", "::", "::2" },
	{ "::/0", "::", "ffff::", "10.0.0.1", "255.255.255.255" },
};

START_TEST(test_contains)
{
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct in6_addr first = address_of(cases[i].first);
		struct in6_addr last = address_of(cases[i].last);
		struct in6_addr before = address_of(cases[i].before);
		struct in6_addr behind = address_of(cases[i].behind);
		struct prefix prefix;

		ck_assert_int_eq(prefix_parse(&prefix, cases[i].prefix), 0);
		ck_assert_msg(prefix_contains(&prefix, &first), "%s", cases[i].prefix);
		ck_assert_msg(prefix_contains(&prefix, &last), "%s", cases[i].prefix);
		ck_assert_msg(!prefix_contains(&prefix, &before), "%s", cases[i].prefix);
		ck_assert_msg(!prefix_contains(&prefix, &behind), "%s", cases[i].prefix);
	}
}
END_TEST

START_TEST(test_format)
{
	static const char *const texts[][2] = {
		{ "10.1.2.3/8", "10.0.0.0/8" }, { "0.0.0.0/0", "0.0.0.0/0" },
		{ "192.0.2.9", "192.0.2.9/32" }, { "2001:db8::1/32", "2001:db8::/32" },
		{ "::/0", "::/0" }, { "::1", "::1/128" }, { "::ffff:0:0/90", "::ffc0:0:0/90" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
	};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[PREFIX_TEXT_BYTES];
		struct prefix prefix;
		struct prefix again;

		ck_assert_int_eq(prefix_parse(&prefix, texts[i][0]), 0);
		ck_assert_str_eq(prefix_format(&prefix, text), texts[i][1]);
		ck_assert_int_eq(prefix_parse(&again, text), 0);
		ck_assert_mem_eq(&again, &prefix, sizeof(prefix));
	}
}
END_TEST

START_TEST(test_wrong)
{
	static const char *const wrong[] = { "", "/", "/8", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8", "10.0.0.0/8 ", " 10.0.0.0/8",
		"10.0.0.0/8/8", "10.0.0.0/0x8", "10.0.0.0/0008", "10.0.0/8", "10/8", "256.0.0.0/8",
		"10.0.0.0/255.0.0.0", "::/129", "fe80::1%lo/64", "[::1]/128", "localhost", "*",
		"::/99999999999999999999", "1:2:3:4:5:6:7:8:9/64",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/64" };
	struct prefix prefix;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		errno = 0;
		ck_assert_msg(prefix_parse(&prefix, wrong[i]) < 0, "'%s'", wrong[i]);
		ck_assert_int_eq(errno, EINVAL);
	}
}
END_TEST

/* Against the definition, bit by bit. */
START_TEST(test_random)
{
	random_init();
	for (unsigned round = 0; round < 20000; round++) {
		struct in6_addr address;
		struct in6_addr other;
		unsigned bits = random_below(PREFIX_ALL_BITS + 1);
		unsigned flip = random_below(PREFIX_ALL_BITS);
		struct prefix prefix;

		random_fill(&address, sizeof(address));
		prefix = prefix_of(&address, bits);
		ck_assert(prefix_contains(&prefix, &address));
		other = address;
		other.s6_addr[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
		ck_assert_int_eq(prefix_contains(&prefix, &other), flip >= bits);
	}
}
END_TEST

/* An IPv4 client is the same one by a socket of either family. */
START_TEST(test_of_sockets)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct in6_addr one;
	struct in6_addr other;
	char text[INET6_ADDRSTRLEN];

	ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
	ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr), 1);
	one = prefix_address((struct sockaddr *)&in);
	other = prefix_address((struct sockaddr *)&in6);
	ck_assert_mem_eq(&one, &other, sizeof(one));
	ck_assert_str_eq(prefix_show(&one, text), "192.0.2.7");
	ck_assert_int_eq(inet_pton(AF_INET6, "2001:db8::7", &in6.sin6_addr), 1);
	one = prefix_address((struct sockaddr *)&in6);
	ck_assert_str_eq(prefix_show(&one, text), "2001:db8::7");
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("prefix");
	TCase *tcase = tcase_create("prefix");

	tcase_add_test(tcase, test_contains);
	tcase_add_test(tcase, test_format);
	tcase_add_test(tcase, test_wrong);
	tcase_add_test(tcase, test_random);
	tcase_add_test(tcase, test_of_sockets);
	suite_add_tcase(suite, tcase);
	return suite;
}
