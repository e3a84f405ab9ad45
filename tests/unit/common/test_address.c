/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/address.h"
#include "unit/guard.h"
#include "unit/random.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define TEN	"0123456789"
#define FIFTY	TEN TEN TEN TEN TEN
#define HUNDRED FIFTY FIFTY

static struct guard guard;

static void set_up(void)
{
	random_init();
	guard_init(&guard);
}

static void tear_down(void)
{
	guard_fini(&guard);
}

/* Parse at both ends of the guarded page; both must agree. */
static int parse(struct address *address, const char *text, size_t len, const char **why)
{
	const char *why_at_start = NULL;
	const char *copy = guard_at_start(&guard, text, len);
	int at_start = address_parse(address, copy, len, &why_at_start);
	int at_end;

	errno = 0;
	*why = NULL;
	at_end = address_parse(address, guard_at_end(&guard, text, len), len, why);
	ck_assert_int_eq(at_start, at_end);
	ck_assert_ptr_eq(why_at_start, *why);
	return at_end;
}

/* A text that is taken, and its canonical form where that is another one. */
static const struct {
	const char *text;
	const char *canonical;
} good[] = {
	{ "tcp://*", NULL },
	{ "udp://*", NULL },
	{ "tcp://*:0", NULL },
	{ "tcp://host:8784", NULL },
	{ "tcp://host:65535", NULL },
	{ "tcp://host:0080", "tcp://host:80" },
	{ "tcp://host:00000000000000000000000000000000000000080", "tcp://host:80" },
	{ "tcp://host:http", NULL },
	{ "tcp://host:8784x", NULL },
	{ "udp://a-b_c.example.:ruptime", NULL },
	{ "tcp://127.0.0.1", NULL },
	{ "udp://127.0.0.1:1", NULL },
	{ "tcp://[::1]:8784", NULL },
	{ "tcp://[::]", NULL },
	{ "udp://[fe80::1%eth0.7]:5", NULL },
	{ "tcp://[::ffff:192.0.2.1]:5", NULL },
	{ "unix:///run/ruptime", NULL },
	{ "unix:///a b/c:d&e=f%20\xc3\xa4", NULL },
	{ "unix:////x", NULL },
	{ "unix:///x?mode=0660&user=root&group=adm", NULL },
	{ "unix:///x?group=adm&mode=7&user=root", "unix:///x?mode=0007&user=root&group=adm" },
	{ "unix-seqpacket:///x?mode=0", "unix-seqpacket:///x?mode=0000" },
	{ "unix-dgram:///x?user=_-.9", NULL },
	{ "fdpass:///x?mode=777", "fdpass:///x?mode=0777" },
	{ "unix:///" HUNDRED "012345", NULL },
	{ "msgq://1", "msgq://0x1" },
	{ "msgq://0x3fffffff", NULL },
	{ "msgq://1073741823", "msgq://0x3fffffff" },
	{ "msgq://0XaBc", "msgq://0xabc" },
	{ "msgq://000000000000000000001", "msgq://0x1" },
	{ "msgq://0x12?mode=0600", NULL },
};

START_TEST(test_good)
{
	for (size_t i = 0; i < ROWS(good); i++) {
		const char *canonical = good[i].canonical ? good[i].canonical : good[i].text;
		struct address address;
		char text[ADDRESS_TEXT_MAX];
		const char *why;

		ck_assert_msg(parse(&address, good[i].text, strlen(good[i].text), &why) == 0,
			"%s: %s", good[i].text, why);
		ck_assert_uint_eq(address_format(&address, text, sizeof(text)), strlen(canonical));
		ck_assert_str_eq(text, canonical);
	}
}
END_TEST

