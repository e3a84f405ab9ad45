/* SPDX-License-Identifier: MIT */
#include "common/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A piece of the text under the parser's eyes: never NUL-terminated, never copied. */
struct span {
	const char *at;
	size_t len;
};

static const char *const scheme_names[ADDRESS_SCHEMES] = {
	[ADDRESS_TCP] = "tcp",
	[ADDRESS_UDP] = "udp",
	[ADDRESS_UNIX] = "unix",
	[ADDRESS_UNIX_SEQPACKET] = "unix-seqpacket",
	[ADDRESS_UNIX_DGRAM] = "unix-dgram",
	[ADDRESS_MSGQ] = "msgq",
	[ADDRESS_FDPASS] = "fdpass",
};

const char *address_scheme_name(enum address_scheme scheme)
{
	return scheme_names[scheme];
}

bool address_is_inet(const struct address *address)
{
	return address->scheme == ADDRESS_TCP || address->scheme == ADDRESS_UDP;
}

/* ctype.h asks the locale, and an address means the same in all of them. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_char(char c)
{
	return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

static bool span_all(struct span s, bool (*holds)(char))
{
	for (size_t i = 0; i < s.len; i++) {
		if (!holds(s.at[i])) {
			return false;
		}
	}
	return true;
}

static bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

/* Cut S at the first C: returns what stands before it and leaves what follows in *REST. */
static bool span_cut(struct span s, char c, struct span *before, struct span *rest)
{
	const char *at = s.len ? memchr(s.at, c, s.len) : NULL;

	if (!at) {
		return false;
	}
	*before = (struct span){ s.at, (size_t)(at - s.at) };
	*rest = (struct span){ at + 1, s.len - before->len - 1 };
	return true;
}

static void span_copy(struct span s, char *out)
{
	memcpy(out, s.at, s.len);
	out[s.len] = '\0';
}

static int refuse(const char **why, const char *reason)
{
	*why = reason;
	errno = EINVAL;
	return -1;
}

/* Digits of BASE only, no sign, no blanks. */
static int parse_number(struct span s, unsigned base, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;

	if (!s.len) {
		return -1;
	}
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		unsigned digit;

		if (is_digit(c)) {
			digit = (unsigned)(c - '0');
		} else if (is_alnum(c)) {
			digit = (unsigned)((c | 0x20) - 'a') + 10;
		} else {
			return -1;
		}
		if (digit >= base) {
			return -1;
		}
		value = value * base + digit;
		if (value > max) {
			return -1;
		}
	}
	*out = (uint32_t)value;
	return 0;
}

/* RFC 6335 asks for a letter, and so "-1" and "1-2" are numbers gone wrong. */
static bool is_service_name(struct span s)
{
	bool letter = false;

	for (size_t i = 0; i < s.len; i++) {
		letter = letter || (is_alnum(s.at[i]) && !is_digit(s.at[i]));
	}
	return letter && s.at[0] != '-' && s.len <= ADDRESS_PORT_MAX && span_all(s, is_name_char);
}

static int parse_port(struct address *a, struct span s, const char **why)
{
	uint32_t number;

	if (!s.len) {
		return refuse(why, "the port is missing behind the colon");
	}
	if (span_all(s, is_digit)) {
		if (parse_number(s, 10, 65535, &number) < 0) {
			return refuse(why, "the port is not a number from 0 to 65535");
		}
		snprintf(a->port, sizeof(a->port), "%u", number);
		return 0;
	}
	if (!is_service_name(s)) {
		return refuse(why, "the port is neither a number nor a service name");
	}
	span_copy(s, a->port);
	return 0;
}

/* An IPv6 address as inet_pton() takes it, with an interface name behind '%' if need be. */
static int parse_ipv6(struct address *a, struct span s, const char **why)
{
	char literal[INET6_ADDRSTRLEN];
	struct in6_addr ignored;
	struct span number = s;
	struct span scope;

	if (span_cut(s, '%', &number, &scope)) {
		if (!scope.len || scope.len > 15 || !span_all(scope, is_name_char)) {
			return refuse(why, "the scope behind '%' is not an interface");
		}
	}
	if (!number.len || number.len >= sizeof(literal)) {
		return refuse(why, "the text in brackets is not an IPv6 address");
	}
	span_copy(number, literal);
	if (strlen(literal) != number.len || inet_pton(AF_INET6, literal, &ignored) != 1) {
		return refuse(why, "the text in brackets is not an IPv6 address");
	}
	span_copy(s, a->host);
	return 0;
}

