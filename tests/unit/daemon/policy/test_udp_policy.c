/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/policy/udp_policy.h"
#include "unit/random.h"

#define OUR_PORT 8784
#define ANSWERED STATS_DROPS	/* instead of a reason */

static struct settings settings;
static struct listener listener;
static struct udp_policy *policy;
static uint64_t now_ns;

static uint64_t own_clock(void)
{
	return now_ns;
}

static void renew(void)
{
	const struct listener_set listeners = { .all = &listener, .count = 1 };

	udp_policy_free(policy);
	policy = udp_policy_new(&settings, &listeners, own_clock);
	ck_assert_ptr_nonnull(policy);
}

static void set_up(void)
{
	now_ns = 1000 * CLOCK_S;
	listener = (struct listener){ .address = { .scheme = ADDRESS_UDP }, .fd = -1 };
	snprintf(listener.address.port, sizeof(listener.address.port), "%d", OUR_PORT);
	settings = (struct settings){ .rate = 50 };
	random_init();
	renew();
}

static void tear_down(void)
{
	udp_policy_free(policy);
	policy = NULL;
}

static void allow(const char *text)
{
	ck_assert_int_eq(prefix_parse(&settings.udp_allow[settings.udp_allow_count++], text), 0);
}

/* A datagram from SOURCE and PORT, told to have been sent TO if that is not NULL. */
static struct udp_verdict judge_of(const char *source, unsigned port,
	enum protocol_request_kind kind, const char *to, const char *local)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = in.sin_port };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = { 0 };
	struct msghdr header = { .msg_name = &in, .msg_control = control };
	struct cmsghdr *cmsg = (void *)control;

	if (inet_pton(AF_INET, source, &in.sin_addr) != 1) {
		ck_assert_int_eq(inet_pton(AF_INET6, source, &in6.sin6_addr), 1);
		header.msg_name = &in6;
	}
	if (to && header.msg_name == &in) {
		struct in_pktinfo info = { .ipi_ifindex = 2 };

		inet_pton(AF_INET, to, &info.ipi_addr);
		inet_pton(AF_INET, local, &info.ipi_spec_dst);
		header.msg_controllen = CMSG_SPACE(sizeof(info));
		*cmsg = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
		memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
	} else if (to) {
		struct in6_pktinfo info = { .ipi6_ifindex = 2 };

		inet_pton(AF_INET6, to, &info.ipi6_addr);
		header.msg_controllen = CMSG_SPACE(sizeof(info));
		*cmsg = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO };
		memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
	}
	return udp_policy_judge(policy, &header, kind);
}

static unsigned judge(const char *source, unsigned port, enum protocol_request_kind kind)
{
	struct udp_verdict verdict = judge_of(source, port, kind, NULL, NULL);

	return verdict.answer ? ANSWERED : verdict.reason;
}

/* What becomes of one byte, and of an extended request; that is the same for most. */
static const struct {
	const char *source;
	unsigned plain, extended;
} sources[] = {
	{ "127.0.0.1", ANSWERED, ANSWERED },
	{ "127.255.255.254", ANSWERED, ANSWERED },
	{ "::1", ANSWERED, ANSWERED },
	{ "10.0.0.1", ANSWERED, ANSWERED },
	{ "10.255.255.254", ANSWERED, ANSWERED },
	{ "172.16.0.1", ANSWERED, ANSWERED },
	{ "172.31.255.254", ANSWERED, ANSWERED },
	{ "192.168.0.1", ANSWERED, ANSWERED },
	{ "169.254.1.1", ANSWERED, ANSWERED },
	{ "fe80::1", ANSWERED, ANSWERED },
	{ "febf::1", ANSWERED, ANSWERED },
	{ "fc00::1", ANSWERED, ANSWERED },
	{ "fdff::1", ANSWERED, ANSWERED },
	{ "9.255.255.255", STATS_NOT_LOCAL, ANSWERED },
	{ "11.0.0.0", STATS_NOT_LOCAL, ANSWERED },
	{ "172.15.255.255", STATS_NOT_LOCAL, ANSWERED },
	{ "172.32.0.1", STATS_NOT_LOCAL, ANSWERED },
	{ "192.167.255.255", STATS_NOT_LOCAL, ANSWERED },
	{ "192.169.0.1", STATS_NOT_LOCAL, ANSWERED },
	{ "169.253.0.1", STATS_NOT_LOCAL, ANSWERED },
	{ "100.64.0.1", STATS_NOT_LOCAL, ANSWERED },
	{ "203.0.113.7", STATS_NOT_LOCAL, ANSWERED },
	{ "128.0.0.1", STATS_NOT_LOCAL, ANSWERED },
	{ "126.255.255.255", STATS_NOT_LOCAL, ANSWERED },
	{ "fec0::1", STATS_NOT_LOCAL, ANSWERED },
	{ "fbff::1", STATS_NOT_LOCAL, ANSWERED },
	{ "2001:db8::1", STATS_NOT_LOCAL, ANSWERED },
	{ "::2", STATS_NOT_LOCAL, ANSWERED },
	{ "0.0.0.0", STATS_SOURCE_ADDRESS, STATS_SOURCE_ADDRESS },
	{ "0.1.2.3", STATS_SOURCE_ADDRESS, STATS_SOURCE_ADDRESS },
	{ "224.0.0.1", STATS_SOURCE_ADDRESS, STATS_SOURCE_ADDRESS },
	{ "239.255.255.255", STATS_SOURCE_ADDRESS, STATS_SOURCE_ADDRESS },
	{ "240.0.0.1", STATS_SOURCE_ADDRESS, STATS_SOURCE_ADDRESS },
	{ "255.255.255.255", STATS_SOURCE_ADDRESS, STATS_SOURCE_ADDRESS },
	{ "::", STATS_SOURCE_ADDRESS, STATS_SOURCE_ADDRESS },
	{ "ff02::1", STATS_SOURCE_ADDRESS, STATS_SOURCE_ADDRESS },
};

