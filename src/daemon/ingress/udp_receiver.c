/* SPDX-License-Identifier: MIT */
/*
 * recvmmsg() writes sources and control messages straight into requests of the pool; only the
 * payload, of which no more than a nonce is of interest, goes to scratch buffers. What one call
 * yields is one batch.
 */
#include "daemon/ingress/udp_receiver.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/log.h"
#include "common/prefix.h"
#include "daemon/ingress/udp_backlog.h"
#include "daemon/listen/udp_socket.h"
#include "daemon/policy/udp_policy.h"

/* The gain of recvmmsg() over recvfrom() is used up at some ten messages a call. */
#define RECEIVE_MESSAGES 64

/* Calls for one listener before the others have their turn. */
#define TURN_CALLS 8

/* One more than a request may have, so that one that is too long is seen to be. */
#define PAYLOAD_BYTES (PROTOCOL_EXTENDED_MAX_BYTES + 1)

/* What the kernel may keep in a flood, at least: a burst from a few hundred clients. */
#define LEAST_ROOM 512

#define UNIX_CONTROL_BYTES (CMSG_SPACE(sizeof(struct ucred)) + FDPASS_CONTROL_BYTES)

struct receiver {
	struct ingress *ingress;
	struct udp_backlog backlog;
	size_t received;	/* since the last look at it */
	uint64_t more_ns;	/* since when there has always been more; 0: there has not */
	struct udp_policy *policy;
	struct mmsghdr messages[RECEIVE_MESSAGES];
	struct iovec parts[RECEIVE_MESSAGES];
	struct request *requests[RECEIVE_MESSAGES];	/* those behind MESSAGES, or NULL */
	bool armed[RECEIVE_MESSAGES];			/* as the last call left them unused */
	bool is_unix;					/* for what they are armed */
	bool scarce;					/* no request was left for some of them */
	uint8_t payloads[RECEIVE_MESSAGES][PAYLOAD_BYTES];
	/* UNIX sockets: the sender's ids, and descriptors that it sent although none is wanted. */
	_Alignas(struct cmsghdr) uint8_t controls[RECEIVE_MESSAGES][UNIX_CONTROL_BYTES];
};

/* Point every message at a request. At least one: as many as there are without waiting. */
static unsigned arm(struct receiver *receiver, bool is_unix)
{
	struct request_batch nothing = { NULL, NULL, 0 };
	unsigned armed = 0;

	if (receiver->is_unix != is_unix) {
		memset(receiver->armed, 0, sizeof(receiver->armed));
		receiver->is_unix = is_unix;
	}
	for (; armed < RECEIVE_MESSAGES; armed++) {
		struct request **request = &receiver->requests[armed];
		struct msghdr *header = &receiver->messages[armed].msg_hdr;

		if (receiver->armed[armed]) {
			continue;
		}
		if (!*request) {
			*request = armed ? request_pool_take(receiver->ingress->pool)
					 : ingress_take(receiver->ingress, &nothing);
			if (!*request) {
				break;
			}
			header->msg_name = &(*request)->datagram.peer;
		}
		header->msg_namelen = sizeof((*request)->datagram.peer);
		header->msg_control = is_unix ? receiver->controls[armed]
					      : (*request)->datagram.control;
		header->msg_controllen = is_unix ? sizeof(receiver->controls[armed])
						 : sizeof((*request)->datagram.control);
		header->msg_flags = 0;
		receiver->armed[armed] = true;
	}
	receiver->scarce = armed < RECEIVE_MESSAGES;
	return armed;
}

/*
 * The control message that told which of our addresses was asked is, sent back, the order to
 * answer from there. The interface is left to routing, as it would be for any other datagram.
 */
static size_t turn_around(struct msghdr *header)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);

	if (!control) {
		return 0;
	}
	if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
		struct in_pktinfo info;

		memcpy(&info, CMSG_DATA(control), sizeof(info));
		info.ipi_ifindex = 0;
		info.ipi_spec_dst = info.ipi_addr;
		memcpy(CMSG_DATA(control), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	}
	if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
		struct in6_pktinfo info;

		memcpy(&info, CMSG_DATA(control), sizeof(info));
		/* A link-local address means nothing without its link. */
		if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) {
			info.ipi6_ifindex = 0;
		}
		memcpy(CMSG_DATA(control), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	}
	return 0;
}

