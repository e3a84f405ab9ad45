/* SPDX-License-Identifier: MIT */
#include "bench/target.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "bench/pick.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/resolve.h"

/* Some hosts have 127.0.0.1 alone, and no other source in 127/8. */
static bool can_spread_sources(void)
{
	const struct sockaddr_in source = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(((uint32_t)IN_LOOPBACKNET << 24) | 0x010001),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool can = fd >= 0 && bind(fd, (const struct sockaddr *)&source, sizeof(source)) == 0;

	io_close(&fd);
	return can;
}

static void set_endpoint(struct endpoint *endpoint, const struct sockaddr *sockaddr, socklen_t len,
	enum address_scheme scheme)
{
	memcpy(&endpoint->sockaddr, sockaddr, len);
	endpoint->sockaddr_len = len;
	endpoint->family = sockaddr->sa_family;
	if (endpoint->family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&endpoint->sockaddr;

		endpoint->loopback = ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
		endpoint->spread_sources = scheme == ADDRESS_TCP && endpoint->loopback &&
			can_spread_sources();
	} else if (endpoint->family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&endpoint->sockaddr;

		endpoint->loopback = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	}
}

/* ADDRESS as reports show it: what is no printable UTF-8 is escaped. Returns the length. */
static size_t show(const struct address *address, char *buf)
{
	char text[ADDRESS_TEXT_MAX];
	size_t len = address_format(address, text, sizeof(text));

	return text_escape(buf, TARGET_TEXT_MAX, text, len);
}

static int find_sockets(struct target *target, struct address *address, struct endpoint *endpoint,
	const char **why)
{
	enum pick_outcome outcome = PICK_NONE;
	const struct addrinfo *chosen;
	struct addrinfo *list = NULL;
	struct address numeric = *address;

	if (resolve_port(address, why) < 0 ||
	    resolve_sockets(address, AF_UNSPEC, &list, why) < 0) {
		return -1;
	}
	chosen = list;
	if (target->socktype == SOCK_DGRAM || list->ai_next) {
		outcome = pick_address(list, target->socktype, &chosen);
	}
	target->plain = target->plain || outcome == PICK_PLAIN;
	target->extended = !target->plain && (target->extended || outcome == PICK_EXTENDED);
	set_endpoint(endpoint, chosen->ai_addr, chosen->ai_addrlen, address->scheme);
	if (address_is_inet(address)) {
		resolve_describe(chosen->ai_addr, chosen->ai_addrlen, address->scheme, &numeric);
	}
	show(&numeric, endpoint->text);
	resolve_free(list);
	return 0;
}

/* "tcp://a:8784 and 2 more" */
static void name(struct target *target)
{
	size_t len = show(&target->address, target->text);

	if (target->count > 1 && len < sizeof(target->text)) {
		snprintf(target->text + len, sizeof(target->text) - len, " and %u more",
			target->count - 1);
	}
}

int target_add(struct target *target, const char *text, const char **why)
{
	struct endpoint *endpoint = &target->endpoints[target->count];
	struct address address;

	if (target->count == TARGET_ENDPOINTS_MAX) {
		*why = "is one address too many";
		errno = EINVAL;
		return -1;
	}
	if (address_parse_target(&address, ADDRESS_TCP, text, strlen(text), why) < 0) {
		return -1;
	}
	if (target->count == 0) {
		target->address = address;
		target->socktype = resolve_socket_type(address.scheme);
	} else if (address.scheme != target->address.scheme || address.scheme == ADDRESS_MSGQ) {
		*why = address.scheme == ADDRESS_MSGQ ? "queues cannot be measured together" :
			"is of another transport than the first address";
		errno = EINVAL;
		return -1;
	}
	if (address.scheme == ADDRESS_MSGQ) {
		show(&address, endpoint->text);
	} else if (find_sockets(target, &address, endpoint, why) < 0) {
		return -1;
	}
	if (target->count == 0) {
		target->address = address;
	}
	target->count++;
	name(target);
	return 0;
}

const char *target_dialect(const struct target *target)
{
	if (target->address.scheme == ADDRESS_MSGQ) {
		return "messages";
	}
	if (target->socktype != SOCK_DGRAM) {
		return "connections";
	}
	return target->extended ? "extended requests" : "requests of one byte";
}
