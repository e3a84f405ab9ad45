/* SPDX-License-Identifier: MIT */
#include "bench/hand_off.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <urcu/arch.h>
#include <urcu/lfstack.h>
#include <urcu/wfcqueue.h>

#include "bench/shape.h"
#include "common/clock.h"

#define CACHE_LINE_BYTES 64

enum wake { WAKE_ASLEEP, WAKE_WAS_EMPTY, WAKE_EACH };
static const char *const wake_names[] = { "asleep", "was-empty", "each" };

struct structure;

struct hand_off {
	const struct structure *structure;
	enum wake wake;
	uint64_t spin_ns;
	bool yields;
	struct queue *ours;
	_Alignas(CACHE_LINE_BYTES) struct __cds_lfs_stack stack;
	/* Head and tail apart, as the library's author found to be twice as fast. */
	_Alignas(CACHE_LINE_BYTES) struct __cds_wfcq_head head;
	_Alignas(CACHE_LINE_BYTES) struct cds_wfcq_tail tail;
	/* What was spliced and could not be walked to its end yet; the taker's. */
	_Alignas(CACHE_LINE_BYTES) struct __cds_wfcq_head spliced_head;
	struct cds_wfcq_tail spliced_tail;
	_Alignas(CACHE_LINE_BYTES) pthread_mutex_t lock;
	struct queue_node *first;
	struct queue_node *last;
	/* 1 while the taker sleeps; with the other two ways to wake, a count of the wake-ups. */
	_Alignas(CACHE_LINE_BYTES) _Atomic uint32_t word;
	_Alignas(CACHE_LINE_BYTES) _Atomic uint64_t wakes;
	_Atomic uint64_t sleeps;
};

struct structure {
	const char *name;
	bool (*push)(struct hand_off *, struct queue_node *);	/* returns whether it was empty */
	struct queue_node *(*take)(struct hand_off *);
	bool (*is_empty)(struct hand_off *);
};

_Static_assert(sizeof(struct queue_node) == sizeof(struct cds_lfs_node) &&
		       sizeof(struct queue_node) == sizeof(struct cds_wfcq_node),
	"all of them link their nodes by one pointer");

static bool lfs_push(struct hand_off *hand_off, struct queue_node *node)
{
	return !cds_lfs_push(&hand_off->stack, (struct cds_lfs_node *)(void *)node);
}

static struct queue_node *lfs_take(struct hand_off *hand_off)
{
	struct cds_lfs_head *head = __cds_lfs_pop_all(&hand_off->stack);
	struct queue_node *node = (struct queue_node *)(void *)head;
	struct queue_node *oldest = NULL;

	while (node) {
		struct queue_node *older = node->next;

		node->next = oldest;
		oldest = node;
		node = older;
	}
	return oldest;
}

static bool lfs_is_empty(struct hand_off *hand_off)
{
	return cds_lfs_empty(&hand_off->stack);
}

static bool wfcq_push(struct hand_off *hand_off, struct queue_node *node)
{
	struct cds_wfcq_node *wfcq_node = (struct cds_wfcq_node *)(void *)node;

	cds_wfcq_node_init(wfcq_node);
	return !cds_wfcq_enqueue(&hand_off->head, &hand_off->tail, wfcq_node);
}

static bool wfcq_is_empty(struct hand_off *hand_off)
{
	return cds_wfcq_empty(&hand_off->head, &hand_off->tail) &&
	       cds_wfcq_empty(&hand_off->spliced_head, &hand_off->spliced_tail);
}

/* Link what was spliced by next, as far as DEQUEUE gets. */
static struct queue_node *walk(struct hand_off *hand_off,
	struct cds_wfcq_node *(*dequeue)(cds_wfcq_head_ptr_t, struct cds_wfcq_tail *))
{
	struct queue_node *oldest = NULL;
	struct queue_node **end = &oldest;
	struct cds_wfcq_node *node;

	while ((node = dequeue(&hand_off->spliced_head, &hand_off->spliced_tail)) &&
	       node != CDS_WFCQ_WOULDBLOCK) {
		*end = (struct queue_node *)(void *)node;
		end = &(*end)->next;
	}
	*end = NULL;
	return oldest;
}

/* A node whose push is half done hides those behind it: they are left for the next time. */
static struct queue_node *wfcq_take(struct hand_off *hand_off)
{
	struct queue_node *taken;

	__cds_wfcq_splice_nonblocking(&hand_off->spliced_head, &hand_off->spliced_tail,
		&hand_off->head, &hand_off->tail);
	taken = walk(hand_off, __cds_wfcq_dequeue_nonblocking);
	if (!taken && !wfcq_is_empty(hand_off)) {
		/* The pusher needs the CPU to go on. */
		sched_yield();
	}
	return taken;
}

static struct queue_node *wfcq_take_blocking(struct hand_off *hand_off)
{
	__cds_wfcq_splice_blocking(&hand_off->spliced_head, &hand_off->spliced_tail,
		&hand_off->head, &hand_off->tail);
	return walk(hand_off, __cds_wfcq_dequeue_blocking);
}

static bool mutex_push(struct hand_off *hand_off, struct queue_node *node)
{
	bool was_empty;

	node->next = NULL;
	pthread_mutex_lock(&hand_off->lock);
	was_empty = !hand_off->first;
	if (was_empty) {
		hand_off->first = node;
	} else {
		hand_off->last->next = node;
	}
	hand_off->last = node;
	pthread_mutex_unlock(&hand_off->lock);
	/* The others' compare-and-swap or exchange is one already. */
	cmm_smp_mb();
	return was_empty;
}