/* What is refused, and a piece of the reason. Its length is that of the literal: NULs count. */
#define BAD(text, why) { text, sizeof(text) - 1, why }
static const struct {
	const char *text;
	size_t len;
	const char *why;
} bad[] = {
	BAD("", "is empty"),
	BAD("host", "no scheme"),
	BAD("host:80", "no scheme"),
	BAD("tcp:host", "no scheme"),
	BAD("tcp:/", "no scheme"),
	BAD("://", "unknown scheme"),
	BAD("http://host", "unknown scheme"),
	BAD("TCP://host", "unknown scheme"),
	BAD(" tcp://host", "unknown scheme"),
	BAD("tcp\0://host", "unknown scheme"),
	BAD("unix-://x", "unknown scheme"),
	BAD("tcp://", "host is missing"),
	BAD("tcp://:80", "host is missing"),
	BAD("tcp://host:", "port is missing"),
	BAD("tcp://[::1]:", "port is missing"),
	BAD("tcp://host:65536", "from 0 to 65535"),
	BAD("tcp://host:99999999999999999999999999999999999999999", "from 0 to 65535"),
	BAD("tcp://host:-1", "a number nor a service"),
	BAD("tcp://host:-http", "a number nor a service"),
	BAD("tcp://host:1-2", "a number nor a service"),
	BAD("tcp://host:+1", "a number nor a service"),
	BAD("tcp://host: 1", "a number nor a service"),
	BAD("tcp://host:80\0", "a number nor a service"),
	BAD("tcp://host:80/", "a number nor a service"),
	BAD("tcp://host:" TEN TEN TEN "abc", "a number nor a service"),
	BAD("tcp://ho st", "character that no host"),
	BAD("tcp://host/path", "character that no host"),
	BAD("tcp://h\0st", "character that no host"),
	BAD("tcp://h\xc3\xb6st", "character that no host"),
	BAD("tcp://**", "character that no host"),
	BAD("tcp://user@host", "character that no host"),
	BAD("tcp://" HUNDRED HUNDRED FIFTY "012345", "host is too long"),
	BAD("tcp://::1", "stands in brackets"),
	BAD("tcp://::1:80", "stands in brackets"),
	BAD("tcp://[::1", "not closed"),
	BAD("tcp://[", "not closed"),
	BAD("tcp://[]", "not an IPv6"),
	BAD("tcp://[127.0.0.1]", "not an IPv6"),
	BAD("tcp://[host]", "not an IPv6"),
	BAD("tcp://[*]", "not an IPv6"),
	BAD("tcp://[::1\0]", "not an IPv6"),
	BAD("tcp://[" HUNDRED "]", "not an IPv6"),
	BAD("tcp://[%eth0]", "not an IPv6"),
	BAD("tcp://[fe80::1%]", "not an interface"),
	BAD("tcp://[fe80::1%eth0%eth0]", "not an interface"),
	BAD("tcp://[fe80::1%0123456789abcdef]", "not an interface"),
	BAD("tcp://[::1]80", "only a colon"),
	BAD("tcp://[::1]]:80", "only a colon"),
	BAD("tcp://host?mode=0600", "no such key"),
	BAD("udp://host?user=root", "no such key"),
	BAD("tcp://host?", "not key=value"),
	BAD("unix://run/x", "not absolute"),
	BAD("unix://", "not absolute"),
	BAD("unix://?mode=1", "not absolute"),
	BAD("unix:///", "names a directory"),
	BAD("unix:///run/", "names a directory"),
	BAD("unix:///" HUNDRED "0123456", "longer than 107"),
	BAD("unix:///r\0n", "control character"),
	BAD("unix:///r\nn", "control character"),
	BAD("unix:///r\x7fn", "control character"),
	BAD("unix:///x?", "not key=value"),
	BAD("unix:///x?mode", "not key=value"),
	BAD("unix:///x?mode=0600&", "not key=value"),
	BAD("unix:///x?&mode=0600", "not key=value"),
	BAD("unix:///x?mode=", "octal"),
	BAD("unix:///x?mode=0800", "octal"),
	BAD("unix:///x?mode=01000", "octal"),
	BAD("unix:///x?mode=0x1", "octal"),
	BAD("unix:///x?mode=06\0", "octal"),
	BAD("unix:///x?mode=6?mode=6", "octal"),
	BAD("unix:///x?mode=6&mode=6", "stands twice"),
	BAD("unix:///x?user=a&user=b", "stands twice"),
	BAD("unix:///x?group=a&user=b&group=c", "stands twice"),
	BAD("unix:///x?user=", "not a name"),
	BAD("unix:///x?user=a=b", "not a name"),
	BAD("unix:///x?user=a b", "not a name"),
	BAD("unix:///x?group=" TEN TEN TEN "abc", "not a name"),
	BAD("unix:///x?Mode=6", "no such key"),
	BAD("unix:///x?=6", "no such key"),
	BAD("unix:///x?backlog=6", "no such key"),
	BAD("msgq://", "key is not a number"),
	BAD("msgq://0", "key is not a number"),
	BAD("msgq://0x0", "key is not a number"),
	BAD("msgq://0x", "key is not a number"),
	BAD("msgq://x12", "key is not a number"),
	BAD("msgq://12ab", "key is not a number"),
	BAD("msgq://-1", "key is not a number"),
	BAD("msgq://0x40000000", "key is not a number"),
	BAD("msgq://1073741824", "key is not a number"),
	BAD("msgq://0xfffffffffffffffffffffffff", "key is not a number"),
	BAD("msgq://12\0", "key is not a number"),
	BAD("msgq:///run/x", "key is not a number"),
	BAD("msgq://0x12?user=root", "no such key"),
	BAD("msgq://0x12?group=root", "no such key"),
};

