/* SPDX-License-Identifier: MIT */
/*
 * What is to be sent waits in a short list for each socket. The errors that other machines report
 * (ICMP) come from the sockets' error queues, with the address that the request was for; sendmmsg()
 * and recvmmsg() may return them, too, as errors of something else.
 */
#include "client/ask/udp_pool.h"

#include <errno.h>
#include <time.h> /* linux/errqueue.h relies on its struct timespec */

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "common/io.h"

/* Datagrams for one system call. */
#define BATCH 64

/* System calls for one socket before others get their turn. */
#define RECEIVE_ROUNDS 4

/* Asked for; what comes of it is up to the system's limit. */
#define BUFFER_BYTES (1 << 20)

/* One more than a line may have: to see what is too long. */
#define DATAGRAM_BYTES (PROTOCOL_EXTENDED_MAX_BYTES + 1)

struct outgoing {
	struct udp_request *request;	/* NULL: forgotten meanwhile */
	socklen_t address_len;
	bool is_plain;			/* the one byte */
	uint8_t header[PROTOCOL_REQUEST_HEADER_BYTES];
};

struct pool_socket {
	int fd;
	unsigned count;
	unsigned sent;			/* of these */
	struct outgoing outgoing[BATCH];
};

struct udp_pool {
	int epoll_fd;
	uint64_t tag;
	udp_event_fn *handle;
	void *context;
	struct udp_table table;
	struct siphash_key nonce_key;
	uint64_t nonces;		/* made so far */
	struct pool_socket sockets[UDP_POOL_TAGS];	/* of IPv4, then of IPv6 */
	char datagrams[BATCH][DATAGRAM_BYTES];
};

struct udp_pool *udp_pool_open(int epoll_fd, uint64_t tag, size_t count, udp_event_fn *handle,
	void *context)
{
	struct udp_pool *pool = calloc(1, sizeof(*pool));

	if (!pool) {
		return NULL;
	}
	pool->epoll_fd = epoll_fd;
	pool->tag = tag;
	pool->handle = handle;
	pool->context = context;
	for (unsigned i = 0; i < UDP_POOL_TAGS; i++) {
		pool->sockets[i].fd = -1;
	}
	if (udp_table_init(&pool->table, count) < 0 || siphash_key_init(&pool->nonce_key) < 0) {
		udp_pool_close(pool);
		return NULL;
	}
	return pool;
}

void udp_pool_close(struct udp_pool *pool)
{
	if (!pool) {
		return;
	}
	for (unsigned i = 0; i < UDP_POOL_TAGS; i++) {
		io_close(&pool->sockets[i].fd);
	}
	udp_table_fini(&pool->table);
	free(pool);
}

static int open_socket(struct udp_pool *pool, struct pool_socket *sock, int family)
{
	struct epoll_event readable = {
		.events = EPOLLIN,
		.data.u64 = pool->tag + (uint64_t)(sock - pool->sockets),
	};
	const int bytes = BUFFER_BYTES;
	const int on = 1;

	sock->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd < 0) {
		return -1;
	}
	/* What is not granted makes it slower, or silent about errors, and not wrong. */
	(void)setsockopt(sock->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (family == AF_INET6) {
		(void)setsockopt(sock->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	} else {
		(void)setsockopt(sock->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	}
	if (epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, sock->fd, &readable) < 0) {
		io_close(&sock->fd);
		return -1;
	}
	return 0;
}

static void tell(struct udp_pool *pool, struct udp_request *request, int error)
{
	const struct udp_event event = { .request = request, .error = error };

	udp_table_remove(&request->entry);
	pool->handle(pool->context, &event);
}

/* The requests that left from socket AT for ADDRESS have met ERROR. */
static void tell_all(struct udp_pool *pool, const struct sockaddr *address, unsigned at, int error)
{
	struct udp_entry *entry = udp_table_find(&pool->table, address);

	while (entry) {
		struct udp_request *request = (struct udp_request *)entry;

		if (request->socket == at) {
			tell(pool, request, error);
			/* The handler may have changed all of them. */
			entry = udp_table_find(&pool->table, address);
		} else {
			entry = udp_table_next(entry);
		}
	}
}

static int error_of(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
			const struct sock_extended_err *error = (const void *)CMSG_DATA(c);

			return (int)error->ee_errno;
		}
	}
	return 0;
}

