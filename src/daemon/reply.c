/* SPDX-License-Identifier: MIT */
#include "daemon/reply.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "daemon/descriptor.h"
#include "daemon/msgq.h"

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

	if (sent == (ssize_t)len && shutdown(request->conn_fd, SHUT_WR) == 0) {
		closing_add(reply->closing, request->conn_fd, request->source,
			request->listener->address.scheme == ADDRESS_UNIX_SEQPACKET,
			clock_now_ns());
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
		why = descriptor_write(request->passed_fd, line->text, line->len);
	}
	fdpass_discard(&request->passed_fd);
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
	const struct uptime_line *line = reply->line;

	if (!line->ok) {
		reply_count_drops(reply, request->listener, STATS_RUN_FAILED, 1);
		return;
	}
	switch (msgq_reply(request->listener->msgq, request->reply_type, line->text, line->len)) {
	case MSGQ_SENT:
		reply_count(reply, request->listener, 1);
		break;
	case MSGQ_FULL:
		reply_count_drops(reply, request->listener, STATS_QUEUE_FULL, 1);
		break;
	case MSGQ_FAILED:
		reply_count_drops(reply, request->listener, STATS_SEND_FAILED, 1);
		break;
	}
}

void reply_batch(const struct reply *reply, struct request *batch)
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

void reply_too_late(const struct reply *reply, struct request *batch)
{
	for (struct request *request = batch; request; request = request->next) {
		if (request->listener->address.scheme == ADDRESS_FDPASS) {
			fdpass_discard(&request->passed_fd);
		}
		if (listener_is_stream(request->listener)) {
			connections_reset(reply->connections, &request->conn_fd, request->source);
		}
		reply_count_drops(reply, request->listener, STATS_EXPIRED, 1);
	}
}
