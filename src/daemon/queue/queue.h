/* SPDX-License-Identifier: MIT */
/*
 * The lock-free hand-off from many threads to one: a liburcu stack that is taken whole.
 *
 * It carries batches of requests to the workers, and answered requests back to the thread they
 * came from. Who may call what at the same time ("-" needs nothing, "X" needs mutual exclusion
 * by the callers):
 *
 *			push	take	close	is_empty
 *	push		 -	 -	 X	 -
 *	take		 -	 X	 -	 -
 *	close		 X	 -	 X	 -
 *	is_empty	 -	 -	 -	 -
 *
 * "Lock-free" here means: a push is one compare-and-swap that is retried only if another push
 * got through, and a take is one exchange. A thread that is preempted anywhere in a push hides
 * nothing from the taker and holds up no thread: a node's link is set before the node is published,
 * so there is no window in which the list is broken.
 *
 * Order: what one thread pushes is taken in the order it was pushed. Between threads there is no
 * promised order beyond that of the compare-and-swaps.
 *
 * Bound: none of its own. The nodes come from a pool of fixed size (request.h), and the pool
 * running empty is the back-pressure.
 *
 * Wake-ups: a push enters the kernel only if the taker sleeps and has enough then, and only once.
 */
#ifndef RUPTIME_DAEMON_QUEUE_QUEUE_H
#define RUPTIME_DAEMON_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Embedded in what travels. Belongs to the queue from push to take; may be pushed again, to any
 * queue, as soon as it was taken and its successor read.
 */
struct queue_node {
	struct queue_node *next;
};

struct queue;

/* Returns NULL with errno ENOMEM. */
struct queue *queue_new(void);

/* The queue must be empty and out of use. NULL is fine. */
void queue_free(struct queue *queue);

/*
 * Give NODE away, for WEIGHT requests. Never blocks, never fails. Full memory barrier before the
 * node is published. Returns whether the taker slept and was woken.
 */
bool queue_push(struct queue *queue, struct queue_node *node, uint64_t weight);

/* The weight of all that was ever pushed. Any thread; tells nothing about what can be taken now. */
uint64_t queue_weight(const struct queue *queue);

/*
 * Take everything there is, oldest first, linked by next. Sleeps while there is nothing, until
 * CLOCK_MONOTONIC reads DEADLINE_NS (0: does not sleep; CLOCK_NEVER: no deadline).
 * Returns NULL if the deadline passed, or if the queue is closed and empty.
 */
struct queue_node *queue_take(struct queue *queue, uint64_t deadline_ns);

/*
 * Sleep until the weight of all that was ever pushed is ENOUGH, the queue is closed, or
 * CLOCK_MONOTONIC reads DEADLINE_NS. Excludes takes as a take does.
 */
void queue_gather(struct queue *queue, uint64_t enough, uint64_t deadline_ns);

/*
 * No push follows: call it when the last pusher has stopped. A sleeping taker wakes; what is
 * still in the queue can be taken.
 */
void queue_close(struct queue *queue);

/* Closed, with nothing left to take: a NULL of queue_take() is final. */
bool queue_is_finished(const struct queue *queue);

/* A glance without a promise: by the time the caller looks at the answer it may be wrong. */
bool queue_is_empty(const struct queue *queue);

#endif