START_TEST(test_bad)
{
	for (size_t i = 0; i < ROWS(bad); i++) {
		struct address address;
		const char *why;

		ck_assert_msg(parse(&address, bad[i].text, bad[i].len, &why) == -1, "'%s' is taken",
			bad[i].text);
		ck_assert_int_eq(errno, EINVAL);
		ck_assert_msg(why && strstr(why, bad[i].why), "'%s': %s", bad[i].text, why);
	}
}
END_TEST

static const struct {
	const char *text;
	const char *canonical;	/* NULL: refused */
	const char *why;
} targets[] = {
	{ "host", "udp://host", NULL },
	{ "host:80", "udp://host:80", NULL },
	{ "[::1]", "udp://[::1]", NULL },
	{ "[::1]:80", "udp://[::1]:80", NULL },
	{ "tcp://host", "tcp://host", NULL },
	{ "msgq://1", "msgq://0x1", NULL },
	{ "unix:///x", "unix:///x", NULL },
	{ "", NULL, "is empty" },
	{ "*", NULL, "is for listening" },
	{ "*:80", NULL, "is for listening" },
	{ "tcp://*:80", NULL, "is for listening" },
	{ "::1", NULL, "stands in brackets" },
	{ "/run/x", NULL, "character that no host" },
	{ "host?mode=6", NULL, "character that no host" },
	{ "host:", NULL, "port is missing" },
	{ "tcp:80", "udp://tcp:80", NULL },
	{ "tcp:host:80", NULL, "stands behind a scheme" },
	{ "tcp:host", NULL, "stands behind a scheme" },
	{ "tcp:/host", NULL, "stands behind a scheme" },
	{ "unix:/run/x", NULL, "stands behind a scheme" },
	{ "msgq:1", NULL, "stands behind a scheme" },
};

START_TEST(test_targets)
{
	for (size_t i = 0; i < ROWS(targets); i++) {
		size_t len = strlen(targets[i].text);
		const char *copy = guard_at_end(&guard, targets[i].text, len);
		struct address address;
		char text[ADDRESS_TEXT_MAX];
		const char *why = NULL;
		int result = address_parse_target(&address, ADDRESS_UDP, copy, len, &why);

		if (targets[i].canonical) {
			ck_assert_msg(result == 0, "'%s': %s", targets[i].text, why);
			address_format(&address, text, sizeof(text));
			ck_assert_str_eq(text, targets[i].canonical);
		} else {
			ck_assert_msg(result == -1, "'%s' is taken", targets[i].text);
			ck_assert_msg(strstr(why, targets[i].why), "'%s': %s", targets[i].text,
				why);
		}
	}
}
END_TEST

/* 1 to MAX characters out of ALPHABET. */
static void random_text(char *out, uint32_t max, const char *alphabet)
{
	uint32_t len = 1 + random_below(max);

	for (uint32_t i = 0; i < len; i++) {
		out[i] = alphabet[random_below((uint32_t)strlen(alphabet))];
	}
	out[len] = '\0';
}

static void random_inet(struct address *a)
{
	switch (random_below(4)) {
	case 0:
		break;
	case 1:
		snprintf(a->host, sizeof(a->host), "%x:%x::%x", random_below(65536),
			random_below(65536), random_below(65536));
		break;
	case 2:
		snprintf(a->host, sizeof(a->host), "fe80::%x%%eth%u", random_below(65536),
			random_below(100));
		break;
	default:
		random_text(a->host, ADDRESS_HOST_MAX, "abcXYZ019-_.");
	}
	if (random_below(2)) {
		snprintf(a->port, sizeof(a->port), "%u", random_below(65536));
	} else if (random_below(2)) {
		a->port[0] = 'a';
		random_text(a->port + 1, ADDRESS_PORT_MAX - 1, "09az-_.");
	}
}

static struct address random_address(void)
{
	struct address a = { .mode = ADDRESS_MODE_NONE };