static struct queue_node *mutex_take(struct hand_off *hand_off)
{
	struct queue_node *taken;

	pthread_mutex_lock(&hand_off->lock);
	taken = hand_off->first;
	hand_off->first = NULL;
	pthread_mutex_unlock(&hand_off->lock);
	return taken;
}

static bool mutex_is_empty(struct hand_off *hand_off)
{
	bool is_empty;

	pthread_mutex_lock(&hand_off->lock);
	is_empty = !hand_off->first;
	pthread_mutex_unlock(&hand_off->lock);
	return is_empty;
}

static const struct structure structures[] = {
	{ "ours", NULL, NULL, NULL },
	{ "lfs", lfs_push, lfs_take, lfs_is_empty },
	{ "wfcq", wfcq_push, wfcq_take, wfcq_is_empty },
	{ "wfcq-blocking", wfcq_push, wfcq_take_blocking, wfcq_is_empty },
	{ "mutex", mutex_push, mutex_take, mutex_is_empty },
};
#define STRUCTURES (sizeof(structures) / sizeof(structures[0]))

struct hand_off *hand_off_new(void)
{
	struct hand_off *hand_off = aligned_alloc(CACHE_LINE_BYTES, sizeof(*hand_off));
	const char *names[STRUCTURES];

	if (!hand_off) {
		shape_die("aligned_alloc");
	}
	for (unsigned i = 0; i < STRUCTURES; i++) {
		names[i] = structures[i].name;
	}
	*hand_off = (struct hand_off){
		.structure = &structures[shape_choice("queue", names, STRUCTURES)],
		.wake = (enum wake)shape_choice("wake", wake_names, 3),
		.spin_ns = shape_number("spin", 0) * CLOCK_US,
		.yields = shape_number("yield", 0),
		.ours = queue_new(),
	};
	__cds_lfs_init(&hand_off->stack);
	__cds_wfcq_init(&hand_off->head, &hand_off->tail);
	__cds_wfcq_init(&hand_off->spliced_head, &hand_off->spliced_tail);
	pthread_mutex_init(&hand_off->lock, NULL);
	return hand_off;
}

static bool wake(struct hand_off *hand_off)
{
	atomic_fetch_add_explicit(&hand_off->wakes, 1, memory_order_relaxed);
	syscall(SYS_futex, &hand_off->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return true;
}

bool hand_off_push(struct hand_off *hand_off, struct queue_node *node)
{
	bool was_empty;

	if (!hand_off->structure->push) {
		return queue_push(hand_off->ours, node, 1);
	}
	/* Ends in a full barrier, which pairs with the one in sleep_once(): see queue.c. */
	was_empty = hand_off->structure->push(hand_off, node);
	if (hand_off->wake == WAKE_ASLEEP) {
		return atomic_load_explicit(&hand_off->word, memory_order_relaxed) &&
		       atomic_exchange_explicit(&hand_off->word, 0, memory_order_relaxed) &&
		       wake(hand_off);
	}
	if (was_empty || hand_off->wake == WAKE_EACH) {
		atomic_fetch_add_explicit(&hand_off->word, 1, memory_order_relaxed);
		return wake(hand_off);
	}
	return false;
}

static void sleep_once(struct hand_off *hand_off)
{
	bool says_so = hand_off->wake == WAKE_ASLEEP;
	uint32_t word = 1;

	if (says_so) {
		atomic_store_explicit(&hand_off->word, 1, memory_order_relaxed);
	} else {
		word = atomic_load_explicit(&hand_off->word, memory_order_relaxed);
	}
	cmm_smp_mb(); /* Pairs with the one in hand_off_push(). */
	if (hand_off->structure->is_empty(hand_off)) {
		atomic_fetch_add_explicit(&hand_off->sleeps, 1, memory_order_relaxed);
		syscall(SYS_futex, &hand_off->word, FUTEX_WAIT_PRIVATE, word, NULL, NULL, 0);
	}
	if (says_so) {
		atomic_store_explicit(&hand_off->word, 0, memory_order_relaxed);
	}
}

static bool comes_soon(struct hand_off *hand_off)
{
	uint64_t end_ns = clock_now_ns() + hand_off->spin_ns;

	do {
		if (hand_off->yields) {
			sched_yield();
		}
		for (unsigned i = 0; i < 16; i++) {
			caa_cpu_relax();
		}
		if (!hand_off->structure->is_empty(hand_off)) {
			return true;
		}
	} while (clock_now_ns() < end_ns);
	return false;
}

struct queue_node *hand_off_take(struct hand_off *hand_off)
{
	if (!hand_off->structure->take) {
		return queue_take(hand_off->ours, CLOCK_NEVER);
	}
	for (;;) {
		struct queue_node *taken = hand_off->structure->take(hand_off);

		if (taken) {
			return taken;
		}
		if (!hand_off->spin_ns || !comes_soon(hand_off)) {
			sleep_once(hand_off);
		}
	}
}

uint64_t hand_off_wakes(const struct hand_off *hand_off)
{
	return atomic_load_explicit(&hand_off->wakes, memory_order_relaxed);
}

uint64_t hand_off_sleeps(const struct hand_off *hand_off)
{
	return atomic_load_explicit(&hand_off->sleeps, memory_order_relaxed);
}
