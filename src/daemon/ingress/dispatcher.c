/* SPDX-License-Identifier: MIT */
#include "daemon/ingress/dispatcher.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"
#include "daemon/ingress/msgq_message.h"
#include "daemon/ingress/msgq_receiver.h"
#include "daemon/listen/msgq.h"
#include "daemon/listen/msgq_replies.h"

/* Read from one socket before the others have their turn. */
#define TURN_MESSAGES 64

/* Between two looks at the reply queues. */
#define MIND_NS (500 * CLOCK_MS)

/* "queue id N, message ", and the line feed. */
#define HEAD_BYTES 64

/* Between two calls to stop. */
#define STOP_CALL_MS 5

struct dispatcher {
	struct ingress *ingress;
	unsigned open_count;	/* queues whose last datagram has not come yet */
	struct msgq_message message;
	char line[HEAD_BYTES + MESSAGE_SHOWN_BYTES(MSGQ_TEXT_BYTES)];
	struct msgq_receiver *receivers[];	/* by listener; NULL: none of ours, or ended */
};

/* A message that is no request is shown to the reader of our output. */
static void show_message(struct dispatcher *dispatcher, const struct listener *listener, size_t len)
{
	static struct log_limit limit;
	char *line = dispatcher->line;
	int head = snprintf(line, HEAD_BYTES, "queue id %d, message ", msgq_id(listener->msgq));

	msgq_message_show(dispatcher->message.text, len, line + head);
	log_some(&limit, "%s", line);
	if (dispatcher->ingress->settings->print_messages) {
		size_t line_len = strlen(line);

		line[line_len++] = '\n';
		log_print(line, line_len);
	}
	stats_add(&dispatcher->ingress->counters->messages, 1);
}

static void take_message(struct dispatcher *dispatcher, const struct listener *listener, size_t len,
	struct request_batch *batch)
{
	int32_t type = msgq_message_parse_request(dispatcher->message.text, len);
	struct request *request;

	if (!type) {
		show_message(dispatcher, listener, len);
		return;
	}
	request = ingress_take(dispatcher->ingress, batch);
	request->listener = listener;
	request->reply_type = type;
	request_batch_add(batch, request);
	stats_add(&dispatcher->ingress->counters->requests[ADDRESS_MSGQ], 1);
}

/* That was the last datagram of the listener's thread. */
static void end_socket(struct dispatcher *dispatcher, unsigned i)
{
	msgq_receiver_join(dispatcher->receivers[i]);
	dispatcher->receivers[i] = NULL;
	dispatcher->ingress->watched[i + 1].fd = -1;
	dispatcher->open_count--;
}

static void read_turn(struct dispatcher *dispatcher, unsigned i)
{
	const struct listener *listener = &dispatcher->ingress->listeners->all[i];
	const size_t header_bytes = offsetof(struct msgq_message, text);
	struct request_batch batch = { NULL, NULL, 0 };

	for (int n = 0; n < TURN_MESSAGES; n++) {
		ssize_t got = recv(listener->fd, &dispatcher->message,
			sizeof(dispatcher->message), MSG_DONTWAIT);

		if (got == 0) {
			end_socket(dispatcher, i);
			break;
		}
		if (got < (ssize_t)header_bytes) {
			break;
		}
		take_message(dispatcher, listener, (size_t)got - header_bytes, &batch);
	}
	ingress_push(dispatcher->ingress, &batch);
}

static void mind_queues(struct dispatcher *dispatcher)
{
	const struct listener_set *listeners = dispatcher->ingress->listeners;
	uint64_t now_ns = clock_now_ns();

	for (unsigned i = 0; i < listeners->count; i++) {
		if (listener_is_msgq(&listeners->all[i])) {
			stats_add(&dispatcher->ingress->counters->replies_reaped,
				msgq_replies_mind(listeners->all[i].replies, now_ns));
		}
	}
}

static void request_stop(struct dispatcher *dispatcher)
{
	for (unsigned i = 0; i < dispatcher->ingress->listeners->count; i++) {
		if (dispatcher->receivers[i]) {
			msgq_receiver_request_stop(dispatcher->receivers[i],
				dispatcher->ingress->listeners->all[i].borrowed);
		}
	}
	dispatcher->ingress->watched[0].fd = -1;
}

static void *dispatcher_main(void *argument)
{
	struct ingress *ingress = argument;
	struct dispatcher *dispatcher = ingress->state;
	struct pollfd *watched = ingress->watched;
	unsigned count = ingress->listeners->count;
	uint64_t mind_ns = 0;
	bool stopping = false;

	pthread_setname_np(pthread_self(), "dispatcher");
	while (dispatcher->open_count) {
		int wait_ms;

		if (clock_now_ns() >= mind_ns) {
			mind_queues(dispatcher);
			mind_ns = clock_now_ns() + MIND_NS;
		}
		wait_ms = stopping ? STOP_CALL_MS : clock_poll_ms(mind_ns);
		if (ingress_poll(ingress, ingress->watched_count, wait_ms) < 0) {
			continue;
		}
		for (unsigned i = 0; i < count; i++) {
			if (watched[i + 1].fd >= 0 && watched[i + 1].revents) {
				read_turn(dispatcher, i);
			}
		}
		stopping |= watched[0].revents != 0;
		if (stopping) {
			ingress_heed_stop(ingress);
			request_stop(dispatcher);
		}
		ingress_yield(ingress);
	}
	return NULL;
}

/* Returns 0, or -1 with errno. */
static int start_receivers(struct dispatcher *dispatcher)
{
	for (unsigned i = 0; i < dispatcher->ingress->listeners->count; i++) {
		struct listener *listener = &dispatcher->ingress->listeners->all[i];
		int feed_fd = listener->feed_fd;

		if (!listener_is_msgq(listener)) {
			continue;
		}
		listener->feed_fd = -1;
		dispatcher->receivers[i] =
			msgq_receiver_start(listener->msgq, feed_fd, dispatcher->open_count);
		if (!dispatcher->receivers[i]) {
			return -1;
		}
		dispatcher->open_count++;
	}
	return 0;
}

int dispatcher_start(struct ingress *ingress)
{
	unsigned count = ingress->listeners->count;
	struct dispatcher *dispatcher;
	int error;

	if (ingress_prepare(ingress,
		    sizeof(*dispatcher) + count * sizeof(dispatcher->receivers[0])) < 0) {
		return -1;
	}
	dispatcher = ingress->state;
	dispatcher->ingress = ingress;
	if (start_receivers(dispatcher) == 0 && ingress_run(ingress, dispatcher_main) == 0) {
		return 0;
	}
	/* Those that run are stopped in the usual way, by this thread in the dispatcher's place. */
	error = errno;
	io_event_set(ingress->stop_fd);
	dispatcher_main(ingress);
	errno = error;
	return -1;
}
