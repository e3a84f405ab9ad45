/* SPDX-License-Identifier: MIT */
/*
 * cds_lfs push and pop-all, and a futex word for the one taker (n pushers wake 1 sleeper).
 *
 * The liburcu functions are called in the library, never inlined (_LGPL_SOURCE stays undefined):
 * so the thread sanitizer sees none of their inner loads and stores, and the two annotations
 * below tell it the one thing that matters, that a pushed node happens before its take. No
 * suppression is needed, and real races on what the nodes carry are still found.
 *
 * Sleeping and waking follow the pattern of Dekker: each side writes its own word, then reads
 * the other's, with a full barrier between.
 *
 *	taker				pusher
 *	enough = N, sleeping = 1	weight += n, publish the node
 *	barrier (A)			barrier (B)
 *	stack empty, or weight < N?	is sleeping 1, and weight >= enough?
 *	futex_wait(sleeping, 1)		sleeping = 0, futex_wake
 *
 * One of the two sees the other's write: either the taker finds the node, or the pusher finds the
 * sleeper. If both do, the futex_wait returns at once because the word has changed.
 */
#include "daemon/queue/queue.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <urcu/arch.h>
#include <urcu/lfstack.h>

#include "common/cache.h"
#include "common/clock.h"

#if defined(__SANITIZE_THREAD__)
#define QUEUE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define QUEUE_TSAN 1
#endif
#endif

#ifdef QUEUE_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define tsan_acquire(address) __tsan_acquire(address)
#define tsan_release(address) __tsan_release(address)
#else
#define tsan_acquire(address) ((void)(address))
#define tsan_release(address) ((void)(address))
#endif

/* As long as a sleep and a wake-up may take together where CPUs are virtual. */
#define SPIN_NS (200 * CLOCK_US)

_Static_assert(sizeof(struct queue_node) == sizeof(struct cds_lfs_node) &&
		       offsetof(struct queue_node, next) == offsetof(struct cds_lfs_node, next),
	"a queue_node is liburcu's node under our own name");

struct queue {
	/* Written by every push. */
	_Alignas(CACHE_LINE_BYTES) struct __cds_lfs_stack stack;
	_Atomic uint64_t weight;
	/* Read by every push, written only around a sleep. */
	_Alignas(CACHE_LINE_BYTES) _Atomic uint32_t sleeping;
	_Atomic bool closed;
	_Atomic uint64_t enough;	/* the weight that the sleeper waits for */
	/* The taker's: when it last waited, something came within SPIN_NS. */
	_Alignas(CACHE_LINE_BYTES) bool busy;
};

static struct cds_lfs_node *to_urcu(struct queue_node *node)
{
	return (struct cds_lfs_node *)(void *)node;
}

struct queue *queue_new(void)
{
	struct queue *queue = aligned_alloc(CACHE_LINE_BYTES, sizeof(*queue));

	if (!queue) {
		return NULL;
	}
	__cds_lfs_init(&queue->stack);
	atomic_init(&queue->weight, 0);
	atomic_init(&queue->sleeping, 0);
	atomic_init(&queue->closed, false);
	atomic_init(&queue->enough, 0);
	queue->busy = false;
	return queue;
}

void queue_free(struct queue *queue)
{
	free(queue);
}

/* Barrier (B) was the caller's. */
static bool is_enough_for_sleeper(const struct queue *queue)
{
	/* Acquire pairs with the release in sleep_until(): the sleeper has said for how much. */
	return atomic_load_explicit(&queue->sleeping, memory_order_acquire) &&
	       queue_weight(queue) >= atomic_load_explicit(&queue->enough, memory_order_relaxed);
}

