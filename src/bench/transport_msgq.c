/* SPDX-License-Identifier: MIT */
/*
 * msgq: "uptime T" goes to the queue KEY, the line comes as type T from KEY | 0x40000000, and T is
 * a ticket. No poll() knows of these queues, so a second thread sits in msgrcv(), takes the time,
 * and passes answers on through a ring; it wakes the lane once for as many as there were. It takes
 * all types up to TYPES, so two of these must not measure one server at the same time.
 *
 * A queue is a name, not a thing: when it is removed, it is looked up again, by whichever of the
 * two threads notices.
 */
#include "bench/transport.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <unistd.h>

#include "bench/judge.h"
#include "bench/lane.h"
#include "bench/ticket.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/protocol.h"
#include "common/thread.h"

#define REQUEST_TYPE	1
#define RING		4096u		/* a power of two */
#define STOP_SIGNAL	SIGUSR2
/*
 * Types of replies go round in these. Late answers are at most as old as the timeout and what the
 * server keeps them for, and so many requests are not sent in that time.
 */
#define TYPES		(1u << 20)
#define LOOK_UP_NS	(1 * CLOCK_MS)	/* at least, between two vain look-ups */

struct reply {
	uint64_t done_ns;
	uint32_t type;
	uint32_t len;
	char text[PROTOCOL_TRUSTED_LINE_MAX_BYTES];
};

struct message {
	long type;
	char text[PROTOCOL_TRUSTED_LINE_MAX_BYTES];
};

struct msgq_state {
	int request_queue;
	int reply_queue;
	struct ticket_book *book;
	pthread_t receiver;
	bool receiving;			/* the thread exists */
	uint64_t look_up_ns;		/* not again before */
	int wake_fd;
	_Atomic bool stop;
	_Atomic bool gone;		/* the receiver has left: its queue was removed */
	/*
	 * One writer, one reader. The receiver's release of WRITTEN in push() orders the reply
	 * before it and pairs with the lane's acquire in msgq_own_event(); the lane's release of
	 * TAKEN there, after it has read the reply, pairs with the receiver's acquire in push().
	 */
	_Atomic uint32_t written;
	_Atomic uint32_t taken;
	struct reply ring[RING];
};

static void on_stop_signal(int signal_number)
{
	(void)signal_number;
}

/* Tickets go on from one run to the next, so that late answers are known for what they are. */
static uint64_t next_id;

/* Returns false if the ring is full; the queue is then emptied more slowly, as it should be. */
static bool push(struct msgq_state *state, const struct message *message, size_t len)
{
	uint32_t written = atomic_load_explicit(&state->written, memory_order_relaxed);
	uint32_t taken = atomic_load_explicit(&state->taken, memory_order_acquire);
	struct reply *reply = &state->ring[written % RING];

	if (written - taken == RING) {
		return false;
	}
	reply->done_ns = clock_now_ns();
	reply->type = (uint32_t)message->type;
	reply->len = (uint32_t)len;
	memcpy(reply->text, message->text, len);
	atomic_store_explicit(&state->written, written + 1, memory_order_release);
	return true;
}

/* Negative: the lowest type up to that. Longer lines are cut: they are none of ours. */
static ssize_t receive(struct msgq_state *state, struct message *message, int flags)
{
	return msgrcv(state->reply_queue, message, sizeof(message->text), -(long)TYPES,
		flags | MSG_NOERROR);
}

static void *receive_main(void *arg)
{
	struct msgq_state *state = arg;
	struct message message;
	int flags = 0;

	pthread_setname_np(pthread_self(), "msgq-replies");
	/* Only a hint to leave: the join orders all the rest. */
	while (!atomic_load_explicit(&state->stop, memory_order_relaxed)) {
		ssize_t got = receive(state, &message, flags);

		if (got >= 0) {
			while (!push(state, &message, (size_t)got) &&
			       !atomic_load_explicit(&state->stop, memory_order_relaxed)) {
				io_event_set(state->wake_fd);
				sched_yield();
			}
			flags = IPC_NOWAIT;
		} else if (errno == ENOMSG) {
			/* All that was there has been passed on: now one wake-up for it. */
			io_event_set(state->wake_fd);
			flags = 0;
		} else if (errno != EINTR) {
			/* Only a hint to look again, too: the lane joins before it does. */
			atomic_store_explicit(&state->gone, true, memory_order_relaxed);
			io_event_set(state->wake_fd);
			break;
		}
	}
	return NULL;
}

static void stop_receiver(struct msgq_state *state)
{
	struct timespec deadline;
	int error;

	atomic_store_explicit(&state->stop, true, memory_order_relaxed);
	/* The signal may come just before msgrcv(): so again, until the thread has left. */
	do {
		pthread_kill(state->receiver, STOP_SIGNAL);
		clock_gettime(CLOCK_REALTIME, &deadline);
		deadline.tv_nsec += (long)CLOCK_MS;
		if (deadline.tv_nsec >= (long)CLOCK_S) {
			deadline.tv_nsec -= (long)CLOCK_S;
			deadline.tv_sec++;
		}
		error = pthread_timedjoin_np(state->receiver, NULL, &deadline);
	} while (error == ETIMEDOUT);
}

static void msgq_close(struct lane *lane)
{
	struct msgq_state *state = lane->state;

	if (!state) {
		return;
	}
	if (state->receiving) {
		stop_receiver(state);
	}
	io_close(&state->wake_fd);
	if (state->book) {
		next_id = state->book->next_id;
	}
	free(state->book);
	free(state);
	lane->state = NULL;
}

