/* SPDX-License-Identifier: MIT */
#include "daemon/reply/reply.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/log.h"
#include "daemon/listen/msgq_replies.h"
#include "daemon/reply/passed_fd.h"

/* The gain of sendmmsg() over sendto() is used up at some ten messages a call. */
#define SEND_MESSAGES 64

/*
 * Send TEXT and the end of the stream, and let the connection close in its own time. Returns false
 * if that failed: then it is closed, and counted.
 *
 * MSG_MORE holds the text back until shutdown() sends it and the end of the stream in one segment.
 * A close() would throw away what was held back, should there be unread input; a shutdown never
 * does.
 */
static bool end_stream(const struct reply *reply, struct request *request, const char *text,
	size_t len)
{
	ssize_t sent = send(request->conn_fd, text, len, MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL);
	enum stats_drop reason = STATS_SEND_FAILED;

	if (sent == (ssize_t)len &&
	    lingering_add(reply->lingering, request->conn_fd, request->source,
		    request->listener->address.scheme == ADDRESS_UNIX_SEQPACKET,
		    request->listener->may_pass, clock_now_ns()) == 0) {
		request->conn_fd = -1;
		return true;
	}
	/* All sent and yet not shut down: the client has reset it in between. */
	if (sent == (ssize_t)len || (sent < 0 && (errno == EPIPE || errno == ECONNRESET))) {
		reason = STATS_CLIENT_GONE;
	}
	connections_close(reply->connections, &request->conn_fd, request->source);
	reply_count_drops(reply, request->listener, reason, 1);
	return false;
}

static void reply_stream(const struct reply *reply, struct request *request)
{
	const struct uptime_line *line = reply->line;

	if (!end_stream(reply, request, line->text, line->len)) {
		return;
	}
	if (line->ok) {
		reply_count(reply, request->listener, 1);
	} else {
		reply_count_drops(reply, request->listener, STATS_RUN_FAILED, 1);
	}
}

/* The line goes to the descriptor; the connection gets the status. */
static void reply_fdpass(const struct reply *reply, struct request *request)
{
	static const char ok = FDPASS_OK_BYTE;
	const struct uptime_line *line = reply->line;
	const char *why = NULL;
	char status[128];

	if (line->ok) {
		why = passed_fd_write(request->passed_fd, line->text, line->len);
	}
	fdpass_discard(&request->passed_fd);
	connections_release(reply->connections);
	if (!line->ok) {
		reply_stream(reply, request);
		return;
	}
	if (!why) {
		if (end_stream(reply, request, &ok, sizeof(ok))) {
			reply_count(reply, request->listener, 1);
		}
		return;
	}
	snprintf(status, sizeof(status), PROTOCOL_ERROR_PREFIX "%s\n", why);
	if (end_stream(reply, request, status, strlen(status))) {
		reply_count_drops(reply, request->listener, STATS_FD_REFUSED, 1);
	}
}

static void reply_msgq(const struct reply *reply, struct request *request)
{
	static struct log_limit limit;
	const struct uptime_line *line = reply->line;

	if (!line->ok) {
		reply_count_drops(reply, request->listener, STATS_RUN_FAILED, 1);
		return;
	}
	switch (msgq_replies_send(request->listener->replies, request->reply_type, line->text,
		line->len)) {
	case MSGQ_REPLIES_SENT:
		reply_count(reply, request->listener, 1);
		break;
	case MSGQ_REPLIES_FULL:
		reply_count_drops(reply, request->listener, STATS_QUEUE_FULL, 1);
		break;
	case MSGQ_REPLIES_TOO_LONG:
		log_limited(&limit, "a reply of %zu bytes does not fit into a message queue: see "
			"sysctl kernel.msgmax and kernel.msgmnb", line->len);
		reply_count_drops(reply, request->listener, STATS_SEND_FAILED, 1);
		break;
	case MSGQ_REPLIES_LOST:
	case MSGQ_REPLIES_FAILED:
		reply_count_drops(reply, request->listener, STATS_SEND_FAILED, 1);
		break;
	}
}

