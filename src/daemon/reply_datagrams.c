/* SPDX-License-Identifier: MIT */
#include "daemon/reply.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

/* The gain of sendmmsg() over sendto() is used up at some ten messages a call. */
#define SEND_MESSAGES 64

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

void reply_datagrams(const struct reply *reply, struct request *batch)
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
