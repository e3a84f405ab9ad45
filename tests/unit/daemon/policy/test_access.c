/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/policy/access.h"
#include "unit/random.h"

static struct settings settings;
static struct access access_;

static void set_up(void)
{
	settings.access_count = 0;
}

static void add(const char *text, bool allowed)
{
	struct settings_access *rule = &settings.access[settings.access_count++];

	rule->allowed = allowed;
	ck_assert_int_eq(prefix_parse(&rule->network, text), 0);
	access_init(&access_, &settings);
}

static bool may_ask(const char *text)
{
	struct prefix host;

	ck_assert_int_eq(prefix_parse(&host, text), 0);
	return access_allows(&access_, &host.address);
}

START_TEST(test_no_rule)
{
	access_init(&access_, &settings);
	ck_assert(may_ask("203.0.113.7"));
	ck_assert(may_ask("2001:db8::1"));
}
END_TEST

START_TEST(test_allow_alone)
{
	add("192.0.2.0/24", true);
	ck_assert(may_ask("192.0.2.0"));
	ck_assert(may_ask("192.0.2.255"));
	ck_assert(!may_ask("192.0.3.0"));
	ck_assert(!may_ask("127.0.0.1"));
	ck_assert(!may_ask("::1"));
	ck_assert(!may_ask("2001:db8::1"));
}
END_TEST

START_TEST(test_deny_alone)
{
	add("192.0.2.0/24", false);
	add("2001:db8::/32", false);
	ck_assert(!may_ask("192.0.2.1"));
	ck_assert(!may_ask("2001:db8:ffff::1"));
	ck_assert(may_ask("192.0.3.1"));
	ck_assert(may_ask("2001:db9::1"));
	ck_assert(may_ask("127.0.0.1"));
}
END_TEST

/* In whichever order they are given. */
START_TEST(test_most_specific)
{
	static const struct {
		const char *network;
		bool allowed;
	} rules[] = { { "10.0.0.0/8", true }, { "10.1.0.0/16", false }, { "10.1.2.0/24", true },
		{ "10.1.2.3", false }, { "::/0", false }, { "2001:db8::/32", true },
		{ "0.0.0.0/0", false } };
	const size_t count = sizeof(rules) / sizeof(rules[0]);

	for (size_t first = 0; first < count; first++) {
		settings.access_count = 0;
		for (size_t i = 0; i < count; i++) {
			add(rules[(first + i) % count].network, rules[(first + i) % count].allowed);
		}
		ck_assert(may_ask("10.2.0.1"));
		ck_assert(!may_ask("10.1.0.1"));
		ck_assert(may_ask("10.1.2.4"));
		ck_assert(!may_ask("10.1.2.3"));
		ck_assert(!may_ask("11.0.0.1"));
		ck_assert(!may_ask("127.0.0.1"));
		ck_assert(may_ask("2001:db8::1"));
		ck_assert(!may_ask("2001:db9::1"));
		ck_assert(!may_ask("::1"));
	}
}
END_TEST

/* The networks of one family say nothing of the other. */
START_TEST(test_families)
{
	add("::/0", false);
	ck_assert(may_ask("192.0.2.1"));
	ck_assert(!may_ask("2001:db8::1"));
	settings.access_count = 0;
	add("0.0.0.0/0", false);
	ck_assert(!may_ask("192.0.2.1"));
	ck_assert(!may_ask("::ffff:192.0.2.1"));
	ck_assert(may_ask("2001:db8::1"));
}
END_TEST

/* Against the plain reading of the rule: of all that hold it, the longest prefix. */
START_TEST(test_random)
{
	for (unsigned round = 0; round < 200; round++) {
		bool any_allowed = false;

		settings.access_count = 0;
		for (unsigned i = 0; i < SETTINGS_ACCESS_MAX; i++) {
			struct settings_access *rule = &settings.access[settings.access_count++];
			struct in6_addr mapped = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

			mapped.s6_addr[12] = (uint8_t)random_below(4);
			mapped.s6_addr[13] = (uint8_t)random_below(4);
			rule->network = prefix_of(&mapped, 96 + (unsigned)random_below(17));
			rule->allowed = rule->network.address.s6_addr[13] & 1;
			any_allowed = any_allowed || rule->allowed;
		}
		access_init(&access_, &settings);
		for (unsigned i = 0; i < 16; i++) {
			struct in6_addr host = { .s6_addr = { [10] = 0xff, [11] = 0xff,
				[12] = (uint8_t)(i / 4), [13] = (uint8_t)(i % 4) } };
			const struct settings_access *best = NULL;

			for (unsigned k = 0; k < settings.access_count; k++) {
				const struct settings_access *rule = &settings.access[k];

				if (prefix_contains(&rule->network, &host) &&
				    (!best || rule->network.bits > best->network.bits)) {
					best = rule;
				}
			}
			ck_assert_int_eq(access_allows(&access_, &host),
				best ? best->allowed : !any_allowed);
		}
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("access");
	TCase *tcase = tcase_create("access");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, test_no_rule);
	tcase_add_test(tcase, test_allow_alone);
	tcase_add_test(tcase, test_deny_alone);
	tcase_add_test(tcase, test_most_specific);
	tcase_add_test(tcase, test_families);
	tcase_add_test(tcase, test_random);
	suite_add_tcase(suite, tcase);
	return suite;
}