/* Take the errors that other machines have reported. */
static void take_errors(struct udp_pool *pool, unsigned at)
{
	for (unsigned i = 0; i < BATCH; i++) {
		struct sockaddr_storage address;
		union {
			struct cmsghdr aligned;
			char bytes[256];
		} control;
		struct msghdr message = {
			.msg_name = &address,
			.msg_namelen = sizeof(address),
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};

		if (recvmsg(pool->sockets[at].fd, &message, MSG_ERRQUEUE) < 0) {
			return;
		}
		if (message.msg_namelen >= sizeof(struct sockaddr_in) && error_of(&message)) {
			tell_all(pool, (struct sockaddr *)&address, at, error_of(&message));
		}
	}
}

static void fill(struct mmsghdr *message, struct iovec *parts, struct outgoing *outgoing)
{
	static char zeros[PROTOCOL_EXTENDED_MAX_BYTES - PROTOCOL_REQUEST_HEADER_BYTES];
	static char newline = '\n';

	if (outgoing->is_plain) {
		parts[0] = (struct iovec){ &newline, 1 };
	} else {
		parts[0] = (struct iovec){ outgoing->header, sizeof(outgoing->header) };
		parts[1] = (struct iovec){ zeros, sizeof(zeros) };
	}
	*message = (struct mmsghdr){
		.msg_hdr = {
			.msg_name = (void *)(uintptr_t)outgoing->request->entry.address,
			.msg_namelen = outgoing->address_len,
			.msg_iov = parts,
			.msg_iovlen = outgoing->is_plain ? 1 : 2,
		},
	};
}

/* Returns how many of the messages could be sent, or -1 with errno: what the first one has met. */
static int send_some(struct pool_socket *sock, struct outgoing **some, unsigned count)
{
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH][2];

	for (unsigned i = 0; i < count; i++) {
		fill(&messages[i], parts[i], some[i]);
	}
	return sendmmsg(sock->fd, messages, count, MSG_NOSIGNAL);
}

/* What is still wanted of what is to be sent, from the first on that has not been. */
static unsigned collect(struct pool_socket *sock, struct outgoing **some)
{
	unsigned count = 0;

	for (unsigned i = sock->sent; i < sock->count; i++) {
		if (sock->outgoing[i].request) {
			some[count++] = &sock->outgoing[i];
		}
	}
	return count;
}

/* Returns false if the kernel has no room. */
static bool flush_socket(struct udp_pool *pool, unsigned at)
{
	struct pool_socket *sock = &pool->sockets[at];
	struct outgoing *some[BATCH];
	unsigned count;
	int failures = 0;

	while ((count = collect(sock, some)) > 0) {
		int sent = send_some(sock, some, count);

		if (sent > 0) {
			sock->sent = (unsigned)(some[sent - 1] - sock->outgoing) + 1;
			failures = 0;
		} else if (errno == EAGAIN || errno == EINTR) {
			return false;
		} else if (failures++ == 0) {
			/* It may be what an earlier request has met. */
			int error = errno;

			take_errors(pool, at);
			errno = error;
		} else {
			struct udp_request *request = some[0]->request;
			int error = errno;

			sock->sent = (unsigned)(some[0] - sock->outgoing) + 1;
			failures = 0;
			tell(pool, request, error);
		}
	}
	sock->count = 0;
	sock->sent = 0;
	return true;
}

bool udp_pool_flush(struct udp_pool *pool)
{
	bool all = true;

	for (unsigned i = 0; i < UDP_POOL_TAGS; i++) {
		if (pool->sockets[i].count && !flush_socket(pool, i)) {
			all = false;
		}
	}
	return all;
}

/* Returns NULL if there is no room. */
static struct outgoing *queue(struct udp_pool *pool, struct udp_request *request, socklen_t len)
{
	struct pool_socket *sock = &pool->sockets[request->socket];
	struct outgoing *outgoing;

	if (sock->count == BATCH && !flush_socket(pool, request->socket)) {
		return NULL;
	}
	outgoing = &sock->outgoing[sock->count++];
	outgoing->request = request;
	outgoing->address_len = len;
	outgoing->is_plain = false;
	return outgoing;
}

