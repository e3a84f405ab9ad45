/* SPDX-License-Identifier: MIT */
#include "daemon/ingress/msgq_receiver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/interrupt.h"
#include "common/io.h"
#include "common/log.h"
#include "common/thread.h"

/* What one wake-up of the dispatcher is good for. */
#define BURST_MESSAGES 32

#define PAUSE_MIN_MS 10
#define PAUSE_MAX_MS 500

struct msgq_receiver {
	struct msgq *msgq;
	int write_fd;
	_Atomic bool stop;
	bool leave;		/* set before STOP: what is in the queue is another thread's */
	int stop_fd;		/* readable once it is to stop: ends a pause */
	pthread_t thread;
	unsigned number;
	int pause_ms;		/* before the next try to create a lost queue */
	struct mmsghdr datagrams[BURST_MESSAGES];
	struct iovec parts[BURST_MESSAGES];
	struct msgq_message messages[BURST_MESSAGES];
};

/* Receive up to a burst. Returns how many messages, or -1 with errno if there was not even one. */
static int receive_burst(struct msgq_receiver *receiver, bool wait)
{
	int count = 0;

	while (count < BURST_MESSAGES) {
		struct msgq_message *message = &receiver->messages[count];
		ssize_t len = msgq_receive(receiver->msgq, message, wait && count == 0);

		if (len < 0) {
			return count ? count : -1;
		}
		receiver->parts[count] = (struct iovec){
			message, offsetof(struct msgq_message, text) + (size_t)len
		};
		count++;
	}
	return count;
}

/* Blocks while the dispatcher has no room: the back-pressure. */
static void forward(struct msgq_receiver *receiver, int count)
{
	int done = 0;

	while (done < count) {
		int sent = sendmmsg(receiver->write_fd, receiver->datagrams + done,
			(unsigned)(count - done), MSG_NOSIGNAL);

		if (sent > 0) {
			done += sent;
		} else if (errno != EINTR && errno != ENOBUFS && errno != ENOMEM) {
			return;
		}
	}
}

/* The queue was removed under us, or taken from us; or the kernel refuses to receive. */
static void recover(struct msgq_receiver *receiver)
{
	static struct log_limit limit;
	const int error = errno;
	struct pollfd stop = { .fd = receiver->stop_fd, .events = POLLIN };
	int old_id = msgq_id(receiver->msgq);

	if (poll(&stop, 1, receiver->pause_ms) != 0) {
		return;
	}
	if (msgq_reopen(receiver->msgq) < 0) {
		log_limited(&limit, "message queue id %d is gone, and a new one: %s", old_id,
			strerror(errno));
	} else if (msgq_id(receiver->msgq) == old_id) {
		log_limited(&limit, "receiving from message queue id %d fails: %s", old_id,
			strerror(error));
	} else {
		log_limited(&limit, "message queue id %d is gone; it is now id %d", old_id,
			msgq_id(receiver->msgq));
	}
	receiver->pause_ms = receiver->pause_ms ? 2 * receiver->pause_ms : PAUSE_MIN_MS;
	if (receiver->pause_ms > PAUSE_MAX_MS) {
		receiver->pause_ms = PAUSE_MAX_MS;
	}
}

/* What was in the queue when it was shut. Clients may go on sending to one that we adopted. */
static void drain(struct msgq_receiver *receiver)
{
	long left = msgq_shut_door(receiver->msgq);

	while (left > 0) {
		int count = receive_burst(receiver, false);

		if (count < 0) {
			return;
		}
		forward(receiver, count);
		left -= count;
	}
}

static void *receiver_main(void *argument)
{
	struct msgq_receiver *receiver = argument;
	char name[16];

	snprintf(name, sizeof(name), "msgq-%u", receiver->number);
	pthread_setname_np(pthread_self(), name);
	interrupt_allow(true);
	/* Acquire: what was written before STOP was set is read behind this. */
	while (!atomic_load_explicit(&receiver->stop, memory_order_acquire)) {
		int count = receive_burst(receiver, true);

		if (count >= 0) {
			receiver->pause_ms = 0;
			forward(receiver, count);
			/* The dispatcher runs first, and the next burst is longer. */
			sched_yield();
		} else if (errno != EINTR) {
			recover(receiver);
		}
	}
	if (!receiver->leave) {
		drain(receiver);
	}
	while (send(receiver->write_fd, NULL, 0, MSG_NOSIGNAL) < 0 && errno == EINTR) {
	}
	return NULL;
}

static void free_receiver(struct msgq_receiver *receiver)
{
	io_close(&receiver->write_fd);
	io_close(&receiver->stop_fd);
	free(receiver);
}

struct msgq_receiver *msgq_receiver_start(struct msgq *msgq, int write_fd, unsigned number)
{
	struct msgq_receiver *receiver = calloc(1, sizeof(*receiver));
	int error;

	if (!receiver) {
		io_close(&write_fd);
		return NULL;
	}
	receiver->msgq = msgq;
	receiver->write_fd = write_fd;
	receiver->number = number;
	receiver->stop_fd = interrupt_prepare() == 0 ? io_event_open() : -1;
	for (int i = 0; i < BURST_MESSAGES; i++) {
		receiver->datagrams[i].msg_hdr = (struct msghdr){
			.msg_iov = &receiver->parts[i],
			.msg_iovlen = 1,
		};
	}
	error = receiver->stop_fd < 0
			? errno
			: thread_start(&receiver->thread, receiver_main, receiver);
	if (error) {
		free_receiver(receiver);
		errno = error;
		return NULL;
	}
	return receiver;
}

void msgq_receiver_request_stop(struct msgq_receiver *receiver, bool leave)
{
	if (!atomic_load_explicit(&receiver->stop, memory_order_relaxed)) {
		receiver->leave = leave;
		/* Release pairs with the acquire in receiver_main(), for LEAVE. */
		atomic_store_explicit(&receiver->stop, true, memory_order_release);
	}
	io_event_set(receiver->stop_fd);
	pthread_kill(receiver->thread, INTERRUPT_SIGNAL);
}

void msgq_receiver_join(struct msgq_receiver *receiver)
{
	pthread_join(receiver->thread, NULL);
	free_receiver(receiver);
}