/* Is the policy against an answer? UNIX sockets have none. */
static bool is_refused(struct receiver *receiver, struct msghdr *header,
	enum protocol_request_kind kind, enum stats_drop *reason)
{
	static struct log_limit over_rate;
	static struct log_limit not_allowed;
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];
	struct udp_verdict verdict = udp_policy_judge(receiver->policy, header, kind);

	if (verdict.over_rate) {
		stats_add(&receiver->ingress->counters->rate_exceeded, 1);
	}
	if (verdict.answer) {
		return false;
	}
	*reason = verdict.reason;
	if (verdict.reason == STATS_RATE_LIMITED || verdict.reason == STATS_NOT_ALLOWED) {
		address = prefix_address(header->msg_name);
		prefix_show(&address, text);
	}
	if (verdict.reason == STATS_RATE_LIMITED) {
		log_limited(&over_rate, "datagrams over the rate limit, now from %s", text);
	} else if (verdict.reason == STATS_NOT_ALLOWED) {
		log_limited(&not_allowed, "a datagram is dropped: %s may not ask", text);
	}
	return true;
}

/* Which user sent a message; -1 if the kernel does not tell. */
static uid_t uid_of_sender(struct msghdr *header)
{
	struct ucred sender = { .uid = (uid_t)-1 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&sender, CMSG_DATA(c), sizeof(sender));
		}
	}
	return sender.uid;
}

/* Fill the request behind message I. Returns false, with *REASON, if it cannot be answered. */
static bool parse(struct receiver *receiver, const struct listener *listener, unsigned i,
	enum stats_drop *reason)
{
	struct request *request = receiver->requests[i];
	struct request_datagram *datagram = &request->datagram;
	struct msghdr *header = &receiver->messages[i].msg_hdr;
	size_t len = receiver->messages[i].msg_len;

	if (listener->address.scheme == ADDRESS_UNIX_DGRAM) {
		datagram->peer_uid = uid_of_sender(header);
		fdpass_discard_all(header);
	}
	protocol_parse_request(receiver->payloads[i], len, &datagram->asked);
	if (datagram->asked.kind == PROTOCOL_MALFORMED || (header->msg_flags & MSG_TRUNC)) {
		*reason = STATS_MALFORMED;
		return false;
	}
	/* Only a UNIX socket can be without a name. */
	if (header->msg_namelen <= sizeof(sa_family_t)) {
		*reason = STATS_UNBOUND;
		return false;
	}
	if (address_is_inet(&listener->address) &&
	    is_refused(receiver, header, datagram->asked.kind, reason)) {
		return false;
	}
	request->listener = listener;
	datagram->len_bytes = (uint16_t)len;
	datagram->peer_len = header->msg_namelen;
	datagram->control_len = address_is_inet(&listener->address) ? turn_around(header) : 0;
	return true;
}

/* One call of recvmmsg(). Returns false if nothing waits. */
static bool receive_some(struct receiver *receiver, const struct listener *listener)
{
	struct stats_counters *counters = receiver->ingress->counters;
	enum address_scheme scheme = listener->address.scheme;
	struct request_batch batch = { NULL, NULL, 0 };
	unsigned armed = arm(receiver, scheme == ADDRESS_UNIX_DGRAM);
	int got = recvmmsg(listener->fd, receiver->messages, armed,
		MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);

	if (got < 0) {
		return errno == EINTR;
	}
	stats_add(&counters->requests[scheme], (unsigned)got);
	receiver->received += (unsigned)got;
	for (unsigned i = 0; i < (unsigned)got; i++) {
		enum stats_drop reason;

		receiver->armed[i] = false;
		if (parse(receiver, listener, i, &reason)) {
			request_batch_add(&batch, receiver->requests[i]);
			receiver->requests[i] = NULL;
		} else {
			stats_add(&counters->dropped[scheme][reason], 1);
		}
	}
	ingress_push(receiver->ingress, &batch);
	return got > 0;
}