/* A number that no other program can guess, and no other request has. */
static uint64_t make_nonce(struct udp_pool *pool)
{
	uint64_t number = pool->nonces++;

	return siphash(&pool->nonce_key, &number, sizeof(number));
}

int udp_pool_send(struct udp_pool *pool, struct udp_request *request,
	const struct sockaddr *address, socklen_t len, unsigned number)
{
	unsigned at = number % UDP_POOL_SOCKETS +
		      (address->sa_family == AF_INET6 ? UDP_POOL_SOCKETS : 0);
	struct outgoing *outgoing;

	if (pool->sockets[at].fd < 0 &&
	    open_socket(pool, &pool->sockets[at], address->sa_family) < 0) {
		return -1;
	}
	request->socket = (uint8_t)at;
	request->nonce = make_nonce(pool);
	udp_table_add(&pool->table, &request->entry, address);
	/* What there is no room for counts as lost. */
	outgoing = queue(pool, request, len);
	if (outgoing) {
		protocol_write_request_header(outgoing->header, (const uint8_t *)&request->nonce);
	}
	if (outgoing && request->plain) {
		outgoing = queue(pool, request, len);
		if (outgoing) {
			outgoing->is_plain = true;
		}
	}
	return 0;
}

void udp_pool_forget(struct udp_pool *pool, struct udp_request *request)
{
	struct pool_socket *sock;

	if (!request->entry.link) {
		return;
	}
	sock = &pool->sockets[request->socket];
	for (unsigned i = sock->sent; i < sock->count; i++) {
		if (sock->outgoing[i].request == request) {
			sock->outgoing[i].request = NULL;
		}
	}
	udp_table_remove(&request->entry);
}

/* The request that the datagram from ADDRESS at socket AT is an answer to, with its line. */
static struct udp_request *find_request(struct udp_pool *pool, const struct sockaddr *address,
	unsigned at, const char *datagram, size_t *len, const char **line)
{
	struct udp_entry *entry = udp_table_find(&pool->table, address);
	size_t datagram_len = *len;

	for (; entry; entry = udp_table_next(entry)) {
		struct udp_request *request = (struct udp_request *)entry;

		if (request->socket != at) {
			continue;
		}
		if (protocol_is_answer(datagram, datagram_len)) {
			*line = protocol_parse_answer(datagram, datagram_len,
				(const uint8_t *)&request->nonce, len);
		} else {
			*line = request->plain ? datagram : NULL;
		}
		if (*line) {
			return request;
		}
	}
	return NULL;
}

static void take_datagram(struct udp_pool *pool, const struct msghdr *message, unsigned at,
	size_t len)
{
	const struct sockaddr *address = message->msg_name;
	struct udp_event event = { .len = len };

	if (len > PROTOCOL_EXTENDED_MAX_BYTES ||
	    message->msg_namelen < sizeof(struct sockaddr_in)) {
		return;
	}
	event.has_nonce = protocol_is_answer(message->msg_iov->iov_base, len);
	event.request = find_request(pool, address, at, message->msg_iov->iov_base, &event.len,
		&event.line);
	if (event.request) {
		pool->handle(pool->context, &event);
	}
}

static void receive(struct udp_pool *pool, unsigned at)
{
	struct sockaddr_in6 addresses[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];

	for (unsigned round = 0; round < RECEIVE_ROUNDS; round++) {
		int got;

		for (unsigned i = 0; i < BATCH; i++) {
			parts[i] = (struct iovec){ pool->datagrams[i], DATAGRAM_BYTES };
			messages[i] = (struct mmsghdr){
				.msg_hdr = {
					.msg_name = &addresses[i],
					.msg_namelen = sizeof(addresses[i]),
					.msg_iov = &parts[i],
					.msg_iovlen = 1,
				},
			};
		}
		got = recvmmsg(pool->sockets[at].fd, messages, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < got; i++) {
			take_datagram(pool, &messages[i].msg_hdr, at, messages[i].msg_len);
		}
		if (got < 0 && errno != EAGAIN && errno != EINTR) {
			take_errors(pool, at);
		} else if (got < BATCH) {
			return;
		}
	}
}

void udp_pool_receive(struct udp_pool *pool, uint64_t tag, uint32_t events)
{
	unsigned at = (unsigned)(tag - pool->tag);

	if (events & EPOLLERR) {
		take_errors(pool, at);
	}
	receive(pool, at);
}