static bool wake_sleeper(struct queue *queue)
{
	/* The exchange makes one of several pushers the waker. */
	if (!atomic_exchange_explicit(&queue->sleeping, 0, memory_order_relaxed)) {
		return false;
	}
	syscall(SYS_futex, &queue->sleeping, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return true;
}

uint64_t queue_weight(const struct queue *queue)
{
	return atomic_load_explicit(&queue->weight, memory_order_relaxed);
}

bool queue_push(struct queue *queue, struct queue_node *node, uint64_t weight)
{
	cds_lfs_stack_ptr_t stack = { ._s = &queue->stack };

	/* Relaxed: a figure to judge by, which orders nothing. */
	atomic_fetch_add_explicit(&queue->weight, weight, memory_order_relaxed);
	tsan_release(node);
	/* (B): by liburcu's contract its compare-and-swap is a full barrier on both sides. */
	cds_lfs_push(stack, to_urcu(node));
	return is_enough_for_sleeper(queue) && wake_sleeper(queue);
}

bool queue_is_empty(const struct queue *queue)
{
	/*
	 * Without a name for the type of the argument, a transparent union: since liburcu 0.15 it
	 * is another one, of pointers to const.
	 */
	return cds_lfs_empty((struct __cds_lfs_stack *)(uintptr_t)&queue->stack);
}

bool queue_is_finished(const struct queue *queue)
{
	/* Acquire pairs with the release in queue_close(): closed, so every push is visible. */
	return atomic_load_explicit(&queue->closed, memory_order_acquire) && queue_is_empty(queue);
}

/* The stack has the newest on top; the taker wants the oldest first. */
static struct queue_node *take_reversed(struct queue *queue)
{
	cds_lfs_stack_ptr_t stack = { ._s = &queue->stack };
	struct cds_lfs_head *head = __cds_lfs_pop_all(stack);
	struct cds_lfs_node *node = head ? &head->node : NULL;
	struct queue_node *oldest = NULL;

	while (node) {
		struct queue_node *taken = (struct queue_node *)(void *)node;
		struct cds_lfs_node *older;

		/* Before anything of the node is read: its link may be an earlier taker's doing. */
		tsan_acquire(taken);
		older = node->next;
		taken->next = oldest;
		oldest = taken;
		node = older;
	}
	return oldest;
}

static bool is_closed(const struct queue *queue)
{
	return atomic_load_explicit(&queue->closed, memory_order_acquire);
}

static bool is_worth_a_look(const struct queue *queue)
{
	return !queue_is_empty(queue) || is_closed(queue);
}

/*
 * Wait for a moment without sleeping, and yield the CPU to any thread that can run: on a machine
 * whose CPUs all have work, that is the pusher, and neither side makes a system call to wake the
 * other. Returns whether something came.
 */
static bool spin(const struct queue *queue, uint64_t began_ns)
{
	do {
		sched_yield();
		if (is_worth_a_look(queue)) {
			return true;
		}
	} while (clock_now_ns() - began_ns < SPIN_NS);
	return false;
}

/* Returns when there is something and ENOUGH was ever pushed, or at the deadline; or sooner. */
static void sleep_until(struct queue *queue, uint64_t enough, uint64_t deadline_ns)
{
	/* Not a timespec: on 32 bits its seconds may have 64, and those of SYS_futex have 32. */
	struct __kernel_old_timespec deadline = {
		.tv_sec = (__kernel_old_time_t)(deadline_ns / CLOCK_S),
		.tv_nsec = (long)(deadline_ns % CLOCK_S),
	};

	atomic_store_explicit(&queue->enough, enough, memory_order_relaxed);
	/* Release: pairs with the acquire in is_enough_for_sleeper(). */
	atomic_store_explicit(&queue->sleeping, 1, memory_order_release);
	cmm_smp_mb(); /* (A) */
	if (!is_worth_a_look(queue) || (queue_weight(queue) < enough && !is_closed(queue))) {
		/* FUTEX_WAIT_BITSET takes an absolute time on CLOCK_MONOTONIC. */
		syscall(SYS_futex, &queue->sleeping, FUTEX_WAIT_BITSET_PRIVATE, 1,
			deadline_ns == CLOCK_NEVER ? NULL : &deadline, NULL,
			FUTEX_BITSET_MATCH_ANY);
	}
	atomic_store_explicit(&queue->sleeping, 0, memory_order_relaxed);
}

static void wait_until(struct queue *queue, uint64_t deadline_ns)
{
	uint64_t began_ns = clock_now_ns();

	if (!queue->busy || !spin(queue, began_ns)) {
		sleep_until(queue, 0, deadline_ns);
		queue->busy = clock_now_ns() - began_ns < SPIN_NS;
	}
}

void queue_gather(struct queue *queue, uint64_t enough, uint64_t deadline_ns)
{
	while (queue_weight(queue) < enough && !is_closed(queue) &&
	       clock_now_ns() < deadline_ns) {
		sleep_until(queue, enough, deadline_ns);
	}
}

struct queue_node *queue_take(struct queue *queue, uint64_t deadline_ns)
{
	for (;;) {
		struct queue_node *taken = take_reversed(queue);

		if (taken || queue_is_finished(queue)) {
			return taken;
		}
		if (deadline_ns != CLOCK_NEVER && clock_now_ns() >= deadline_ns) {
			return NULL;
		}
		wait_until(queue, deadline_ns);
	}
}

void queue_close(struct queue *queue)
{
	/* Release: pairs with the acquire loads of closed; all pushes came before. */
	atomic_store_explicit(&queue->closed, true, memory_order_release);
	cmm_smp_mb(); /* (B) */
	wake_sleeper(queue);
}