static int start_receiver(struct msgq_state *state)
{
	struct sigaction action = { .sa_handler = on_stop_signal };
	sigset_t stop_set;
	int error;

	sigaction(STOP_SIGNAL, &action, NULL);
	sigemptyset(&stop_set);
	sigaddset(&stop_set, STOP_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &stop_set, NULL);
	error = thread_start(&state->receiver, receive_main, state);
	state->receiving = error == 0;
	errno = error;
	return error ? -1 : 0;
}

/*
 * Find the queues and have the reply queue emptied. Returns 0, or -1 with errno; it is not tried
 * again at once.
 */
static int look_up(struct lane *lane)
{
	struct msgq_state *state = lane->state;
	uint32_t key = lane->target->address.key;
	uint64_t now_ns = clock_now_ns();

	if (now_ns < state->look_up_ns) {
		errno = ENOENT;
		return -1;
	}
	state->look_up_ns = now_ns + LOOK_UP_NS;
	if (state->receiving) {
		stop_receiver(state);
		state->receiving = false;
	}
	atomic_store_explicit(&state->stop, false, memory_order_relaxed);
	atomic_store_explicit(&state->gone, false, memory_order_relaxed);
	state->request_queue = msgget((key_t)key, 0);
	if (state->request_queue >= 0) {
		state->reply_queue = msgget((key_t)(key | PROTOCOL_REPLY_QUEUE_BIT), 0);
	}
	if (state->request_queue < 0 || state->reply_queue < 0 || start_receiver(state) < 0) {
		state->request_queue = -1;
		return -1;
	}
	return 0;
}

/* Is there a queue to send to, maybe after looking it up? */
static bool is_found(struct lane *lane)
{
	struct msgq_state *state = lane->state;

	return (state->request_queue >= 0 &&
		!atomic_load_explicit(&state->gone, memory_order_relaxed)) || look_up(lane) == 0;
}

static int msgq_open(struct lane *lane)
{
	struct msgq_state *state = calloc(1, sizeof(*state));

	lane->state = state;
	if (!state) {
		return -1;
	}
	state->request_queue = -1;
	state->reply_queue = -1;
	state->wake_fd = io_event_open();
	/* Random at first: another process may have left answers. */
	if (next_id == 0 && getrandom(&next_id, sizeof(next_id), 0) < 0) {
		return -1;
	}
	state->book = ticket_book_new(next_id);
	if (state->wake_fd < 0 || !state->book ||
	    lane_watch_own(lane, state->wake_fd, EPOLLIN, 0) < 0) {
		return -1;
	}
	/* Without a server, each request will find that out and count it. */
	(void)is_found(lane);
	return 0;
}

static int send_request(struct msgq_state *state, const struct request *request)
{
	struct message message = { .type = REQUEST_TYPE };
	int len = snprintf(message.text, sizeof(message.text), "uptime %u",
		(unsigned)(request->ticket % TYPES) + 1);

	return msgsnd(state->request_queue, &message, (size_t)len, IPC_NOWAIT);
}

static bool is_removed(int error)
{
	return error == EIDRM || error == EINVAL;
}

static enum transport_start msgq_start(struct lane *lane, struct request *request)
{
	struct msgq_state *state = lane->state;
	int failed = -1;

	request->ticket = ticket_issue(state->book, request->index);
	if (is_found(lane)) {
		request->sent_ns = clock_now_ns();
		failed = send_request(state, request);
	}
	if (failed && is_removed(errno) && look_up(lane) == 0) {
		request->sent_ns = clock_now_ns();
		failed = send_request(state, request);
	}
	if (!failed) {
		return TRANSPORT_STARTED;
	}
	ticket_find(state->book, request->ticket)->state = TICKET_LOST;
	if (errno == EAGAIN || errno == EINTR) {
		return TRANSPORT_AGAIN;
	}
	lane_end(lane, request, outcome_of_errno(errno), clock_now_ns());
	return TRANSPORT_STARTED;
}

static void take_reply(struct lane *lane, const struct reply *reply)
{
	struct msgq_state *state = lane->state;
	struct ticket *ticket = ticket_find_number(state->book, reply->type - 1, TYPES);

	if (!ticket) {
		return;		/* of an earlier run */
	}
	if (ticket->state == TICKET_LOST) {
		lane_count_late(lane);
	} else if (ticket->state == TICKET_ANSWERED) {
		lane_count_duplicate(lane);
	} else {
		lane_end(lane, &lane->requests[ticket->slot],
			judge_answer(reply->text, reply->len, true, lane->plan->expect),
			reply->done_ns);
	}
	ticket->state = TICKET_ANSWERED;
}

static void msgq_own_event(struct lane *lane, uint32_t number, uint32_t events)
{
	struct msgq_state *state = lane->state;
	uint32_t taken = atomic_load_explicit(&state->taken, memory_order_relaxed);
	uint64_t wakes;

	(void)number;
	(void)events;
	(void)!read(state->wake_fd, &wakes, sizeof(wakes));
	while (taken != atomic_load_explicit(&state->written, memory_order_acquire)) {
		take_reply(lane, &state->ring[taken % RING]);
		taken++;
		atomic_store_explicit(&state->taken, taken, memory_order_release);
	}
	/* All is taken that came before the queue went away. */
	(void)is_found(lane);
}

static void msgq_abandon(struct lane *lane, struct request *request)
{
	struct msgq_state *state = lane->state;
	struct ticket *ticket = ticket_find(state->book, request->ticket);

	if (ticket) {
		ticket->state = TICKET_LOST;
	}
}

const struct transport bench_transport_msgq = {
	.fds_per_request = 0,
	.open = msgq_open,
	.close = msgq_close,
	.start = msgq_start,
	.own_event = msgq_own_event,
	.abandon = msgq_abandon,
};
