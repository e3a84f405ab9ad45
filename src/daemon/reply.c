/* SPDX-License-Identifier: MIT */
#include "daemon/reply.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"

/* The gain of sendmmsg() over sendto() is used up at some ten messages a call. */
#define SEND_MESSAGES 64

static void count_drops(struct stats_counters *counters, const struct request *request,
	enum stats_drop reason, unsigned count)
{
	stats_add(&counters->dropped[request->listener->address.scheme][reason], count);
}

/*
 * MSG_MORE holds the line back until shutdown() sends it and the end of the stream in one segment.
 * A close() would throw a line away that was held back, should there be unread input; a shutdown
 * never does.
 */
static void reply_stream(struct request *request, const struct uptime_line *line,
	struct stats_counters *counters, struct closing *closing, uint64_t now_ns)
{
	ssize_t sent = send(request->conn_fd, line->text, line->len,
		MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL);
	bool whole = sent == (ssize_t)line->len;
	bool gone = sent < 0 && (errno == EPIPE || errno == ECONNRESET);

	if (whole && shutdown(request->conn_fd, SHUT_WR) < 0) {
		whole = false;
		gone = true;
	}
	if (!whole) {
		count_drops(counters, request, gone ? STATS_CLIENT_GONE : STATS_SEND_FAILED, 1);
		io_close(&request->conn_fd);
		return;
	}
	if (line->ok) {
		stats_add(&counters->replies[request->listener->address.scheme], 1);
	} else {
		count_drops(counters, request, STATS_RUN_FAILED, 1);
	}
	closing_add(closing, request->conn_fd, now_ns);
	request->conn_fd = -1;
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
static void send_messages(struct outgoing *out, const struct request *request,
	struct stats_counters *counters)
{
	unsigned done = 0;

	while (done < out->count) {
		int sent = sendmmsg(request->listener->fd, out->messages + done, out->count - done,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			stats_add(&counters->replies[request->listener->address.scheme],
				(unsigned)sent);
			done += (unsigned)sent;
		} else if (errno != EINTR) {
			count_drops(counters, request, STATS_SEND_FAILED, 1);
			done++;
		}
	}
	out->count = 0;
}

static void reply_datagrams(struct request *batch, const struct uptime_line *line,
	struct stats_counters *counters)
{
	struct outgoing out;

	out.count = 0;
	for (struct request *request = batch; request; request = request->next) {
		if (!line->ok) {
			count_drops(counters, request, STATS_RUN_FAILED, 1);
		} else if (!add_message(&out, request, line)) {
			count_drops(counters, request, STATS_NO_ROOM, 1);
		}
		if (out.count == SEND_MESSAGES) {
			send_messages(&out, request, counters);
		}
	}
	send_messages(&out, batch, counters);
}

void reply_batch(struct request *batch, const struct uptime_line *line,
	struct stats_counters *counters, struct closing *closing)
{
	if (!listener_is_stream(batch->listener)) {
		reply_datagrams(batch, line, counters);
		return;
	}
	for (struct request *request = batch; request; request = request->next) {
		reply_stream(request, line, counters, closing, clock_now_ns());
	}
}