/*
 * While there is more, poll() has nothing to tell. But once requests are scarce each listener gets
 * its part of them. Returns whether there may be more.
 */
static bool receive_turn(struct receiver *receiver, const struct listener *listener)
{
	for (int i = 0; i < TURN_CALLS; i++) {
		if (!receive_some(receiver, listener)) {
			return false;
		}
		ingress_yield(receiver->ingress);
		if (receiver->scarce) {
			break;
		}
	}
	return true;
}

/* As poll(). If nothing is there now, the receiver has kept up: what was there is forgotten. */
static int wait_for_more(struct receiver *receiver)
{
	struct ingress *ingress = receiver->ingress;
	int ready = 0;

	/* Not after a wait: then it is unknown whether anything had been there before it. */
	if (receiver->more_ns) {
		ready = ingress_poll(ingress, ingress->watched_count, 0);
	}
	if (ready == 0) {
		receiver->more_ns = 0;
		ready = ingress_poll(ingress, ingress->watched_count, -1);
	}
	return ready;
}

/* Let the kernel keep as many datagrams as we receive before they have waited for too long. */
static void adapt_buffers(struct receiver *receiver, bool more)
{
	static struct log_limit limit;
	const struct listener_set *listeners = receiver->ingress->listeners;
	uint64_t now_ns = clock_now_ns();
	bool standing;

	if (!more || !receiver->more_ns) {
		receiver->more_ns = more ? now_ns : 0;
	}
	standing = more && now_ns - receiver->more_ns > UDP_BACKLOG_NS;
	if (udp_backlog_look(&receiver->backlog, receiver->received, standing, now_ns)) {
		if (standing) {
			log_limited(&limit, "more datagrams come than can be answered: no more "
				"than some %zu may wait", receiver->backlog.now);
		}
		for (unsigned i = 0; i < listeners->count; i++) {
			if (listeners->all[i].may_shrink) {
				udp_socket_limit(listeners->all[i].fd, receiver->backlog.now);
			}
		}
	}
	receiver->received = 0;
}

static void receive_until_stop(struct receiver *receiver)
{
	const struct listener_set *listeners = receiver->ingress->listeners;
	struct pollfd *fds = receiver->ingress->watched;

	for (;;) {
		bool more = false;

		if (wait_for_more(receiver) < 0) {
			continue;
		}
		if (fds[0].revents) {
			return;
		}
		for (unsigned i = 0; i < listeners->count; i++) {
			if (fds[i + 1].revents) {
				more |= receive_turn(receiver, &listeners->all[i]);
			}
		}
		adapt_buffers(receiver, more);
	}
}

/* What was in the buffer when the listener was shut is served. */
static void drain(struct ingress *ingress, const struct listener *listener)
{
	while (receive_some(ingress->state, listener)) {
	}
}

static void *receiver_main(void *argument)
{
	struct ingress *ingress = argument;
	struct receiver *receiver = ingress->state;

	pthread_setname_np(pthread_self(), "udp-receiver");
	receiver->ingress = ingress;
	udp_backlog_init(&receiver->backlog, LEAST_ROOM, UDP_SOCKET_DATAGRAMS, clock_now_ns());
	for (unsigned i = 0; i < RECEIVE_MESSAGES; i++) {
		receiver->parts[i] = (struct iovec){ receiver->payloads[i], PAYLOAD_BYTES };
		receiver->messages[i].msg_hdr.msg_iov = &receiver->parts[i];
		receiver->messages[i].msg_hdr.msg_iovlen = 1;
	}
	receive_until_stop(receiver);
	ingress_drain(ingress, drain);
	udp_policy_free(receiver->policy);
	return NULL;
}

int udp_receiver_start(struct ingress *ingress)
{
	struct udp_policy *policy =
		udp_policy_new(ingress->settings, ingress->listeners, clock_now_ns);
	struct receiver *receiver;

	if (!policy || ingress_prepare(ingress, sizeof(*receiver)) < 0) {
		goto fail;
	}
	receiver = ingress->state;
	receiver->policy = policy;
	if (ingress_run(ingress, receiver_main) < 0) {
		goto fail;
	}
	return 0;
fail:
	udp_policy_free(policy);
	return -1;
}