START_TEST(test_sources)
{
	for (unsigned i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		ck_assert_msg(judge(sources[i].source, 40000, PROTOCOL_PLAIN) == sources[i].plain,
			"one byte from %s", sources[i].source);
		ck_assert_msg(judge(sources[i].source, 40000, PROTOCOL_EXTENDED) ==
				      sources[i].extended,
			"extended from %s", sources[i].source);
	}
}
END_TEST

START_TEST(test_open)
{
	settings.udp_open = true;
	renew();
	for (unsigned i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		ck_assert_msg(judge(sources[i].source, 40000, PROTOCOL_PLAIN) ==
				      sources[i].extended,
			"one byte from %s", sources[i].source);
	}
}
END_TEST

START_TEST(test_allow)
{
	allow("203.0.113.0/25");
	allow("2001:db8::/48");
	renew();
	ck_assert_uint_eq(judge("203.0.113.127", 40000, PROTOCOL_PLAIN), ANSWERED);
	ck_assert_uint_eq(judge("203.0.113.128", 40000, PROTOCOL_PLAIN), STATS_NOT_LOCAL);
	ck_assert_uint_eq(judge("2001:db8:0:ffff::1", 40000, PROTOCOL_PLAIN), ANSWERED);
	ck_assert_uint_eq(judge("2001:db8:1::1", 40000, PROTOCOL_PLAIN), STATS_NOT_LOCAL);
	/* What is no host does not become one. */
	settings.udp_allow_count = 0;
	allow("0.0.0.0/0");
	allow("::/0");
	renew();
	ck_assert_uint_eq(judge("203.0.113.128", 40000, PROTOCOL_PLAIN), ANSWERED);
	ck_assert_uint_eq(judge("2001:db8:1::1", 40000, PROTOCOL_PLAIN), ANSWERED);
	ck_assert_uint_eq(judge("224.0.0.1", 40000, PROTOCOL_PLAIN), STATS_SOURCE_ADDRESS);
	ck_assert_uint_eq(judge("ff02::1", 40000, PROTOCOL_PLAIN), STATS_SOURCE_ADDRESS);
}
END_TEST

START_TEST(test_wide)
{
	static const struct {
		const char *text;
		bool wide;
	} networks[] = {
		{ "0.0.0.0/0", true }, { "128.0.0.0/1", true }, { "10.0.0.0/7", true },
		{ "10.0.0.0/8", false }, { "192.0.2.1", false }, { "::/0", true },
		{ "2000::/3", true }, { "2001:db8::/15", true }, { "2001:db8::/16", false },
		{ "2001:db8::1", false },
	};

	for (unsigned i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		struct prefix network;

		ck_assert_int_eq(prefix_parse(&network, networks[i].text), 0);
		ck_assert_msg(udp_policy_is_wide(&network) == networks[i].wide, "%s",
			networks[i].text);
	}
}
END_TEST

/* Every port, of loopback too: it has servers like any other address. */
START_TEST(test_ports)
{
	static const char *const from[] = { "127.0.0.1", "::1", "203.0.113.7" };

	settings.rate = 0;
	renew();
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned port = 0; port < 65536; port++) {
			bool server = port < 1024 || port == OUR_PORT;

			now_ns += CLOCK_S / UDP_POLICY_OFF_NET_RATE;
			if (judge(from[i], port, PROTOCOL_EXTENDED) !=
				(server ? STATS_SOURCE_PORT : ANSWERED)) {
				ck_abort_msg("port %u of %s", port, from[i]);
			}
		}
	}
}
END_TEST