/* The messages of one sendmmsg(), all from the same socket. */
struct outgoing {
	unsigned count;
	struct mmsghdr messages[SEND_MESSAGES];
	struct iovec parts[SEND_MESSAGES][2];
	uint8_t headers[SEND_MESSAGES][PROTOCOL_ANSWER_HEADER_BYTES];
};

/* Returns false if the answer would be longer than its request. */
static bool add_message(struct outgoing *out, struct request *request,
	const struct uptime_line *line)
{
	struct request_datagram *datagram = &request->datagram;
	struct iovec *parts = out->parts[out->count];
	bool extended = datagram->asked.kind == PROTOCOL_EXTENDED;

	if (extended && PROTOCOL_ANSWER_HEADER_BYTES + line->len > datagram->len_bytes) {
		return false;
	}
	if (extended) {
		protocol_write_answer_header(out->headers[out->count], datagram->asked.nonce);
	}
	parts[0] = (struct iovec){ out->headers[out->count], PROTOCOL_ANSWER_HEADER_BYTES };
	parts[1] = (struct iovec){ (char *)(uintptr_t)line->text, line->len };
	out->messages[out->count].msg_hdr = (struct msghdr){
		.msg_name = &datagram->peer,
		.msg_namelen = datagram->peer_len,
		.msg_iov = extended ? parts : parts + 1,
		.msg_iovlen = extended ? 2 : 1,
		.msg_control = datagram->control_len ? datagram->control : NULL,
		.msg_controllen = datagram->control_len,
	};
	out->count++;
	return true;
}

/* sendmmsg() stops at the first message that fails: that one is dropped, and the rest goes on. */
static void send_messages(const struct reply *reply, struct outgoing *out,
	const struct listener *listener)
{
	unsigned done = 0;

	while (done < out->count) {
		int sent = sendmmsg(listener->fd, out->messages + done, out->count - done,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			reply_count(reply, listener, (unsigned)sent);
			done += (unsigned)sent;
		} else if (errno != EINTR) {
			reply_count_drops(reply, listener, STATS_SEND_FAILED, 1);
			done++;
		}
	}
	out->count = 0;
}

static void reply_datagrams(const struct reply *reply, struct request *batch)
{
	const struct listener *listener = batch->listener;
	struct outgoing out;

	out.count = 0;
	for (struct request *request = batch; request; request = request->next) {
		if (!reply->line->ok) {
			reply_count_drops(reply, listener, STATS_RUN_FAILED, 1);
		} else if (!add_message(&out, request, reply->line)) {
			reply_count_drops(reply, listener, STATS_NO_ROOM, 1);
		}
		if (out.count == SEND_MESSAGES) {
			send_messages(reply, &out, listener);
		}
	}
	send_messages(reply, &out, listener);
}

static void answer(const struct reply *reply, struct request *batch)
{
	void (*reply_one)(const struct reply *, struct request *) = reply_stream;

	switch (batch->listener->address.scheme) {
	case ADDRESS_UDP:
	case ADDRESS_UNIX_DGRAM:
		reply_datagrams(reply, batch);
		return;
	case ADDRESS_FDPASS:
		reply_one = reply_fdpass;
		break;
	case ADDRESS_MSGQ:
		reply_one = reply_msgq;
		break;
	default:
		break;
	}
	for (struct request *request = batch; request; request = request->next) {
		reply_one(reply, request);
	}
}

static void expire(const struct reply *reply, struct request *batch)
{
	for (struct request *request = batch; request; request = request->next) {
		if (request->listener->address.scheme == ADDRESS_FDPASS) {
			fdpass_discard(&request->passed_fd);
			connections_release(reply->connections);
		}
		if (listener_is_stream(request->listener)) {
			connections_reset(reply->connections, &request->conn_fd, request->source);
		}
		reply_count_drops(reply, request->listener, STATS_EXPIRED, 1);
	}
}

void reply_batch(const struct reply *reply, struct request *batch, uint64_t until_ns,
	uint64_t now_ns)
{
	if (now_ns > until_ns) {
		expire(reply, batch);
	} else {
		answer(reply, batch);
	}
	request_give_back(batch);
}