static int parse_host(struct address *a, struct span s, const char **why)
{
	if (!s.len) {
		return refuse(why, "the host is missing; '*' stands for all of this machine's");
	}
	if (s.len == 1 && s.at[0] == '*') {
		a->host[0] = '\0';
		return 0;
	}
	if (s.len > ADDRESS_HOST_MAX) {
		return refuse(why, "the host is too long");
	}
	if (!span_all(s, is_name_char)) {
		return refuse(why, "the host has a character that no host has");
	}
	span_copy(s, a->host);
	return 0;
}

static int parse_host_port(struct address *a, struct span s, const char **why)
{
	struct span host = s;
	struct span port;

	if (s.len && s.at[0] == '[') {
		struct span inside;

		if (!span_cut((struct span){ s.at + 1, s.len - 1 }, ']', &inside, &port)) {
			return refuse(why, "the bracket of the IPv6 address is not closed");
		}
		if (parse_ipv6(a, inside, why) < 0) {
			return -1;
		}
		if (!port.len) {
			return 0;
		}
		if (port.at[0] != ':') {
			return refuse(why, "behind the bracket only a colon and a port may follow");
		}
		return parse_port(a, (struct span){ port.at + 1, port.len - 1 }, why);
	}
	if (span_cut(s, ':', &host, &port)) {
		if (port.len && memchr(port.at, ':', port.len)) {
			return refuse(why, "an IPv6 address stands in brackets, as in [::1]:8784");
		}
		if (parse_port(a, port, why) < 0) {
			return -1;
		}
	}
	return parse_host(a, host, why);
}

static bool is_path_char(char c)
{
	return (unsigned char)c >= 0x20 && c != 0x7f;
}

static int parse_path(struct address *a, struct span s, const char **why)
{
	if (!s.len || s.at[0] != '/') {
		return refuse(why, "the path is not absolute; three slashes, as in unix:///run/x");
	}
	if (s.len > ADDRESS_PATH_MAX) {
		return refuse(why, "the path is longer than 107 bytes");
	}
	if (!span_all(s, is_path_char)) {
		return refuse(why, "the path has a control character");
	}
	if (s.at[s.len - 1] == '/') {
		return refuse(why, "the path names a directory");
	}
	span_copy(s, a->path);
	return 0;
}

static int parse_key(struct address *a, struct span s, const char **why)
{
	bool hex = s.len > 2 && s.at[0] == '0' && (s.at[1] | 0x20) == 'x';
	struct span digits = hex ? (struct span){ s.at + 2, s.len - 2 } : s;

	if (parse_number(digits, hex ? 16 : 10, ADDRESS_KEY_MAX, &a->key) < 0 || a->key == 0) {
		return refuse(why, "the key is not a number from 1 to 0x3fffffff");
	}
	return 0;
}

static int parse_owner(struct span value, char *out, const char **why)
{
	if (out[0]) {
		return refuse(why, "a key stands twice behind the '?'");
	}
	if (!value.len || value.len > ADDRESS_OWNER_MAX || !span_all(value, is_name_char)) {
		return refuse(why, "the user or group is not a name");
	}
	span_copy(value, out);
	return 0;
}

static int parse_mode(struct address *a, struct span value, const char **why)
{
	uint32_t mode;

	if (a->mode != ADDRESS_MODE_NONE) {
		return refuse(why, "a key stands twice behind the '?'");
	}
	if (parse_number(value, 8, 0777, &mode) < 0) {
		return refuse(why, "the mode is not an octal number from 0 to 0777");
	}
	a->mode = (int)mode;
	return 0;
}

static int parse_pair(struct address *a, struct span pair, const char **why)
{
	bool owned = !address_is_inet(a) && a->scheme != ADDRESS_MSGQ;
	struct span key;
	struct span value;

	if (!span_cut(pair, '=', &key, &value)) {
		return refuse(why, "what stands behind the '?' is not key=value");
	}
	if (span_is(key, "mode") && !address_is_inet(a)) {
		return parse_mode(a, value, why);
	}
	if (span_is(key, "user") && owned) {
		return parse_owner(value, a->user, why);
	}
	if (span_is(key, "group") && owned) {
		return parse_owner(value, a->group, why);
	}
	return refuse(why, "the scheme has no such key behind the '?'");
}

static int parse_query(struct address *a, struct span s, const char **why)
{
	struct span pair;

	while (span_cut(s, '&', &pair, &s)) {
		if (parse_pair(a, pair, why) < 0) {
			return -1;
		}
	}
	return parse_pair(a, s, why);
}