START_TEST(test_destinations)
{
	static const struct {
		const char *source, *to, *local;
		bool answer;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "127.255.255.255", "127.0.0.1", false },
		{ "10.0.0.2", "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.2", "10.0.0.255", "10.0.0.1", false },
		{ "10.0.0.2", "255.255.255.255", "10.0.0.1", false },
		{ "10.0.0.2", "224.0.0.1", "10.0.0.1", false },
		{ "::1", "::1", NULL, true },
		{ "fe80::2", "fe80::1", NULL, true },
		{ "fe80::2", "ff02::1", NULL, false },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct udp_verdict verdict = judge_of(cases[i].source, 40000, PROTOCOL_PLAIN,
			cases[i].to, cases[i].local);

		ck_assert_msg(verdict.answer == cases[i].answer, "%s to %s", cases[i].source,
			cases[i].to);
		ck_assert(verdict.answer || verdict.reason == STATS_BROADCAST);
	}
}
END_TEST

/* How many of COUNT requests from SOURCE, all in one instant, are answered. */
static unsigned count_answers(const char *source, unsigned count)
{
	unsigned answered = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned verdict = judge(source, 40000, PROTOCOL_EXTENDED);

		ck_assert(verdict == ANSWERED || verdict == STATS_RATE_LIMITED);
		answered += verdict == ANSWERED;
	}
	return answered;
}

/* Of a socket of both families, as a service manager may bring it. */
START_TEST(test_mapped)
{
	static const struct {
		const char *source;
		const char *to;
		bool answer;
	} cases[] = {
		{ "::ffff:127.0.0.1", "::ffff:127.0.0.1", true },
		{ "::ffff:10.0.0.1", "::ffff:10.0.0.2", true },
		{ "::ffff:203.0.113.1", "::ffff:10.0.0.2", false },
		{ "::ffff:10.0.0.1", "::ffff:224.0.0.1", false },
		{ "::ffff:10.0.0.1", "::ffff:255.255.255.255", false },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct udp_verdict verdict = judge_of(cases[i].source, 40000, PROTOCOL_PLAIN,
			cases[i].to, NULL);

		ck_assert_msg(verdict.answer == cases[i].answer, "%s to %s", cases[i].source,
			cases[i].to);
	}
}
END_TEST

START_TEST(test_rate)
{
	unsigned leaked;

	ck_assert_uint_eq(count_answers("10.0.0.1", 125), 125);
	/* 1,000 of 8,000, and six times its deviation. */
	leaked = count_answers("10.0.0.1", 8000);
	ck_assert_uint_ge(leaked, 1000 - 180);
	ck_assert_uint_le(leaked, 1000 + 180);
	ck_assert_uint_eq(count_answers("10.0.0.2", 125), 125);
	ck_assert_uint_eq(count_answers("127.0.0.1", 10000), 10000);
	ck_assert_uint_eq(count_answers("::1", 10000), 10000);
	settings.rate = 0;
	renew();
	ck_assert_uint_eq(count_answers("10.0.0.1", 10000), 10000);
}
END_TEST

START_TEST(test_dry_run)
{
	unsigned over = 0;

	settings.rate_dry_run = true;
	renew();
	for (unsigned i = 0; i < 1000; i++) {
		struct udp_verdict verdict =
			judge_of("10.0.0.1", 40000, PROTOCOL_PLAIN, NULL, NULL);

		ck_assert(verdict.answer);
		over += verdict.over_rate;
	}
	ck_assert_uint_eq(over, 1000 - 125);
	ck_assert_uint_eq(judge("203.0.113.7", 40000, PROTOCOL_PLAIN), STATS_NOT_LOCAL);
}
END_TEST

/* All of them together, however many they are, and whatever they are allowed. */
START_TEST(test_off_net_budget)
{
	enum protocol_request_kind kind = _i ? PROTOCOL_PLAIN : PROTOCOL_EXTENDED;
	unsigned answered = 0;

	settings.rate = 0;
	settings.udp_open = _i == 1;
	allow("198.51.100.0/24");
	if (_i > 1) {
		allow(_i == 2 ? "0.0.0.0/0" : "202.0.0.0/7");
	}
	renew();
	/* 10^5 a second, for 2 s. */
	for (unsigned i = 0; i < 200000; i++) {
		static char source[INET_ADDRSTRLEN];
		unsigned verdict;

		snprintf(source, sizeof(source), "203.%u.%u.%u", i >> 16 & 255, i >> 8 & 255,
			i & 255);
		verdict = judge(source, 40000, kind);
		if (verdict != ANSWERED && verdict != STATS_OFF_NET_LIMITED) {
			ck_abort_msg("verdict %u on %s", verdict, source);
		}
		answered += verdict == ANSWERED;
		now_ns += 10 * CLOCK_US;
	}
	/* From the first refusal on a tenth of the bucket is kept for those who come again. */
	ck_assert_uint_ge(answered, 29 * UDP_POLICY_OFF_NET_RATE / 10 - 1);
	ck_assert_uint_le(answered, 29 * UDP_POLICY_OFF_NET_RATE / 10 + 1);
	ck_assert_uint_eq(count_answers("198.51.100.1", 5000), 5000);
	ck_assert_uint_eq(count_answers("10.0.0.1", 5000), 5000);
}
END_TEST

