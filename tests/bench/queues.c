/* SPDX-License-Identifier: MIT */
/*
 * A hand-off queue under load: doc/decisions/0002. Settings, besides those of hand_off.h:
 *
 *	producers=3 takers=1	how many threads
 *	nodes=1024		of each producer; they come back through a queue of the same kind
 *	every=0			us from one push of a producer to the next; 0: as fast as it goes
 *	idle=0			so many producers more, at SCHED_IDLE and as fast as they go
 *	busy=0			so many threads that compute for 3 ms and rest for 1 ms
 *	ms=500			how long
 *
 * The takers take in turns, as the workers do, and the producers' nodes go back one by one. Prints
 * what was taken in a second, and the latencies of the hand-off, those at SCHED_IDLE apart.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "bench/hand_off.h"
#include "bench/histogram.h"
#include "bench/shape.h"
#include "common/clock.h"

#define THREADS_MAX 16

#define BUSY_NS (3 * CLOCK_MS)
#define REST_NS (1 * CLOCK_MS)

struct producer {
	struct hand_off *returned;
	struct queue_node *unused;
	bool is_idle;
};

struct item {
	struct queue_node node;
	struct producer *producer;
	uint64_t pushed_ns;
};

struct taker {
	uint64_t taken;
	struct histogram latency;
};

static struct hand_off *queue;
static pthread_mutex_t lead = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool over;	/* relaxed everywhere: it orders nothing, and late is soon enough */
static unsigned long nodes;
static uint64_t every_ns;

static bool is_over(void)
{
	return atomic_load_explicit(&over, memory_order_relaxed);
}

static void rest(uint64_t ns)
{
	const struct timespec moment = clock_timespec(ns);

	ppoll(NULL, 0, &moment, NULL);
}

static struct item *item_of(struct queue_node *node)
{
	return (struct item *)(void *)node;
}

/* The first one waits while all its nodes are out, as the ingress threads do. */
static struct item *next_item(struct producer *producer)
{
	struct queue_node *node;

	if (!producer->unused) {
		producer->unused = hand_off_take(producer->returned);
	}
	node = producer->unused;
	producer->unused = node->next;
	return item_of(node);
}

static void *produce(void *argument)
{
	struct producer *producer = argument;
	struct sched_param none = { 0 };
	struct item *items = calloc(nodes, sizeof(*items));
	uint64_t due_ns = clock_now_ns();

	producer->returned = hand_off_new();
	for (unsigned long i = 0; i < nodes; i++) {
		items[i].producer = producer;
		items[i].node.next = producer->unused;
		producer->unused = &items[i].node;
	}
	prctl(PR_SET_TIMERSLACK, 1);
	if (producer->is_idle && sched_setscheduler(0, SCHED_IDLE, &none) < 0) {
		shape_die("SCHED_IDLE");
	}
	while (!is_over()) {
		struct item *item = next_item(producer);
		uint64_t now_ns = clock_now_ns();

		if (every_ns && !producer->is_idle) {
			due_ns = due_ns + every_ns > now_ns ? due_ns + every_ns : now_ns;
			rest(due_ns - now_ns);
			now_ns = clock_now_ns();
		}
		item->pushed_ns = now_ns;
		hand_off_push(queue, &item->node);
	}
	return NULL;
}

static void *take(void *argument)
{
	struct taker *taker = argument;
	bool more = true;

	while (more) {
		struct queue_node *taken;
		uint64_t now_ns;

		pthread_mutex_lock(&lead);
		taken = hand_off_take(queue);
		pthread_mutex_unlock(&lead);
		now_ns = clock_now_ns();
		while (taken) {
			struct item *item = item_of(taken);
			struct producer *producer = item->producer;

			taken = taken->next;
			if (!producer) {
				/* The end, for the next taker too. */
				hand_off_push(queue, &item->node);
				more = false;
				break;
			}
			taker->taken++;
			if (!producer->is_idle) {
				histogram_add(&taker->latency, now_ns - item->pushed_ns);
			}
			hand_off_push(producer->returned, &item->node);
		}
	}
	return NULL;
}

static void *compute(void *unused)
{
	while (!is_over()) {
		uint64_t end_ns = clock_now_ns() + BUSY_NS;

		while (clock_now_ns() < end_ns) {
		}
		rest(REST_NS);
	}
	return unused;
}

static void print(const struct taker *taker, double seconds)
{
	static const double quantiles[] = { 0.5, 0.99, 0.999, 0.9999 };

	printf("taken=%.0f ", (double)taker->taken / seconds);
	for (unsigned i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		printf("p%g=%.1f ", 100 * quantiles[i],
			(double)histogram_quantile_ns(&taker->latency, quantiles[i]) / 1e3);
	}
	printf("max=%.1f\n", (double)taker->latency.max_ns / 1e3);
}

static void play(unsigned long producers, unsigned long idle, unsigned long takers,
	struct producer *all_producers, struct taker *all_takers)
{
	struct item end = { .producer = NULL };
	pthread_t threads[2 * THREADS_MAX];
	uint64_t began_ns = clock_now_ns();
	uint64_t took_ns;

	for (unsigned long i = 0; i < producers + idle; i++) {
		all_producers[i].is_idle = i >= producers;
		threads[i] = shape_thread(produce, &all_producers[i]);
	}
	for (unsigned long i = 0; i < takers; i++) {
		threads[THREADS_MAX + i] = shape_thread(take, &all_takers[i]);
	}
	rest(shape_number("ms", 500) * CLOCK_MS);
	atomic_store_explicit(&over, true, memory_order_relaxed);
	took_ns = clock_now_ns() - began_ns;
	for (unsigned long i = 0; i < producers + idle; i++) {
		pthread_join(threads[i], NULL);
	}
	hand_off_push(queue, &end.node);
	for (unsigned long i = 0; i < takers; i++) {
		pthread_join(threads[THREADS_MAX + i], NULL);
		if (i) {
			all_takers[0].taken += all_takers[i].taken;
			histogram_merge(&all_takers[0].latency, &all_takers[i].latency);
		}
	}
	print(all_takers, (double)took_ns / CLOCK_S);
}

int main(int argc, char **argv)
{
	static struct producer all_producers[THREADS_MAX];
	static struct taker all_takers[THREADS_MAX];
	unsigned long producers;
	unsigned long takers;
	unsigned long idle;

	shape_begin(argc, argv);
	producers = shape_number("producers", 3);
	takers = shape_number("takers", 1);
	idle = shape_number("idle", 0);
	if (producers + idle > THREADS_MAX || takers > THREADS_MAX) {
		fprintf(stderr, "no more than %d threads of a kind\n", THREADS_MAX);
		return 2;
	}
	nodes = shape_number("nodes", 1024);
	every_ns = shape_number("every", 0) * CLOCK_US;
	queue = hand_off_new();
	for (unsigned long i = 0; i < shape_number("busy", 0); i++) {
		shape_thread(compute, NULL);
	}
	play(producers, idle, takers, all_producers, all_takers);
	return 0;
}