	a.scheme = (enum address_scheme)random_below(ADDRESS_SCHEMES);
	if (address_is_inet(&a)) {
		random_inet(&a);
		return a;
	}
	if (random_below(2)) {
		a.mode = (int)random_below(01000);
	}
	if (a.scheme == ADDRESS_MSGQ) {
		a.key = 1 + random_below(ADDRESS_KEY_MAX);
		return a;
	}
	a.path[0] = '/';
	random_text(a.path + 1, ADDRESS_PATH_MAX - 1, "ab/:&=%[]* .\xff");
	if (a.path[strlen(a.path) - 1] == '/') {
		a.path[strlen(a.path) - 1] = 'z';
	}
	if (random_below(2)) {
		random_text(a.user, ADDRESS_OWNER_MAX, "abcXYZ019-_.");
	}
	if (random_below(2)) {
		random_text(a.group, ADDRESS_OWNER_MAX, "abcXYZ019-_.");
	}
	return a;
}

START_TEST(test_round_trip)
{
	for (unsigned round = 0; round < 50000; round++) {
		struct address address = random_address();
		struct address again;
		char text[ADDRESS_TEXT_MAX];
		size_t len = address_format(&address, text, sizeof(text));
		const char *why;

		if (len >= sizeof(text) || len != strlen(text)) {
			ck_abort_msg("%zu bytes", len);
		}
		if (parse(&again, text, len, &why) < 0) {
			ck_abort_msg("%s: %s", text, why);
		}
		if (!address_equal(&address, &again)) {
			ck_abort_msg("%s is not the same again", text);
		}
	}
}
END_TEST

/* A valid address with one byte changed, dropped or doubled: taken or refused, never worse. */
START_TEST(test_mutations)
{
	for (unsigned round = 0; round < 50000; round++) {
		struct address address = random_address();
		char text[ADDRESS_TEXT_MAX + 1];
		size_t len = address_format(&address, text, sizeof(text));
		size_t at = random_below((uint32_t)len);
		const char *why;

		switch (random_below(3)) {
		case 0:
			text[at] = (char)random_next();
			break;
		case 1:
			memmove(text + at, text + at + 1, len-- - at);
			break;
		default:
			memmove(text + at + 1, text + at, len++ - at);
		}
		if (parse(&address, text, len, &why) == 0) {
			struct address again;

			len = address_format(&address, text, sizeof(text));
			if (parse(&again, text, len, &why) < 0 ||
				!address_equal(&address, &again)) {
				ck_abort_msg("%s is not the same again", text);
			}
		} else if (why == NULL) {
			ck_abort_msg("no reason why not %.*s", (int)len, text);
		}
	}
}
END_TEST

START_TEST(test_format_cuts_short)
{
	struct address address;
	char whole[ADDRESS_TEXT_MAX];
	const char *why;
	size_t len;

	ck_assert_int_eq(parse(&address, "unix:///run/x?mode=0660&user=root", 33, &why), 0);
	len = address_format(&address, whole, sizeof(whole));
	for (size_t size = 0; size <= len; size++) {
		char *short_text = guard_at_end(&guard, whole, size);

		ck_assert_uint_eq(address_format(&address, short_text, size), len);
		if (size) {
			ck_assert_uint_eq(strlen(short_text), size - 1);
			ck_assert_mem_eq(short_text, whole, size - 1);
		}
	}
}
END_TEST

START_TEST(test_equal)
{
	static const char *const texts[] = { "tcp://a:1", "udp://a:1", "tcp://b:1", "tcp://a:2",
		"tcp://a", "unix:///a", "fdpass:///a", "unix:///b", "unix:///a?mode=0600",
		"unix:///a?user=a", "unix:///a?group=a", "msgq://1", "msgq://2" };

	for (size_t i = 0; i < ROWS(texts); i++) {
		for (size_t j = 0; j < ROWS(texts); j++) {
			struct address a;
			struct address b;
			const char *why;

			ck_assert_int_eq(parse(&a, texts[i], strlen(texts[i]), &why), 0);
			ck_assert_int_eq(parse(&b, texts[j], strlen(texts[j]), &why), 0);
			ck_assert_msg(address_equal(&a, &b) == (i == j), "%s and %s", texts[i],
				texts[j]);
		}
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("address");
	TCase *tcase = tcase_create("address");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_good);
	tcase_add_test(tcase, test_bad);
	tcase_add_test(tcase, test_targets);
	tcase_add_test(tcase, test_round_trip);
	tcase_add_test(tcase, test_mutations);
	tcase_add_test(tcase, test_format_cuts_short);
	tcase_add_test(tcase, test_equal);
	suite_add_tcase(suite, tcase);
	return suite;
}