/* An address that no host has: one of 2^28, so that hardly one comes twice. */
static unsigned judge_forged(void)
{
	char source[INET_ADDRSTRLEN];
	uint32_t number = random_below(1u << 28);

	snprintf(source, sizeof(source), "%u.%u.%u.%u", 32 + (number >> 24), number >> 16 & 255,
		number >> 8 & 255, number & 255);
	return judge(source, 40000, PROTOCOL_EXTENDED);
}

/*
 * RATE forged requests a second, and STRANGERS that ask at once, a second later and 1.5 s after
 * that. Returns how many of them were answered by then; *ANSWERS is how many were in all.
 */
#define STRANGERS 50
static unsigned besiege(unsigned rate, unsigned *answers)
{
	static const uint64_t tries_ms[] = { 0, 1000, 2500 };
	bool answered[STRANGERS] = { false };
	unsigned happy = 0;
	uint64_t start_ns = now_ns + 2 * CLOCK_S;

	*answers = 0;
	for (unsigned i = 0; i < 6 * rate; i++) {
		*answers += judge_forged() == ANSWERED;
		for (unsigned k = 0; k < 3 * STRANGERS; k++) {
			unsigned stranger = k / 3;
			uint64_t due_ns = start_ns + stranger * 7 * CLOCK_MS +
					  tries_ms[k % 3] * CLOCK_MS;
			char source[INET_ADDRSTRLEN];

			if (answered[stranger] || now_ns < due_ns ||
				now_ns >= due_ns + CLOCK_S / rate) {
				continue;
			}
			snprintf(source, sizeof(source), "203.0.113.%u", stranger);
			answered[stranger] =
				judge(source, 40000, PROTOCOL_EXTENDED) == ANSWERED;
			happy += answered[stranger];
			*answers += answered[stranger];
		}
		now_ns += CLOCK_S / rate;
	}
	return happy;
}

/* Who asks again is answered, though most of what comes is forged; and never more than that. */
START_TEST(test_a_flood_that_is_forged)
{
	static const unsigned rates[] = { 2000, 20000, 50000 };
	unsigned answers;

	ck_assert_uint_eq(besiege(rates[_i], &answers), STRANGERS);
	ck_assert_uint_le(answers, 7 * UDP_POLICY_OFF_NET_RATE + 1);
}
END_TEST

/* Before all other reasons, and on loopback, too. */
START_TEST(test_denied)
{
	static const char *const networks[] = { "127.0.0.0/9", "10.0.0.0/8", "203.0.113.0/24" };

	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(prefix_parse(&settings.access[i].network, networks[i]), 0);
	}
	settings.access_count = 3;
	renew();
	ck_assert_uint_eq(judge("127.0.0.1", 40000, PROTOCOL_PLAIN), STATS_NOT_ALLOWED);
	ck_assert_uint_eq(judge("127.128.0.1", 40000, PROTOCOL_PLAIN), ANSWERED);
	ck_assert_uint_eq(judge("10.1.2.3", 40000, PROTOCOL_EXTENDED), STATS_NOT_ALLOWED);
	ck_assert_uint_eq(judge("10.1.2.3", 7, PROTOCOL_EXTENDED), STATS_NOT_ALLOWED);
	ck_assert_uint_eq(judge("203.0.113.9", 40000, PROTOCOL_PLAIN), STATS_NOT_ALLOWED);
	ck_assert_uint_eq(judge("::1", 40000, PROTOCOL_PLAIN), ANSWERED);
	settings.access_count = 0;
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("udp_policy");
	TCase *tcase = tcase_create("udp_policy");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, test_sources);
	tcase_add_test(tcase, test_open);
	tcase_add_test(tcase, test_allow);
	tcase_add_test(tcase, test_wide);
	tcase_add_test(tcase, test_denied);
	tcase_add_test(tcase, test_ports);
	tcase_add_test(tcase, test_destinations);
	tcase_add_test(tcase, test_mapped);
	tcase_add_test(tcase, test_rate);
	tcase_add_test(tcase, test_dry_run);
	tcase_add_loop_test(tcase, test_a_flood_that_is_forged, 0, 3);
	tcase_add_loop_test(tcase, test_off_net_budget, 0, 4);
	suite_add_tcase(suite, tcase);
	return suite;
}