static int parse_rest(struct address *a, struct span s, const char **why)
{
	struct span body = s;
	struct span query = { NULL, 0 };
	bool has_query = span_cut(s, '?', &body, &query);
	int result;

	if (address_is_inet(a)) {
		result = parse_host_port(a, body, why);
	} else if (a->scheme == ADDRESS_MSGQ) {
		result = parse_key(a, body, why);
	} else {
		result = parse_path(a, body, why);
	}
	if (result < 0) {
		return -1;
	}
	return has_query ? parse_query(a, query, why) : 0;
}

/* Where "://" begins, or NULL. */
static const char *find_separator(struct span s)
{
	return s.len ? memmem(s.at, s.len, "://", 3) : NULL;
}

int address_parse(struct address *address, const char *text, size_t len, const char **why)
{
	struct span s = { text, len };
	const char *separator = find_separator(s);
	struct span name;

	*address = (struct address){ .mode = ADDRESS_MODE_NONE };
	if (!len) {
		return refuse(why, "the address is empty");
	}
	if (!separator) {
		return refuse(why, "the address has no scheme, as in tcp://HOST:PORT");
	}
	name = (struct span){ text, (size_t)(separator - text) };
	for (unsigned i = 0; i < ADDRESS_SCHEMES; i++) {
		if (span_is(name, scheme_names[i])) {
			size_t used = name.len + 3;

			address->scheme = (enum address_scheme)i;
			return parse_rest(address, (struct span){ text + used, len - used }, why);
		}
	}
	return refuse(why, "unknown scheme; known are tcp, udp, unix, unix-seqpacket, unix-dgram, "
			   "msgq and fdpass");
}

/* "tcp:HOST" and "msgq:7" have lost their slashes; "tcp:80" is a port of the host tcp. */
static bool lacks_slashes(struct span s)
{
	struct span name;
	struct span rest;

	if (!span_cut(s, ':', &name, &rest)) {
		return false;
	}
	for (unsigned i = 0; i < ADDRESS_SCHEMES; i++) {
		if (span_is(name, scheme_names[i])) {
			return i == ADDRESS_MSGQ || !rest.len || !span_all(rest, is_digit);
		}
	}
	return false;
}

int address_parse_target(struct address *address, enum address_scheme bare, const char *text,
	size_t len, const char **why)
{
	struct span s = { text, len };
	int result;

	if (find_separator(s) || !len) {
		result = address_parse(address, text, len, why);
	} else if (lacks_slashes(s)) {
		return refuse(why, "\"://\" stands behind a scheme, as in tcp://HOST:PORT");
	} else {
		*address = (struct address){ .scheme = bare, .mode = ADDRESS_MODE_NONE };
		result = parse_host_port(address, s, why);
	}
	if (result == 0 && address_is_inet(address) && !address->host[0]) {
		return refuse(why, "'*' is for listening; name the host to ask");
	}
	return result;
}

static size_t format_query(const struct address *a, char *buf, size_t size)
{
	const char *sep = "?";
	int used = 0;

	buf[0] = '\0';
	if (a->mode != ADDRESS_MODE_NONE) {
		used += snprintf(buf + used, size - (size_t)used, "%smode=%04o", sep,
			(unsigned)a->mode);
		sep = "&";
	}
	if (a->user[0]) {
		used += snprintf(buf + used, size - (size_t)used, "%suser=%s", sep, a->user);
		sep = "&";
	}
	if (a->group[0]) {
		used += snprintf(buf + used, size - (size_t)used, "%sgroup=%s", sep, a->group);
	}
	return (size_t)used;
}

size_t address_format(const struct address *address, char *buf, size_t size)
{
	const char *name = address_scheme_name(address->scheme);
	char query[32 + 2 * ADDRESS_OWNER_MAX];
	int len;

	format_query(address, query, sizeof(query));
	if (address_is_inet(address)) {
		bool bracket = strchr(address->host, ':') != NULL;

		len = snprintf(buf, size, "%s://%s%s%s%s%s", name, bracket ? "[" : "",
			address->host[0] ? address->host : "*", bracket ? "]" : "",
			address->port[0] ? ":" : "", address->port);
	} else if (address->scheme == ADDRESS_MSGQ) {
		len = snprintf(buf, size, "%s://0x%x%s", name, address->key, query);
	} else {
		len = snprintf(buf, size, "%s://%s%s", name, address->path, query);
	}
	return (size_t)len;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->scheme == b->scheme && strcmp(a->host, b->host) == 0 &&
	       strcmp(a->port, b->port) == 0 && strcmp(a->path, b->path) == 0 &&
	       a->key == b->key && a->mode == b->mode && strcmp(a->user, b->user) == 0 &&
	       strcmp(a->group, b->group) == 0;
}
