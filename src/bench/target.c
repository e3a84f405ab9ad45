/* SPDX-License-Identifier: MIT */
#include "bench/target.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/protocol.h"
#include "common/resolve.h"

#define RECEIVE_BUFFER_BYTES (4 << 20)

#define PROBE_TRIES   3
#define PROBE_WAIT_NS (100 * CLOCK_MS)

enum probe { PROBE_SILENT, PROBE_PLAIN, PROBE_EXTENDED };

static void set_sockaddr(struct target *target, const void *sockaddr, socklen_t len)
{
	memcpy(&target->sockaddr, sockaddr, len);
	target->sockaddr_len = len;
	target->family = target->sockaddr.ss_family;
	target->loopback = false;
	if (target->family == AF_INET) {
		const struct sockaddr_in *in = sockaddr;

		target->loopback = ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	}
}

/* Read what came before DEADLINE_NS: the line's dialect, or PROBE_SILENT. */
static enum probe read_dialect(int fd, const uint8_t *nonce, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		char answer[PROTOCOL_EXTENDED_MAX_BYTES];
		size_t line_len;
		ssize_t got;

		if (poll(&poll_fd, 1, clock_poll_ms(deadline_ns)) <= 0) {
			return PROBE_SILENT;
		}
		got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
		if (got < 0) {
			return PROBE_SILENT;
		}
		return protocol_parse_answer(answer, (size_t)got, nonce, &line_len) ?
			PROBE_EXTENDED : PROBE_PLAIN;
	}
}

int target_socket(const struct target *target)
{
	const int buffer_bytes = RECEIVE_BUFFER_BYTES;
	/* Nothing but the family: the kernel finds a name (autobind). */
	const struct sockaddr name = { .sa_family = AF_UNIX };
	int fd = socket(target->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -1;
	}
	/* What the system grants of it is what there is. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
	if ((target->family == AF_UNIX && bind(fd, &name, sizeof(name.sa_family)) < 0) ||
	    connect(fd, (const struct sockaddr *)&target->sockaddr, target->sockaddr_len) < 0) {
		io_close(&fd);
	}
	return fd;
}

static enum probe probe_datagram(const struct target *target)
{
	enum probe found = PROBE_SILENT;
	uint8_t request[TARGET_REQUEST_BYTES];
	uint8_t nonce[PROTOCOL_NONCE_BYTES];
	int fd = target_socket(target);

	if (fd < 0) {
		return PROBE_SILENT;
	}
	for (unsigned try = 0; try < PROBE_TRIES && found == PROBE_SILENT; try++) {
		if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce)) {
			break;
		}
		protocol_write_request(request, sizeof(request), nonce);
		if (send(fd, request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			break;
		}
		found = read_dialect(fd, nonce, clock_now_ns() + PROBE_WAIT_NS);
	}
	io_close(&fd);
	return found;
}

static bool accepts_connections(const struct target *target)
{
	struct pollfd poll_fd = { .events = POLLOUT };
	int error = 1;
	socklen_t len = sizeof(error);

	poll_fd.fd = socket(target->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (poll_fd.fd < 0) {
		return false;
	}
	connect(poll_fd.fd, (const struct sockaddr *)&target->sockaddr, target->sockaddr_len);
	if (poll(&poll_fd, 1, (int)(PROBE_TRIES * PROBE_WAIT_NS / CLOCK_MS)) > 0) {
		getsockopt(poll_fd.fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	io_close(&poll_fd.fd);
	return error == 0;
}

/* The first address of a name that serves, or simply the first. */
static int find_inet(struct target *target, const char **why)
{
	struct addrinfo *list = NULL;
	bool found = false;

	if (resolve_port(&target->address, why) < 0 ||
	    resolve_sockets(&target->address, AF_UNSPEC, &list, why) < 0) {
		errno = EINVAL;
		return -1;
	}
	for (struct addrinfo *at = list; at && !found; at = at->ai_next) {
		set_sockaddr(target, at->ai_addr, at->ai_addrlen);
		if (target->socktype == SOCK_DGRAM) {
			enum probe dialect = probe_datagram(target);

			target->extended = dialect == PROBE_EXTENDED;
			found = dialect != PROBE_SILENT;
		} else if (list->ai_next) {
			found = accepts_connections(target);
		}
	}
	if (!found) {
		set_sockaddr(target, list->ai_addr, list->ai_addrlen);
	}
	resolve_free(list);
	return 0;
}

static void find_unix(struct target *target)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	/* The address parser has seen to it that it fits. */
	memcpy(sun.sun_path, target->address.path, strlen(target->address.path));
	set_sockaddr(target, &sun, sizeof(sun));
	if (target->socktype == SOCK_DGRAM) {
		target->extended = probe_datagram(target) == PROBE_EXTENDED;
	}
}

int target_find(struct target *target, const char *text, const char **why)
{
	memset(target, 0, sizeof(*target));
	if (address_parse_target(&target->address, ADDRESS_TCP, text, strlen(text), why) < 0) {
		return -1;
	}
	target->socktype = resolve_socket_type(target->address.scheme);
	if (address_is_inet(&target->address)) {
		if (find_inet(target, why) < 0) {
			return -1;
		}
	} else if (target->address.scheme != ADDRESS_MSGQ) {
		find_unix(target);
	}
	address_format(&target->address, target->text, sizeof(target->text));
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
